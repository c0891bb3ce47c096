"""
Dropouts: holes in the speech, as a lost packet or an empty buffer leaves them.

A hole is recognised by its edges. Speech that stops by itself (the closure of a plosive, a pause)
dies away over 10 ms and more, because the vocal tract rings. Where a hole begins, the sound falls
by 30 dB from one millisecond to the next, and where it ends, the sound is back as suddenly. A
plosive has the second edge and not the first.

No hole was detected in 1300 untouched utterances (300 of the embedded voice, 200 of each of flite's
five), with or without a telephone line. Holes that begin in a quiet place are neither audible nor
detected.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voxgate.harness.audio.activity import speech_level
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.measurement import Metric, Missing, Value

BLOCK_S = 0.001
HOLE = 4  # whole blocks of a hole of 5 ms, wherever the grid lies
EDGE = 3  # blocks next to the hole that show how loud it was there
SUSTAINED = 12  # blocks: a burst of 5 ms alone is a plosive, and its decay no edge
LONGEST_S = 0.4  # a longer silence is not in the speech
DEPTH_DB = 30.0
SPEECH_DB = -20.0  # of the speech level: how loud both edges must be
SUSTAINED_DB = -30.0  # of the speech level: below it half of the SUSTAINED blocks may not be


def dropouts_per_s(inputs: MetricInput) -> Value:
    """Return holes of 5 ms to 0.4 s in the speech, per second of audio."""
    times_s = inputs.audio.once(dropout_times_s)
    return times_s if isinstance(times_s, Missing) else len(times_s) / inputs.audio.duration_s


def dropout_times_s(recording: Recording) -> tuple[float, ...] | Missing:
    """Return seconds from the start to each hole, rising; Missing for NaN and for silence."""
    fault = check_valid(recording)
    if fault is not None:
        return fault
    level = speech_level(recording)
    if level == 0.0:
        return Missing("the audio is silent")
    width = max(round(BLOCK_S * recording.rate_hz), 1)
    power_db = _block_powers_db(recording.samples / level, width)
    return tuple(start * width / recording.rate_hz for start in _holes(power_db))


def _holes(power_db: NDArray[np.float64]) -> list[int]:
    """
    Return the first block of each hole.

    A hole is a fall, then a rise, and between them nothing within DEPTH_DB of either edge.
    """
    falls = np.flatnonzero(_falls(power_db))
    rises = len(power_db) - 1 - np.flatnonzero(_falls(power_db[::-1]))[::-1]
    holes: list[int] = []
    free = 0
    for fall in map(int, falls):
        following = rises[np.searchsorted(rises, max(fall, free) + HOLE) :]
        if fall < free or not following.size or following[0] - fall > LONGEST_S / BLOCK_S:
            continue
        rise = int(following[0])
        edges_db = min(_edge_db(power_db, fall), _edge_db(power_db[::-1], len(power_db) - 1 - rise))
        if power_db[fall + 1 : rise].max() < edges_db - DEPTH_DB:
            holes.append(fall)
            free = rise
    return holes


def _falls(power_db: NDArray[np.float64]) -> NDArray[np.bool_]:
    """
    Return the blocks at which speech falls silent.

    The blocks before are loud, the one itself is anything, the HOLE blocks after are quiet.
    """
    falls = np.zeros(len(power_db), dtype=np.bool_)
    if len(power_db) < SUSTAINED + HOLE + 1:
        return falls
    places = np.arange(SUSTAINED, len(power_db) - HOLE)
    sustained_db = np.median(sliding_window_view(power_db, SUSTAINED), axis=1)[places - SUSTAINED]
    before = sliding_window_view(10 ** (power_db / 10), EDGE).mean(axis=1)[places - EDGE]
    after_db = sliding_window_view(power_db, HOLE).max(axis=1)[places + 1]
    before_db = 10 * np.log10(before)
    falls[places] = (
        (before_db > SPEECH_DB) & (sustained_db > SUSTAINED_DB) & (after_db < before_db - DEPTH_DB)
    )
    return falls


def _edge_db(power_db: NDArray[np.float64], fall: int) -> float:
    return float(10 * np.log10(np.mean(10 ** (power_db[fall - EDGE : fall] / 10))))


def _block_powers_db(samples: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """
    Return the mean square of each block of `width` samples in dB, at least -120, shape
    [blocks].

    An unfinished last block is left out.
    """
    blocks = samples[: len(samples) // width * width].reshape(-1, width)
    return np.asarray(
        10 * np.log10(np.maximum(np.mean(blocks**2, axis=1), 1e-12)), dtype=np.float64
    )


METRICS = (
    AudioMetric(
        metric=Metric(name="dropouts", unit="1/s", better="lower", version="1"),
        score=dropouts_per_s,
    ),
)
