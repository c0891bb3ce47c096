"""
The two ends of a recording: silence before and after the speech, and whether the speech was cut off.

Pauses within the speech are prosody's.
"""

import math

import numpy as np

from harness.audio import activity
from harness.audio.playable import unplayable
from harness.metrics.levels import speech_level
from harness.metrics.metric import AudioMetric, Subject
from harness.records.measurement import Metric, Missing, Value

TAIL_S = 0.020
ENDED = 10 ** (-50 / 20)  # of the speech level; what follows the last frame above it is padding
# The loudest natural end is at -35.5 dB (kal), -43 dB in the embedded voice; 1300 utterances of it and five voices of flite.
NATURAL_END_DB = -30.0


def leading_silence(subject: Subject) -> Value:
    """Seconds before the speech begins."""
    found = unplayable(subject.audio) or subject.audio.once(activity.segments)
    return found if isinstance(found, Missing) else found.start_s


def trailing_silence(subject: Subject) -> Value:
    """Seconds after the speech has ended."""
    found = unplayable(subject.audio) or subject.audio.once(activity.segments)
    return found if isinstance(found, Missing) else max(subject.audio.duration_s - found.end_s, 0.0)


def cut_tail(subject: Subject) -> Value:
    """
    How many dB too loud the recording ends for an end that was not cut: 0.0 for a natural one.

    Measured is the RMS of the last 20 ms before the padding, relative to the speech level; natural ends lie below
    NATURAL_END_DB.
    """
    fault = unplayable(subject.audio)
    if fault is not None:
        return fault
    level = speech_level(subject.audio)
    if level == 0.0:
        return Missing("the audio is silent")
    end = int(np.flatnonzero(np.abs(subject.audio.frames) > ENDED * level)[-1]) + 1
    tail = subject.audio.frames[max(end - round(TAIL_S * subject.audio.rate_hz), 0) : end] / level
    return max(10.0 * math.log10(np.mean(tail**2)) - NATURAL_END_DB, 0.0)


METRICS = (
    AudioMetric(metric=Metric(name="leading_silence", unit="s", better="neither", version="1"), score=leading_silence),
    AudioMetric(metric=Metric(name="trailing_silence", unit="s", better="neither", version="1"), score=trailing_silence),
    AudioMetric(metric=Metric(name="cut_tail", unit="dB", better="lower", version="1"), score=cut_tail),
)
