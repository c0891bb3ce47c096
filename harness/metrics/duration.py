"""
Duration of a recording, absolute and per character, and the silence at its two ends.

An engine that drawls, babbles on, stops early or cuts off the end shows here. Pauses within the
speech are prosody's.
"""

import math
import re

import numpy as np

from voxgate.harness.audio import activity
from voxgate.harness.audio.activity import speech_level
from voxgate.harness.audio.recording import check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.cell import ENGLISH, primary_language
from voxgate.harness.records.measurement import Metric, Missing, Value

STOPS = ".!?…"
PAUSE = re.compile(r"[,;:.!?…—]+(?=\s)")


def duration_s(inputs: MetricInput) -> Value:
    """
    Return seconds of audio.

    Missing for empty audio and for NaN or infinity, which no player could play to its end.
    """
    return check_valid(inputs.audio) or inputs.audio.duration_s


def chars_per_s(inputs: MetricInput) -> Value:
    """
    Return letters and digits of the text per second of audio, silence included.

    The text counts as requested, not as it is read out: "2026" counts four. So a value is
    meaningful beside another of the same text, or as a mean over many.
    """
    characters = sum(character.isalnum() for character in inputs.words)
    if not characters:
        return Missing("the text has no letters")
    return check_valid(inputs.audio) or characters / inputs.audio.duration_s


S_PER_LETTER, S_PER_SENTENCE = 0.066, 0.15
S_PER_DIGIT, S_PER_PAUSE = 0.30, 0.25
SHORTEST_RATIO, LONGEST_RATIO = 0.6, 1.8
"""480 clean sentences lie within 0.73 and 1.59: five voices of flite, and the embedded three."""


def length_ratio(inputs: MetricInput) -> Value:
    """
    Return seconds from the first speech to the last, by those that the text should take.

    A run-away model speaks on far beyond 1, one that ends early stays below it. The expected length
    is counted in letters, digits and commas, so it is a rule of thumb for one sentence, and known
    for English only.
    """
    if primary_language(inputs.language) != ENGLISH:
        return Missing(f"expected lengths are known for English, not for {inputs.language}")
    letters = sum(character.isalpha() for character in inputs.words)
    digits = sum(character.isdigit() for character in inputs.words)
    pauses = len(PAUSE.findall(inputs.words.rstrip().rstrip(STOPS)))
    if not letters + digits:
        return Missing("the text has no letters")
    speech = check_valid(inputs.audio) or inputs.audio.once(activity.segments)
    if isinstance(speech, Missing):
        return speech
    expected_s = S_PER_SENTENCE + letters * S_PER_LETTER + digits * S_PER_DIGIT
    return (speech.end_s - speech.start_s) / (expected_s + pauses * S_PER_PAUSE)


def length_off(inputs: MetricInput) -> Value:
    """
    Return 1.0 for speech that cannot be its text, by its length alone; 0.0 for any other.

    Its mean is the share of utterances that ran away or ended early, however pace varies.
    """
    ratio = length_ratio(inputs)
    if isinstance(ratio, Missing):
        return ratio
    return float(not SHORTEST_RATIO <= ratio <= LONGEST_RATIO)


TAIL_S = 0.020
ENDED = 10 ** (-50 / 20)  # of the speech level; what follows the last frame above it is padding
# The loudest natural end is at -35.5 dB (kal), -43 dB in the embedded voice; 1300 utterances of it
# and five voices of flite.
NATURAL_END_DB = -30.0


def leading_silence(inputs: MetricInput) -> Value:
    """Return the seconds before the speech begins."""
    speech = check_valid(inputs.audio) or inputs.audio.once(activity.segments)
    return speech if isinstance(speech, Missing) else speech.start_s


def trailing_silence(inputs: MetricInput) -> Value:
    """Return the seconds after the speech has ended."""
    speech = check_valid(inputs.audio) or inputs.audio.once(activity.segments)
    return (
        speech if isinstance(speech, Missing) else max(inputs.audio.duration_s - speech.end_s, 0.0)
    )


def cut_tail(inputs: MetricInput) -> Value:
    """
    Return by how many dB the recording's end is too loud to be natural; 0.0 for a natural one.

    The measure is the RMS of the last 20 ms before the padding, relative to the speech level;
    natural ends lie below NATURAL_END_DB.
    """
    fault = check_valid(inputs.audio)
    if fault is not None:
        return fault
    level = speech_level(inputs.audio)
    if level == 0.0:
        return Missing("the audio is silent")
    end = int(np.flatnonzero(np.abs(inputs.audio.samples) > ENDED * level)[-1]) + 1
    tail = inputs.audio.samples[max(end - round(TAIL_S * inputs.audio.rate_hz), 0) : end] / level
    return max(10.0 * math.log10(np.mean(tail**2)) - NATURAL_END_DB, 0.0)


METRICS = (
    AudioMetric(
        metric=Metric(name="duration", unit="s", better="neither", version="1"), score=duration_s
    ),
    AudioMetric(
        metric=Metric(name="chars_per_s", unit="1/s", better="neither", version="2"),
        score=chars_per_s,
        reads_text=True,
    ),
    AudioMetric(
        metric=Metric(name="length_ratio", unit="1", better="neither", version="2"),
        score=length_ratio,
        reads_text=True,
    ),
    AudioMetric(
        metric=Metric(name="length_off", unit="1", better="lower", version="2"),
        score=length_off,
        reads_text=True,
    ),
    AudioMetric(
        metric=Metric(name="leading_silence", unit="s", better="neither", version="1"),
        score=leading_silence,
    ),
    AudioMetric(
        metric=Metric(name="trailing_silence", unit="s", better="neither", version="1"),
        score=trailing_silence,
    ),
    AudioMetric(
        metric=Metric(name="cut_tail", unit="dB", better="lower", version="1"), score=cut_tail
    ),
)
