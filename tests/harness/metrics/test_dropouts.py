"""
Dropouts: holes planted in speech are found, and the silences that speech makes itself are not.
"""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech, with_noise
from tests.harness.metrics.test_clicks import creak, fricative, plosives
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.telephone import line
from voxgate.harness.metrics.dropouts import dropout_times_s, dropouts_per_s, stop_times_s
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing

LOUD_S = (0.30, 1.24)


def of(frames: np.ndarray, rate_hz: int = RATE_HZ) -> MetricInput:
    return MetricInput(audio=Recording(frames, rate_hz))


def with_hole(
    start_s: float, length_s: float, rate_hz: int = RATE_HZ, left: float = 0.0
) -> np.ndarray:
    import soxr

    heard = soxr.resample(speech(), RATE_HZ, rate_hz)
    heard[round(start_s * rate_hz) : round((start_s + length_s) * rate_hz)] *= left
    return heard


@pytest.mark.parametrize("length_s", [0.005, 0.02, 0.06, 0.2])
@pytest.mark.parametrize("start_s", LOUD_S)
def test_a_hole_in_loud_speech_is_found_where_it_is(start_s: float, length_s: float):
    times_s = dropout_times_s(Recording(with_hole(start_s, length_s), RATE_HZ))
    assert times_s == pytest.approx((start_s,), abs=0.002)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 24_000, 48_000])
def test_the_rate_plays_no_part(rate_hz: int):
    heard = with_hole(LOUD_S[0], 0.02, rate_hz)
    assert dropouts_per_s(of(heard, rate_hz)) == pytest.approx(rate_hz / len(heard))
    assert dropouts_per_s(of(with_hole(0.0, 0.0, rate_hz), rate_hz)) == 0.0


def test_a_hole_with_comfort_noise_or_a_trace_of_speech_is_found():
    assert dropouts_per_s(of(with_hole(0.50, 0.02, left=0.003))) > 0.0
    assert dropouts_per_s(of(with_noise(with_hole(0.50, 0.02), 50.0))) > 0.0


def test_each_hole_counts():
    heard = speech()
    for start_s in LOUD_S:
        heard[round(start_s * RATE_HZ) :][:320] = 0.0
    assert dropouts_per_s(of(heard)) == pytest.approx(len(LOUD_S) * RATE_HZ / len(heard))


def test_the_level_plays_no_part():
    assert dropouts_per_s(of(with_hole(LOUD_S[0], 0.02) / 20)) == dropouts_per_s(
        of(with_hole(LOUD_S[0], 0.02))
    )


def closure(burst_db: float, cut: bool = False) -> np.ndarray:
    """
    Speech whose vowel at 0.30 s ends at a zero of the waveform and is silent for 40 ms, then a
    burst of noise as loud as that, beside the vowel; or whose vowel is simply cut.
    """
    heard = speech()
    start, length = round(0.30 * RATE_HZ), round(0.04 * RATE_HZ)
    vowel = heard[start - 320 : start]
    if not cut:
        vowel *= np.concatenate([np.ones(304), np.linspace(1.0, 0.0, 16)])
        heard[start + length :][:480] = 0.0
        noise = np.random.default_rng(0).standard_normal(480)
        heard[start + length :][:480] = 10 ** (burst_db / 20) * np.std(vowel) * noise
    heard[start : start + length] = 0.0
    return heard


def test_a_closure_that_a_synthesiser_silences_is_no_dropout_and_a_hole_as_long_is():
    assert dropouts_per_s(of(closure(-15.0))) == 0.0
    assert dropouts_per_s(of(closure(0.0, cut=True))) > 0.0


def test_stops_within_the_speech_are_counted_and_its_end_is_none():
    cut = speech()[: round(1.3 * RATE_HZ)]
    silenced = np.concatenate([cut, np.zeros(RATE_HZ // 4)])
    assert stop_times_s(Recording(silenced, RATE_HZ)) == ()
    holed = with_hole(0.30, 0.04)
    assert stop_times_s(Recording(holed, RATE_HZ)) == pytest.approx((0.30,), abs=0.002)


@pytest.mark.parametrize("sound", [speech, plosives, creak, fricative])
def test_sounds_that_stop_by_themselves_are_no_dropouts(sound):
    assert dropouts_per_s(of(sound())) == 0.0


def test_a_telephone_line_makes_no_dropouts():
    assert dropouts_per_s(MetricInput(audio=line(Recording(speech(), RATE_HZ)))) == 0.0


def test_a_pause_between_sentences_is_no_dropout():
    assert dropouts_per_s(of(np.concatenate([speech(), np.zeros(RATE_HZ // 4), speech()]))) == 0.0


@pytest.mark.parametrize("heard", [np.zeros(0), np.zeros(RATE_HZ), np.array([0.1, np.nan] * 1000)])
def test_without_speech_there_is_no_value(heard: np.ndarray):
    assert isinstance(dropouts_per_s(of(heard)), Missing)
