"""
One recording as metrics read it: its samples, its rate, and the features computed so far.

Knows resampling, since the resampler is part of the value of PESQ or a transcript; knows no metric.
A feature that several metrics need (pitch, a spectrum, speech activity) is computed once and kept:
`recording.once(pitch.track)`.

Also checks whether a recording can be scored at all: it has samples, and every one is a number. One
NaN makes nonsense of every sum, so each detector checks first, and the reason locates the fault.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from harness.audio.files import read_audio
from harness.records.measurement import Missing

Frames = NDArray[np.float64]
Feature = TypeVar("Feature")


class Recording:
    """Mono audio: float64 samples of shape [n], full scale 1.0, at `rate_hz`. Immutable."""

    def __init__(self, frames: NDArray[np.floating], rate_hz: int) -> None:
        self.frames: Frames = np.asarray(frames, dtype=np.float64)
        self.rate_hz = rate_hz
        self._known: dict[object, Any] = {}

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return len(self.frames) / self.rate_hz

    def at(self, rate_hz: int) -> Frames:
        """
        Resample by soxr HQ (band-limited); return the samples at another rate.

        Linear interpolation instead would cost 1.9 MOS on the same audio: the resampler is
        part of the metric.
        """
        if rate_hz == self.rate_hz or not self.frames.size:
            return self.frames
        key = ("rate", rate_hz)
        if key not in self._known:
            import soxr

            self._known[key] = np.asarray(
                soxr.resample(self.frames, self.rate_hz, rate_hz, quality="HQ"), dtype=np.float64
            )
        return cast(Frames, self._known[key])

    def once(self, work_out: Callable[["Recording"], Feature]) -> Feature:
        """
        Return the feature that the function computes of this recording; computed at the
        first call only.
        """
        if work_out not in self._known:
            self._known[work_out] = work_out(self)
        return cast(Feature, self._known[work_out])


def read_recording(path: Path) -> Recording:
    """
    Read an audio file; several channels become their mean. Raises HarnessError as `read_audio`
    does.
    """
    return Recording(*read_audio(path))


def unplayable(recording: Recording) -> Missing | None:
    """
    Return why the recording cannot be scored: it is empty, or holds NaN or infinity, and where.

    None where it can.
    """
    return recording.once(_look)


def _look(recording: Recording) -> Missing | None:
    if not recording.frames.size:
        return Missing("the audio is empty")
    broken = np.flatnonzero(~np.isfinite(recording.frames))
    if not broken.size:
        return None
    frames = "1 frame" if broken.size == 1 else f"{broken.size} frames"
    return Missing(
        f"the audio holds NaN or infinity: {frames}, the first at "
        f"{broken[0] / recording.rate_hz:.3f} s"
    )
