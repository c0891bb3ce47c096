"""Silence at both ends, and speech that was cut off."""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech, with_noise
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.duration import cut_tail, leading_silence, trailing_silence
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing, MissingKind


def of(frames: np.ndarray, rate_hz: int = RATE_HZ) -> MetricInput:
    return MetricInput(audio=Recording(frames, rate_hz))


def spoken() -> np.ndarray:
    """The recording without the silence around its speech."""
    loud = np.flatnonzero(np.abs(speech()) > 0.01 * np.abs(speech()).max())
    return speech()[loud[0] : loud[-1] + 1]


@pytest.mark.parametrize("added_s", [0.1, 0.5, 2.0])
def test_silence_is_measured_where_it_was_added(added_s: float):
    added = np.zeros(round(added_s * RATE_HZ))
    for metric, heard in (
        (leading_silence, [added, speech()]),
        (trailing_silence, [speech(), added]),
    ):
        assert metric(of(np.concatenate(heard))) - metric(of(speech())) == pytest.approx(
            added_s, abs=0.011
        )


def test_the_end_of_whole_speech_is_no_cut():
    assert cut_tail(of(speech())) == 0.0


@pytest.mark.parametrize("lost_s", [0.1, 0.2, 0.4, 1.0])
@pytest.mark.parametrize("padding_s", [0.0, 0.5])
def test_speech_that_was_cut_ends_too_loud_with_and_without_padding(
    lost_s: float, padding_s: float
):
    cut = np.concatenate(
        [spoken()[: -round(lost_s * RATE_HZ)], np.zeros(round(padding_s * RATE_HZ))]
    )
    assert cut_tail(of(cut)) > 3.0


def test_the_level_plays_no_part():
    cut = spoken()[: -RATE_HZ // 5]
    assert cut_tail(of(cut / 16)) == pytest.approx(cut_tail(of(cut)))


def test_soft_noise_behind_the_speech_is_no_cut():
    assert cut_tail(of(with_noise(np.concatenate([speech(), np.zeros(RATE_HZ)]), 40.0))) == 0.0


@pytest.mark.parametrize("below_db", [25.0, 30.0, 35.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_where_noise_hides_the_end_there_is_no_value(below_db: float, seed: int):
    """Such noise was a cut of up to 5 dB once, and another noise another cut."""
    found = cut_tail(of(with_noise(speech(), below_db, seed)))
    assert isinstance(found, Missing)
    assert found.kind is MissingKind.HIDDEN


def test_a_cut_is_seen_with_soft_noise_behind_it_and_without():
    cut = spoken()[: -RATE_HZ // 5]
    padded = np.concatenate([cut, np.zeros(RATE_HZ // 2)])
    for heard in (cut, padded):
        assert number(cut_tail(of(with_noise(heard, 50.0)))) > 3.0


def test_an_engine_whose_sounds_all_stop_at_once_is_not_judged_by_its_end():
    """espeak-ng stops its sounds within a millisecond, five times in a sentence."""
    stopped = speech()
    for start_s in (0.32, 0.72, 1.26):
        stopped[round(start_s * RATE_HZ) :][:640] = 0.0
    for heard in (stopped, stopped[: -RATE_HZ // 2]):
        found = cut_tail(of(heard))
        assert isinstance(found, Missing)
        assert found.kind is MissingKind.HIDDEN


def number(value: object) -> float:
    assert isinstance(value, float), value
    return value


@pytest.mark.parametrize("metric", [leading_silence, trailing_silence, cut_tail])
@pytest.mark.parametrize("heard", [np.zeros(0), np.zeros(RATE_HZ), np.full(RATE_HZ, np.nan)])
def test_without_speech_there_is_no_value(metric, heard: np.ndarray):
    assert isinstance(metric(of(heard)), Missing)
