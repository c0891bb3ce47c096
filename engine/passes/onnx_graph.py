"""
Export a model as an ONNX graph with free batch and length, cached by a hash of its content.

The cache is in the user's cache folder.
The hash covers the weights, the engine's own code and the version of torch.
A graph must never outlive its model, or two revisions under comparison would run the same one.
torch's TorchScript exporter is used, which every torch since 2.5 has without packages other than
`onnx`.
"""

import hashlib
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import voxgate.engine
from voxgate.engine.acoustic.dit import DiT
from voxgate.engine.conversion.content_encoder import ContentEncoder
from voxgate.engine.conversion.mel_decoder import MelDecoder
from voxgate.engine.vocoder.vocos import Vocos

OPSET = 20
"""
The newest that torch 2.5 writes, with one node each for LayerNormalization and Gelu.

ONNX Runtime 1.17 and later read it.
"""
EXAMPLE_BATCH, EXAMPLE_FRAMES = 2, 47
"""
Sizes of the traced example; the graph is valid for any.

No other axis has such a length, which is how the free axes are found.
"""
MAX_CACHED_GRAPHS = 12
"""
Graphs in the cache folder; the oldest are removed.

Two models of six voices, 25 MB per pair for the embedded one.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """
    The inputs of a graph by name, in the model's order, and the width of its output (B, T, width).

    The input names are those of exported files, which users depend on: "known" is `prompt_mel`.
    """

    inputs: dict[str, Tensor]
    """Example tensors."""
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
    """An ONNX model as bytes, and its path in the cache, None if it could not be written."""

    content: bytes
    signature: Signature
    path: Path | None


def graph_of(model: nn.Module, *, masked: bool) -> Graph:
    """
    Return the graph of a model, exported only if it is not in the cache.

    `masked`: the graph has a mask as input.
    """
    signature = signature_of(model, masked=masked)
    path = cache_folder() / f"{_digest(model, signature)}.onnx"
    try:
        return Graph(content=path.read_bytes(), signature=signature, path=path)
    except OSError:
        content = export(model, signature)
    return Graph(content=content, signature=signature, path=path if _store(path, content) else None)


def signature_of(model: nn.Module, *, masked: bool) -> Signature:
    """Return the signature of a model, with example inputs on its device."""
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
    if isinstance(model, ContentEncoder):
        mel = example(EXAMPLE_FRAMES, model.shape.bands)
        return Signature(inputs={"mel": mel}, width=model.shape.content)
    if isinstance(model, MelDecoder):
        return Signature(inputs=_decoder_inputs(model, example), width=model.shape.bands)
    assert isinstance(model, Vocos), f"no signature for {type(model).__name__}"
    inputs = {"mel": example(EXAMPLE_FRAMES, model.shape.bands)}
    if masked:
        inputs["mask"] = torch.ones(
            (EXAMPLE_BATCH, EXAMPLE_FRAMES, 1), dtype=torch.bool, device=weight.device
        )
    return Signature(inputs=inputs, width=model.shape.n_fft + 2)


def _decoder_inputs(model: MelDecoder, example: Callable[..., Tensor]) -> dict[str, Tensor]:
    """Return example inputs of a mel decoder, which takes no mask."""
    return {
        "content": example(EXAMPLE_FRAMES, model.shape.content),
        "pitch": example(EXAMPLE_FRAMES),
        "voiced": (example(EXAMPLE_FRAMES) > 0.0).to(model.out.weight.dtype),
        "voice": example(model.shape.voice),
    }


def export(model: nn.Module, signature: Signature) -> bytes:
    """Return the model as a serialised ONNX graph."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # about the newer exporter, and about traced lengths
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            tuple(signature.inputs.values()),
            buffer,  # type: ignore[arg-type]  # this exporter also accepts an open file
            input_names=list(signature.inputs),
            output_names=["output"],
            dynamic_axes=signature.axes,
            opset_version=OPSET,
            dynamo=False,
        )
    return _with_output_shape(buffer.getvalue(), signature)


def _with_output_shape(content: bytes, signature: Signature) -> bytes:
    """
    Return the graph with its output's shape declared.

    The exporter declares a wrong one where attention heads are split.
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
    """Return the folder for graphs, inside the user's own cache folder."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "voxgate" / "onnx"


def _digest(model: nn.Module, signature: Signature) -> str:
    digest = hashlib.sha256(
        f"{OPSET} {torch.__version__} {type(model).__name__} {signature.axes}".encode()
    )
    for name, value in (*model.state_dict().items(), *signature.inputs.items()):
        digest.update(f"{name} {value.dtype} {value.device.type} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    for path in _source_files():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _source_files() -> Iterator[Path]:
    """
    Yield the engine's source files: the class of a model does not cover the functions that it
    calls.
    """
    yield from sorted(Path(voxgate.engine.__file__).parent.rglob("*.py"))


def _store(path: Path, content: bytes) -> bool:
    """Write a graph atomically and remove the oldest ones; return whether it could be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".draft", delete=False) as draft:
            draft.write(content)
        Path(draft.name).replace(path)
        oldest_first = sorted(path.parent.glob("*.onnx"), key=lambda path: path.stat().st_mtime_ns)
        for old in oldest_first[:-MAX_CACHED_GRAPHS]:
            old.unlink(missing_ok=True)
    except OSError:
        return False
    return True
