"""Voice quality on voices whose periods, melody and breath are known."""

import numpy as np
import pytest

from tests.harness.metrics.speech import speech
from tests.harness.metrics.voices import RATE_HZ, contour, sung
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.voice_quality import (
    f0_drift,
    f0_modulation,
    hnr,
    jitter,
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
    assert number(jitter(of(scattered(share)))) == pytest.approx(4.0 / 3.0 * share, rel=0.2)


def test_a_steady_or_a_gliding_voice_has_no_jitter() -> None:
    assert number(jitter(of(sung(contour((SECONDS, 150.0, 150.0)))))) < 0.001
    assert number(jitter(of(sung(contour((SECONDS, 120.0, 180.0)))))) < 0.002


@pytest.mark.parametrize("snr_db", [10.0, 20.0, 30.0])
def test_the_noise_of_a_voice_is_its_ratio(snr_db: float) -> None:
    assert number(hnr(of(breathed(snr_db)))) == pytest.approx(snr_db, abs=1.0)


def test_a_vibrato_is_its_depth() -> None:
    at_s = np.arange(round(3.0 * RATE_HZ)) / RATE_HZ
    wavering = 150.0 * 2.0 ** (50.0 / 1200.0 * np.sin(2.0 * np.pi * 6.0 * at_s))

    assert number(f0_modulation(of(sung(wavering)))) == pytest.approx(50.0 / 2**0.5, rel=0.2)
    assert number(f0_modulation(of(sung(contour((3.0, 150.0, 160.0)))))) < 5.0


@pytest.mark.parametrize("semitones", [-3.0, 2.0])
def test_a_drift_is_from_begin_to_end(semitones: float) -> None:
    rising = contour((SECONDS, 150.0, 150.0 * 2 ** (semitones / 12)))

    assert number(f0_drift(of(sung(rising)))) == pytest.approx(semitones, abs=0.15)


@pytest.mark.parametrize("metric", [jitter, hnr, f0_modulation, f0_drift])
def test_noise_has_no_voice_to_judge(metric) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE_HZ)

    assert isinstance(metric(of(noise)), Missing)


@pytest.fixture(scope="module", name="twice")
def _twice() -> tuple[MetricInput, MetricInput]:
    """The recording, and the same with half a second of silence before it."""
    return of(speech()), of(np.concatenate([np.zeros(RATE_HZ // 2), speech()]))


@pytest.mark.parametrize(
    ("metric", "fifth_of_the_margin"),
    [(jitter, 0.0005), (hnr, 0.8), (f0_modulation, 2.4), (f0_drift, 0.3)],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_silence_before_changes_nothing(twice, metric, fifth_of_the_margin: float) -> None:
    plain, late = (number(metric(each)) for each in twice)

    assert late == pytest.approx(plain, abs=fifth_of_the_margin)
