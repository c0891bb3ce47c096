"""
Measure the energy of a process while it speaks: the power meter of this machine, and the pass that
reads it.

The meter is found through the doctor's tree, the first that answers: for work on CUDA the GPU's own
(NVML: its counter of energy, else its power); the rails of a Jetson; the processor's packages
(RAPL). Counters are read before and after. A meter of momentary power is sampled by a thread and
integrated. The pass is one of its own, never during timed iterations: first idle, then the whole
workload, so that the idle power of the machine can be subtracted. Judges nothing;
`analysis/speed.py` computes energy per second of audio.
"""

import itertools
import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from voxgate.harness.machine.checks.check import SystemRoot, here
from voxgate.harness.machine.checks.gpu import gpu_power
from voxgate.harness.machine.checks.jetson_power import MONITORS, devices, rails_w
from voxgate.harness.machine.clock import instant_s, sleep
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records.cell import Cell, Option
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import Energy

SETTLE_S = 0.5
"""Between the last work and the idle level: clocks and regulators come down with a delay."""
IDLE_S = 2.0
BUSY_S = 3.0
"""
At least; the workload is always spoken to its end. The slowest counters move ten times a second, so
both are read to some per cent.
"""
PERIOD_S = 0.05
"""Between two samples of power."""
INPUTS = ("VDD_IN", "VIN")
"""
Rails that feed a whole board (Orin Nano and NX, Thor). VIN_SYS_5V0 of AGX Orin is not among them:
its GPU and CPU have inputs of their own beside it.
"""
POWERCAP = "sys/class/powercap"


class LostMeterError(Exception):
    """The meter does not answer any more."""


class Reading(NamedTuple):
    """The power of one moment."""

    at_s: float
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyCounter:
    """One counter of energy; None where it cannot be read."""

    read_j: Callable[[], float | None]
    wraps_at_j: float = math.inf


class EnergyReading(NamedTuple):
    """Energy between two readings, and the time between them: reading takes time, too."""

    energy_j: float
    duration_s: float


class Counter:
    """A meter with counters of energy, one or several."""

    def __init__(
        self, name: str, dials: Sequence[EnergyCounter], now_s: Callable[[], float] = instant_s
    ) -> None:
        self.name = name
        self._dials = dials
        self._now_s = now_s
        self._began_s = 0.0
        self._before_j: list[float] = []

    def begin(self) -> None:
        """Read the dials. Raises LostMeterError."""
        self._before_j = self._read_j()
        self._began_s = self._now_s()

    def end(self) -> EnergyReading:
        """
        Return the energy since `begin`; a counter may have wrapped once. Raises LostMeterError.
        """
        pairs = zip(self._dials, self._before_j, self._read_j(), strict=True)
        duration_s = self._now_s() - self._began_s
        energy_j = sum((after_j - before_j) % dial.wraps_at_j for dial, before_j, after_j in pairs)
        if not math.isfinite(energy_j):
            raise LostMeterError(f"{self.name} went backwards")
        return EnergyReading(energy_j, duration_s)

    def _read_j(self) -> list[float]:
        values = [dial.read_j() for dial in self._dials]
        numbers = [value for value in values if value is not None]
        if len(numbers) < len(values):
            raise LostMeterError(f"{self.name} could not be read any more")
        return numbers


class Sampler:
    """
    A meter that samples momentary power; between two samples power is assumed to change linearly.
    """

    def __init__(
        self, name: str, read_w: Callable[[], float | None], now_s: Callable[[], float] = instant_s
    ) -> None:
        self.name = name
        self._read_w = read_w
        self._now_s = now_s
        self._readings: list[Reading | None] = []
        self._ended = threading.Event()
        self._thread = threading.Thread()

    def begin(self) -> None:
        """Take the first sample, and go on taking them."""
        self._readings = []
        self._ended.clear()
        self._take()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> EnergyReading:
        """
        Take the last sample, and give what was drawn since `begin`. Raises LostMeterError if a
        sample is missing.
        """
        self._ended.set()
        self._thread.join()
        self._take()
        readings = [reading for reading in self._readings if reading is not None]
        if len(readings) < len(self._readings):
            raise LostMeterError(f"{self.name} could not be read any more")
        return EnergyReading(joules(readings), readings[-1].at_s - readings[0].at_s)

    def _watch(self) -> None:
        while not self._ended.wait(PERIOD_S):
            self._take()

    def _take(self) -> None:
        power_w = self._read_w()
        self._readings.append(None if power_w is None else Reading(self._now_s(), power_w))


Meter = Counter | Sampler


def joules(readings: Sequence[Reading]) -> float:
    """Add up samples of power by the trapezoid rule."""
    pairs = itertools.pairwise(readings)
    return sum(
        (after.at_s - before.at_s) * (after.power_w + before.power_w) / 2.0
        for before, after in pairs
    )


