"""
`python -m voxgate.engine export FOLDER`: a voice's models as ONNX files, with their deviation from
torch.

The deviation is the largest absolute difference of the outputs, over several lengths and batch
sizes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from voxgate.engine.config import FlowConfig, Language, Runtime, Stages
from voxgate.engine.errors import EngineError
from voxgate.engine.passes.onnx_graph import (
    EXAMPLE_FRAMES,
    OPSET,
    Graph,
    Signature,
    export,
    signature_of,
)
from voxgate.engine.passes.onnx_session import open_session
from voxgate.engine.weights.voice import load_voice


def export_voice(
    folder: Path,
    stages: Stages,
    voice_folder: Path | None,
    report: Callable[[str], None],
    language: Language = Language.EN,
) -> None:
    """
    Write `<stage>.onnx` files into a folder and report their deviation from torch.

    Raises: EngineError for a folder that cannot be written.
    """
    _make_folder(folder)
    voice = load_voice(voice_folder, language)
    models = {"acoustic": voice.dit, "vocoder": voice.vocoder}
    for name in stages.names:
        signature = signature_of(models[name], masked=False)
        path = folder / f"{name}.onnx"
        graph = Graph(content=export(models[name], signature), signature=signature, path=path)
        _write(path, graph.content)
        report(
            f"{path}: opset {OPSET}, {len(graph.content) / 1e6:.1f} MB, inputs "
            f"{', '.join(signature.inputs)}"
        )
        for difference in differences(models[name], graph, FlowConfig(threads=1)):
            report(
                f"   batch {difference.batch}, {difference.frames:4} frames: at most "
                f"{difference.largest:.1e} from torch, of values up to {difference.scale:.3g}"
            )


def _make_folder(folder: Path) -> None:
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
A syllable, a sentence, and more than the acoustic model was trained on; none is the traced length.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportDifference:
    """
    Largest absolute difference of the outputs, and the largest output, for one batch size and
    length.
    """

    batch: int
    frames: int
    largest: float
    scale: float


@torch.inference_mode()
def differences(model: nn.Module, graph: Graph, config: FlowConfig) -> Iterator[ExportDifference]:
    """
    Yield the difference of a model and its graph on the same random input, per batch size and
    length.

    Runs on the CPU.
    """
    session = open_session(graph, Runtime.ONNX, config)
    for batch in BATCHES:
        for frames in LENGTHS_FRAMES:
            inputs = _random_inputs(graph.signature, batch, frames)
            expected = model(*inputs)
            error = (session(*inputs) - expected).abs().max()
            yield ExportDifference(
                batch=batch, frames=frames, largest=float(error), scale=float(expected.abs().max())
            )


def _random_inputs(signature: Signature, batch: int, frames: int) -> list[Tensor]:
    """Return random inputs of the signature's shapes and dtypes; masks are all True."""
    generator = torch.Generator().manual_seed(1000 * batch + frames)
    inputs = []
    for name, example in signature.inputs.items():
        shape = [batch, *(frames if size == EXAMPLE_FRAMES else size for size in example.shape[1:])]
        noise = torch.ones(shape) if name == "mask" else torch.rand(shape, generator=generator)
        inputs.append(noise.to(example.dtype))
    return inputs
