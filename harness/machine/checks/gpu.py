"""
Checks: the NVIDIA GPU. Whether there is one, its clock, power limit, what holds it down, who else
uses it, persistence.

Facts about the NVIDIA GPU that is used, through NVML: the one place that knows the calls of package
nvidia-ml-py.

Each fact is asked for by itself, since boards support different ones (a Jetson hardly any); what is
refused has no entry. The package is optional; without it, or without a driver, `gpu_why` says so.
"""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from voxgate.harness.machine.checks.check import (
    Check,
    CheckResult,
    Facts,
    SystemRoot,
    amount,
    fault_of_amount,
    fault_of_pattern,
    fit,
    growth,
    number,
    unfit,
    unknown,
    word,
)

REACHED_SHARE = 0.9
"""
Of its limit, that a GPU's clock must reach to count as held up: boost wanders by some per cent.
"""


class Gpu(Check):
    """
    Whether there is an NVIDIA GPU, and which; the one check that reads for all of them. `want`, if
    any, is a pattern of the driver's name for it.
    """

    expects = "an NVIDIA GPU with its driver"
    advice = "nvidia-smi    # and install the driver, or choose a profile for this machine"

    def fault_of_want(self) -> str:
        """Return why the pattern cannot be meant; empty where it can."""
        return fault_of_pattern(self.want, "a GPU's name such as A10G") if self.want else ""

    def read(self, tree: SystemRoot) -> Facts:
        """Read the driver's own list, then what NVML tells of the first visible GPU."""
        texts = [tree.text(path) or "" for path in tree.paths(f"{DRIVER}/gpus/*/information")]
        matches = [re.search(r"^Model:\s*(.+?)\s*$", text, flags=re.MULTILINE) for text in texts]
        names = [match.group(1) if match else "unknown GPU" for match in matches]
        return {"gpu_names": ", ".join(names), **read_gpu(tree)} if names else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Name it."""
        names = word(after, "gpu_names")
        if names is None:
            return unfit("no NVIDIA GPU")
        first = names.split(", ")[0]
        return fit(names) if re.search(self.want, first) else unfit(f"{names}, not {self.want}")


class _OfGpu(Check):
    """A check whose facts `Gpu` has read already."""

    def read(self, tree: SystemRoot) -> Facts:
        """Nothing more."""
        return {}

    def _why(self, facts: Facts) -> CheckResult:
        absent = "no NVIDIA GPU" if word(facts, "gpu_names") is None else "this GPU does not tell"
        return unknown(word(facts, "gpu_why") or absent)


class GpuClock(_OfGpu):
    """
    Whether the clock stands at its limit; `want`, if any, is the clock at which a person locked it,
    in MHz.
    """

    expects = f"at least {REACHED_SHARE:.0%} of the highest clock, or of the profile's"
    advice = "sudo nvidia-smi --lock-gpu-clocks=tdp,tdp"

    def fault_of_want(self) -> str:
        """Return why the clock cannot be meant; empty where it can."""
        return fault_of_amount(self.want, "MHz", 10_000.0)

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading; an idle GPU lowers its clock and says nothing about work."""
        now, limit = number(after, "gpu_clock_hz"), number(after, "gpu_clock_limit_hz")
        wanted = amount(self.want)
        limit = limit if wanted is None else wanted * 1e6
        if now is None or not limit:
            return self._why(after)
        figures = f"{now / 1e6:.0f} of {limit / 1e6:.0f} MHz"
        if now >= REACHED_SHARE * limit:
            return fit(figures)
        if int(number(after, "gpu_reasons") or 0) & IDLE:
            return unknown(f"{figures}, idle: the clock at work is not known")
        return unfit(figures)


class GpuPowerSensor(_OfGpu):
    """
    Whether the power limit was lowered; `want`, if any, is the limit that a person set, in W.
    """

    expects = "the power limit that the board came with, or the profile's"
    advice = "sudo nvidia-smi --power-limit=WATTS"

    def fault_of_want(self) -> str:
        """Return why the limit cannot be meant; empty where it can."""
        return fault_of_amount(self.want, "W", 10_000.0)

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        limit, default = number(after, "gpu_power_limit_w"), number(after, "gpu_power_default_w")
        wanted = amount(self.want)
        if limit is not None and wanted is not None:
            shown = f"{limit:.0f} W, {wanted:.0f} W wanted"
            command = f"sudo nvidia-smi --power-limit={wanted:.0f}"
            return fit(shown) if abs(limit - wanted) < 1.0 else unfit(shown, command)
        if limit is None or default is None:
            return self._why(after)
        figures = f"{limit:.0f} of {default:.0f} W"
        return (
            fit(figures)
            if limit >= default
            else unfit(figures, f"sudo nvidia-smi --power-limit={default:.0f}")
        )


