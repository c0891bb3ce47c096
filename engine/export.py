"""
`python -m engine export FOLDER`: the models of a voice as ONNX files, and how far they are from
torch.

How far an exported graph is from the model that it was exported from: the largest difference, over
lengths and batches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.config import FlowConfig, Runtime, Stages
from engine.errors import EngineError
from engine.passes.onnx_graph import EXAMPLE_FRAMES, OPSET, Graph, Signature, export, signature_of
from engine.passes.onnx_session import open_session
from engine.weights.voice import load_voice


def export_voice(
    folder: Path, stages: Stages, voice_folder: Path, tell: Callable[[str], None]
) -> None:
    """
    Write `<stage>.onnx` files into a folder. Raises EngineError for a folder that cannot be
    written.
    """
    _make(folder)
    voice = load_voice(voice_folder)
    models = {"acoustic": voice.dit, "vocoder": voice.vocoder}
    for name in stages.names:
        signature = signature_of(models[name], masked=False)
        path = folder / f"{name}.onnx"
        graph = Graph(content=export(models[name], signature), signature=signature, path=path)
        _write(path, graph.content)
        tell(
            f"{path}: opset {OPSET}, {len(graph.content) / 1e6:.1f} MB, inputs "
            f"{', '.join(signature.inputs)}"
        )
        for each in differences(models[name], graph, FlowConfig(threads=1)):
            words = (
                f"batch {each.batch}, {each.frames:4} frames: at most {each.largest:.1e} from torch"
            )
            tell(f"   {words}, of values up to {each.scale:.3g}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(
            f"folder {folder} cannot be made ({error.strerror}); choose another path"
        ) from None


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise EngineError(
            f"{path} cannot be written ({error.strerror}); choose another folder or make room"
        ) from None


BATCHES = (1, 2)
LENGTHS_FRAMES = (5, 160, 577)
"""
A syllable, a sentence, and more than the acoustic model was trained on; none of them is what the
graph was traced with.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportDifference:
    """
    The largest absolute difference between the outputs, and the largest output, for one batch and
    length.
    """

    batch: int
    frames: int
    largest: float
    scale: float


@torch.inference_mode()
def differences(model: nn.Module, graph: Graph, config: FlowConfig) -> Iterator[ExportDifference]:
    """Give both the same random input, in every batch and length, on the CPU."""
    session = open_session(graph, Runtime.ONNX, config)
    for batch in BATCHES:
        for frames in LENGTHS_FRAMES:
            inputs = _inputs(graph.signature, batch, frames)
            wanted = model(*inputs)
            apart = (session(*inputs) - wanted).abs().max()
            yield ExportDifference(
                batch=batch, frames=frames, largest=float(apart), scale=float(wanted.abs().max())
            )


def _inputs(signature: Signature, batch: int, frames: int) -> list[Tensor]:
    """Make inputs of the signature's kinds; masks tell of no padding."""
    generator = torch.Generator().manual_seed(1000 * batch + frames)
    made = []
    for name, example in signature.inputs.items():
        shape = [batch, *(frames if size == EXAMPLE_FRAMES else size for size in example.shape[1:])]
        noise = torch.ones(shape) if name == "mask" else torch.rand(shape, generator=generator)
        made.append(noise.to(example.dtype))
    return made
