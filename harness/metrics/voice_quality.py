"""
Voice quality: roughness, breath, tremor and drift of the voice.

None of these is compared with another recording; on the same texts the voice of an engine keeps
them, whatever the take. Cycle-to-cycle measures are of `audio/periodicity.py`, the melody is the
pitch track's. Level, polarity and silence play no part.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from voxgate.harness.audio import pitch
from voxgate.harness.audio.periodicity import Periods, periods
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.measurement import Better, Metric, Missing, Value

Series = NDArray[np.float64]

GREATEST_RATIO = 1.3
"""Of successive periods: beyond, one of them is a mistake (Praat's "maximum period factor")."""
LEAST_CORRELATION = 0.5
"""Of a period with the next, below which its length is a guess."""
LEAST_PERIODS = 20
THREE = 5
"""Half periods, in which three whole ones begin."""
MODULATION_HZ = (4.0, 9.0)
"""Vibrato; syllables move the melody at 2 to 5 Hz."""
LEAST_VOICED_S = 0.25


def jitter(inputs: MetricInput) -> Value:
    """
    Return the mean difference of a period from the mean of itself and its neighbours, as a share
    of the mean period (relative average perturbation; Praat's "jitter (rap)").
    """
    found = inputs.audio.once(periods)
    if isinstance(found, Missing):
        return found
    before, middle, after = _triples(found)
    if len(middle) < LEAST_PERIODS:
        return Missing(f"only {len(middle)} periods stand between two others; {LEAST_PERIODS} do")
    return float(np.mean(np.abs(middle - (before + middle + after) / 3.0)) / np.mean(middle))


def hnr(inputs: MetricInput) -> Value:
    """
    Return the harmonics-to-noise ratio in dB: 10 log10(r / (1 - r)), r the correlation of a period
    with the next, mean over periods.
    """
    found = inputs.audio.once(periods)
    if isinstance(found, Missing):
        return found
    r = np.clip(found.correlations, 1e-3, 1.0 - 1e-6)
    return float(np.mean(10.0 * np.log10(r / (1.0 - r))))


def f0_modulation(inputs: MetricInput) -> Value:
    """Return the RMS of the melody's modulation between 4 and 9 Hz, in cents."""
    melody = inputs.audio.once(_melody)
    if isinstance(melody, Missing):
        return melody
    cents, voiced = melody
    band = butter(2, MODULATION_HZ, "bandpass", fs=1.0 / pitch.HOP_S, output="sos")
    if len(cents) <= 30:
        return Missing("it is too short for a modulation")
    return float(np.sqrt(np.mean(sosfiltfilt(band, cents, padlen=30)[voiced] ** 2)))


def f0_drift(inputs: MetricInput) -> Value:
    """Return by how many semitones the line through the melody rises from its begin to its end."""
    melody = inputs.audio.once(_melody)
    if isinstance(melody, Missing):
        return melody
    cents, voiced = melody
    at = np.flatnonzero(voiced)
    slope = np.polyfit(at, cents[voiced], 1)[0]
    return float(slope * (at[-1] - at[0]) / 100.0)


def _triples(found: Periods) -> tuple[Series, Series, Series]:
    """Return three successive periods of one stretch, none of them a guess or a mistake."""
    if len(found.lengths_s) < THREE:
        return (np.empty(0),) * 3
    # every other one: they are half a period apart
    three = sliding_window_view(found.lengths_s, THREE)[:, ::2]
    kept = (
        (sliding_window_view(found.correlations, THREE).min(axis=1) >= LEAST_CORRELATION)
        & (found.stretches[: 1 - THREE] == found.stretches[THREE - 1 :])
        & (three.max(axis=1) <= GREATEST_RATIO * three.min(axis=1))
    )
    before, middle, after = three[kept].T
    return before, middle, after


def _melody(recording: Recording) -> tuple[Series, NDArray[np.bool_]] | Missing:
    """
    Return the smoothed pitch in cents from the first voiced frame to the last, straight over gaps,
    and which frames are voiced; both of shape [n].
    """
    track = recording.once(pitch.track)
    if isinstance(track, Missing):
        return track
    smoothed = track.smoothed
    voiced = np.flatnonzero(smoothed)
    if len(voiced) * pitch.HOP_S < LEAST_VOICED_S:
        return Missing(f"only {len(voiced) * pitch.HOP_S:.2f} s of it are voiced")
    every = np.arange(voiced[0], voiced[-1] + 1)
    cents = 1200.0 * np.interp(every, voiced, np.log2(smoothed[voiced]))
    return cents, smoothed[every] > 0.0


def _metric(
    name: str, unit: str, better: Better, score: Callable[[MetricInput], Value]
) -> AudioMetric:
    return AudioMetric(
        metric=Metric(name=name, unit=unit, better=better, version="1"),
        score=score,
        package=pitch.PACKAGE,
    )


METRICS: tuple[AudioMetric, ...] = (
    _metric("jitter", "1", "lower", jitter),
    _metric("hnr", "dB", "higher", hnr),
    _metric("f0_modulation", "cents", "lower", f0_modulation),
    _metric("f0_drift", "semitones", "neither", f0_drift),
)
