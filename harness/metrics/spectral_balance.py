"""
Spectral balance: bands that are too soft or too loud, steady tones, and packets that are heard
twice.

All are read at 16 kHz or, where that is less, not at all.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import median_filter

from voxgate.harness.audio import activity
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.measurement import Better, Metric, Missing, Value

Series = NDArray[np.float64]

RATE_HZ, WIDTH, HOP = 16_000, 1024, 256
MIDDLE_HZ, HIGH_HZ, TOP_HZ = (1_000.0, 4_000.0), (4_000.0, 7_000.0), (7_000.0, 8_000.0)
LOWEST_DB = -70.0
"""Of a band beside the middle one: what is softer is not there."""
STEADY_PERCENTILE = 10.0
AROUND, EDGE = 41, 4
"""Bins: 0.6 kHz of which a tone stands out, and 60 Hz at either end, where there is nothing."""
INAUDIBLE_DB = 75.0
TINY = 1e-30
WINDOW_S, LAGS_S = 0.012, (0.005, 0.050)
"""Shorter than a packet of 20 ms; a packet, or two, before."""
ALIKE = 0.98
BLOCK = 2048
"""Windows at once: bounds memory, whatever the length of the audio."""


def band_4k(inputs: MetricInput) -> Value:
    """Return the level of 4 to 7 kHz beside 1 to 4 kHz in dB, mean over audible frames."""
    return _band_db(inputs.audio, HIGH_HZ)


def band_7k(inputs: MetricInput) -> Value:
    """Return the level of 7 to 8 kHz beside 1 to 4 kHz in dB, mean over audible frames."""
    return _band_db(inputs.audio, TOP_HZ)


def steady_tone(inputs: MetricInput) -> Value:
    """
    Return by how many dB the strongest steady tone stands out of the spectrum around it: of the
    level that a frequency keeps in all frames but the softest of ten, pauses included.
    """
    power = inputs.audio.once(spectra)
    if isinstance(power, Missing):
        return power
    kept_db = _db(np.percentile(_within_db(power, INAUDIBLE_DB), STEADY_PERCENTILE, axis=0))
    around_db = median_filter(kept_db, AROUND, mode="nearest")
    heard = kept_db > _level_db(power).max() - INAUDIBLE_DB
    return float(np.where(heard, kept_db - around_db, 0.0)[EDGE:-EDGE].max(initial=0.0))


def _band_db(recording: Recording, band_hz: tuple[float, float]) -> Value:
    if recording.rate_hz < RATE_HZ:
        return Missing(f"{recording.rate_hz} Hz hold no such band; {RATE_HZ} Hz do")
    power = recording.once(spectra)
    if isinstance(power, Missing):
        return power
    audible = _within_db(power, activity.BELOW_DB)
    beside_db = _db(_band(audible, band_hz)) - _db(_band(audible, MIDDLE_HZ))
    return float(np.mean(np.maximum(beside_db, LOWEST_DB)))


def _band(power: Series, band_hz: tuple[float, float]) -> Series:
    low, high = (round(hz * WIDTH / RATE_HZ) for hz in band_hz)
    return np.asarray(power[:, low:high].mean(axis=1))


def _within_db(power: Series, below_db: float) -> Series:
    """Return the frames that are at most so far below the loud part."""
    level_db = _level_db(power)
    loud = level_db[level_db > level_db.max() - activity.AUDIBLE_DB]
    return np.asarray(power[level_db > np.percentile(loud, activity.LOUD_PERCENTILE) - below_db])


def _level_db(power: Series) -> Series:
    """Return the level of each frame without its offset, which silence may have."""
    return _db(power[:, EDGE:].sum(axis=1))


def _db(power: Series) -> Series:
    return np.asarray(10.0 * np.log10(np.maximum(power, TINY)))


def spectra(recording: Recording) -> Series | Missing:
    """
    Compute the power spectra of a recording, shape [frames, bins]; for `recording.once`.

    Missing for what is too short, silent or not finite.
    """
    loud_db = recording.once(activity.loud_level)
    if isinstance(loud_db, Missing):
        return loud_db
    samples = recording.at(RATE_HZ)
    if len(samples) < WIDTH:
        return Missing(f"{recording.duration_s:.3f} s is too short for a spectrum")
    windows = sliding_window_view(samples - samples.mean(), WIDTH)[::HOP]
    values = rfft(windows * np.hanning(WIDTH), axis=1)
    return np.asarray(values.real**2 + values.imag**2)


def packet_repeats(inputs: MetricInput) -> Value:
    """
    Return the share of audible time that is a copy of what was heard 5 to 50 ms before: windows of
    WINDOW_S whose correlation with it is beyond ALIKE, after the spectrum's slope is taken out.
    """
    audible = inputs.audio.once(activity.audible)
    if isinstance(audible, Missing):
        return audible
    samples = np.diff(inputs.audio.at(RATE_HZ), 2, prepend=[0.0, 0.0])
    width, nearest, farthest = (round(s * RATE_HZ) for s in (WINDOW_S, *LAGS_S))
    if len(samples) < farthest + width:
        return Missing(f"{inputs.audio.duration_s:.3f} s is too short for packets")
    rows = sliding_window_view(samples, farthest + width)[:: width // 2]
    alike = np.concatenate(
        [
            _likeness(rows[at : at + BLOCK], width, farthest - nearest)
            for at in range(0, len(rows), BLOCK)
        ]
    )
    middles_s = (np.arange(len(alike)) * (width // 2) + farthest + width / 2) / RATE_HZ
    frames = np.minimum((middles_s / activity.FRAME_S).astype(np.intp), len(audible) - 1)
    heard = alike[audible[frames]]
    return float(np.mean(heard > ALIKE)) if heard.size else Missing("nothing is audible")


def _likeness(rows: Series, width: int, last: int) -> Series:
    """
    Return the largest correlation of the last `width` samples of each row with a stretch that
    begins within its first `last`, shape [rows].
    """
    size = next_fast_len(rows.shape[1], real=True)
    spectra, own = rfft(rows, size, axis=1), rfft(rows[:, -width:], size, axis=1)
    products = irfft(spectra * own.conj(), size, axis=1)[:, : last + 1]
    energy = np.cumsum(np.pad(rows**2, ((0, 0), (1, 0))), axis=1)
    stretches = (energy[:, width:] - energy[:, :-width])[:, : last + 1]
    power = stretches * (energy[:, -1:] - energy[:, -1 - width : -width])
    return np.asarray((products / np.sqrt(np.maximum(power, TINY))).max(axis=1))


def _metric(name: str, unit: str, better: Better) -> Metric:
    return Metric(name=name, unit=unit, better=better, version="1")


METRICS: tuple[AudioMetric, ...] = (
    AudioMetric(metric=_metric("band_4k", "dB", "neither"), score=band_4k),
    AudioMetric(metric=_metric("band_7k", "dB", "neither"), score=band_7k),
    AudioMetric(metric=_metric("steady_tone", "dB", "lower"), score=steady_tone),
    AudioMetric(metric=_metric("packet_repeats", "1", "lower"), score=packet_repeats),
)
