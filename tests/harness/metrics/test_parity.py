"""Known answers and invariants of the reference metrics (definitions: ITU-T P.862.2, Taal 2011, Le Roux 2019)."""

from collections.abc import Callable

import numpy as np
import pytest

from harness.measurement import SNR_CEILING_DB, Missing, Value
from harness.metrics import parity
from tests.harness.metrics.speech import RATE_HZ, speech, with_noise

TARGET = np.array([3.0, -0.5, 2.0, 7.0])
PREDICTION = np.array([2.5, 0.0, 2.0, 8.0])
EVERY = [parity.snr_db, parity.si_sdr_db, parity.pesq_wb, parity.stoi, parity.estoi]
each_metric = pytest.mark.parametrize("metric", EVERY)


def number(value: Value) -> float:
    assert isinstance(value, float), value
    return value


def reason(value: Value) -> str:
    assert isinstance(value, Missing), value
    return value.reason


def test_snr_equals_the_published_vector():
    assert number(parity.snr_db(TARGET, PREDICTION, 16_000)) == pytest.approx(16.18048, abs=1e-5)


def test_si_sdr_equals_the_published_vector():
    assert number(parity.si_sdr_db(TARGET, PREDICTION, 16_000)) == pytest.approx(18.40299, abs=1e-5)


@pytest.mark.parametrize(
    ("metric", "perfect"),
    [
        (parity.snr_db, SNR_CEILING_DB),
        (parity.si_sdr_db, SNR_CEILING_DB),
        (parity.pesq_wb, 4.644),
        (parity.stoi, 1.0),
        (parity.estoi, 1.0),
    ],
)
def test_identical_audio_scores_the_top_of_the_scale(metric: parity.ParityMetric, perfect: float):
    assert number(metric(speech(), speech(), RATE_HZ)) == pytest.approx(perfect, abs=1e-3)


def test_half_the_level_costs_snr_6_db_and_nothing_else():
    clean = speech()
    assert number(parity.snr_db(clean, clean / 2, RATE_HZ)) == pytest.approx(6.0206, abs=1e-3)
    assert number(parity.si_sdr_db(clean, clean / 2, RATE_HZ)) == SNR_CEILING_DB
    assert number(parity.pesq_wb(clean, clean / 2, RATE_HZ)) == pytest.approx(4.644, abs=1e-3)
    assert number(parity.stoi(clean, clean / 2, RATE_HZ)) == pytest.approx(1.0, abs=1e-6)


def test_only_snr_sees_a_flipped_polarity():
    clean = speech()
    assert number(parity.snr_db(clean, -clean, RATE_HZ)) == pytest.approx(-6.0206, abs=1e-3)
    assert number(parity.si_sdr_db(clean, -clean, RATE_HZ)) == SNR_CEILING_DB
    assert number(parity.pesq_wb(clean, -clean, RATE_HZ)) == pytest.approx(4.644, abs=1e-3)
    assert number(parity.stoi(clean, -clean, RATE_HZ)) == pytest.approx(1.0, abs=1e-6)


def test_a_delay_of_20_ms_is_seen_by_stoi_and_aligned_away_by_pesq():
    clean = speech()
    late = np.concatenate([np.zeros(320), clean[:-320]])
    assert number(parity.stoi(clean, late, RATE_HZ)) < 0.8
    assert number(parity.pesq_wb(clean, late, RATE_HZ)) == pytest.approx(4.644, abs=2e-3)


@each_metric
def test_more_noise_scores_lower(metric: parity.ParityMetric):
    clean = speech()
    scores = [number(metric(clean, with_noise(clean, db), RATE_HZ)) for db in (30.0, 20.0, 10.0)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]


def test_snr_reads_the_noise_that_was_added():
    clean = speech()
    assert number(parity.snr_db(clean, with_noise(clean, 20.0), RATE_HZ)) == pytest.approx(20.0, abs=1e-6)


