"""
Predicted listener opinion by networks whose weights travel in a package of their own: Distill-MOS.

Stahl and Gamper 2025: a small network that learned the answers of a large one, which had learned
the opinions of ten listening tests, published voices of text-to-speech among them. As for DNSMOS,
only the difference between two recordings of one text is worth a verdict. What it sees of planted
faults, and which other packages were tried: docs/evidence/predicted-mos.md.
"""

import numpy as np

from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.models.distillmos import PACKAGE, RATE_HZ, mos_scores
from voxgate.harness.records.measurement import Metric, Missing, Value

SHORTEST_S = 0.25  # as for DNSMOS


def distillmos(inputs: MetricInput) -> Value:
    """
    Return the overall quality, 1 to 5.

    Blind to level: each window is divided by its peak.
    """
    return inputs.audio.once(predicted)


def predicted(recording: Recording) -> Value:
    """Compute the score, the mean over the recording's windows of 7.68 s."""
    fault = check_valid(recording)
    if fault:
        return fault
    if not recording.samples.any():
        return Missing("the audio is silent")
    if recording.duration_s < SHORTEST_S:
        return Missing(
            f"{recording.duration_s:.2f} s is too short for Distill-MOS, which needs {SHORTEST_S} s"
        )
    scores = mos_scores(recording.at(RATE_HZ))
    if isinstance(scores, Missing) or np.isfinite(scores).all():
        return scores if isinstance(scores, Missing) else float(np.mean(scores))
    return Missing("Distill-MOS gave no finite number")


METRICS: tuple[AudioMetric, ...] = (
    AudioMetric(
        metric=Metric(name="distillmos", unit="MOS", better="higher", version="1"),
        score=distillmos,
        package=PACKAGE,
        heavy=True,
    ),
)
