"""
Levels of a recording: peak, clipping, DC offset, loudness, and samples that are not finite.

Knows nothing of text or other recordings, and no limits.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from voxgate.harness.audio.loudness import integrated_lufs
from voxgate.harness.audio.recording import check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.measurement import Metric, Missing, Value

FULL_SCALE = 0.9995  # within 16 steps of 16 bits of 1.0, as clipped WAV files hold
# of the peak; at 48 kHz a pure tone of 100 Hz already falls by 9e-5 from its crest to the next
# sample
FLAT = 1e-5
FLAT_RUN = 3  # samples; a crest between two of them may give two alike


def finite(inputs: MetricInput) -> Value:
    """
    Return the share of finite samples, 1.0 for sound audio.

    Every other metric names the place of the first NaN.
    """
    samples = inputs.audio.samples
    return float(np.isfinite(samples).mean()) if samples.size else Missing("the audio is empty")


def peak(inputs: MetricInput) -> Value:
    """Return the largest absolute sample, 1.0 being full scale."""
    return check_valid(inputs.audio) or float(np.abs(inputs.audio.samples).max())


def clipped_share(inputs: MetricInput) -> Value:
    """
    Return the share of samples, 0 to 1, that clipping has touched.

    They lie at or beyond full scale, or on a flat top at the recording's peak. Flat tops reveal
    clipping that came before a change of level, as an engine's own levelling does.
    """
    fault = check_valid(inputs.audio)
    if fault is not None:
        return fault
    magnitude = np.abs(inputs.audio.samples)
    return float(np.mean((magnitude >= FULL_SCALE) | _flat_tops(magnitude)))


def dc_offset(inputs: MetricInput) -> Value:
    """Return the absolute value of the mean sample, 1.0 being full scale."""
    return check_valid(inputs.audio) or abs(float(inputs.audio.samples.mean()))


def loudness(inputs: MetricInput) -> Value:
    """Return the integrated loudness in LUFS (see audio/loudness.py)."""
    return inputs.audio.once(integrated_lufs)


def _flat_tops(magnitude: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the samples in a run of FLAT_RUN or more at the peak, shape [n]; none in silence."""
    at_peak = (magnitude >= (1.0 - FLAT) * magnitude.max()) & (magnitude > 0.0)
    # middles of runs
    within = minimum_filter1d(at_peak.astype(np.uint8), FLAT_RUN, mode="constant")
    spread = (
        np.convolve(within, np.ones(FLAT_RUN), "same")
        if len(within) >= FLAT_RUN
        else np.zeros(len(within))
    )
    return np.asarray(spread > 0, dtype=np.bool_)


METRICS = (
    AudioMetric(metric=Metric(name="finite", unit="1", better="higher", version="1"), score=finite),
    AudioMetric(metric=Metric(name="peak", unit="1", better="neither", version="1"), score=peak),
    AudioMetric(
        metric=Metric(name="clipped_share", unit="1", better="lower", version="1"),
        score=clipped_share,
    ),
    AudioMetric(
        metric=Metric(name="dc_offset", unit="1", better="lower", version="1"), score=dc_offset
    ),
    AudioMetric(
        metric=Metric(name="loudness", unit="LUFS", better="neither", version="1"), score=loudness
    ),
)
