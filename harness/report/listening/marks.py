"""
The faults of a take, with their times: what the metrics' own detectors found. Detects nothing itself.

A detector that learns to give times gets a line in DETECTORS.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness.audio.recording import Recording
from harness.metrics.clicks import click_times_s
from harness.metrics.dropouts import dropout_times_s
from harness.metrics.repetition import repeat_times_s
from harness.records.measurement import Missing
from harness.runner.recordings import Sound

Detector = Callable[[Recording], tuple[float, ...] | Missing]
DETECTORS: tuple[tuple[str, Detector], ...] = (
    ("click", click_times_s),
    ("dropout", dropout_times_s),  # where the hole begins
    ("repeat", repeat_times_s),  # where the second of the two begins
)


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
    recording = Recording(sound.frames, sound.rate_hz)
    found: list[Mark] = []
    unsought: dict[str, list[str]] = {}
    for kind, detector in DETECTORS:
        times_s = detector(recording)
        if isinstance(times_s, Missing):
            unsought.setdefault(times_s.reason, []).append(f"{kind}s")
        else:
            found += [Mark(time_s=time_s, kind=kind) for time_s in times_s]
    missing = "; ".join(f"no {' or '.join(kinds)} looked for: {reason}" for reason, kinds in unsought.items())
    return Marks(found=tuple(sorted(found, key=lambda mark: mark.time_s)), missing=missing)
