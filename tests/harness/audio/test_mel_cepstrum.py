"""Mel-cepstra: known answers of the criterion, and SPTK's own numbers."""

import numpy as np
import pytest
import soxr

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.audio.mel_cepstrum import (
    HOP,
    PARAMETERS,
    WIDTH,
    fit_cepstra,
    hop_s,
    mel_cepstra,
)
from voxgate.harness.audio.recording import Recording, Samples
from voxgate.harness.records.measurement import Missing

ORDER, ALPHA = PARAMETERS[RATE_HZ]
SPTK_PLACES = [0, 1, 2, 11, 22]  # c[1], c[2], c[3], c[12], c[23]
SPTK = {
    20: [1.5655, 0.9177, 1.7891, -0.2480, -0.0187],
    60: [1.4855, 0.4020, 1.3391, -0.1435, -0.0071],
    100: [2.6791, -0.1869, 0.1275, -0.0549, -0.3680],
}


def log_power(cepstra: Samples, alpha: float = ALPHA) -> Samples:
    """
    The log power spectrum that mel-cepstra [n, order + 1] stand for, evaluated through the all-pass
    filter itself.
    """
    z = np.exp(-1j * np.linspace(0.0, np.pi, WIDTH // 2 + 1))
    warped = (z - alpha) / (1.0 - alpha * z)
    return 2.0 * np.real(cepstra @ warped ** np.arange(cepstra.shape[1])[:, None])


def periodogram() -> Samples:
    """Log power of every frame of speech, shape [n, bins]."""
    windows = np.lib.stride_tricks.sliding_window_view(speech() * 32768, WIDTH)[::HOP] * np.hamming(
        WIDTH
    )
    return np.log(np.abs(np.fft.rfft(windows)) ** 2 + 1e-6)


def cepstra_of(frames: Samples, rate_hz: int = RATE_HZ) -> Samples:
    found = mel_cepstra(Recording(frames, rate_hz))
    assert isinstance(found, np.ndarray), found
    return found


def test_the_coefficients_are_sptks():
    """
    pysptk 1.0.1, `mcep(frame * 32768 * hamming, 23, 0.42, eps=1e-6, etype=1, threshold=1e-9,
    maxiter=60)`.
    """
    for frame, expected in SPTK.items():
        assert cepstra_of(speech())[frame, SPTK_PLACES] == pytest.approx(expected, abs=3e-4)


def test_a_spectrum_made_from_a_mel_cepstrum_gives_it_back():
    """As exactly as the square of the last step, which is at most TOLERANCE."""
    wanted = 0.3 * np.random.default_rng(0).standard_normal((5, ORDER + 1))
    assert fit_cepstra(np.exp(log_power(wanted)), ORDER, ALPHA) == pytest.approx(wanted, abs=1e-4)


def test_a_change_of_the_spectrum_is_the_change_of_the_cepstrum():
    """
    The criterion sees only the ratio of spectrum and model, so filtering moves the answer by the
    filter's own cepstrum.
    """
    change = 0.2 * np.random.default_rng(1).standard_normal((1, ORDER + 1))
    before, after = (
        fit_cepstra(np.exp(periodogram() + each), ORDER, ALPHA) for each in (0.0, log_power(change))
    )
    assert after - before == pytest.approx(np.broadcast_to(change, before.shape), abs=2e-4)


def test_a_flat_spectrum_has_its_level_and_nothing_else():
    found = fit_cepstra(np.full((1, WIDTH // 2 + 1), 4.0), ORDER, ALPHA)[0]
    assert found[0] == pytest.approx(np.log(2.0), abs=1e-9)
    assert found[1:] == pytest.approx(np.zeros(ORDER), abs=1e-9)


def test_the_answer_is_the_criterions_minimum():
    spectra = periodogram()[::20]
    best = fit_cepstra(np.exp(spectra), ORDER, ALPHA)

    def criterion(cepstra: Samples) -> Samples:
        ratio = spectra - log_power(cepstra)
        inner = np.exp(ratio) - ratio
        return (inner[:, 1:-1].sum(axis=1) + (inner[:, 0] + inner[:, -1]) / 2) / (WIDTH / 2)

    random = np.random.default_rng(2)
    for _ in range(20):
        assert (criterion(best + 0.02 * random.standard_normal(best.shape)) > criterion(best)).all()


def test_the_level_is_left_out():
    assert cepstra_of(speech() / 2) == pytest.approx(cepstra_of(speech()), abs=1e-3)
    assert cepstra_of(speech()).shape == (1 + (len(speech()) - WIDTH) // HOP, ORDER)


@pytest.mark.parametrize(
    ("rate_hz", "expected_s"),
    [(16_000, 0.016), (24_000, 256 / 24_000), (11_025, 0.032), (96_000, 256 / 48_000)],
)
def test_the_time_between_frames_is_that_of_the_rate_of_analysis(rate_hz: int, expected_s: float):
    assert hop_s(rate_hz) == pytest.approx(expected_s)


@pytest.mark.parametrize("rate_hz", [*PARAMETERS, 11_025, 4_000, 96_000])
def test_every_rate_has_its_order(rate_hz: int):
    found = cepstra_of(soxr.resample(speech(), RATE_HZ, rate_hz), rate_hz)
    used = max((rate for rate in PARAMETERS if rate <= rate_hz), default=8_000)
    assert found.shape[1] == PARAMETERS[used][0]
    assert np.isfinite(found).all()


def test_less_than_a_window_is_missing():
    assert mel_cepstra(Recording(speech()[: WIDTH - 1], RATE_HZ)) == Missing(
        "0.064 s is too short for a spectrum, which needs 0.064 s"
    )


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros(2 * WIDTH),
        np.eye(1, 2 * WIDTH, WIDTH)[0],
        np.sin(np.arange(2.0 * WIDTH)),
        np.ones(2 * WIDTH),
        np.concatenate([np.zeros(WIDTH), 1e-9 * np.ones(WIDTH)]),
        np.sign(np.sin(0.05 * np.arange(2.0 * WIDTH))),
    ],
)
def test_sounds_that_are_no_speech_have_finite_cepstra(frames: Samples):
    assert np.isfinite(cepstra_of(frames)).all()
