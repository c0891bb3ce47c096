"""
Metrics by networks of the user's own: `mos_NAME`, `similarity_NAME`, `voice_similarity_NAME`.

`Suite(models={"NAME": ...})` names them; the registry resolves their names and does not list them.
The recording is brought to the same active level before each network and resampled by soxr, as
before our own. A MOS is the network's number as it is; a similarity is the cosine between two
embeddings, -1 to 1.
"""

import functools
import itertools
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np

from voxgate.harness.audio import activity
from voxgate.harness.audio.condition import CONDITIONS
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import (
    GOLDEN,
    GOLDEN_FAMILY,
    AudioMetric,
    MetricInput,
    MetricSpec,
    Need,
)
from voxgate.harness.metrics.speaker_similarity import SHORTEST_S as SHORTEST_SPEECH_S
from voxgate.harness.models.own_model import ModelFile, Vector, load, scores
from voxgate.harness.records.measurement import Metric, Missing, Value
from voxgate.harness.records.own_model import MODEL_NAME, ModelKind, OwnModel

SHORTEST_S = 0.25
MOS, SIMILARITY, VOICE = "mos_", "similarity_", "voice_similarity_"


def mos(inputs: MetricInput) -> Value:
    """Return the network's score."""
    assert inputs.model is not None, "the scorer offers what the metric needs"
    score = inputs.audio.once(_hearing(inputs.model))
    return score if isinstance(score, Missing) else float(score[0])


def similarity(inputs: MetricInput) -> Value:
    """Return the cosine to the reference performance's voice; 1 for the same audio."""
    assert inputs.reference is not None, "the scorer offers what the metric needs"
    return _cosine(inputs, inputs.reference)


def voice_similarity(inputs: MetricInput) -> Value:
    """Return the cosine to the recording of the speaker that the audio should sound like."""
    assert inputs.voice is not None, "the scorer offers what the metric needs"
    return _cosine(inputs, inputs.voice)


def _cosine(inputs: MetricInput, other: Recording) -> Value:
    assert inputs.model is not None, "the scorer offers what the metric needs"
    embedding = _hearing(inputs.model)
    ours, theirs = inputs.audio.once(embedding), other.once(embedding)
    if isinstance(ours, Missing):
        return ours
    if isinstance(theirs, Missing):
        return Missing(f"the recording to compare with: {theirs.reason}", theirs.kind)
    if len(ours) != len(theirs):
        return Missing(f"the size of {inputs.model.name}'s output changes with the audio's length")
    # means of several pieces are shorter than 1, and rounding alone could leave the range
    lengths = float(np.linalg.norm(ours) * np.linalg.norm(theirs))
    return float(np.clip(ours @ theirs / lengths, -1.0, 1.0)) if lengths else Missing(NO_VOICE)


NO_VOICE = "the network heard no voice"


@functools.cache
def _hearing(model: ModelFile) -> Callable[[Recording], Vector | Missing]:
    """Return the function by which recordings keep the answer of this network."""

    def hear(recording: Recording) -> Vector | Missing:
        fault = check_valid(recording) or _too_short(recording, model)
        if fault:
            return fault
        network, gain = load(model), recording.once(activity.network_gain)
        if isinstance(network, Missing):
            return network
        if isinstance(gain, Missing):
            return gain
        heard = np.clip(recording.at(model.model.rate_hz), -1.0, 1.0)  # as a converter would
        return scores(network, gain * heard, model)

    return hear


def _too_short(recording: Recording, model: ModelFile) -> Missing | None:
    """Return why a recording is no speech that the network could judge; None if it is."""
    if not recording.samples.any():
        return Missing("the audio is silent")
    if recording.duration_s < SHORTEST_S:
        return Missing(
            f"{recording.duration_s:.2f} s is too short for {model.name}, which needs "
            f"{SHORTEST_S} s"
        )
    if model.model.kind is ModelKind.MOS:
        return None
    speech = recording.once(activity.segments)
    if isinstance(speech, Missing):
        return speech
    if speech.speech_s < SHORTEST_SPEECH_S:
        return Missing(
            f"{speech.speech_s:.2f} s of speech are too short to tell a voice, which takes "
            f"{SHORTEST_SPEECH_S} s"
        )
    return None


_KINDS: Mapping[str, tuple[ModelKind, Callable[[MetricInput], Value], Need]] = {
    MOS: (ModelKind.MOS, mos, Need.NOTHING),
    SIMILARITY: (ModelKind.EMBEDDING, similarity, Need.REFERENCE),
    VOICE: (ModelKind.EMBEDDING, voice_similarity, Need.VOICE),
}
_NAME = re.compile(f"({'|'.join(_KINDS)})({MODEL_NAME.regex})")


@functools.lru_cache(maxsize=1024)
def own_metric(name: str) -> AudioMetric | None:
    """
    Return the metric of that name by a network of the user's own; None for any other name.

    >>> own_metric("mos_utmos").metric.unit, own_metric("wer")
    ('MOS', None)
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    kind, score, need = _KINDS[found[1]]
    unit = "MOS" if kind is ModelKind.MOS else "1"
    metric = Metric(name=name, unit=unit, better="higher", version="1")
    return AudioMetric(metric=metric, score=score, need=need, heavy=True)


def model_of(name: str) -> str:
    """
    Return the network's name in that of a metric without prefixes; empty for any other metric.

    >>> model_of("voice_similarity_wavlm"), model_of("wer")
    ('wavlm', '')
    """
    found = _NAME.fullmatch(name)
    return "" if found is None else found[2]


def own_names(models: Mapping[str, OwnModel]) -> list[str]:
    """Return the names of the metrics that these networks compute."""
    names: list[str] = []
    for name, model in models.items():
        prefixes = [prefix for prefix, (kind, _, _) in _KINDS.items() if kind is model.kind]
        names += [f"{prefix}{name}" for prefix in prefixes]
    return names


def specs_of(models: Mapping[str, OwnModel], conditions: Collection[str]) -> list[MetricSpec]:
    """Return the metrics that these networks compute, in every reading of a suite."""
    prefixes = ("", GOLDEN, *(CONDITIONS[each].prefix for each in conditions if each in CONDITIONS))
    names = map("".join, itertools.product(prefixes, own_names(models)))
    return [spec for name in names if (spec := spec_by_own_model(name)) is not None]


@functools.lru_cache(maxsize=1024)
def spec_by_own_model(name: str) -> MetricSpec | None:
    """Return the metric of that name by a network of the user's own; None for any other name."""
    golden = name.startswith(GOLDEN)
    condition = next((c for c in CONDITIONS.values() if name.startswith(c.prefix)), None)
    base = name.removeprefix(GOLDEN if golden else "" if condition is None else condition.prefix)
    source = own_metric(base)
    if source is None or (golden and source.need is not Need.REFERENCE):
        return None
    family = "naturalness" if source.need is Need.NOTHING else "voice"
    return MetricSpec(
        metric=replace(source.metric, name=name),
        family=GOLDEN_FAMILY if golden else family if condition is None else condition.name,
        source=source,
        golden=golden,
        condition=condition,
        base=base,
        own_model=model_of(base),
    )
