"""The record of a profile, what several of them require, and the two facts about this machine that they are made from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.machine.doctor import Requirement
from harness.records.cell import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How workers are set up on a kind of device."""

    name: str
    about: str
    """One line for people."""
    defaults: Mapping[str, Option]
    """Options that the device decides (device, threads); a cell's own options win."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment of the workers, beside what they inherit."""
    pin: bool = False
    """Whether workers measure on one CPU alone, the last one allowed, and everything else keeps off it."""
    live: int | None = None
    """How many workers may be alive at once; None leaves it to the memory of the machine."""
    loading: int = 1
    """How many workers may load and warm up at the same time, while nothing is measured."""
    requires: tuple[Requirement, ...] = ()
    """What must hold of the machine, by the doctor's knobs; whether a run is refused or marked where it does not."""


LEFT_ALONE = tuple(Requirement(knob=knob) for knob in ("load", "stolen-time", "contention", "cpu-throttling", "swap", "memory"))
"""What every machine must show: nobody else at work, and room."""
STEADY_CLOCK = tuple(Requirement(knob=knob, known=False) for knob in ("governor", "frequency", "temperature", "clock"))
"""What counts where the machine shows it; a virtual one cannot."""


def allowed_cpus() -> tuple[int, ...]:
    """List the CPUs that this process may use, in order; empty where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    return tuple(sorted(os.sched_getaffinity(0)))


def cpu_count() -> int:
    """Count the CPUs that this process may use."""
    return len(allowed_cpus()) or os.cpu_count() or 1


def threads_env(threads: int) -> dict[str, str]:
    """Tell every numeric library how many threads to start, before it starts them."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return dict.fromkeys(names, str(threads))
