"""
What one recording says about itself, with nothing to compare it to: duration, peak, share of clipped frames.

Arrays are mono float, shape [n]. Knows no files, no text, no thresholds of acceptance.
"""

import numpy as np
from numpy.typing import NDArray

from harness.measurement import Missing, Value

Audio = NDArray[np.floating]
FULL_SCALE = 0.9995  # within one 16-bit step or so of 1.0: what a clipped wav holds


def duration_s(audio: Audio, rate_hz: int) -> Value:
    """Seconds of audio; Missing for empty audio and for NaN or infinity, which no player could play to its end."""
    return _fault(audio) or len(audio) / rate_hz


def peak(audio: Audio) -> Value:
    """Largest absolute frame, 1.0 being full scale."""
    return _fault(audio) or float(np.abs(audio).max())


def clipped_share(audio: Audio) -> Value:
    """Share of frames at or beyond full scale, 0 to 1."""
    return _fault(audio) or float(np.mean(np.abs(audio) >= FULL_SCALE))


def _fault(audio: Audio) -> Missing | None:
    if audio.size == 0:
        return Missing("the audio is empty")
    return None if np.isfinite(audio).all() else Missing("the audio holds NaN or infinity")
