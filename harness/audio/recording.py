"""
One recording as metrics read it: its samples, its rate, and the features computed so far.

Knows resampling, since the resampler is part of the value of PESQ or a transcript; knows no metric.
A feature that several metrics need (pitch, a spectrum, speech activity) is computed once and kept:
`recording.once(pitch.track)`.

Also checks whether a recording can be scored at all: it has samples, and every one is a number. One
NaN makes nonsense of every sum, so each detector checks first, and the reason locates the fault.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.files import read_audio
from voxgate.harness.records.measurement import Missing

Samples = NDArray[np.float64]
Feature = TypeVar("Feature")


class Recording:
    """Mono audio: float64 samples of shape [n], full scale 1.0, at `rate_hz`. Immutable."""

    def __init__(self, samples: NDArray[np.floating], rate_hz: int) -> None:
        self.samples: Samples = np.asarray(samples, dtype=np.float64)
        self.rate_hz = rate_hz
        self._features: dict[object, Any] = {}

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return len(self.samples) / self.rate_hz

    @property
    def frames(self) -> Samples:
        """Deprecated name of `samples`, kept for one release."""
        warnings.warn("Recording.frames is now Recording.samples", DeprecationWarning, 2)
        return self.samples

    def at(self, rate_hz: int) -> Samples:
        """
        Resample by soxr HQ (band-limited); return the samples at another rate.

        Linear interpolation instead would cost 1.9 MOS on the same audio: the resampler is
        part of the metric.
        """
        if rate_hz == self.rate_hz or not self.samples.size:
            return self.samples
        key = ("rate", rate_hz)
        if key not in self._features:
            import soxr

            self._features[key] = np.asarray(
                soxr.resample(self.samples, self.rate_hz, rate_hz, quality="HQ"), dtype=np.float64
            )
        return cast(Samples, self._features[key])

    def once(self, compute: Callable[["Recording"], Feature]) -> Feature:
        """
        Return the feature that the function computes of this recording; computed at the
        first call only.
        """
        if compute not in self._features:
            self._features[compute] = compute(self)
        return cast(Feature, self._features[compute])


def read_recording(path: Path) -> Recording:
    """
    Read an audio file; several channels become their mean. Raises HarnessError as `read_audio`
    does.
    """
    return Recording(*read_audio(path))


def check_valid(recording: Recording) -> Missing | None:
    """
    Return why the recording cannot be scored: it is empty, or holds NaN or infinity, and where.

    None where it can.
    """
    return recording.once(_look)


def _look(recording: Recording) -> Missing | None:
    if not recording.samples.size:
        return Missing("the audio is empty")
    broken = np.flatnonzero(~np.isfinite(recording.samples))
    if not broken.size:
        return None
    count = "1 frame" if broken.size == 1 else f"{broken.size} frames"
    return Missing(
        f"the audio holds NaN or infinity: {count}, the first at "
        f"{broken[0] / recording.rate_hz:.3f} s"
    )