class GpuThrottling(_OfGpu):
    """Whether heat or power held the clock down."""

    expects = "nothing holds the clock down"
    advice = (
        "nvidia-smi --query --display=PERFORMANCE    # and cool it, or lower and lock its clocks"
    )

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the reasons of both moments and the time counted in between."""
        if "gpu_reasons" not in after:
            return self._why(after)
        bits = int(number(before, "gpu_reasons") or 0) | int(number(after, "gpu_reasons") or 0)
        causes = [cause for bit, cause in SLOWING.items() if bits & bit]
        reasons = [name + (f" ({by})" if by else "") for name, by in causes]
        grown = {
            HEAT: growth(before, after, "gpu_heat_events"),
            POWER_CAP: growth(before, after, "gpu_power_events"),
        }
        held = {name for name, _ in causes}
        reasons += [name for name, more in grown.items() if more and name not in held]
        return unfit(f"held down by {', '.join(reasons)}") if reasons else fit("nothing")


class GpuSharing(_OfGpu):
    """Whether others use the GPU."""

    expects = "no other process on the GPU"
    advice = "nvidia-smi --query-compute-apps=pid,name --format=csv    # and end or move them"

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the first reading: at the second, our own workers may not be gone yet."""
        others = number(before, "gpu_others")
        if others is None:
            return self._why(before)
        return unfit(f"{others:.0f} other processes") if others else fit("none")


class GpuPersistence(_OfGpu):
    """
    Whether the driver stays loaded between processes: loading it costs the first synthesis seconds.
    """

    expects = "persistence mode on"
    advice = "sudo nvidia-smi --persistence-mode=1"

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        mode = word(after, "gpu_persistence")
        if mode is None:
            return self._why(after)
        return fit(mode) if mode == "on" else unfit(mode)


HEAT, POWER_CAP = "heat", "power cap"
SLOWING: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        0x04: (POWER_CAP, ""),
        0x08: ("hardware slowdown", ""),
        0x20: (HEAT, "software"),
        0x40: (HEAT, "hardware"),
        0x80: ("power brake", ""),
    }
)
"""
Bits of the reasons why clocks are held down, with the cause and who acts on it (NVML API reference,
clocks event reasons); idle and asked-for are no harm.
"""
IDLE = 0x01
DRIVER = "proc/driver/nvidia"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPowerReading:
    """Energy interface of a GPU; None is answered where the board does not support a value."""

    total_j: Callable[[], float | None]
    """Since the driver was loaded."""
    power_w: Callable[[], float | None]
    """Of this moment."""


def read_gpu(tree: SystemRoot) -> Facts:
    """
    Read the first visible GPU; empty on a machine without NVIDIA's driver, `gpu_why` where it
    cannot be asked.
    """
    if not tree.paths(f"{DRIVER}/gpus/*/information"):
        return {}
    opened = _opened(tree, 0)
    if isinstance(opened, str):
        return {"gpu_why": opened}
    nvml, handle = opened
    try:
        return _facts(nvml, handle)
    finally:
        with suppress(Exception):
            nvml.nvmlShutdown()


def gpu_power(tree: SystemRoot, number: int) -> GpuPowerReading | str:
    """
    Return the energy interface of a visible GPU, or the reason why there is none. NVML stays open
    while the process lives.
    """
    opened = _opened(tree, number)
    if isinstance(opened, str):
        return opened
    nvml, handle = opened
    return GpuPowerReading(
        total_j=lambda: _in_thousands(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle)),
        power_w=lambda: _in_thousands(lambda: nvml.nvmlDeviceGetPowerUsage(handle)),
    )


def _in_thousands(ask: Callable[[], Any]) -> float | None:
    """Convert millijoules to joules, milliwatts to watts; None where it is not supported."""
    try:
        return float(ask()) / 1000
    except Exception:  # NVMLError, whose class belongs to the optional package
        return None


def _opened(tree: SystemRoot, number: int) -> tuple[Any, Any] | str:
    """
    Return the library, started, and the handle of a visible GPU; or the reason why there is none.
    """
    if tree.nvml is None:
        return "a machine made of files has no NVML"
    try:
        nvml = tree.nvml()
        nvml.nvmlInit()
    except ImportError:
        return "package nvidia-ml-py is not installed"
    except Exception as error:
        return f"NVML does not start: {error}"
    try:
        return nvml, _handle(nvml, os.environ.get("CUDA_VISIBLE_DEVICES", ""), number)
    except Exception as error:
        with suppress(Exception):
            nvml.nvmlShutdown()
        return f"NVML does not answer: {error}"


