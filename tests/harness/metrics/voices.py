"""
Sounds whose pitch is known: harmonics of a given contour, shaped like a vowel, with silence where
it is 0.
"""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
HARMONICS = 12


def contour(*pieces: tuple[float, float, float]) -> NDArray[np.float64]:
    """
    Pitch in Hz for each audio frame: pieces of (seconds, from Hz, to Hz), straight in semitones; 0
    Hz is silence.
    """
    parts = []
    for seconds, since, to in pieces:
        count = round(seconds * RATE_HZ)
        parts.append(
            np.zeros(count)
            if not since
            else since * (to / since) ** (np.arange(count) / max(count, 1))
        )
    return np.concatenate(parts)


def sung(f0_hz: NDArray[np.float64], rate_hz: int = RATE_HZ) -> NDArray[np.float64]:
    """
    A voice that follows the contour, peak below 0.5; every stretch of it fades in and out over 10
    ms.
    """
    phase = 2.0 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    tones = sum(
        np.sin(k * phase) / k * (k * f0_hz < RATE_HZ / 2.2) for k in range(1, HARMONICS + 1)
    )
    fade = np.hanning(RATE_HZ // 50)
    heard = np.convolve(f0_hz > 0.0, fade / fade.sum(), mode="same") * tones * 0.25
    if rate_hz == RATE_HZ:
        return np.asarray(heard)
    import soxr

    return np.asarray(soxr.resample(heard, RATE_HZ, rate_hz))
