"""
Turns a model into an ONNX graph with free batch and length, kept in the user's cache folder under a
hash of its content.

The hash covers the weights, the engine's own code and the version of torch: a graph must never
outlive what it was made from, or two revisions that are compared would run the same one. Exported
by torch's TorchScript exporter, which every torch since 2.5 has without further packages but
`onnx`.
"""

import hashlib
import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import engine
from engine.acoustic.dit import DiT
from engine.vocoder.vocos import Vocos

OPSET = 20
"""
The newest that torch 2.5 writes: LayerNormalization and Gelu are one node each; ONNX Runtime 1.17
and later read it.
"""
EXAMPLE_BATCH, EXAMPLE_FRAMES = 2, 47
"""
What is traced; the graph holds for any. No other axis has such a length, which is how the free ones
are known.
"""
KEPT = 12
"""
Graphs in the cache folder; the oldest go. Two models of six voices, 25 MB each pair for the
embedded one.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """
    What a graph is given, by name, in the model's order, and how wide its output (B, T, width) is.
    """

    inputs: dict[str, Tensor]
    """Examples."""
    width: int

    @property
    def axes(self) -> dict[str, dict[int, str]]:
        """The free axes of every input and of the output."""
        free = {name: {0: "batch"} for name in (*self.inputs, "output")}
        for name, example in (
            *self.inputs.items(),
            ("output", torch.empty(EXAMPLE_BATCH, EXAMPLE_FRAMES, self.width)),
        ):
            free[name] |= {
                axis: "frames"
                for axis in range(1, example.ndim)
                if example.shape[axis] == EXAMPLE_FRAMES
            }
        return free


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """An ONNX model as bytes, and where it lies, if it could be kept."""

    content: bytes
    signature: Signature
    path: Path | None


def graph_of(model: nn.Module, *, masked: bool) -> Graph:
    """
    Give the graph of a model, exported only where the cache folder does not have it. `masked`: it
    takes a mask, too.
    """
    signature = signature_of(model, masked=masked)
    path = cache_folder() / f"{_digest(model, signature)}.onnx"
    try:
        return Graph(content=path.read_bytes(), signature=signature, path=path)
    except OSError:
        content = export(model, signature)
    return Graph(content=content, signature=signature, path=path if _keep(path, content) else None)


def signature_of(model: nn.Module, *, masked: bool) -> Signature:
    """Say what a model is given."""
    weight = next(model.parameters())

    def example(*shape: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.randn((EXAMPLE_BATCH, *shape), generator=generator).to(weight)

    if isinstance(model, DiT):
        shape = model.shape
        mel = example(EXAMPLE_FRAMES, shape.bands)
        times = torch.full((EXAMPLE_BATCH,), 0.5, device=weight.device)
        inputs = {
            "noisy": mel,
            "known": mel,
            "text": example(EXAMPLE_FRAMES, shape.text_width),
            "t": times,
        }
        mask = torch.ones(
            (EXAMPLE_BATCH, 1, 1, EXAMPLE_FRAMES), dtype=torch.bool, device=weight.device
        )
        return Signature(inputs={**inputs, **({"mask": mask} if masked else {})}, width=shape.bands)
    assert isinstance(model, Vocos), f"no signature for {type(model).__name__}"
    inputs = {"mel": example(EXAMPLE_FRAMES, model.shape.bands)}
    if masked:
        inputs["mask"] = torch.ones(
            (EXAMPLE_BATCH, EXAMPLE_FRAMES, 1), dtype=torch.bool, device=weight.device
        )
    return Signature(inputs=inputs, width=model.shape.n_fft + 2)


def export(model: nn.Module, signature: Signature) -> bytes:
    """Write the model as an ONNX graph."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # that there is a newer exporter, and that lengths are traced
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            tuple(signature.inputs.values()),
            buffer,  # type: ignore[arg-type]  # this exporter takes an open file, too
            input_names=list(signature.inputs),
            output_names=["output"],
            dynamic_axes=signature.axes,
            opset_version=OPSET,
            dynamo=False,
        )
    return _declared(buffer.getvalue(), signature)


def _declared(content: bytes, signature: Signature) -> bytes:
    """
    Say what shape comes out: the exporter loses count of the axes where heads are split, and
    declares a guess.
    """
    import onnx

    model = onnx.load_model_from_string(content)
    del model.graph.value_info[:]
    shape = model.graph.output[0].type.tensor_type.shape
    del shape.dim[:]
    for name in ("batch", "frames"):
        shape.dim.add().dim_param = name
    shape.dim.add().dim_value = signature.width
    written: bytes = model.SerializeToString()
    return written


def cache_folder() -> Path:
    """Name the folder for graphs, below the user's own cache folder."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "voxgate" / "onnx"


def _digest(model: nn.Module, signature: Signature) -> str:
    whole = hashlib.sha256(
        f"{OPSET} {torch.__version__} {type(model).__name__} {signature.axes}".encode()
    )
    for name, value in (*model.state_dict().items(), *signature.inputs.items()):
        whole.update(f"{name} {value.dtype} {value.device.type} {tuple(value.shape)}".encode())
        whole.update(value.detach().cpu().contiguous().numpy().tobytes())
    for path in _code():
        whole.update(path.read_bytes())
    return whole.hexdigest()[:32]


def _code() -> Iterator[Path]:
    """
    Name the engine's own files: a model's class says little of what the functions do that it calls.
    """
    yield from sorted(Path(engine.__file__).parent.rglob("*.py"))


def _keep(path: Path, content: bytes) -> bool:
    """
    Write a graph whole or not at all, and let the oldest ones go; tells whether it could be
    written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".draft", delete=False) as draft:
            draft.write(content)
        Path(draft.name).replace(path)
        oldest_first = sorted(path.parent.glob("*.onnx"), key=lambda each: each.stat().st_mtime_ns)
        for old in oldest_first[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return False
    return True
