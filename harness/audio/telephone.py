"""
The telephone condition: G.711 mu-law at 8 kHz.

Much synthetic speech is played over such a line. Band-limited to 300 to 3400 Hz, companded to 8
bits, resampled to the recording's own rate and length. Nothing is delayed, levelled or dropped, so
that a change of a metric is due to the band and the companding alone. Mu-law's steps follow the
level, so the speech passes at the level that lines expect, and returns to its own: soft speech is
no noisier than loud speech. Knows no metric.
"""

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, firwin

from voxgate.harness.audio.activity import network_gain
from voxgate.harness.audio.recording import Recording, Samples
from voxgate.harness.records.measurement import Missing

RATE_HZ = 8_000
# The pass band is flat from 300 to 3400 Hz (G.712) and 50 dB down at 200 and 3500 Hz; the filter is
# symmetrical, so that it delays nothing once its own half length is taken off.
BAND_HZ, TAPS = (250.0, 3450.0), 257

FULL_SCALE = 8192  # of G.711's 14-bit input
SEGMENTS, STEPS, BIAS = 8, 16, 33


def line(recording: Recording) -> Recording:
    """Pass a recording through the line, at its own rate and length; for `recording.once`."""
    sent = np.clip(recording.at(RATE_HZ), -1.0, 1.0)
    if not sent.size:
        return Recording(np.zeros_like(recording.samples), recording.rate_hz)
    level = recording.once(network_gain)
    gain = 1.0 if isinstance(level, Missing) else level
    limited = gain * fftconvolve(sent, _band_pass(), mode="full")[TAPS // 2 :][: len(sent)]
    received = Recording(mu_law_decode(mu_law_encode(limited)) / gain, RATE_HZ)
    heard = _as_long_as(received.at(recording.rate_hz), len(recording.samples))
    return Recording(heard, recording.rate_hz)


def mu_law_encode(samples: NDArray[np.floating]) -> NDArray[np.uint8]:
    """
    Return G.711 mu-law codes as they are sent (table 2a, bits inverted), shape [n].

    Full scale is 1.0, louder samples are clipped. Encoding takes the segment and step below the
    decision value, as the standard's figures are read; NaN becomes silence.
    """
    magnitude = (
        np.abs(np.nan_to_num(np.asarray(samples, dtype=np.float64), posinf=1.0, neginf=-1.0))
        * FULL_SCALE
    )
    codes = np.searchsorted(_decisions(), magnitude, side="right")
    negative = np.signbit(samples)
    return np.asarray(~(codes + np.where(negative, 128, 0)) & 0xFF, dtype=np.uint8)


def mu_law_decode(codes: NDArray[np.uint8]) -> Samples:
    """Return the samples that the codes stand for, shape [n], full scale 1.0."""
    values = np.concatenate([_levels(), -_levels()])
    return np.asarray(values[~codes] / FULL_SCALE, dtype=np.float64)


@functools.cache
def _levels() -> Samples:
    """
    Return the 128 output values of one sign, 0 to 8031 in 14 bits.

    Eight segments of sixteen steps, each step twice as high.
    """
    steps = 2.0 * np.arange(STEPS) + BIAS
    return np.concatenate([steps * 2.0**segment - BIAS for segment in range(SEGMENTS)])


@functools.cache
def _decisions() -> Samples:
    """
    Return the 127 values from which on the next output value is sent: 1, 3 ... 31, 35 ... 7903.
    """
    return np.asarray(_levels() - np.repeat(2.0 ** np.arange(SEGMENTS), STEPS), dtype=np.float64)[
        1:
    ]


@functools.cache
def _band_pass() -> Samples:
    return np.asarray(firwin(TAPS, BAND_HZ, pass_zero=False, fs=RATE_HZ), dtype=np.float64)


def _as_long_as(samples: Samples, length: int) -> Samples:
    return np.pad(samples, (0, max(length - len(samples), 0)))[:length]
