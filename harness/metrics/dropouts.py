"""
Dropouts: holes in the speech, as a lost packet or an empty buffer leaves them.

A hole is recognised by its edges. Speech that stops by itself (the closure of a plosive, a pause)
dies away over 10 ms and more, because the vocal tract rings. Where a hole begins, the sound falls
by 30 dB from one millisecond to the next, and where it ends, the sound is back as suddenly. A
plosive has the second edge and not the first.

Formant synthesis has both: espeak-ng stops its sounds at once, five times in a sentence. But its
closures end a sound where the waveform is small, and begin anew with a soft burst, while a hole
cuts into a loud sound twice. So what is as long as a closure must also be that abrupt (`_abrupt`).
Holes that begin in a quiet place are neither audible nor detected. Figures by material:
docs/evidence/detectors.md.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voxgate.harness.audio.activity import speech_level
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.measurement import Metric, Missing, Value

BLOCK_S = 0.001
SHORTEST_S = 0.005
HOLE = round(SHORTEST_S / BLOCK_S) - 1  # whole blocks of the shortest, wherever the grid lies
EDGE = 3  # blocks next to the hole that show how loud it was there
SUSTAINED = 12  # blocks: a burst of 5 ms alone is a plosive, and its decay no edge
WITHIN = 30  # blocks before the end of the speech, from which on a stop is the end itself
LONGEST_S = 0.4  # a longer silence is not in the speech
DEPTH_DB = 30.0
SPEECH_DB = -20.0  # of the speech level: how loud both edges must be
CLOSURE = 6  # blocks: no closure is shorter; the rise may be found some blocks early
# of the step at an edge, of the sound that is back, and of the place where both are looked for
EDGE_S, BACK_S, REACH_S = 0.00025, 0.020, 0.030
ABRUPT_DB = -8.0  # of the speech level: 4 of 100 closures of espeak-ng are, 95 of 100 holes
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
    width, power_db = _width(recording), recording.once(_powers_db)
    samples, rate_hz = recording.samples / level, recording.rate_hz
    return tuple(
        fall * width / rate_hz
        for fall, rise in _holes(power_db)
        if rise - fall <= CLOSURE or _abrupt(samples, rate_hz, fall * width, rise * width)
    )


def stop_times_s(recording: Recording) -> tuple[float, ...]:
    """
    Return seconds from the start to each place within the speech where a sound stops at once, be
    it a hole or not; for `recording.once`, and for audio that is neither silent nor broken.
    """
    width, power_db = _width(recording), recording.once(_powers_db)
    falls, loud = np.flatnonzero(_falls(power_db)), np.flatnonzero(power_db > SPEECH_DB)
    within = falls[falls < loud[-1] - WITHIN] if loud.size else falls[:0]
    first = within[np.diff(within, prepend=-2 * HOLE) > HOLE]  # of the blocks of one stop
    return tuple((first * width / recording.rate_hz).tolist())


def _width(recording: Recording) -> int:
    return max(round(BLOCK_S * recording.rate_hz), 1)


def _powers_db(recording: Recording) -> NDArray[np.float64]:
    samples = recording.samples / speech_level(recording)
    return _block_powers_db(samples, _width(recording))


def _abrupt(samples: NDArray[np.float64], rate_hz: int, fall: int, rise: int) -> bool:
    """
    Return whether a loud sound was cut into twice: the mean of how high the waveform's steps are
    at the edges, and how loud the sound is back, in dB of the speech level.

    `fall` and `rise` are the first samples of the blocks that hold the edges.
    """
    block, reach = max(round(BLOCK_S * rate_hz), 1), round(REACH_S * rate_hz)
    before = _outwards(samples[max(fall + block - reach, 0) : fall + block][::-1])
    after = _outwards(samples[rise : rise + reach])
    step = max(round(EDGE_S * rate_hz), 2)
    back = float(np.sqrt(np.mean(after[: round(BACK_S * rate_hz)] ** 2)))
    steps_db = (_db(before[:step].max()) + _db(after[:step].max())) / 2.0
    return (steps_db + _db(back)) / 2.0 > ABRUPT_DB


def _outwards(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the magnitudes from the first sample on that is no silence, a hole's edge."""
    size = np.abs(samples)
    return size[int(np.argmax(size > size.max() * 10.0 ** (-DEPTH_DB / 20.0))) :]


def _db(size: float) -> float:
    return float(20.0 * np.log10(max(size, 1e-6)))


def _holes(power_db: NDArray[np.float64]) -> list[tuple[int, int]]:
    """
    Return the blocks that hold the two edges of each hole.

    A hole is a fall, then a rise, and between them nothing within DEPTH_DB of either edge.
    """
    falls = np.flatnonzero(_falls(power_db))
    rises = len(power_db) - 1 - np.flatnonzero(_falls(power_db[::-1]))[::-1]
    holes: list[tuple[int, int]] = []
    free = 0
    for fall in map(int, falls):
        following = rises[np.searchsorted(rises, max(fall, free) + HOLE) :]
        if fall < free or not following.size or following[0] - fall > LONGEST_S / BLOCK_S:
            continue
        rise = int(following[0])
        edges_db = min(_edge_db(power_db, fall), _edge_db(power_db[::-1], len(power_db) - 1 - rise))
        if power_db[fall + 1 : rise].max() < edges_db - DEPTH_DB:
            holes.append((fall, rise))
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
        metric=Metric(name="dropouts", unit="1/s", better="lower", version="2"),
        score=dropouts_per_s,
    ),
)