@each_metric
@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (np.zeros_like, "the audio is silent"),
        (lambda x: np.where(np.arange(len(x)) == 5, np.nan, x), "the audio holds NaN or infinity"),
        (lambda x: np.where(np.arange(len(x)) == 5, np.inf, x), "the audio holds NaN or infinity"),
        (lambda x: x[:0], "the audio is empty"),
        (lambda x: np.stack([x, x]), "where one channel belongs"),
    ],
)
def test_unusable_audio_is_missing_with_its_reason(
    metric: parity.ParityMetric, spoil: Callable[[np.ndarray], np.ndarray], expected: str
):
    assert expected in reason(metric(speech(), spoil(speech()), RATE_HZ))


@each_metric
def test_a_silent_reference_is_missing(metric: parity.ParityMetric):
    assert reason(metric(np.zeros(RATE_HZ), speech()[:RATE_HZ], RATE_HZ)) == "the reference is silent"


@each_metric
def test_durations_beyond_two_percent_apart_are_missing(metric: parity.ParityMetric):
    clean = speech()[: 2 * RATE_HZ]
    assert reason(metric(clean, clean[: int(1.9 * RATE_HZ)], RATE_HZ)) == "durations differ: 1.90 s against 2.00 s"


@each_metric
def test_durations_within_two_percent_are_compared_over_the_shorter(metric: parity.ParityMetric):
    clean = speech()
    longer = np.concatenate([clean, np.full(len(clean) // 100, 0.1)])
    assert metric(clean, longer, RATE_HZ) == metric(clean, clean, RATE_HZ)


def test_too_short_for_pesq_is_missing():
    assert "too short for PESQ" in reason(parity.pesq_wb(speech()[8000:11000], speech()[8000:11000], RATE_HZ))


@pytest.mark.parametrize("frames", [100, 3000])
def test_too_short_for_stoi_is_missing_not_nearly_zero(frames: int):
    part = speech()[8000 : 8000 + frames]
    assert "too little speech for STOI" in reason(parity.stoi(part, part, RATE_HZ))


def test_pesq_without_utterances_is_missing():
    hum = np.full(RATE_HZ, 1e-7)
    hum[0] = 1.0
    value = parity.pesq_wb(hum, hum, RATE_HZ)
    assert isinstance(value, Missing) or 1.0 < value < 4.65


def test_pesq_of_long_audio_is_the_mean_of_its_pieces():
    clean = np.tile(speech(), 13)[: 32 * RATE_HZ]
    halves = np.split(np.arange(len(clean)), 2)
    noisy = with_noise(clean, 20.0)
    noisy[halves[0]] = clean[halves[0]]
    apart = [number(parity.pesq_wb(clean[half], noisy[half], RATE_HZ)) for half in halves]
    assert number(parity.pesq_wb(clean, noisy, RATE_HZ)) == pytest.approx(np.mean(apart), abs=1e-9)


def test_pesq_resamples_24_khz_without_costing_quality():
    import soxr

    clean = soxr.resample(speech(), RATE_HZ, 24_000)
    assert number(parity.pesq_wb(clean, clean / 2, 24_000)) == pytest.approx(4.644, abs=1e-3)


@pytest.mark.parametrize("metric", [parity.stoi, parity.estoi])
def test_stoi_and_estoi_leave_numpys_random_state_alone(metric: parity.ParityMetric):
    np.random.seed(7)
    expected = np.random.standard_normal(3)
    np.random.seed(7)
    metric(speech(), with_noise(speech(), 10.0), RATE_HZ)
    assert np.array_equal(np.random.standard_normal(3), expected)


def test_estoi_does_not_depend_on_the_random_state():
    np.random.seed(1)
    first = parity.estoi(speech(), with_noise(speech(), 10.0), RATE_HZ)
    np.random.seed(2)
    assert parity.estoi(speech(), with_noise(speech(), 10.0), RATE_HZ) == first
