"""Bands, steady tones and packets that are heard twice, on sounds whose answer is known."""

import numpy as np
import pytest
from scipy import signal

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.spectral_balance import (
    METRICS,
    band_4k,
    band_7k,
    packet_repeats,
    steady_tone,
)
from voxgate.harness.records.measurement import Missing, Value


def of(samples: np.ndarray, rate_hz: int = RATE_HZ) -> MetricInput:
    return MetricInput(audio=Recording(samples, rate_hz))


def number(found: Value) -> float:
    assert isinstance(found, float), found
    return found


def noise(seconds: float = 2.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE_HZ))


def test_white_noise_is_as_loud_in_each_band() -> None:
    assert number(band_4k(of(noise()))) == pytest.approx(0.0, abs=0.3)
    assert number(band_7k(of(noise()))) == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize(("cutoff_hz", "metric"), [(4_000, band_4k), (7_000, band_7k)])
def test_a_band_that_is_taken_away_is_missed(cutoff_hz: float, metric) -> None:
    taps = signal.firwin(255, cutoff_hz, fs=RATE_HZ)
    narrow = signal.fftconvolve(speech(), taps, "same")

    assert number(metric(of(narrow))) < number(metric(of(speech()))) - 10.0


def test_audio_that_holds_no_such_band_has_no_value() -> None:
    assert isinstance(band_4k(of(speech()[::2], RATE_HZ // 2)), Missing)


def test_a_steady_tone_stands_out_and_speech_does_not() -> None:
    at_s = np.arange(len(speech())) / RATE_HZ
    level = np.sqrt(np.mean(speech() ** 2)) * 10 ** (-40 / 20) * 2**0.5
    whining = speech() + level * np.sin(2.0 * np.pi * 3_150.0 * at_s)

    assert number(steady_tone(of(whining))) > number(steady_tone(of(speech()))) + 10.0


def test_each_packet_that_is_heard_twice_counts() -> None:
    packet, twice = RATE_HZ // 50, noise(4.0)
    for start in range(10 * packet, len(twice) - packet, 20 * packet):
        twice[start : start + packet] = twice[start - packet : start]

    assert number(packet_repeats(of(noise(4.0)))) == 0.0
    assert number(packet_repeats(of(twice))) > 0.01


FIFTH_OF_THE_MARGIN = {"band_4k": 0.3, "band_7k": 0.5, "steady_tone": 1.2, "packet_repeats": 0.0006}


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.metric.name)
def test_silence_before_changes_nothing(metric) -> None:
    before = np.concatenate([np.zeros(RATE_HZ // 2), speech()])

    assert number(metric.score(of(before))) == pytest.approx(
        number(metric.score(of(speech()))), abs=FIFTH_OF_THE_MARGIN[metric.metric.name]
    )
