"""`python -m engine export FOLDER`: the models of a voice as ONNX files, and how far they are from torch."""

from collections.abc import Callable
from pathlib import Path

from engine.config import FlowConfig, Stages
from engine.errors import EngineError
from engine.parity import differences
from engine.passes.onnx_graph import OPSET, Graph, export, signature_of
from engine.weights.voice import load_voice


def export_voice(folder: Path, stages: Stages, voice_folder: Path, tell: Callable[[str], None]) -> None:
    """Write `<stage>.onnx` files into a folder. Raises EngineError for a folder that cannot be written."""
    _make(folder)
    voice = load_voice(voice_folder)
    models = {"acoustic": voice.dit, "vocoder": voice.vocoder}
    for name in stages.names:
        signature = signature_of(models[name], masked=False)
        path = folder / f"{name}.onnx"
        graph = Graph(content=export(models[name], signature), signature=signature, path=path)
        _write(path, graph.content)
        tell(f"{path}: opset {OPSET}, {len(graph.content) / 1e6:.1f} MB, inputs {', '.join(signature.inputs)}")
        for each in differences(models[name], graph, FlowConfig(threads=1)):
            words = f"batch {each.batch}, {each.frames:4} frames: at most {each.largest:.1e} from torch"
            tell(f"   {words}, of values up to {each.scale:.3g}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"folder {folder} cannot be made ({error.strerror}); choose another path") from None


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise EngineError(f"{path} cannot be written ({error.strerror}); choose another folder or make room") from None
