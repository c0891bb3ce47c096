"""Repeats: a stretch played twice is found, speech that resembles itself is not."""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech, with_noise
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.telephone import line
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.repetition import repeat_times_s, repeats_per_s
from voxgate.harness.records.measurement import Missing


def of(samples: np.ndarray, rate_hz: int = RATE_HZ) -> MetricInput:
    return MetricInput(audio=Recording(samples, rate_hz))


def stuck(start_s: float, length_s: float, times: int = 2) -> np.ndarray:
    """Speech of which a stretch is played `times` times."""
    first, last = round(start_s * RATE_HZ), round((start_s + length_s) * RATE_HZ)
    return np.concatenate([speech()[:first], np.tile(speech()[first:last], times), speech()[last:]])


@pytest.mark.parametrize("length_s", [0.15, 0.2, 0.2037, 0.2025, 0.3, 0.6, 1.2])
@pytest.mark.parametrize("start_s", [0.3, 1.0])
def test_a_stretch_that_is_played_twice_is_found_where_the_second_begins(
    start_s: float, length_s: float
):
    times_s = repeat_times_s(Recording(stuck(start_s, length_s), RATE_HZ))
    assert times_s == pytest.approx((start_s + length_s,), abs=0.05)


def test_each_repetition_counts():
    heard = stuck(0.3, 0.25, times=4)
    assert repeats_per_s(of(heard)) == pytest.approx(3 * RATE_HZ / len(heard))


def test_level_noise_and_a_telephone_line_do_not_hide_it():
    heard = stuck(0.3, 0.3)
    for changed in (heard / 16, with_noise(heard, 30.0), line(Recording(heard, RATE_HZ)).samples):
        assert repeats_per_s(of(changed)) == repeats_per_s(of(heard)) > 0.0


@pytest.mark.parametrize("rate_hz", [8_000, 24_000, 48_000])
def test_the_rate_plays_no_part(rate_hz: int):
    import soxr

    heard = soxr.resample(stuck(0.3, 0.3), RATE_HZ, rate_hz)
    assert repeats_per_s(of(heard, rate_hz)) == pytest.approx(rate_hz / len(heard))


def tone() -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 200 * np.arange(3 * RATE_HZ) / RATE_HZ)


def hiss() -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(3 * RATE_HZ)


@pytest.mark.parametrize("sound", [speech, tone, hiss])
def test_speech_and_long_sounds_are_no_repeats(sound):
    assert repeats_per_s(of(sound())) == 0.0


def test_silence_between_sentences_is_no_repeat():
    pause = np.zeros(2 * RATE_HZ)
    assert repeats_per_s(of(np.concatenate([pause, speech(), pause]))) == 0.0


@pytest.mark.parametrize("heard", [np.zeros(0), np.zeros(RATE_HZ), np.array([0.1, np.nan] * 1000)])
def test_without_speech_there_is_no_value(heard: np.ndarray):
    assert isinstance(repeats_per_s(of(heard)), Missing)
