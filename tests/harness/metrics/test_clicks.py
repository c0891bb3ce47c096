"""
The blind click detector: finds planted clicks, and nothing in speech or its hardest imitations.
"""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech, with_noise
from voxgate.harness.metrics.clicks import click_positions, clicks_per_s
from voxgate.harness.records.measurement import Missing

PLANTED = np.array([8_000, 24_000])


@pytest.mark.parametrize("size", [1.0, 0.5])
def test_a_click_each_second_is_found_where_it_is(size: float):
    heard = speech()
    heard[PLANTED] += size
    assert np.abs(click_positions(heard, RATE_HZ) - PLANTED).max() <= 2


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 48_000])
def test_clean_speech_has_no_clicks_at_any_rate_and_a_click_is_seen_at_all(rate_hz: int):
    import soxr

    heard = soxr.resample(speech(), RATE_HZ, rate_hz)
    assert clicks_per_s(heard, rate_hz) == 0.0
    heard[rate_hz] = -1.0
    assert clicks_per_s(heard, rate_hz) == pytest.approx(rate_hz / len(heard))


def test_a_click_in_digital_silence_is_found():
    heard = np.concatenate([speech(), np.zeros(RATE_HZ)])
    heard[-RATE_HZ // 2] = 0.8
    assert click_positions(heard, RATE_HZ).tolist() == [len(heard) - RATE_HZ // 2]


def test_the_level_plays_no_part():
    heard = speech()
    heard[PLANTED] += 0.8
    assert click_positions(heard / 8, RATE_HZ).tolist() == click_positions(heard, RATE_HZ).tolist()


def plosives() -> np.ndarray:
    """Bursts of noise of 5 ms out of silence, four per second, each dying away."""
    heard, noise = (
        np.zeros(2 * RATE_HZ),
        np.random.default_rng(0).standard_normal(80) * np.exp(-np.arange(80) / 30),
    )
    for start in range(2_000, len(heard) - 80, 4_000):
        heard[start : start + 80] = 0.3 * noise
    return heard


def creak() -> np.ndarray:
    """Glottal pulses at 60 Hz through one resonance: isolated, sharp, but in company."""
    pulses = np.zeros(2 * RATE_HZ)
    pulses[:: RATE_HZ // 60] = 1.0
    ring = np.exp(-np.arange(200) / 25) * np.sin(np.arange(200) * 2 * np.pi * 800 / RATE_HZ)
    return np.convolve(pulses, ring)[: len(pulses)] * 0.5


def fricative() -> np.ndarray:
    """White noise that starts and stops."""
    return (
        0.1
        * np.random.default_rng(1).standard_normal(2 * RATE_HZ)
        * np.repeat([0, 1, 0, 1], RATE_HZ // 2)
    )


@pytest.mark.parametrize("sound", [plosives, creak, fricative])
def test_sounds_like_clicks_are_not_clicks(sound):
    assert clicks_per_s(sound(), RATE_HZ) == 0.0


def test_noise_in_the_recording_is_not_clicks():
    assert clicks_per_s(with_noise(speech(), 20.0), RATE_HZ) == 0.0


def test_silence_has_no_clicks():
    assert clicks_per_s(np.zeros(RATE_HZ), RATE_HZ) == 0.0


@pytest.mark.parametrize("heard", [np.array([0.1, np.nan] * 1000), np.zeros(100), np.zeros(0)])
def test_what_cannot_be_searched_is_missing(heard: np.ndarray):
    assert isinstance(clicks_per_s(heard, RATE_HZ), Missing)