def device_of(cell: Cell, defaults: Mapping[str, Option]) -> str:
    """Name the device that a cell runs on: its own word, else the profile's."""
    return str({**defaults, **cell.options}.get("device", "cpu"))


def find_meter(tree: SystemRoot, device: str) -> Meter | Missing:
    """Find the meter for work on a device; Missing with all the reasons why there is none."""
    reasons = []
    for look in (_gpu, _rails, _packages):
        meter = look(tree, device)
        if not isinstance(meter, str):
            return meter
        reasons.append(meter)
    return Missing(f"no power meter: {'; '.join(filter(None, reasons))}")


def measure_energy(
    meter: Meter,
    speak: Callable[[], float],
    now_s: Callable[[], float] = instant_s,
    wait: Callable[[float], None] = sleep,
) -> Energy | Missing:
    """
    Measure what this process draws idle and at work. `speak` speaks the whole workload once and
    gives its seconds of audio.

    Missing, with the reason, where the meter stopped answering.
    """
    wait(SETTLE_S)
    try:
        meter.begin()
        wait(IDLE_S)
        idle = meter.end()
        meter.begin()
        audio_s = _speak_on(speak, now_s)
        busy = meter.end()
    except LostMeterError as error:
        return Missing(str(error))
    idle_w = idle.energy_j / idle.duration_s
    return Energy(
        meter=meter.name,
        idle_w=idle_w,
        busy_s=busy.duration_s,
        energy_j=busy.energy_j,
        audio_s=audio_s,
    )


def _speak_on(speak: Callable[[], float], now_s: Callable[[], float]) -> float:
    audio_s, until_s = 0.0, now_s() + BUSY_S
    while now_s() < until_s:
        audio_s += speak()
    return audio_s


def _gpu(tree: SystemRoot, device: str) -> Meter | str:
    """Find the GPU's own meter, or say why not; of no use for work on the CPU."""
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return ""
    gpu = gpu_power(tree, int(number or 0))
    if isinstance(gpu, str):
        return gpu
    if gpu.total_j() is not None:
        return Counter("energy counter of the GPU (NVML)", [EnergyCounter(read_j=gpu.total_j)])
    if gpu.power_w() is not None:
        return Sampler("power of the GPU (NVML)", gpu.power_w)
    return "the GPU tells neither energy nor power (NVML)"


def _rails(tree: SystemRoot, _device: str) -> Meter | str:
    """Find the rails of a Jetson: the one that feeds the whole board, else all of them together."""
    folders = devices(tree, MONITORS)

    def read() -> dict[str, float]:
        return {
            label: power_w for folder in folders for label, power_w in rails_w(tree, folder).items()
        }

    there = tuple(read())
    if not there:
        return "no power rails (INA3221, INA238)"
    whole = next((name for name in INPUTS if name in there), None)

    def power_w() -> float | None:
        now = read()
        if whole is not None:
            return now.get(whole)
        return sum(now.values()) if tuple(now) == there else None

    return Sampler(
        f"rail {whole}" if whole is not None else f"sum of the rails {', '.join(there)}", power_w
    )


def _packages(tree: SystemRoot, _device: str) -> Meter | str:
    """
    Find the counters of all processor packages. Memory and single cores have domains of their own
    below them.
    """
    zones = [
        path
        for path in tree.paths(f"{POWERCAP}/intel-rapl:*")
        if re.search(r"/intel-rapl:\d+$", path)
    ]
    packages = [zone for zone in zones if (tree.text(f"{zone}/name") or "").startswith("package")]
    if not packages:
        return "no RAPL"
    if any(tree.number(f"{package}/energy_uj") is None for package in packages):
        return f"RAPL cannot be read; sudo chmod a+r /{POWERCAP}/intel-rapl:*/energy_uj"
    return Counter(
        "energy counter of the CPU package (RAPL)",
        [_package(tree, package) for package in packages],
    )


def _package(tree: SystemRoot, zone: str) -> EnergyCounter:
    def read_j() -> float | None:
        value = tree.number(f"{zone}/energy_uj")
        return None if value is None else value / 1e6

    wraps_at = tree.number(f"{zone}/max_energy_range_uj")
    return EnergyCounter(read_j=read_j, wraps_at_j=math.inf if not wraps_at else wraps_at / 1e6)


def unmetered_cells(cells: Sequence[Cell], profile: Profile) -> dict[str, str]:
    """Return the cells whose energy this machine cannot measure (slug -> reason)."""
    devices = {cell.slug: device_of(cell, profile.defaults) for cell in cells}
    meters = {device: find_meter(here(), device) for device in set(devices.values())}
    return {
        slug: meter.reason
        for slug, device in devices.items()
        if isinstance(meter := meters[device], Missing)
    }
