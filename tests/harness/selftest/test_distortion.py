"""
Distortion is what its name says, of the size that it says. That it is the same every time is tested
with the damage.
"""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.selftest import fault_effects
from voxgate.harness.selftest.fault_effects import SpokenUtterance


@pytest.fixture(scope="module", name="spoken")
def _spoken() -> SpokenUtterance:
    """Real speech that is not rounded to 16 bits."""
    return SpokenUtterance(audio=(0.9 * speech()).astype(np.float32), rate_hz=RATE_HZ)


def snr_db(clean: np.ndarray, heard: np.ndarray) -> float:
    return float(
        10 * np.log10(np.sum(clean.astype(float) ** 2) / np.sum((heard.astype(float) - clean) ** 2))
    )


@pytest.mark.parametrize("ratio_db", [20, 30, 40])
def test_noise_is_as_far_below_the_speech_as_it_says(ratio_db, spoken) -> None:
    assert snr_db(spoken.audio, fault_effects.noise(ratio_db)(spoken)) == pytest.approx(
        ratio_db, abs=0.2
    )


def test_level_polarity_and_offset(spoken) -> None:
    assert fault_effects.louder(-6.0206)(spoken) == pytest.approx(spoken.audio / 2, abs=1e-6)
    assert np.array_equal(fault_effects.inverted(spoken), -spoken.audio)
    assert fault_effects.offset(0.05)(spoken) == pytest.approx(
        np.clip(spoken.audio + 0.05, -1, 1), abs=1e-6
    )


def test_what_is_overdriven_is_cut_off_at_full_scale(spoken) -> None:
    driven = fault_effects.overdriven(6.0)(spoken)
    assert np.abs(driven).max() == 1.0
    assert np.mean(np.abs(driven) == 1.0) > 0.001


def test_one_frame_is_no_number(spoken) -> None:
    assert np.isnan(fault_effects.not_a_number(spoken)).sum() == 1


def test_rounding_and_a_good_resampler_are_not_heard_and_a_poor_one_is(spoken) -> None:
    assert snr_db(spoken.audio, fault_effects.rounded(16)(spoken)) > 70
    assert snr_db(spoken.audio, fault_effects.round_trip(24_000)(spoken)) > 60
    assert 20 < snr_db(spoken.audio, fault_effects.poor_round_trip(24_000)(spoken)) < 45
