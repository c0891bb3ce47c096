"""
Facts about the NVIDIA GPU that is used, through NVML: the one place that knows the calls of package nvidia-ml-py.

Each fact is asked for by itself, since boards support different ones (a Jetson hardly any); what is refused has no entry.
The package is optional; without it, or without a driver, `gpu_why` says so.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from harness.doctor.knob import Facts
from harness.doctor.tree import Tree

SLOWING: Mapping[int, str] = MappingProxyType(
    {
        0x04: "power cap",
        0x08: "hardware slowdown",
        0x20: "heat (software)",
        0x40: "heat (hardware)",
        0x80: "power brake",
    }
)
"""Bits of the reasons why clocks are held down (NVML API reference, clocks event reasons); idle and asked-for are no harm."""
IDLE = 0x01
DRIVER = "proc/driver/nvidia"


def read_gpu(tree: Tree) -> Facts:
    """Read the first visible GPU; empty on a machine without NVIDIA's driver, `gpu_why` where it cannot be asked."""
    if not tree.paths(f"{DRIVER}/gpus/*/information"):
        return {}
    if tree.nvml is None:
        return {"gpu_why": "a machine made of files has no NVML"}
    try:
        nvml = tree.nvml()
        nvml.nvmlInit()
    except ImportError:
        return {"gpu_why": "package nvidia-ml-py is not installed"}
    except Exception as error:  # NVMLError, whose class belongs to the optional package
        return {"gpu_why": f"NVML does not start: {error}"}
    try:
        return _facts(nvml, _handle(nvml, os.environ.get("CUDA_VISIBLE_DEVICES", "")))
    except Exception as error:
        return {"gpu_why": f"NVML does not answer: {error}"}
    finally:
        with suppress(Exception):
            nvml.nvmlShutdown()


def _handle(nvml: Any, visible: str) -> Any:
    """Find the GPU that a worker uses: the first of CUDA_VISIBLE_DEVICES, by number or by UUID."""
    first = visible.split(",")[0].strip()
    if first.startswith("GPU-"):
        return nvml.nvmlDeviceGetHandleByUUID(first)
    return nvml.nvmlDeviceGetHandleByIndex(int(first) if first.isdigit() else 0)


def _facts(nvml: Any, handle: Any) -> dict[str, object]:
    asked: Mapping[str, Callable[[], object]] = {
        "gpu_clock_hz": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM) * 1_000_000,
        "gpu_clock_limit_hz": lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM) * 1_000_000,
        "gpu_power_limit_w": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000,
        "gpu_power_default_w": lambda: nvml.nvmlDeviceGetPowerManagementDefaultLimit(handle) / 1000,
        "gpu_reasons": lambda: int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)),
        "gpu_heat_events": lambda: _violation(nvml, handle, nvml.NVML_PERF_POLICY_THERMAL),
        "gpu_power_events": lambda: _violation(nvml, handle, nvml.NVML_PERF_POLICY_POWER),
        "gpu_others": lambda: _others(nvml.nvmlDeviceGetComputeRunningProcesses(handle)),
        "gpu_persistence": lambda: "on" if nvml.nvmlDeviceGetPersistenceMode(handle) else "off",
        "gpu_temperature_c": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
    }
    facts: dict[str, object] = {}
    for name, ask in asked.items():
        with suppress(Exception):  # not supported by this board
            facts[name] = ask()
    return facts


def _violation(nvml: Any, handle: Any, policy: int) -> int:
    """Give the time so far that a policy held the clock down; its unit differs between drivers, only growth is used."""
    return int(nvml.nvmlDeviceGetViolationStatus(handle, policy).violationTime)


def _others(processes: Any) -> int:
    return sum(each.pid != os.getpid() for each in processes)
