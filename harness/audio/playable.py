"""
Whether a recording can be judged at all: it has frames, and every one of them is a number.

One NaN makes nonsense of every sum, so each detector asks here first, and the reason that it gives says where the fault is.
"""

import numpy as np

from harness.audio.recording import Recording
from harness.records.measurement import Missing


def unplayable(recording: Recording) -> Missing | None:
    """Why the recording cannot be judged (it is empty, or holds NaN or infinity, and where); None where it can."""
    return recording.once(_look)


def _look(recording: Recording) -> Missing | None:
    if not recording.frames.size:
        return Missing("the audio is empty")
    broken = np.flatnonzero(~np.isfinite(recording.frames))
    if not broken.size:
        return None
    frames = "1 frame" if broken.size == 1 else f"{broken.size} frames"
    return Missing(f"the audio holds NaN or infinity: {frames}, the first at {broken[0] / recording.rate_hz:.3f} s")
