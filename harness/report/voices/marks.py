"""
The faults of a take, with their times: what the metrics' own detectors found. Detects nothing itself.

A detector that learns to give times gets a line in DETECTORS.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.measurement import Missing
from harness.metrics.clicks import click_times_s
from harness.takes import Sound

Detector = Callable[[NDArray[np.floating], int], tuple[float, ...] | Missing]
DETECTORS: tuple[tuple[str, Detector], ...] = (("click", click_times_s),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One fault: seconds from the start of the take, and its kind."""

    time_s: float
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """All faults of a take, in order of time, and why some kinds could not be looked for."""

    found: tuple[Mark, ...] = ()
    missing: str = ""


def marks(sound: Sound) -> Marks:
    """Look for every kind of fault that can be placed in time."""
    answers = [(kind, detector(sound.frames, sound.rate_hz)) for kind, detector in DETECTORS]
    found = [
        Mark(time_s=time_s, kind=kind) for kind, times_s in answers if not isinstance(times_s, Missing) for time_s in times_s
    ]
    missing = "; ".join(f"no {kind}s looked for: {times.reason}" for kind, times in answers if isinstance(times, Missing))
    return Marks(found=tuple(sorted(found, key=lambda mark: mark.time_s)), missing=missing)
