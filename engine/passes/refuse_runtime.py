"""Refuses runtimes that this machine does not have: the reason, and what would work."""

import importlib.util

from engine.config import FlowConfig, Precision, Runtime
from engine.errors import EngineError

PACKAGES = ("onnx", "onnxruntime")


def refuse_runtimes(config: FlowConfig) -> None:
    """Raise EngineError when a model cannot be run by the runtime that was asked for."""
    for stage in ("acoustic", "vocoder"):
        runtime = getattr(config, f"runtime_{stage}")
        if runtime is not Runtime.TORCH:
            _refuse(f"runtime_{stage}", runtime, config)


def check_packages(asked: str) -> None:
    """Raise EngineError when a package is lacking that `asked` needs."""
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise EngineError(f"{asked} needs the package {' and '.join(lacking)}; pip install 'voxgate[onnx]'")


def _refuse(option: str, runtime: Runtime, config: FlowConfig) -> None:
    asked, instead = f"{option}={runtime}", f"or use {option}=torch"
    if runtime is Runtime.TENSORRT and config.device == "cpu":
        raise EngineError(f"{asked} is for NVIDIA's GPUs, and device is cpu; use {option}=onnx or device=cuda, {instead}")
    if config.precision is Precision.FP16 and config.device == "cpu":
        raise EngineError(f"{asked} has no fp16 on a CPU; use precision=fp32, {instead}")
    check_packages(asked)
    import onnxruntime

    from engine.passes.onnx_session import provider

    wanted, there = provider(runtime, config.device), onnxruntime.get_available_providers()
    if wanted not in there:
        raise EngineError(
            f"{asked} on {config.device} needs ONNX Runtime with {wanted}, and the installed one has {', '.join(there)}; "
            f"install onnxruntime-gpu in place of onnxruntime, {instead}"
        )
