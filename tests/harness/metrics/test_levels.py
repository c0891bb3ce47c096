"""
Peak, clipping, DC offset, loudness and frames that are no numbers: known answers and invariants.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.levels import clipped_share, dc_offset, finite, loudness, peak
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing


def of(frames: NDArray[np.floating] | list[float], rate_hz: int = RATE_HZ) -> MetricInput:
    return MetricInput(audio=Recording(np.asarray(frames, dtype=np.float64), rate_hz))


def tone(level_db: float, seconds: float, rate_hz: int, hz: float = 997.0) -> NDArray[np.float64]:
    """A sine whose peak is `level_db` above full scale."""
    return 10 ** (level_db / 20) * np.sin(
        2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz
    )


def test_peak_is_the_largest_absolute_frame():
    assert peak(of([0.1, -0.75, 0.5])) == 0.75


def test_dc_offset_is_the_size_of_the_mean():
    assert dc_offset(of(tone(-20.0, 1.0, RATE_HZ, hz=100.0) - 0.03)) == pytest.approx(0.03)


@pytest.mark.parametrize("offset", [0.002, 0.01, 0.05])
def test_an_offset_under_speech_is_read_off(offset: float):
    own = float(speech().mean())
    assert dc_offset(of(speech() + offset)) == pytest.approx(offset + own)


def test_frames_at_full_scale_are_clipped():
    assert clipped_share(of([1.0, -1.0, 0.5, 1.2])) == 0.75


def test_speech_is_not_clipped():
    assert clipped_share(of(speech())) == 0.0


@pytest.mark.parametrize("ceiling", [0.9, 0.7, 0.5, 0.3])
def test_clipping_is_seen_at_any_ceiling_and_level_and_counts_what_was_cut_off(ceiling: float):
    loudest = np.abs(speech()).max()
    cut = np.clip(speech(), -ceiling * loudest, ceiling * loudest)
    flat = np.mean(np.abs(cut) == ceiling * loudest)
    assert 0.3 * flat < clipped_share(of(0.4 * cut)) <= flat


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
def test_a_pure_tone_has_crests_and_no_flat_tops(rate_hz: int):
    assert clipped_share(of(tone(-6.0, 1.0, rate_hz, hz=100.0), rate_hz)) == 0.0


def test_silence_has_no_level_and_no_clipping():
    silent = of(np.zeros(RATE_HZ))
    assert (peak(silent), dc_offset(silent), clipped_share(silent), finite(silent)) == (
        0.0,
        0.0,
        0.0,
        1.0,
    )


def test_the_share_of_finite_frames_and_the_place_of_the_first_other_one():
    broken = speech()
    broken[8_000:8_004] = [np.nan, np.inf, -np.inf, np.nan]
    assert finite(of(broken)) == 1.0 - 4 / len(broken)
    for metric in (peak, clipped_share, dc_offset, loudness):
        assert metric(of(broken)) == Missing(
            "the audio holds NaN or infinity: 4 frames, the first at 0.500 s"
        )


@pytest.mark.parametrize("metric", [finite, peak, clipped_share, dc_offset, loudness])
def test_empty_audio_has_no_value(metric):
    assert metric(of([])) == Missing("the audio is empty")


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_full_scale_tone_of_997_hz_is_at_minus_3_01(rate_hz: int):
    assert loudness(of(tone(0.0, 3.0, rate_hz), rate_hz)) == pytest.approx(-3.01, abs=0.01)


def test_quiet_stretches_are_gated_out():
    """
    EBU Tech 3341, cases 3 and 4, in one channel (3 dB below the two of the document) and a third of
    the length.
    """
    levels = [(-72.0, 4.0), (-36.0, 4.0), (-23.0, 20.0), (-36.0, 4.0), (-72.0, 4.0)]
    heard = np.concatenate([tone(level, seconds, 48_000) for level, seconds in levels])
    assert loudness(of(heard, 48_000)) == pytest.approx(-26.0, abs=0.1)


@pytest.mark.parametrize("gain_db", [-20.0, -6.0, 3.0])
def test_loudness_moves_with_the_gain(gain_db: float):
    change = loudness(of(speech() * 10 ** (gain_db / 20))) - loudness(of(speech()))
    assert change == pytest.approx(gain_db, abs=1e-6)  # soxr HQ has 20 bits


@pytest.mark.parametrize("rate_hz", [8_000, 24_000, 48_000])
def test_speech_is_as_loud_at_any_rate(rate_hz: int):
    import soxr

    heard = of(soxr.resample(speech(), RATE_HZ, rate_hz), rate_hz)
    assert loudness(heard) == pytest.approx(
        loudness(of(speech())), abs=0.3 if rate_hz < RATE_HZ else 0.01
    )


def test_what_has_no_loudness_says_why():
    assert loudness(of(np.zeros(RATE_HZ))) == Missing("nothing is louder than -70 LUFS")
    assert loudness(of(speech()[:800])) == Missing(
        "0.05 s is too short for loudness, which needs 0.4 s"
    )


def test_speech_agrees_with_pyloudnorm():
    pyloudnorm = pytest.importorskip("pyloudnorm")
    import soxr

    heard = soxr.resample(speech(), RATE_HZ, 48_000)
    theirs = pyloudnorm.Meter(48_000, filter_class="DeMan").integrated_loudness(heard)
    assert loudness(of(heard, 48_000)) == pytest.approx(theirs, abs=0.01)
