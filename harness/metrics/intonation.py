"""
Intonation: whether the end of an utterance moves as its text asks, declination, and both against
another take.

A yes/no question rises, a question with "who" or "qué" and a statement do not
(`suite/sentence_kind.py`). Pitch by `audio/pitch.py`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio import activity, pitch
from voxgate.harness.audio.activity import Activity
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.records.measurement import Metric, Missing, Value
from voxgate.harness.suite.sentence_kind import SentenceKind, sentence_kind

END_S = 0.25
"""Voiced speech whose lowest pitch the end is held against."""
LAST_S = 0.06
"""Voiced speech that is the end."""
RISING = 1.5
"""
Semitones from which an end rises. Of 160 statements and yes/no questions by the five voices of Pico
and espeak-ng in two languages, 155 are told apart by it (docs/evidence/prosody.md).
"""
LEAST_PHRASE_S = 0.4
"""Of voice in a phrase, below which it has no line."""


def end_rise(inputs: MetricInput) -> Value:
    """
    Return by how many semitones the last 60 ms of voice lie above the lowest pitch of the last 250
    ms; hardly anything where the end falls.
    """
    return _end_rise(inputs.audio)


def intonation_fit(inputs: MetricInput) -> Value:
    """Return 1.0 where the end rises as the text asks or does not rise as it asks, else 0.0."""
    kind = sentence_kind(inputs.text, inputs.language)
    if kind is None:
        return Missing("the end of this text may rise or fall")
    rise = _end_rise(inputs.audio)
    if isinstance(rise, Missing):
        return rise
    return float((rise >= RISING) == (kind is SentenceKind.YES_NO))


def end_rise_error(inputs: MetricInput) -> Value:
    """Return by how many semitones the end rises more or less than that of another take."""
    assert inputs.reference is not None, "the scorer gives a take to metrics that need one"
    here, there = _end_rise(inputs.audio), _end_rise(inputs.reference)
    if isinstance(there, Missing):
        return Missing(f"the other take: {there.reason}", there.kind)
    return here if isinstance(here, Missing) else abs(here - there)


def pace_ratio(inputs: MetricInput) -> Value:
    """Return the pace against another take's: its seconds of speech by these, pauses left out."""
    assert inputs.reference is not None, "the scorer gives a take to metrics that need one"
    here, there = (each.once(activity.segments) for each in (inputs.audio, inputs.reference))
    if isinstance(there, Missing):
        return Missing(f"the other take: {there.reason}", there.kind)
    return here if isinstance(here, Missing) else there.speech_s / here.speech_s


def declination(inputs: MetricInput) -> Value:
    """
    Return the slope of the pitch within phrases, in semitones per second: one line for all phrases
    between pauses, each at its own height, without the last 250 ms of voice.
    """
    spoken, track = inputs.audio.once(activity.segments), inputs.audio.once(pitch.track)
    if isinstance(spoken, Missing):
        return spoken
    if isinstance(track, Missing):
        return track
    at = np.flatnonzero(track.smoothed)[: -round(END_S / pitch.HOP_S)]
    times_s, semitones = track.times_s[at], 12.0 * np.log2(track.smoothed[at])
    lines = [
        (times_s[inside] - times_s[inside].mean(), semitones[inside])
        for inside in _phrases(spoken, times_s)
        if inside.sum() * pitch.HOP_S >= LEAST_PHRASE_S
    ]
    if not lines:
        return Missing(f"no phrase has {LEAST_PHRASE_S:g} s of voice")
    spread = sum(float(times @ times) for times, _ in lines)
    return sum(float(times @ heights) for times, heights in lines) / spread


def _phrases(spoken: Activity, times_s: NDArray[np.float64]) -> list[NDArray[np.bool_]]:
    """Return which of some times lie in each stretch of speech between two pauses."""
    starts = (spoken.start_s, *(end for _, end in spoken.pauses))
    ends = (*(start for start, _ in spoken.pauses), spoken.end_s)
    return [(times_s >= start) & (times_s < end) for start, end in zip(starts, ends, strict=True)]


def _end_rise(recording: Recording) -> Value:
    return recording.once(_rise)


def _rise(recording: Recording) -> Value:
    track = recording.once(pitch.track)
    if isinstance(track, Missing):
        return track
    voiced = track.smoothed[track.smoothed > 0.0]
    end = voiced[-round(END_S / pitch.HOP_S) :]
    if len(end) < round(END_S / pitch.HOP_S):
        return Missing(f"only {len(voiced) * pitch.HOP_S:.2f} s of it are voiced")
    last = np.median(end[-round(LAST_S / pitch.HOP_S) :])
    return float(12.0 * np.log2(last / end.min()))


def _metric(
    name: str, unit: str, score: Callable[[MetricInput], Value], need: Need = Need.NOTHING
) -> AudioMetric:
    return AudioMetric(
        metric=Metric(name=name, unit=unit, better="neither", version="1"),
        score=score,
        need=need,
        package=pitch.PACKAGE,
    )


METRICS: tuple[AudioMetric, ...] = (
    _metric("end_rise", "semitones", end_rise),
    AudioMetric(
        metric=Metric(name="intonation_fit", unit="1", better="higher", version="1"),
        score=intonation_fit,
        need=Need.INTONATION,
        package=pitch.PACKAGE,
        reads_text=True,
    ),
    _metric("declination", "semitones/s", declination),
    AudioMetric(
        metric=Metric(name="end_rise_error", unit="semitones", better="lower", version="1"),
        score=end_rise_error,
        need=Need.TAKE,
        package=pitch.PACKAGE,
    ),
    AudioMetric(
        metric=Metric(name="pace_ratio", unit="1", better="neither", version="1"),
        score=pace_ratio,
        need=Need.TAKE,
    ),
)
