"""
Known answers and invariants of the reference metrics (definitions: ITU-T P.862.2, Taal 2011, Le
Roux 2019).
"""

from collections.abc import Callable

import numpy as np
import pystoi
import pytest
import soxr

from tests.harness.metrics.speech import RATE_HZ, held_against, late, speech, with_noise
from voxgate.harness.audio import telephone
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics import signal_parity
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.registry import entries
from voxgate.harness.records.measurement import SNR_CEILING_DB, Missing, MissingKind, Value

TARGET = np.array([3.0, -0.5, 2.0, 7.0])
PREDICTION = np.array([2.5, 0.0, 2.0, 8.0])
# by dB of white noise
PESQC2 = {40.0: 3.6231777667999268, 20.0: 1.5469462871551514, 5.0: 1.0553760528564453}
Score = Callable[[MetricInput], Value]
SCORES: dict[str, Score] = {each.metric.name: each.score for each in signal_parity.METRICS}
PERFECT = {
    "snr": SNR_CEILING_DB,
    "si_sdr": SNR_CEILING_DB,
    "pesq": 4.644,
    "pesq_c2": 4.644,
    "stoi": 1.0,
    "estoi": 1.0,
}
BLIND_TO_LEVEL = {name: top for name, top in PERFECT.items() if name != "snr"}
each_metric = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
each_pesq = pytest.mark.parametrize("score", [signal_parity.pesq, signal_parity.pesq_c2])
each_stoi = pytest.mark.parametrize("score", [signal_parity.stoi, signal_parity.estoi])


def number(value: Value) -> float:
    assert isinstance(value, float), value
    return value


def reason(value: Value) -> str:
    assert isinstance(value, Missing), value
    return value.reason


def every(reference: np.ndarray, heard: np.ndarray) -> dict[str, float]:
    inputs = held_against(reference, heard)
    return {name: number(score(inputs)) for name, score in SCORES.items()}


def test_snr_equals_the_published_vector():
    assert number(signal_parity.snr(held_against(TARGET, PREDICTION))) == pytest.approx(
        16.18048, abs=1e-5
    )


def test_si_sdr_equals_the_published_vector():
    assert number(signal_parity.si_sdr(held_against(TARGET, PREDICTION))) == pytest.approx(
        18.40299, abs=1e-5
    )


def test_identical_audio_scores_the_top_of_every_scale():
    assert every(speech(), speech()) == pytest.approx(PERFECT, abs=1e-3)


def test_half_the_level_costs_snr_6_db_and_nothing_else():
    assert every(speech(), speech() / 2) == pytest.approx(
        {"snr": 6.0206} | BLIND_TO_LEVEL, abs=1e-3
    )


def test_only_snr_sees_a_flipped_polarity():
    assert every(speech(), -speech()) == pytest.approx({"snr": -6.0206} | BLIND_TO_LEVEL, abs=1e-3)


@pytest.mark.parametrize("by", [1, 16, 320, 4_800])
def test_a_delay_is_removed_before_anything_is_compared(by: int):
    """Unaligned, one frame leaves 16 dB of SNR, 20 ms cost STOI 0.28, and 300 ms cost PESQ 0.75."""
    assert every(speech(), late(speech(), by)) == pytest.approx(PERFECT, abs=2e-3)


def test_without_alignment_stoi_would_fall():
    assert pystoi.stoi(speech(), late(speech(), 320), RATE_HZ) < 0.8


def test_pesq_hears_a_click_and_a_hole_that_stoi_hardly_does():
    """A sixth of PESQ's score and more against less than a twentieth of STOI's."""
    clicked, holed = speech(), speech()
    clicked[[8_000, 24_000]] = 1.0
    holed[20_000:20_800] = 0.0
    for heard in (clicked, holed):
        assert number(signal_parity.pesq(held_against(speech(), heard))) < 3.87
        assert number(signal_parity.stoi(held_against(speech(), heard))) > 0.95


@each_metric
def test_more_noise_scores_lower(score: Score):
    scores = [
        number(score(held_against(speech(), with_noise(speech(), db)))) for db in (30.0, 20.0, 10.0)
    ]
    assert scores[0] > scores[1] > scores[2]


