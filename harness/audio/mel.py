"""
The power mel spectrogram that DNSMOS P.808 and Resemblyzer were trained on: librosa's defaults, in
numpy.

librosa itself takes seconds to import and compile on its first call. Mel scale and filters of
Slaney's Auditory Toolbox (1998, technical report 1998-010): linear below 1 kHz, logarithmic above,
each filter of equal area; Hann window, frames centred, zeros beyond both ends (librosa before 0.10
mirrored there instead).
"""

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Power = NDArray[np.float64]

HZ_PER_MEL = 200.0 / 3  # below the knee
KNEE_HZ, KNEE_MEL = 1000.0, 15.0
MELS_PER_LOG = 27.0 / np.log(6.4)  # above the knee: 27 mels for each factor of 6.4
BLOCK = 4096  # analysis frames at once: bounds memory, whatever the length of the audio


def power_mel(
    samples: NDArray[np.floating], rate_hz: int, *, width: int, hop: int, bands: int
) -> Power:
    """
    Compute the mel power spectrogram of samples of shape [n].

    Returns shape [1 + about n / hop, bands], in frames of `width` samples every `hop`.
    """
    padded = np.pad(np.asarray(samples, dtype=np.float64), width // 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)
    analysed = sliding_window_view(padded, width)[::hop]
    weights = filters(rate_hz, width, bands).T
    blocks = (
        np.fft.rfft(analysed[at : at + BLOCK] * window) for at in range(0, len(analysed), BLOCK)
    )
    return np.concatenate([(block.real**2 + block.imag**2) @ weights for block in blocks])


@functools.cache
def filters(rate_hz: int, width: int, bands: int) -> Power:
    """
    Return triangular filters from 0 Hz to half the rate, shape [bands, width // 2 + 1].

    Each has area 1 (per Hz).
    """
    bins_hz = np.fft.rfftfreq(width, 1 / rate_hz)
    edges_hz = _hz(np.linspace(0.0, _mel(rate_hz / 2), bands + 2))
    low, centre, high = (edges_hz[start : start + bands, None] for start in range(3))
    triangles = np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre))
    return np.asarray(np.maximum(triangles, 0.0) * 2.0 / (high - low), dtype=np.float64)


def _mel(hz: float) -> float:
    return (
        hz / HZ_PER_MEL if hz < KNEE_HZ else KNEE_MEL + float(np.log(hz / KNEE_HZ)) * MELS_PER_LOG
    )


def _hz(mel: Power) -> Power:
    above = KNEE_HZ * np.exp((np.maximum(mel, KNEE_MEL) - KNEE_MEL) / MELS_PER_LOG)
    return np.asarray(np.where(mel < KNEE_MEL, mel * HZ_PER_MEL, above), dtype=np.float64)
