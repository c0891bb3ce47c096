"""
One recording as a metric sees it: its frames, its rate, and what was worked out from them so far.

Knows resampling, since the resampler is part of what PESQ or a recogniser says of an audio; knows
no metric. A feature that several metrics need (pitch, a spectrum, where there is speech) is worked
out once and kept: `recording.once(pitch.track)`.

Whether a recording can be judged at all: it has frames, and every one of them is a number.

One NaN makes nonsense of every sum, so each detector asks here first, and the reason that it gives
says where the fault is.
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
    """
    Mono audio: `frames` of shape [n], float64, full scale 1.0; `rate_hz`. Not changed once made.
    """

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
        Give the frames at another rate, by soxr HQ (band-limited).

        Linear interpolation instead would cost 1.9 MOS on the same audio: the resampler is part of
        the metric.
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
        """Give what the function makes of this recording; it is called for the first asker only."""
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
    Why the recording cannot be judged (it is empty, or holds NaN or infinity, and where); None
    where it can.
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
