"""Two takes of one text: what differs between them by construction is the value."""

import numpy as np
import pytest
import soxr

from tests.harness.metrics.speech import RATE_HZ, held_against, speech
from tests.harness.metrics.voices import contour, sung
from voxgate.harness.metrics.metric import MetricInput, Need
from voxgate.harness.metrics.registry import entry
from voxgate.harness.metrics.take_parity import (
    METRICS,
    f0_peak,
    f0_rmse_dtw,
    gross_pitch_error,
    mcd_dtw,
    mcd_peak,
    rate_error,
    voicing_error,
    wow,
)
from voxgate.harness.records.measurement import Missing, MissingKind, Value, lacks_package
from voxgate.harness.selftest import resynthesis
from voxgate.harness.selftest.fault_effects import SpokenUtterance


def number(found: Value) -> float:
    if lacks_package(found):
        pytest.skip(str(found))
    assert isinstance(found, float), found
    return found


def of(compute, candidate: np.ndarray, reference: np.ndarray | None = None) -> float:
    """Return a metric of a take that is held against the recording, or against `reference`."""
    reference = speech() if reference is None else reference
    return number(entry(compute.__name__).source.score(held_against(reference, candidate)))


def changed(change) -> np.ndarray:
    heard = change(SpokenUtterance(audio=speech().astype(np.float32), rate_hz=RATE_HZ))
    return np.asarray(heard, dtype=np.float64)


FIFTH_OF_THE_MARGIN = {
    "mcd_dtw": 0.7,
    "mcd_peak": 0.4,
    "f0_rmse_dtw": 0.3,
    "f0_peak": 0.5,
    "gross_pitch_error": 0.01,
    "voicing_error": 0.02,
    "rate_error": 0.1,
    "wow": 0.12,
}
VOICE = contour((0.4, 150.0, 180.0), (0.1, 0.0, 0.0), (0.8, 170.0, 120.0))
SLOWER = contour((0.5, 150.0, 180.0), (0.1, 0.0, 0.0), (1.0, 170.0, 120.0))


@pytest.fixture(scope="module", name="same")
def _same() -> tuple[MetricInput, MetricInput]:
    """The recording against itself, and against itself 12 dB softer between silences."""
    softer = 0.25 * np.concatenate([np.zeros(RATE_HZ // 2), speech(), np.zeros(RATE_HZ // 4)])
    return held_against(speech(), speech()), held_against(speech(), softer)


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.metric.name)
def test_a_take_is_no_way_from_itself_whatever_its_level_and_silence(same, metric) -> None:
    plain, softer = (number(metric.score(each)) for each in same)

    assert plain == pytest.approx(0.0, abs=0.01)
    assert abs(softer) <= FIFTH_OF_THE_MARGIN[metric.metric.name]


def test_a_slower_take_of_the_same_melody_is_the_same_melody() -> None:
    """Frame by frame the two would be up to 2.5 semitones apart."""
    assert of(f0_rmse_dtw, sung(SLOWER), sung(VOICE)) < 0.5
    assert of(gross_pitch_error, sung(SLOWER), sung(VOICE)) == 0.0


def test_a_transposed_take_is_the_same_melody_too() -> None:
    assert of(f0_rmse_dtw, sung(1.1 * VOICE), sung(VOICE)) < 1.0  # not the 1.65 between them


def test_half_an_octave_for_a_stretch_is_a_gross_error_for_that_long() -> None:
    at_s = np.arange(len(VOICE)) / RATE_HZ
    dropped = np.where((at_s > 0.6) & (at_s < 0.9), VOICE / 1.5, VOICE)

    assert of(gross_pitch_error, sung(dropped), sung(VOICE)) == pytest.approx(0.25, abs=0.08)
    assert of(f0_peak, sung(dropped), sung(VOICE)) == pytest.approx(12 * np.log2(1.5), abs=1.0)


@pytest.mark.parametrize("factor", [0.98, 1.01, 1.06])
def test_a_wrong_sample_rate_is_its_factor(factor: float) -> None:
    played = soxr.resample(speech(), RATE_HZ * factor, RATE_HZ)

    assert of(rate_error, played) == pytest.approx(100.0 * (factor - 1.0), abs=0.2, rel=0.15)


def test_a_faster_pace_alone_is_no_wrong_rate() -> None:
    pytest.importorskip("pyworld")

    assert abs(of(rate_error, changed(resynthesis.paced(1.1)))) < 0.5


def test_a_speed_that_wavers_is_wow() -> None:
    at_s = np.arange(len(speech())) / RATE_HZ
    from_s = at_s + 0.03 / (2.0 * np.pi * 0.7) * (1.0 - np.cos(2.0 * np.pi * 0.7 * at_s))
    wavering = np.interp(from_s, at_s, speech())

    assert of(wow, wavering) > 1.0


def test_a_word_of_noise_is_a_peak_and_hardly_moves_the_mean() -> None:
    start, width = len(speech()) // 2, RATE_HZ // 5
    broken = speech()
    broken[start : start + width] = 0.05 * np.random.default_rng(0).standard_normal(width)

    assert of(mcd_peak, broken) > 5.0
    assert of(mcd_dtw, broken) < 3.0


def test_a_stretch_without_voice_is_an_error_of_voicing() -> None:
    at_s = np.arange(len(VOICE)) / RATE_HZ
    noise = 0.05 * np.random.default_rng(0).standard_normal(len(VOICE))
    whispered = np.where(at_s > 0.9, noise, sung(VOICE))

    assert of(voicing_error, whispered, sung(VOICE)) > 0.12
    assert of(voicing_error, sung(VOICE), sung(VOICE)) == 0.0


def test_what_lasts_more_than_twice_as_long_is_no_take() -> None:
    found = METRICS[0].score(held_against(speech(), np.tile(speech(), 3)))

    if lacks_package(found):
        pytest.skip(str(found))
    assert isinstance(found, Missing)
    assert found.kind is MissingKind.DURATIONS_DIFFER


def test_each_is_read_against_the_accepted_take_too() -> None:
    for each in METRICS:
        assert each.need is Need.TAKE
        assert entry(f"golden_{each.metric.name}").golden
