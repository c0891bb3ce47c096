"""
Refuses combinations that cannot work on this machine, before any weights are read: the reason, and
what would work.

Nothing is replaced by something "close": an engine that silently runs another configuration makes
every figure a lie.

Refuses runtimes that this machine does not have: the reason, and what would work.
"""

import importlib.util
import os
import shutil
from pathlib import Path

import torch

from engine.config import Compile, FlowConfig, Precision, Quantization, Runtime
from engine.errors import EngineError

FP16_FLAGS = ("avx512_fp16", "amx_fp16", "asimdhp")
"""CPU flags that mean fp16 arithmetic in hardware: x86 and 64-bit Arm."""


def check_supported(config: FlowConfig) -> None:
    """Raise EngineError when this machine cannot do what the config asks."""
    on_cpu = config.device == "cpu"
    if not on_cpu:
        _check_cuda(config.device)
    if config.precision is Precision.TF32 and on_cpu:
        raise EngineError(
            "precision tf32 is a mode of CUDA matrix units, and device is cpu; use fp32 or bf16, "
            "or device=cuda"
        )
    if config.precision is Precision.TF32:
        _check_tf32(config.device)
    if config.precision is Precision.FP16 and on_cpu and not cpu_flags() & set(FP16_FLAGS):
        raise EngineError(
            "precision fp16 needs a CPU with fp16 arithmetic, which this one lacks; use bf16 or "
            "fp32"
        )
    for option in ("compile", "compile_vocoder"):
        _check_compile(option, getattr(config, option), on_cpu=on_cpu)
    _check_quantization(config)
    refuse_runtimes(config)


def cpu_flags() -> set[str]:
    """Read the CPU's feature flags from the kernel; empty where it does not tell."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return {
        flag
        for line in lines
        if line.lower().startswith(("flags", "features"))
        for flag in line.split()
    }


def _check_cuda(device: str) -> None:
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
    """Torch takes the wish on any GPU, and computes in fp32 where it cannot be granted."""
    capability = torch.cuda.get_device_capability(device)
    if capability < (8, 0):
        shown = ".".join(map(str, capability))
        raise EngineError(
            f"precision tf32 needs a GPU of compute capability 8.0 or more, and {device} has "
            f"{shown}; use fp32 or fp16"
        )


def _check_compile(option: str, mode: Compile, *, on_cpu: bool) -> None:
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
    try:
        import torchao  # noqa: F401
    except ImportError as error:
        raise EngineError(
            f"quantization {config.quantization} needs the package torchao ({error}); install it, "
            "or use none"
        ) from None


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
        raise EngineError(
            f"{asked} needs the package {' and '.join(lacking)}; pip install 'voxgate[onnx]'"
        )


def _refuse(option: str, runtime: Runtime, config: FlowConfig) -> None:
    asked, instead = f"{option}={runtime}", f"or use {option}=torch"
    if runtime is Runtime.TENSORRT and config.device == "cpu":
        raise EngineError(
            f"{asked} is for NVIDIA's GPUs, and device is cpu; use {option}=onnx or device=cuda, "
            f"{instead}"
        )
    if config.precision is Precision.FP16 and config.device == "cpu":
        raise EngineError(f"{asked} has no fp16 on a CPU; use precision=fp32, {instead}")
    check_packages(asked)
    import onnxruntime

    from engine.passes.onnx_session import provider

    wanted, there = provider(runtime, config.device), onnxruntime.get_available_providers()
    if wanted not in there:
        raise EngineError(
            f"{asked} on {config.device} needs ONNX Runtime with {wanted}, and the installed one "
            f"has {', '.join(there)}; install onnxruntime-gpu in place of onnxruntime, {instead}"
        )
