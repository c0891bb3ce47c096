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
from voxgate.harness.selftest.faults import FAULTS
from voxgate.harness.selftest.resynthesis import (
    bent,
    breathy,
    devoiced,
    drifting,
    fall,
    flattened,
    jitter,
    octave_drop,
    other_mouth,
    other_mouth_midway,
    other_stress,
    other_vowel,
    paced,
    raised,
    shimmer,
    vibrato,
)

pyworld = pytest.importorskip("pyworld")
VOCODER = ("resynthesis", "vocoder")


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


@pytest.fixture(scope="module", name="usual")
def _usual(spoken) -> np.ndarray:
    return pitch_hz(raised(0.0)(spoken))


def semitones(now: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """How far the pitch of two recordings is apart where both have one; NaN elsewhere."""
    length = min(len(now), len(usual))
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = 12 * np.log2(now[:length] / usual[:length])
    return np.where(np.isfinite(apart), apart, np.nan)


def test_pitch_is_raised_drifts_and_wavers_by_so_many_semitones(spoken, usual) -> None:
    assert np.nanmedian(semitones(pitch_hz(raised(2)(spoken)), usual)) == pytest.approx(2, abs=0.1)
    drift = semitones(pitch_hz(drifting(6)(spoken)), usual)
    assert np.nanmedian(np.diff(drift)) * len(drift) == pytest.approx(6, abs=1)
    wavering = semitones(pitch_hz(vibrato(1)(spoken)), usual)
    assert np.nanstd(wavering) == pytest.approx(np.sqrt(0.5), abs=0.2)
    flat = pitch_hz(flattened(1.0)(spoken))
    assert np.std(np.log2(flat[flat > 0])) < 0.5 * np.std(np.log2(usual[usual > 0]))


def test_pitch_and_level_are_scattered_and_breath_is_noise(spoken, usual) -> None:
    def restless(audio: np.ndarray) -> float:
        return float(np.nanmedian(np.abs(np.diff(semitones(pitch_hz(audio), 0 * usual + 100)))))

    still = raised(0.0)(spoken)
    assert restless(jitter(0.08)(spoken)) > 3 * restless(still)
    assert np.std(shimmer(3)(spoken) - still) > 0.1 * np.std(still)
    assert np.mean(pitch_hz(breathy(1.0)(spoken)) > 0) < 0.7 * np.mean(usual > 0)
    assert np.std(breathy(0.7)(spoken)) == pytest.approx(np.std(still), rel=0.2)


@pytest.mark.parametrize(
    ("change", "longest_s"),
    [
        (devoiced(0.3), 0.3),
        (octave_drop(0.4), 0.4),
        (other_vowel(0.4), 0.15),
        (other_stress(4), 0.8),
    ],
)
def test_a_local_fault_leaves_the_rest_as_it_was(spoken, change, longest_s) -> None:
    audio = change(spoken)
    other = np.flatnonzero(audio != spoken.audio)
    assert len(audio) == len(spoken.audio)
    assert 0.05 < (other[-1] - other[0]) / RATE_HZ <= longest_s + 0.01


def test_a_stretch_loses_its_voice_and_another_falls_by_an_octave(spoken) -> None:
    before = pitch_hz(spoken.audio)
    lost_s = 0.005 * np.sum((before > 0) & (pitch_hz(devoiced(0.3)(spoken)) == 0))
    assert lost_s == pytest.approx(0.25, abs=0.1)
    fallen = semitones(pitch_hz(octave_drop(0.4)(spoken)), before)
    assert np.nansum(np.abs(fallen + 12) < 0.5) * 0.005 == pytest.approx(0.35, abs=0.1)


def test_a_stress_is_moved_from_one_syllable_to_the_next(spoken) -> None:
    moved = semitones(pitch_hz(other_stress(4)(spoken)), pitch_hz(spoken.audio))
    assert np.nanmin(moved) < -2 and np.nanmax(moved) > 2
    tone = np.sin(2 * np.pi * 150 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    assert other_stress(4)(SpokenUtterance(audio=tone[:2_000], rate_hz=RATE_HZ)) is None


def test_another_person_goes_on_from_the_middle(spoken) -> None:
    before, after = pitch_hz(spoken.audio), pitch_hz(other_mouth_midway(0.6, 0.85)(spoken))
    apart = semitones(after, before)
    third = len(apart) // 3
    assert np.nanmedian(apart[:third]) == pytest.approx(0.0, abs=0.1)
    assert np.nanmedian(apart[-third:]) == pytest.approx(12 * np.log2(0.6), abs=0.7)


@pytest.mark.parametrize(
    "fault",
    [
        fault
        for fault in FAULTS
        if fault.change is not None and fault.change.__module__.endswith(VOCODER)
    ],
    ids=lambda fault: f"{fault.name} {fault.strength}",
)
def test_resynthesis_is_the_same_every_time(spoken, fault) -> None:
    before = spoken.audio.copy()
    first, second = fault.change(spoken), fault.change(spoken)
    assert np.array_equal(first, second) and np.array_equal(spoken.audio, before)
    assert first.dtype == np.float32 and np.abs(first).max() <= 1.0
    silent = SpokenUtterance(audio=np.zeros(RATE_HZ, np.float32), rate_hz=RATE_HZ, text="?")
    still = fault.change(silent)
    assert still is None or np.abs(still).max() < 1e-3


def test_silence_stays_silence() -> None:
    still = bent(SpokenUtterance(audio=np.zeros(RATE_HZ, dtype=np.float32), rate_hz=RATE_HZ), 7.0)
    assert np.abs(still).max() < 1e-3


def test_without_pyworld_the_change_says_what_to_install(spoken, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(HarnessError, match=r"pyworld is needed .*pip install voxgate\[models\]"):
        paced(1.1)(spoken)
