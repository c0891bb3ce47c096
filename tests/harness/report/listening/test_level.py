"""Levels of active speech, and the gains that make takes equally loud."""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.audio.activity import active_level_db
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.listening.utterance import MOST_DB, matched


def ratio(db: float) -> float:
    return float(10 ** (db / 20))


@pytest.mark.parametrize("change_db", [-9.0, -1.3, 0.4, 6.0])
def test_speech_turned_by_some_decibels_is_turned_back_within_a_tenth(change_db: float) -> None:
    old = speech() * 0.3
    new = old * ratio(change_db)

    gains = matched(
        [active_level_db(each, RATE_HZ) for each in (old, new)], [0.3, 0.3 * ratio(change_db)]
    )

    assert gains[1].gain_db - gains[0].gain_db == pytest.approx(-change_db, abs=0.1)


def test_sine_of_full_scale_has_minus_three_decibels() -> None:
    sine = np.sin(np.arange(RATE_HZ) * 2 * np.pi * 440 / RATE_HZ)

    assert active_level_db(sine, RATE_HZ) == pytest.approx(-3.01, abs=0.02)


def test_pauses_play_no_part() -> None:
    heard = speech()
    pause = np.random.default_rng(0).normal(0, 1e-4, RATE_HZ)

    assert active_level_db(np.concatenate([pause, heard, pause]), RATE_HZ) == pytest.approx(
        active_level_db(heard, RATE_HZ), abs=0.3
    )


@pytest.mark.parametrize(
    ("heard", "words"), [(np.zeros(RATE_HZ), "silent"), (np.ones(100), "too short")]
)
def test_what_has_no_level_is_missing_and_left_as_it_is(heard: np.ndarray, words: str) -> None:
    level = active_level_db(heard, RATE_HZ)

    assert isinstance(level, Missing)
    assert words in level.reason
    (gain,) = matched([level], [0.0])
    assert (gain.gain_db, gain.level_db) == (0.0, None)
    assert words in gain.note


def test_no_peak_is_turned_beyond_full_scale_and_levels_stay_matched() -> None:
    gains = matched([-20.0, -26.0], [0.9, 0.8])

    peaks = [peak * ratio(gain.gain_db) for peak, gain in zip([0.9, 0.8], gains, strict=True)]
    assert max(peaks) == pytest.approx(1.0)
    assert gains[1].gain_db - gains[0].gain_db == pytest.approx(6.0)


def test_levels_that_are_far_apart_are_a_fault_and_not_hidden() -> None:
    gains = matched([-20.0, -60.0], [0.5, 0.005])

    assert gains[1].gain_db == MOST_DB
    assert gains[1].note == "not matched in full: the level differs by 40 dB"
