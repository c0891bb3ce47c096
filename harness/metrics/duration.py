"""
Duration of a recording, absolute and per character, and the silence at its two ends.

An engine that drawls, babbles on, stops early or cuts off the end shows here. Pauses within the
speech are prosody's.
"""

import math

import numpy as np

from voxgate.harness.audio import activity
from voxgate.harness.audio.activity import speech_level
from voxgate.harness.audio.recording import check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.measurement import Metric, Missing, Value


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
    characters = sum(character.isalnum() for character in inputs.text)
    if not characters:
        return Missing("the text has no letters")
    return check_valid(inputs.audio) or characters / inputs.audio.duration_s


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
        metric=Metric(name="chars_per_s", unit="1/s", better="neither", version="1"),
        score=chars_per_s,
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
