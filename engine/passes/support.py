"""
Checks that this machine supports a configuration, before any weights are read. An error names the
reason and an alternative.

Nothing is replaced by something "close": an engine that silently runs another configuration makes
every figure a lie.
"""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from voxgate.engine.config import Compile, FlowConfig, Precision, Quantization, Runtime
from voxgate.engine.errors import EngineError

if TYPE_CHECKING:
    from voxgate.engine.passes.onnx_session import RuntimeConfig

FP16_FLAGS = ("avx512_fp16", "amx_fp16", "asimdhp")
"""CPU flags that mean fp16 arithmetic in hardware: x86 and 64-bit Arm."""


def check_supported(config: FlowConfig) -> None:
    """Raise EngineError for a configuration that this machine does not support."""
    on_cpu = config.device == "cpu"
    check_machine(config.device, config.precision)
    for option, mode in (("compile", config.compile), ("compile_vocoder", config.compile_vocoder)):
        check_compile(option, mode, on_cpu=on_cpu)
    _check_quantization(config)
    check_runtimes(config)


def check_machine(device: str, precision: Precision) -> None:
    """Raise EngineError for a device that is not there, and for arithmetic that it lacks."""
    check_device(device)
    on_cpu = device == "cpu"
    if precision is Precision.TF32 and on_cpu:
        raise EngineError(
            "precision tf32 is a mode of CUDA matrix units, and device is cpu; use fp32 or bf16, "
            "or device=cuda"
        )
    if precision is Precision.TF32:
        _check_tf32(device)
    if precision is Precision.FP16 and on_cpu and not cpu_flags() & set(FP16_FLAGS):
        raise EngineError(
            "precision fp16 needs a CPU with fp16 arithmetic, which this one lacks; use bf16 or "
            "fp32"
        )


def cpu_flags() -> set[str]:
    """Read the CPU's feature flags from the kernel; empty where it lists none."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return {
        flag
        for line in lines
        if line.lower().startswith(("flags", "features"))
        for flag in line.split()
    }


def check_device(device: str) -> None:
    """Raise EngineError for a device that is not there."""
    if device == "cpu":
        return
    if not torch.cuda.is_available():
        raise EngineError(
            f"device {device} was asked for, but torch {torch.__version__} sees no CUDA device "
            "here; use device=cpu"
        )
    number = int(device.partition(":")[2] or 0)
    if number >= torch.cuda.device_count():
        raise EngineError(
            f"device {device} does not exist; this machine has cuda:0 to "
            f"cuda:{torch.cuda.device_count() - 1}"
        )


def _check_tf32(device: str) -> None:
    """Raise EngineError for a GPU without TF32, where torch would silently compute in fp32."""
    capability = torch.cuda.get_device_capability(device)
    if capability < (8, 0):
        version = ".".join(map(str, capability))
        raise EngineError(
            f"precision tf32 needs a GPU of compute capability 8.0 or more, and {device} has "
            f"{version}; use fp32 or fp16"
        )


def check_compile(option: str, mode: Compile, *, on_cpu: bool) -> None:
    """Raise EngineError for a mode of torch.compile that this machine does not support."""
    if mode is Compile.OFF:
        return
    if mode is Compile.REDUCE_OVERHEAD and on_cpu:
        raise EngineError(
            f"{option}=reduce-overhead means CUDA graphs, and device is cpu; use {option}=default "
            "or device=cuda"
        )
    if not on_cpu and importlib.util.find_spec("triton") is None:
        raise EngineError(
            f"{option}={mode} on a GPU needs the package triton; install it, or use {option}=off"
        )
    if on_cpu and not compiler():
        raise EngineError(
            f"{option}={mode} needs a C++ compiler, and none was found; install g++ (or set CXX), "
            f"or use {option}=off"
        )


def compiler() -> str | None:
    """Find the C++ compiler that torch.compile would call."""
    named = os.environ.get("CXX")
    return (
        shutil.which(named)
        if named
        else next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)
    )


def _check_quantization(config: FlowConfig) -> None:
    if config.quantization is Quantization.NONE:
        return
    if config.precision is Precision.FP16:
        raise EngineError(
            f"quantization {config.quantization} is not supported with precision fp16; use fp32 or "
            "bf16"
        )
    check_torchao(config.quantization)


def check_torchao(quantization: Quantization) -> None:
    """Raise EngineError for int8 weights where the package for them is missing."""
    if quantization is Quantization.NONE:
        return
    try:
        import torchao  # noqa: F401
    except ImportError as error:
        raise EngineError(
            f"quantization {quantization} needs the package torchao ({error}); install it, "
            "or use none"
        ) from None


PACKAGES = ("onnx", "onnxruntime")


def check_runtimes(config: FlowConfig) -> None:
    """Raise EngineError for a runtime that this machine does not have."""
    runtimes = {"acoustic": config.runtime_acoustic, "vocoder": config.runtime_vocoder}
    for stage, runtime in runtimes.items():
        check_runtime(f"runtime_{stage}", runtime, config)


def check_packages(requested: str) -> None:
    """Raise EngineError for a package that `requested` needs and that is not installed."""
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise EngineError(
            f"{requested} needs the package {' and '.join(lacking)}; pip install 'voxgate[onnx]'"
        )


def check_runtime(option: str, runtime: Runtime, config: "RuntimeConfig") -> None:
    """Raise EngineError for a runtime that this machine does not have."""
    if runtime is Runtime.TORCH:
        return
    requested, instead = f"{option}={runtime}", f"or use {option}=torch"
    if runtime is Runtime.TENSORRT and config.device == "cpu":
        raise EngineError(
            f"{requested} is for NVIDIA's GPUs, and device is cpu; use {option}=onnx or "
            f"device=cuda, {instead}"
        )
    if config.precision is Precision.FP16 and config.device == "cpu":
        raise EngineError(f"{requested} has no fp16 on a CPU; use precision=fp32, {instead}")
    check_packages(requested)
    import onnxruntime

    from voxgate.engine.passes.onnx_session import provider

    needed = provider(runtime, config.device)
    available = onnxruntime.get_available_providers()
    if needed not in available:
        raise EngineError(
            f"{requested} on {config.device} needs ONNX Runtime with {needed}, and the installed "
            f"one has {', '.join(available)}; install onnxruntime-gpu in place of onnxruntime, "
            f"{instead}"
        )
