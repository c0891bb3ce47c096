"""
Repeats: a stretch of speech of 0.15 s or more that is audible twice in a row.

A replayed buffer or a stuck decoder causes it. Detected blind, by comparing the recording with
itself. Words that were spoken twice ("very, very") are two performances and no repeat; so is a word
that a model generates anew with other noise: the word error rate counts that.
"""

import numpy as np

from voxgate.harness.audio.activity import speech_level
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.audio.self_similarity import HOP_S, correlations, part, pattern
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.measurement import Metric, Missing, Value

SHORTEST_S, LONGEST_S = 0.15, 1.5
# rows: the lag is searched in steps of 5 ms, but every other row is enough to tell how alike two
# stretches are
STEP = 2
# such rows at the end of a stretch whose analysis window already covers the next sound
EDGE = 3
# Untouched speech reaches 0.978 (300 utterances of the embedded voice and 200 of slt, with and
# without a telephone line); a stretch that is played twice yields 0.989 where its length lies
# between two steps of the lag, 1.0 where it does not.
ALIKE = 0.985


def repeats_per_s(inputs: MetricInput) -> Value:
    """
    Return repeated stretches per second of audio; a stretch that is played three times counts
    twice.
    """
    times_s = inputs.audio.once(repeat_times_s)
    return times_s if isinstance(times_s, Missing) else len(times_s) / inputs.audio.duration_s


def repeat_times_s(recording: Recording) -> tuple[float, ...] | Missing:
    """Return seconds from the start to each repetition, rising; Missing for NaN and for silence."""
    fault = check_valid(recording)
    if fault is not None:
        return fault
    if speech_level(recording) == 0.0:
        return Missing("the audio is silent")
    repeated: list[tuple[int, int]] = []
    for _, lag, start in sorted(_found(recording)):
        if all(start + lag <= low or start >= high for low, high in repeated):
            repeated.append((start, start + lag))
    return tuple(sorted(high * HOP_S for _, high in repeated))


def _found(recording: Recording) -> list[tuple[float, int, int]]:
    """
    Return every stretch that is like the one right after it.

    As (unlikeness in steps of 0.01, rows, first row).
    """
    whole = recording.once(pattern)
    rows, candidates = len(whole.change), []
    every_other = part(whole, 0, rows, STEP)
    for lag in range(round(SHORTEST_S / HOP_S), min(round(LONGEST_S / HOP_S), rows // 2) + 1):
        alike = correlations(every_other, part(whole, lag, rows, STEP), lag // STEP - EDGE)
        starts = np.flatnonzero(alike > ALIKE)
        candidates += [
            (round(1.0 - float(alike[start]), 2), lag, int(start) * STEP) for start in starts
        ]
    return candidates


LONGEST_HELD_S = 0.30
"""
The longest in 480 clean sentences lasts 0.23 s; a stuck model holds a sound for as long as it runs.
"""
STEADY_DB, LOUD_DB = 3.0, -25.0


def held_sound_s(inputs: MetricInput) -> Value:
    """
    Return by how many seconds the longest unchanging sound is too long; 0.0 for natural speech.
    """
    longest_s = inputs.audio.once(longest_held_s)
    return longest_s if isinstance(longest_s, Missing) else max(longest_s - LONGEST_HELD_S, 0.0)


def longest_held_s(recording: Recording) -> float | Missing:
    """Return the longest time for which the spectrum of a loud sound stays; for `once`."""
    fault = check_valid(recording)
    if fault is not None:
        return fault
    if speech_level(recording) == 0.0:
        return Missing("the audio is silent")
    whole = recording.once(pattern)
    loud = whole.levels_db.max(axis=1) > LOUD_DB
    steady = loud & (np.sqrt(whole.change) < STEADY_DB) & (whole.change > 0.0)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], steady, [0]))))
    return float(np.max(edges[1::2] - edges[::2], initial=0)) * HOP_S


METRICS = (
    AudioMetric(
        metric=Metric(name="repeats", unit="1/s", better="lower", version="1"), score=repeats_per_s
    ),
    AudioMetric(
        metric=Metric(name="held_sound", unit="s", better="lower", version="1"), score=held_sound_s
    ),
)
