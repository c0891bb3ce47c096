"""
Predicted listener opinion by DNSMOS: P.835 (signal, background, overall) and P.808.

Reddy et al. 2021, "DNSMOS: a non-intrusive perceptual objective speech quality metric", and 2022,
"DNSMOS P.835".

A prediction is no opinion. The models were trained on noise suppressors, ignore the words, and rank
a robotic diphone voice above a natural one. So only the difference between two recordings of one
text is worth a verdict, never a value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio import activity
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.models.dnsmos import PACKAGE, RATE_HZ, p808_scores, p835_scores, tiled
from voxgate.harness.records.measurement import Metric, Missing, Value

Scores = NDArray[np.float64]

# as for PESQ; shorter audio fills a window in 64 copies and more, which is a tone and no speech
SHORTEST_S = 0.25

# The reference's calibration of P.835's raw outputs to its listening test, highest power first.
SIG_CURVE = (-0.08397278, 1.22083953, 0.0052439)
BAK_CURVE = (-0.13166888, 1.60915514, -0.39604546)
OVRL_CURVE = (-0.06766283, 1.11546468, 0.04602535)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """
    Predicted P.835 scores, 1 (bad) to 5 (excellent): the speech itself, the background, both
    together.
    """

    sig: float
    bak: float
    ovrl: float


def dnsmos_sig(inputs: MetricInput) -> Value:
    """Return the quality of the speech signal (P.835 SIG), 1 to 5: undistorted is high."""
    opinion = inputs.audio.once(p835)
    return opinion if isinstance(opinion, Missing) else opinion.sig


def dnsmos_bak(inputs: MetricInput) -> Value:
    """Return the quality of the background (P.835 BAK), 1 to 5: undisturbed is high."""
    opinion = inputs.audio.once(p835)
    return opinion if isinstance(opinion, Missing) else opinion.bak


def dnsmos_ovrl(inputs: MetricInput) -> Value:
    """Return the overall quality (P.835 OVRL), 1 to 5."""
    opinion = inputs.audio.once(p835)
    return opinion if isinstance(opinion, Missing) else opinion.ovrl


def dnsmos_p808(inputs: MetricInput) -> Value:
    """
    Return the overall quality (P.808), 1 to 5, by the older and 20 times cheaper model.

    It was trained on another listening test.
    """
    return inputs.audio.once(p808)


def p835(recording: Recording) -> Opinion | Missing:
    """Compute the three scores, each the mean over the recording's windows of 9 s."""
    raw = _judged(recording, p835_scores)
    if isinstance(raw, Missing):
        return raw
    curves = zip((SIG_CURVE, BAK_CURVE, OVRL_CURVE), raw.T, strict=True)
    sig, bak, ovrl = (float(np.mean(np.polyval(curve, scores))) for curve, scores in curves)
    return Opinion(sig=sig, bak=bak, ovrl=ovrl)


def p808(recording: Recording) -> Value:
    """Compute the score, the mean over the recording's windows of 9 s."""
    raw = _judged(recording, p808_scores)
    return raw if isinstance(raw, Missing) else float(np.mean(raw))


def unfit(recording: Recording, network: str, shortest_s: float) -> Missing | None:
    """Return why a network cannot predict the opinion of a recording; None where it can."""
    fault = check_valid(recording)
    if fault:
        return fault
    if not recording.samples.any():
        return Missing("the audio is silent")
    if recording.duration_s < shortest_s:
        return Missing(
            f"{recording.duration_s:.2f} s is too short for {network}, which needs {shortest_s} s"
        )
    return None


def _judged(
    recording: Recording, model: Callable[[NDArray[np.float32]], Scores | Missing]
) -> Scores | Missing:
    """
    Return the model's scores of each window, shape [windows, scores].

    Clipped as a converter would, then brought to one level: 6 dB moved the same speech by up to
    0.25 MOS.
    """
    fault = unfit(recording, "DNSMOS", SHORTEST_S)
    if fault:
        return fault
    gain = recording.once(activity.network_gain)
    if isinstance(gain, Missing):
        return gain
    scores = model(tiled(np.clip(recording.at(RATE_HZ), -1.0, 1.0) * gain))
    if isinstance(scores, Missing) or np.isfinite(scores).all():
        return scores
    return Missing("DNSMOS gave no finite number")


def _metric(name: str, score: Callable[[MetricInput], Value]) -> AudioMetric:
    return AudioMetric(
        metric=Metric(name=name, unit="MOS", better="higher", version="2"),  # 2: level
        score=score,
        package=PACKAGE,
        heavy=True,
    )


METRICS: tuple[AudioMetric, ...] = (
    _metric("dnsmos_ovrl", dnsmos_ovrl),
    _metric("dnsmos_sig", dnsmos_sig),
    _metric("dnsmos_bak", dnsmos_bak),
    _metric("dnsmos_p808", dnsmos_p808),
)
