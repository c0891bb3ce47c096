"""
Speech activity of a recording: its beginning, its end, the pauses inside it, and its level.

Detected by level alone, in frames of 10 ms, relative to the loud part of the same recording, so
that gain plays no part. This separates speech from silence, not from noise: where noise stands
within 35 dB of the speech there are no pauses and no silent ends.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing, Value

FRAME_S = 0.010
LOUD_PERCENTILE = 95.0
AUDIBLE_DB = 40.0
"""
The loud part is a percentile of the frames within this of the loudest, so that long silence does
not move it.
"""
BELOW_DB = 35.0
"""Distance below the loud part at which a frame is silence."""
PAUSE_S = 0.15
"""
Shorter silences are part of speech: the closure of a plosive. The longest in 256 recordings of the
embedded voice, sentences without a comma, lasts 100 ms, and 80 ms in 95 of 100.
"""
QUIETEST_DB = 40.0
"""Samples further below the peak than this are no part of the speech."""
WINDOW_S = 0.020
GATE_DB = 30.0
"""Windows further below the loudest one than this are a pause, or the tail of a word."""
NETWORK_LEVEL_DB = -26.0
"""
Of full scale: the active level at which networks and lines receive speech, ITU-T P.56's usual one.
"""
SHORTEST_S = 0.03
"""A sound this short with a pause on either side of it is a tick, not speech."""


@dataclass(frozen=True, slots=True)
class Activity:
    """
    Begin and end of the speech, and each pause between as (from, to), in order.

    All in seconds from the start of the recording.
    """

    start_s: float
    end_s: float
    pauses: tuple[tuple[float, float], ...]

    @property
    def pauses_s(self) -> float:
        """Total seconds of the inner pauses."""
        return sum(to - since for since, to in self.pauses)

    @property
    def speech_s(self) -> float:
        """Seconds of speech, without its pauses."""
        return self.end_s - self.start_s - self.pauses_s


def segments(recording: Recording) -> Activity | Missing:
    """Detect speech and pauses; Missing for empty, silent and non-finite audio."""
    active = recording.once(audible)
    if isinstance(active, Missing):
        return active
    starts, stops = _stretches(active)
    if not starts.size:
        return Missing(f"there is no sound of {SHORTEST_S:.2f} s in it")
    begins, ends = (
        frames * frame_length(recording.rate_hz) / recording.rate_hz for frames in (starts, stops)
    )
    pauses = tuple(zip(ends[:-1].tolist(), begins[1:].tolist(), strict=True))
    return Activity(start_s=float(begins[0]), end_s=float(ends[-1]), pauses=pauses)


def audible(recording: Recording) -> NDArray[np.bool_] | Missing:
    """
    Return whether each frame is within BELOW_DB of the loud part, shape [whole frames].

    An unfinished last frame is left out.
    """
    level_db, loud_db = recording.once(levels), recording.once(loud_level)
    if isinstance(level_db, Missing):
        return level_db
    return loud_db if isinstance(loud_db, Missing) else np.asarray(level_db > loud_db - BELOW_DB)


def loud_level(recording: Recording) -> Value:
    """Return the level of the loud part of the speech in dB of full scale."""
    level_db = recording.once(levels)
    if isinstance(level_db, Missing):
        return level_db
    return float(np.percentile(level_db[level_db > level_db.max() - AUDIBLE_DB], LOUD_PERCENTILE))


def levels(recording: Recording) -> NDArray[np.float64] | Missing:
    """
    Return the level of each frame in dB of full scale, shape [whole frames].

    It is the frame's standard deviation, so that an offset is silence.
    """
    width = frame_length(recording.rate_hz)
    count = len(recording.samples) // width
    if not count:
        return Missing(f"{recording.duration_s:.3f} s is too short to look for speech")
    if not np.isfinite(recording.samples).all():
        return Missing("the audio holds NaN or infinity")
    deviation = np.std(recording.samples[: count * width].reshape(count, width), axis=1)
    if not deviation.any():
        return Missing("the audio is silent")
    return np.asarray(20.0 * np.log10(np.maximum(deviation, np.finfo(np.float64).tiny)))


def network_gain(recording: Recording) -> Value:
    """
    Return the factor that brings the active speech to NETWORK_LEVEL_DB; for `recording.once`.

    Networks judge the same speech otherwise when it is softer, and loudness has its own metric. An
    offset plays no part, and neither does silence. Missing for silence.
    """
    level_db = recording.once(levels)
    if isinstance(level_db, Missing):
        return level_db
    loudest_db = float(level_db.max())
    below = _active_power(10.0 ** ((level_db - loudest_db) / 10.0), GATE_DB)
    active_db = loudest_db + 10.0 * math.log10(below)
    return float(10.0 ** ((NETWORK_LEVEL_DB - active_db) / 20.0))


def speech_level(recording: Recording) -> float:
    """Return the RMS of the samples within QUIETEST_DB of the peak; 0.0 for silence."""
    return math.sqrt(_active_power(recording.samples**2, QUIETEST_DB))


def active_level_db(samples: NDArray[np.floating], rate_hz: int) -> Value:
    """
    Return the RMS of active speech in dB of full scale, by which voices are made equally loud.

    Unlike `speech_level` it gates windows of WINDOW_S and not samples, so that the noise between
    words plays no part. Missing for silence and for less than one window.
    """
    width = int(WINDOW_S * rate_hz)
    count = len(samples) // width
    if count == 0:
        return Missing(f"{len(samples) / rate_hz:.3f} s is too short to have a level")
    windows = np.asarray(samples[: count * width], dtype=np.float64).reshape(count, width)
    active = _active_power(np.mean(windows**2, axis=1), GATE_DB)
    return float(10.0 * np.log10(active)) if active > 0.0 else Missing("the audio is silent")


def _active_power(power: NDArray[np.float64], gate_db: float) -> float:
    """Return the mean of the powers, shape [n], within `gate_db` of the largest; 0.0 for none."""
    active = power[power > power.max(initial=0.0) * 10.0 ** (-gate_db / 10.0)]
    return float(active.mean()) if active.size else 0.0


def frame_length(rate_hz: int) -> int:
    """
    Return the number of samples in one frame of FRAME_S.

    >>> frame_length(24_000)
    240
    """
    return max(round(FRAME_S * rate_hz), 1)


def _stretches(active: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """
    Return first and last + 1 frame of each stretch of speech, shape [k] both.

    Stretches are runs of active frames, joined over less than a pause, without ticks.
    """
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0))
    starts, stops = edges[::2], edges[1::2]
    apart = starts[1:] - stops[:-1] >= round(PAUSE_S / FRAME_S)
    starts, stops = starts[np.append(True, apart)], stops[np.append(apart, True)]
    long = stops - starts >= round(SHORTEST_S / FRAME_S)
    return starts[long], stops[long]
