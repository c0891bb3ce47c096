"""
The table of knobs, by the name that profiles and people use, in the order of reading; and one reading of them all.

To add a knob: write its class in a file of this package, and one line here.
"""

from collections.abc import Mapping
from types import MappingProxyType

from harness.errors import HarnessError
from harness.machine.checks.board import Board
from harness.machine.checks.calendar import Clock
from harness.machine.checks.cgroup import CpuQuota, CpuThrottling
from harness.machine.checks.check import Knob
from harness.machine.checks.cpu import Frequency, Governor, SharedCores, Turbo
from harness.machine.checks.gpu import Gpu, GpuClock, GpuPersistence, GpuPower, GpuSharing, GpuThrottling
from harness.machine.checks.jetson import LockedCpu, LockedGpu, LockedMemory
from harness.machine.checks.jetson_power import Fan, OverCurrent, Rails
from harness.machine.checks.load import Contention, RunQueue, StolenTime
from harness.machine.checks.memory import FreeMemory, Glibc, HugePages, Swap
from harness.machine.checks.power_mode import PowerMode
from harness.machine.checks.thermal import Temperature
from harness.machine.checks.tree import Tree

KNOBS: Mapping[str, type[Knob]] = MappingProxyType(
    {
        "board": Board,
        "power-mode": PowerMode,
        "cpu-clocks": LockedCpu,
        "gpu-clocks": LockedGpu,
        "memory-clock": LockedMemory,
        "gpu": Gpu,
        "gpu-clock": GpuClock,
        "gpu-power": GpuPower,
        "gpu-throttling": GpuThrottling,
        "gpu-sharing": GpuSharing,
        "gpu-persistence": GpuPersistence,
        "load": RunQueue,
        "stolen-time": StolenTime,
        "contention": Contention,
        "cpu-quota": CpuQuota,
        "cpu-throttling": CpuThrottling,
        "governor": Governor,
        "turbo": Turbo,
        "shared-cores": SharedCores,
        "frequency": Frequency,
        "temperature": Temperature,
        "over-current": OverCurrent,
        "rails": Rails,
        "fan": Fan,
        "memory": FreeMemory,
        "swap": Swap,
        "huge-pages": HugePages,
        "glibc": Glibc,
        "clock": Clock,
    }
)


def make_knob(name: str, want: str = "") -> Knob:
    """Give a knob. Raises HarnessError for an unknown name."""
    if name not in KNOBS:
        raise HarnessError(f"unknown knob {name!r}; known are {', '.join(KNOBS)}")
    return KNOBS[name](want)


def snapshot(tree: Tree) -> dict[str, object]:
    """Read the facts of all knobs at this moment."""
    facts: dict[str, object] = {}
    for kind in KNOBS.values():
        facts |= kind().read(tree)
    return facts
