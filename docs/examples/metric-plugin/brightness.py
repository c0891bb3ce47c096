"""brightness.py: where the middle of the spectrum lies."""

import numpy as np

from voxgate import AudioMetric, Metric, MetricInput, Missing


def brightness(inputs: MetricInput) -> float | Missing:
    """Return the spectral centroid in Hz."""
    power = np.abs(np.fft.rfft(inputs.audio.samples)) ** 2
    if not np.isfinite(power).all() or not power.any():
        return Missing("the audio is silent or broken")
    hz = np.fft.rfftfreq(len(inputs.audio.samples), 1 / inputs.audio.rate_hz)
    return float(power @ hz / power.sum())


METRICS = (
    AudioMetric(
        metric=Metric(name="brightness", unit="Hz", better="neither", version="1"), score=brightness
    ),
)
