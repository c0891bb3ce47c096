"""Recordings with a known pitch, made here."""

import numpy as np

RATE_HZ = 16_000


def hum(hz: float, seconds: float = 1.0, *, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Return a vowel-like sum of harmonics of `hz`, float32 (T,)."""
    at_s = np.arange(round(seconds * rate_hz)) / rate_hz
    harmonics = [np.sin(2 * np.pi * hz * k * at_s + k) / k for k in range(1, int(4000 // hz) + 1)]
    return (0.1 * np.sum(harmonics, axis=0)).astype(np.float32)


def glide(low_hz: float, high_hz: float, seconds: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Return harmonics whose F0 rises evenly in octaves, and F0 of each sample."""
    share = np.linspace(0.0, 1.0, round(seconds * RATE_HZ))
    hz = low_hz * (high_hz / low_hz) ** share
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    return (0.1 * sum(np.sin(k * phase) / k for k in range(1, 9))).astype(np.float32), hz