def test_snr_reads_the_noise_that_was_added():
    assert number(
        signal_parity.snr(held_against(speech(), with_noise(speech(), 20.0)))
    ) == pytest.approx(20.0, abs=1e-6)


def test_corrigendum_2_forgives_noise_more():
    inputs = held_against(speech(), with_noise(speech(), 20.0))
    assert number(signal_parity.pesq_c2(inputs)) - number(signal_parity.pesq(inputs)) > 0.2


def test_rounding_to_16_bits_costs_no_more_than_a_wav_file_does():
    found = every(speech(), np.round(speech() * 32768) / 32768 * 0.999)
    assert found["si_sdr"] > 80.0
    assert found["pesq"] == pytest.approx(4.644, abs=1e-2)


def test_the_resampler_decides_the_score():
    """A round trip through 24 kHz by soxr is free; by straight lines it costs more than a MOS."""
    clean = speech()
    ticks = np.arange(len(clean))
    between = np.interp(np.arange(0, len(clean) - 1, 2 / 3), ticks, clean)
    straight = np.interp(ticks, np.arange(len(between)) * 2 / 3, between)
    good = soxr.resample(soxr.resample(clean, RATE_HZ, 24_000), 24_000, RATE_HZ)[: len(clean)]
    assert number(signal_parity.pesq(held_against(clean, good))) > 4.6
    assert number(signal_parity.pesq(held_against(clean, straight))) < 3.5


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
    score: Score, spoil: Callable[[np.ndarray], np.ndarray], expected: str
):
    assert expected in reason(score(held_against(speech(), spoil(speech()))))


@each_metric
def test_a_silent_reference_is_missing(score: Score):
    assert (
        reason(score(held_against(np.zeros(RATE_HZ), speech()[:RATE_HZ])))
        == "the reference is silent"
    )


@each_metric
def test_durations_beyond_two_percent_apart_are_missing(score: Score):
    clean = speech()[: 2 * RATE_HZ]
    found = score(held_against(clean, clean[: int(1.9 * RATE_HZ)]))
    assert found == Missing("durations differ: 1.90 s against 2.00 s", MissingKind.DURATIONS_DIFFER)


