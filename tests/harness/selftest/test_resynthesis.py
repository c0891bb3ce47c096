"""
Speech that WORLD puts together again differs in what was asked for. Pitch and pace are measured by
WORLD's own tracker.
"""

import sys

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.errors import HarnessError
from voxgate.harness.selftest.fault_effects import SpokenUtterance
from voxgate.harness.selftest.resynthesis import bent, fall, other_mouth, paced

pyworld = pytest.importorskip("pyworld")


@pytest.fixture(scope="module", name="spoken")
def _read() -> SpokenUtterance:
    return SpokenUtterance(
        audio=speech().astype(np.float32),
        rate_hz=RATE_HZ,
        text="She told me that her brother works in a hospital?",
    )


def pitch_hz(audio: np.ndarray) -> np.ndarray:
    f0_hz, at_s = pyworld.dio(audio.astype(np.float64), RATE_HZ)
    return np.asarray(pyworld.stonemask(audio.astype(np.float64), f0_hz, at_s, RATE_HZ))


def end_hz(audio: np.ndarray) -> float:
    return float(np.median(pitch_hz(audio)[pitch_hz(audio) > 0][-10:]))


def test_a_question_falls_and_a_statement_is_left_alone(spoken) -> None:
    fallen = fall(7.0)(spoken)
    assert 12 * np.log2(end_hz(fallen) / end_hz(spoken.audio)) == pytest.approx(-6.5, abs=1.5)
    assert fall(7.0)(SpokenUtterance(audio=spoken.audio, rate_hz=RATE_HZ, text="It is.")) is None


def test_what_rose_begins_as_it_was(spoken) -> None:
    before, after = (pitch_hz(each)[:200] for each in (spoken.audio, bent(spoken, 7.0)))
    both = (before > 0) & (after > 0)
    assert np.median(np.abs(12 * np.log2(after[both] / before[both]))) < 0.2


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_pace_changes_and_pitch_does_not(spoken, speed) -> None:
    audio = paced(speed)(spoken)
    assert len(audio) / len(spoken.audio) == pytest.approx(1 / speed, rel=0.01)
    usual, now = (np.median(each[each > 0]) for each in (pitch_hz(spoken.audio), pitch_hz(audio)))
    assert now == pytest.approx(usual, rel=0.03)


def test_another_mouth_is_deeper_and_takes_as_long(spoken) -> None:
    audio = other_mouth(0.6, 0.85)(spoken)
    usual, now = (np.median(each[each > 0]) for each in (pitch_hz(spoken.audio), pitch_hz(audio)))
    assert now == pytest.approx(0.6 * usual, rel=0.05)
    assert len(audio) == pytest.approx(len(spoken.audio), abs=0.01 * RATE_HZ)


def test_silence_stays_silence() -> None:
    still = bent(SpokenUtterance(audio=np.zeros(RATE_HZ, dtype=np.float32), rate_hz=RATE_HZ), 7.0)
    assert np.abs(still).max() < 1e-3


def test_without_pyworld_the_change_says_what_to_install(spoken, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(HarnessError, match=r"pyworld is needed .*pip install voxgate\[models\]"):
        paced(1.1)(spoken)
