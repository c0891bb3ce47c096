"""
How loud takes are, and by how much to turn each one so that none seems better for being louder.

The level is that of active speech: the RMS over frames of 20 ms that lie within GATE_DB of the loudest, so that pauses
play no part. It is not weighted for the ear (as BS.1770 is): takes of one utterance have nearly the same spectrum. Knows no
files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.records.measurement import Missing, Value

Audio = NDArray[np.floating]
FRAME_S = 0.020
GATE_DB = 30.0
"""What is further below the loudest frame is a pause, or the tail of a word."""
MOST_DB = 12.0
"""Takes that differ by more are not two versions of one voice: something is broken, and should be heard as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """How loud a take is (dB of full scale; None where nobody can say), by how much it is turned, and a word on it."""

    level_db: float | None
    gain_db: float
    note: str = ""


def active_level_db(audio: Audio, rate_hz: int) -> Value:
    """RMS of active speech in dB of full scale, a square wave being 0 dB; Missing for silence and for less than 20 ms."""
    width = int(FRAME_S * rate_hz)
    count = len(audio) // width
    if count == 0:
        return Missing(f"{len(audio) / rate_hz:.3f} s is too short to have a level")
    power = np.mean(np.asarray(audio[: count * width], dtype=np.float64).reshape(count, width) ** 2, axis=1)
    active = float(power[power >= power.max() * 10.0 ** (-GATE_DB / 10.0)].mean())
    return float(10.0 * np.log10(active)) if active > 0.0 else Missing("the audio is silent")


def matched(levels_db: Sequence[Value], peaks: Sequence[float]) -> tuple[Gain, ...]:
    """
    Turn every take to the level of the first one that has a level, then all by the same, so that no peak is clipped.

    `peaks` are the largest absolute frames, full scale being 1.0.
    """
    target = next((level for level in levels_db if isinstance(level, float)), 0.0)
    gains = [_gain(level, target) for level in levels_db]
    over_db = max((_db(peak) + gain.gain_db for peak, gain in zip(peaks, gains, strict=True) if peak > 0.0), default=0.0)
    lower_db = max(over_db, 0.0)
    return tuple(Gain(level_db=gain.level_db, gain_db=gain.gain_db - lower_db, note=gain.note) for gain in gains)


def _gain(level_db: Value, target_db: float) -> Gain:
    if isinstance(level_db, Missing):
        return Gain(level_db=None, gain_db=0.0, note=f"not matched: {level_db.reason}")
    wanted_db = target_db - level_db
    gain_db = min(max(wanted_db, -MOST_DB), MOST_DB)
    note = "" if gain_db == wanted_db else f"not matched in full: the level differs by {abs(wanted_db):.0f} dB"
    return Gain(level_db=level_db, gain_db=gain_db, note=note)


def _db(ratio: float) -> float:
    return float(20.0 * np.log10(ratio))
