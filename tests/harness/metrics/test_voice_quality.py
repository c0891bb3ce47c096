"""Voice quality on voices whose periods, melody and breath are known."""

import numpy as np
import pytest

from tests.harness.metrics.speech import speech
from tests.harness.metrics.voices import RATE_HZ, contour, sung
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.voice_quality import (
    cpp,
    f0_drift,
    f0_modulation,
    hnr,
    jitter,
    voiced_share,
)
from voxgate.harness.records.measurement import Missing, Value, lacks_package

SECONDS = 2.0


def of(samples: np.ndarray) -> MetricInput:
    return MetricInput(audio=Recording(samples, RATE_HZ))


def number(found: Value) -> float:
    if lacks_package(found):
        pytest.skip(str(found))
    assert isinstance(found, float), found
    return found


def scattered(share: float) -> np.ndarray:
    """A voice of 150 Hz whose periods are by turns `share` longer and shorter."""
    periods = np.tile([1.0 + share, 1.0 - share], 150) / 150.0
    ends_s = np.concatenate([[0.0], np.cumsum(periods)])
    at_s = np.arange(round(ends_s[-1] * RATE_HZ)) / RATE_HZ
    phase = 2.0 * np.pi * np.interp(at_s, ends_s, np.arange(len(ends_s)))
    return np.asarray(0.2 * sum(np.sin(k * phase) / k for k in range(1, 13)))


def breathed(snr_db: float) -> np.ndarray:
    voice = sung(contour((SECONDS, 150.0, 150.0)))
    noise = np.random.default_rng(0).standard_normal(len(voice))
    return voice + noise * np.sqrt(np.mean(voice**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)


@pytest.mark.parametrize("share", [0.005, 0.02])
def test_periods_that_alternate_have_their_jitter(share: float) -> None:
    """Each is `share` away from the mean, and a third of that away from its neighbours' mean."""
    assert number(jitter(of(scattered(share)))) == pytest.approx(4.0 / 3.0 * share, rel=0.15)


def test_a_steady_or_a_gliding_voice_has_no_jitter() -> None:
    assert number(jitter(of(sung(contour((SECONDS, 150.0, 150.0)))))) < 0.001
    assert number(jitter(of(sung(contour((SECONDS, 120.0, 180.0)))))) < 0.002


@pytest.mark.parametrize("snr_db", [10.0, 20.0, 30.0])
def test_the_noise_of_a_voice_is_its_ratio(snr_db: float) -> None:
    assert number(hnr(of(breathed(snr_db)))) == pytest.approx(snr_db, abs=1.0)


def test_breath_lowers_the_cepstral_peak() -> None:
    peaks = [number(cpp(of(breathed(snr_db)))) for snr_db in (30.0, 20.0, 10.0)]

    assert peaks[0] > peaks[1] + 2.0 > peaks[2] + 4.0


def test_a_vibrato_is_its_depth() -> None:
    at_s = np.arange(round(3.0 * RATE_HZ)) / RATE_HZ
    wavering = 150.0 * 2.0 ** (50.0 / 1200.0 * np.sin(2.0 * np.pi * 6.0 * at_s))

    assert number(f0_modulation(of(sung(wavering)))) == pytest.approx(50.0 / 2**0.5, rel=0.1)
    assert number(f0_modulation(of(sung(contour((3.0, 150.0, 160.0)))))) < 5.0


@pytest.mark.parametrize("semitones", [-3.0, 2.0])
def test_a_drift_is_from_begin_to_end(semitones: float) -> None:
    rising = contour((SECONDS, 150.0, 150.0 * 2 ** (semitones / 12)))

    assert number(f0_drift(of(sung(rising)))) == pytest.approx(semitones, abs=0.15)


def test_what_is_whispered_is_not_voiced() -> None:
    voice = sung(contour((SECONDS, 150.0, 150.0)))
    noise = 0.05 * np.random.default_rng(0).standard_normal(len(voice))
    half = np.where(np.arange(len(voice)) < len(voice) / 2, voice, noise)

    assert number(voiced_share(of(voice))) > 0.95
    assert number(voiced_share(of(half))) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("metric", [jitter, hnr, cpp, f0_modulation, f0_drift])
def test_noise_has_no_voice_to_judge(metric) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE_HZ)

    assert isinstance(metric(of(noise)), Missing)


@pytest.mark.parametrize(
    "metric", [jitter, hnr, cpp, f0_modulation, f0_drift, voiced_share], ids=lambda each: each.__name__
)
def test_silence_before_changes_nothing(metric) -> None:
    before = np.concatenate([np.zeros(RATE_HZ // 2), speech()])

    assert number(metric(of(before))) == pytest.approx(number(metric(of(speech()))), rel=0.02)