def _handle(nvml: Any, visible: str, number: int) -> Any:
    """
    Find a GPU as a worker counts them: by its place in CUDA_VISIBLE_DEVICES, a number or a UUID,
    also of a part (MIG).
    """
    named = [part.strip() for part in visible.split(",") if part.strip()]
    name = named[number] if number < len(named) else ""
    if name.startswith(("GPU-", "MIG-")):
        return nvml.nvmlDeviceGetHandleByUUID(name)
    return nvml.nvmlDeviceGetHandleByIndex(int(name) if name.isdecimal() else number)


def _facts(nvml: Any, handle: Any) -> dict[str, object]:
    whole = _whole(nvml, handle)
    getters: Mapping[str, Callable[[], object]] = {
        "gpu_clock_hz": lambda: nvml.nvmlDeviceGetClockInfo(whole, nvml.NVML_CLOCK_SM) * 1_000_000,
        "gpu_clock_limit_hz": lambda: (
            nvml.nvmlDeviceGetMaxClockInfo(whole, nvml.NVML_CLOCK_SM) * 1_000_000
        ),
        "gpu_power_limit_w": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(whole) / 1000,
        "gpu_memory_top_hz": lambda: (
            nvml.nvmlDeviceGetMaxClockInfo(whole, nvml.NVML_CLOCK_MEM) * 1_000_000
        ),
        "gpu_application_hz": lambda: (
            nvml.nvmlDeviceGetApplicationsClock(whole, nvml.NVML_CLOCK_SM) * 1_000_000
        ),
        "gpu_application_default_hz": lambda: (
            nvml.nvmlDeviceGetDefaultApplicationsClock(whole, nvml.NVML_CLOCK_SM) * 1_000_000
        ),
        "gpu_mig": lambda: _slice(nvml, handle),
        "gpu_power_set_w": lambda: nvml.nvmlDeviceGetPowerManagementLimit(whole) / 1000,
        "gpu_power_default_w": lambda: nvml.nvmlDeviceGetPowerManagementDefaultLimit(whole) / 1000,
        "gpu_reasons": lambda: int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(whole)),
        "gpu_heat_events": lambda: _violation(nvml, handle, nvml.NVML_PERF_POLICY_THERMAL),
        "gpu_power_events": lambda: _violation(nvml, handle, nvml.NVML_PERF_POLICY_POWER),
        "gpu_others": lambda: _others(nvml.nvmlDeviceGetComputeRunningProcesses(handle)),
        "gpu_persistence": lambda: "on" if nvml.nvmlDeviceGetPersistenceMode(handle) else "off",
        "gpu_temperature_c": lambda: nvml.nvmlDeviceGetTemperature(
            handle, nvml.NVML_TEMPERATURE_GPU
        ),
    }
    facts: dict[str, object] = {}
    for name, ask in getters.items():
        with suppress(Exception):  # not supported by this board
            facts[name] = ask()
    return facts


def _whole(nvml: Any, handle: Any) -> Any:
    """
    Return the handle of the GPU that a part (MIG) belongs to: clocks and power are the whole one's.
    """
    try:
        return nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
    except Exception:  # it is a whole one
        return handle


def _slice(nvml: Any, handle: Any) -> str:
    """
    Name the part of a GPU that a worker gets, `1g.18gb`: the one that is named, or the first where
    the GPU is divided.
    """
    part = handle
    if not nvml.nvmlDeviceIsMigDeviceHandle(handle):
        if not nvml.nvmlDeviceGetMigMode(handle)[0]:
            raise LookupError("a whole GPU")
        part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, 0)
    name = nvml.nvmlDeviceGetName(part)
    text = name.decode() if isinstance(name, bytes) else str(name)
    match = re.search(r"\bMIG (\S+)", text)
    return match.group(1) if match else text


def _violation(nvml: Any, handle: Any, policy: int) -> int:
    """
    Return the time so far that a policy held the clock down. Its unit differs between drivers, so
    only growth is used.
    """
    return int(nvml.nvmlDeviceGetViolationStatus(handle, policy).violationTime)


def _others(processes: Any) -> int:
    return sum(process.pid != os.getpid() for process in processes)
