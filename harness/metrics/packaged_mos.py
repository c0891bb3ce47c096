"""
Predicted listener opinion by packages that carry all they need: Distill-MOS and ViSQOL.

Distill-MOS (Stahl and Gamper 2025) hears the audio alone: a small network that learned the answers
of a large one, which had learned the opinions of ten listening tests, published voices of
text-to-speech among them. As for DNSMOS, only the difference between two recordings of one text is
worth a verdict. ViSQOL (Chinen et al. 2020) compares with the same performance, as PESQ does, and
needs no compiler. What both see of planted faults, and which other packages were tried:
docs/evidence/predicted-mos.md.
"""

import contextlib
import functools
import importlib.util
import logging
import math
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from voxgate.harness.audio import activity
from voxgate.harness.audio.recording import Recording, Samples
from voxgate.harness.metrics.alignment import aligned
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.metrics.predicted_mos import unfit
from voxgate.harness.models.distillmos import PACKAGE, RATE_HZ, mos_scores
from voxgate.harness.records.measurement import Metric, Missing, Value, not_installed

SHORTEST_S = 0.25  # as for DNSMOS
VISQOL = "visqol-python"


def distillmos(inputs: MetricInput) -> Value:
    """
    Return the overall quality, 1 to 5.

    Blind to level, since each window is divided by its peak, and to silence before and after.
    """
    return inputs.audio.once(predicted)


def predicted(recording: Recording) -> Value:
    """Compute the score, the mean over the recording's windows of 7.68 s."""
    fault = unfit(recording, "Distill-MOS", SHORTEST_S)
    if fault:
        return fault
    speech = _without_silent_ends(recording)
    if isinstance(speech, Missing):
        return speech
    scores = mos_scores(speech)
    if isinstance(scores, Missing) or np.isfinite(scores).all():
        return scores if isinstance(scores, Missing) else float(np.mean(scores))
    return Missing("Distill-MOS gave no finite number")


def _without_silent_ends(recording: Recording) -> Samples | Missing:
    """Return the speech at the network's rate, from its first sound to its last."""
    speech = recording.once(activity.segments)
    if isinstance(speech, Missing):
        return speech
    return recording.at(RATE_HZ)[round(speech.start_s * RATE_HZ) : round(speech.end_s * RATE_HZ)]


def visqol(inputs: MetricInput) -> Value:
    """
    Return ViSQOL MOS-LQO in speech mode, 1 to 5, by `visqol-python`; 5 for the same audio.

    Its level is matched to the reference's. The score is the exponential of the similarity of
    gammatone spectrograms; the package's other mapping, a lattice, gives 1.0 to noise at 20 dB
    already, and needs a runtime of its own.
    """
    pair = aligned(inputs)
    if isinstance(pair, Missing):
        return pair
    judge = _visqol()
    if isinstance(judge, Missing):
        return judge
    clean, heard = (each.at(RATE_HZ) for each in (pair.reference_audio, pair.candidate_audio))
    if not (clean.any() and heard.any()):
        return Missing("the audio is silent")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            score = float(judge.measure_from_arrays(clean, heard, RATE_HZ).moslqo)
    except (ValueError, IndexError):
        return Missing("too little speech for ViSQOL")
    return score if math.isfinite(score) else Missing("ViSQOL gave no finite number")


@functools.cache
def _visqol() -> Any:
    """
    Load the package, once per process, without its compilation by numba.

    That takes half a minute at first, and makes nothing faster at this length (0.2 s per second
    either way); the values are the same.
    """
    if importlib.util.find_spec("visqol") is None:
        return not_installed(VISQOL)
    with _without_numba():
        from visqol import VisqolApi
    logging.getLogger("visqol").setLevel(logging.ERROR)
    judge = VisqolApi()
    judge.create(mode="speech", use_lattice_model=False)
    return judge


@contextlib.contextmanager
def _without_numba() -> Iterator[None]:
    """Hide numba from a package that is imported inside the context."""
    modules: dict[str, Any] = sys.modules
    hidden = {"numba": modules["numba"]} if "numba" in modules else {}
    modules["numba"] = None
    try:
        yield
    finally:
        del modules["numba"]
        modules.update(hidden)


METRICS: tuple[AudioMetric, ...] = (
    AudioMetric(
        metric=Metric(name="distillmos", unit="MOS", better="higher", version="1"),
        score=distillmos,
        package=PACKAGE,
        heavy=True,
    ),
    AudioMetric(
        metric=Metric(name="visqol", unit="MOS-LQO", better="higher", version="1"),
        score=visqol,
        need=Need.REFERENCE,
        package=VISQOL,
        heavy=True,
    ),
)