@each_metric
def test_durations_within_two_percent_are_compared_over_the_shorter(score: Score):
    longer = np.concatenate([speech(), np.full(len(speech()) // 100, 0.1)])
    assert score(held_against(speech(), longer)) == score(held_against(speech(), speech()))


@each_metric
@pytest.mark.parametrize("frames", [1, 2, 100, 800])
def test_a_few_frames_give_a_number_or_a_reason(score: Score, frames: int):
    part = speech()[8000 : 8000 + frames]
    assert isinstance(score(held_against(part, part)), float | Missing)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 24_000, 44_100, 48_000])
def test_half_the_level_costs_the_same_at_every_rate(rate_hz: int):
    clean = soxr.resample(speech(), RATE_HZ, rate_hz)
    inputs = held_against(clean, clean / 2, rate_hz)
    assert number(signal_parity.snr(inputs)) == pytest.approx(6.0206, abs=1e-3)
    assert number(signal_parity.pesq(inputs)) == pytest.approx(4.644, abs=1e-3)
    assert number(signal_parity.stoi(inputs)) == pytest.approx(1.0, abs=1e-6)


@each_pesq
def test_too_short_for_pesq_is_missing(score: Score):
    assert "too short for PESQ" in reason(
        score(held_against(speech()[8000:11000], speech()[8000:11000]))
    )


@each_stoi
@pytest.mark.parametrize("frames", [100, 3000])
def test_too_short_for_stoi_is_missing_not_nearly_zero(score: Score, frames: int):
    part = speech()[8000 : 8000 + frames]
    assert "too little speech for STOI" in reason(score(held_against(part, part)))


@each_pesq
def test_pesq_without_utterances_is_missing(score: Score):
    hum = np.full(RATE_HZ, 1e-7)
    hum[0] = 1.0
    value = score(held_against(hum, hum))
    assert isinstance(value, Missing) or 1.0 < value < 4.65


@each_pesq
def test_pesq_of_long_audio_is_the_mean_of_its_pieces(score: Score):
    clean = np.tile(speech(), 13)[: 32 * RATE_HZ]
    halves = np.split(np.arange(len(clean)), 2)
    noisy = with_noise(clean, 20.0)
    noisy[halves[0]] = clean[halves[0]]
    apart = [number(score(held_against(clean[half], noisy[half]))) for half in halves]
    assert number(score(held_against(clean, noisy))) == pytest.approx(np.mean(apart), abs=1e-9)


def test_corrigendum_2_gives_what_pesqc2_gives():
    """
    pesqc2 0.0.4 with numpy 1.26 on the same frames; equal to the last bit there, and to the
    rounding of a sum elsewhere.
    """
    for db, expected in PESQC2.items():
        assert number(
            signal_parity.pesq_c2(held_against(speech(), with_noise(speech(), db)))
        ) == pytest.approx(expected, abs=1e-5)


def test_on_the_telephone_pesq_is_read_in_narrow_band():
    """P.862 at 8 kHz: the wide-band model would expect what no line carries."""
    import pesq

    poor = with_noise(speech(), 20.0)
    heard = [telephone.line(Recording(each, RATE_HZ)) for each in (speech(), poor)]
    pair = MetricInput(audio=heard[1], reference=heard[0])
    source = entries()["phone_pesq"].source
    assert source is not None
    expected = pesq.pesq(8_000, heard[0].at(8_000), heard[1].at(8_000), "nb")
    assert number(source.score(pair)) == pytest.approx(expected, abs=1e-6)
    assert number(source.score(pair)) > number(signal_parity.pesq(pair)) + 0.3
    same = MetricInput(audio=heard[0], reference=heard[0])
    assert number(source.score(same)) == pytest.approx(4.55, abs=0.01)


@pytest.mark.parametrize("name", ["pesq", "golden_pesq", "phone_pesq_c2", "pesq_c2"])
def test_every_other_reading_of_pesq_is_wide_band(name: str):
    source = entries()[name].source
    assert source is not None
    assert source.score in (signal_parity.pesq, signal_parity.pesq_c2)


def test_the_second_reading_does_not_touch_the_first():
    inputs = held_against(speech(), with_noise(speech(), 20.0))
    before = signal_parity.pesq(inputs)
    signal_parity.pesq_c2(inputs)
    signal_parity.pesq_c2(held_against(speech(), speech()[:100]))
    assert signal_parity.pesq(inputs) == before


def test_a_package_without_its_table_is_a_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signal_parity, "TABLE", "NO_SUCH_TABLE")
    assert "does not show its table" in reason(
        signal_parity.pesq_c2(held_against(speech(), speech()))
    )


@each_pesq
def test_a_trace_of_a_signal_is_a_number_or_a_reason(score: Score):
    assert isinstance(score(held_against(speech(), speech() * 1e-60)), float | Missing)


@each_stoi
@pytest.mark.parametrize("rate_hz", [8_000, 10_000, 24_000])
def test_resampling_once_gives_what_pystoi_gives(score: Score, rate_hz: int):
    clean = soxr.resample(speech(), RATE_HZ, rate_hz)
    expected = pystoi.stoi(
        clean, with_noise(clean, 10.0), rate_hz, extended=score is signal_parity.estoi
    )
    assert number(score(held_against(clean, with_noise(clean, 10.0), rate_hz))) == pytest.approx(
        expected, abs=1e-12
    )


@each_stoi
def test_stoi_and_estoi_leave_numpys_random_state_alone(score: Score):
    np.random.seed(7)
    expected = np.random.standard_normal(3)
    np.random.seed(7)
    score(held_against(speech(), with_noise(speech(), 10.0)))
    assert np.array_equal(np.random.standard_normal(3), expected)


def test_estoi_does_not_depend_on_the_random_state():
    np.random.seed(1)
    first = signal_parity.estoi(held_against(speech(), with_noise(speech(), 10.0)))
    np.random.seed(2)
    assert signal_parity.estoi(held_against(speech(), with_noise(speech(), 10.0))) == first
