"""
A delay is found to the frame, removed and reported; what merely sounds different is not slid about.
"""

import numpy as np
import pytest
import soxr

from tests.harness.metrics.speech import RATE_HZ, held_against, late, speech, with_noise
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics import alignment
from voxgate.harness.metrics.alignment import Aligned, aligned, find_lag, lag
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing, MissingKind


def pair(reference: np.ndarray, heard: np.ndarray, rate_hz: int = RATE_HZ) -> Aligned:
    found = aligned(held_against(reference, heard, rate_hz))
    assert isinstance(found, Aligned), found
    return found


@pytest.mark.parametrize("by", [1, -1, 16, 320, -320, 4_800, -4_800, 8_000])
def test_a_delay_is_found_to_the_frame_and_removed(by: int):
    found = pair(speech(), late(speech(), by))
    assert found.lag_s == by / RATE_HZ
    assert np.array_equal(found.reference, found.candidate)
    assert len(found.reference) == len(speech()) - abs(by)


@pytest.mark.parametrize(
    "change", [lambda x: x / 2, lambda x: -x, lambda x: with_noise(x, 3.0), lambda x: x + 0.1]
)
def test_a_delay_is_found_through_level_polarity_noise_and_offset(change):
    assert find_lag(speech(), change(late(speech(), 320)), RATE_HZ) == 320


@pytest.mark.parametrize(
    "change",
    [lambda x: x, lambda x: x / 2, lambda x: -x, lambda x: with_noise(x, 3.0), lambda x: x + 0.1],
)
def test_what_is_in_time_stays_where_it_is(change):
    assert lag(held_against(speech(), change(speech()))) == 0.0


def test_beyond_the_range_no_lag_is_found():
    far = round((alignment.FARTHEST_S + 0.02) * RATE_HZ)
    assert find_lag(speech(), late(speech(), far), RATE_HZ) == 0


def test_another_voice_is_not_slid_until_it_fits():
    """
    The same speech backwards shares its spectrum and its pitches, and nothing of the waveform.
    """
    assert find_lag(speech(), speech()[::-1], RATE_HZ) == 0


def test_noise_of_the_same_length_has_no_lag():
    random = np.random.default_rng(0)
    assert find_lag(random.standard_normal(RATE_HZ), random.standard_normal(RATE_HZ), RATE_HZ) == 0


def test_of_the_lags_of_a_tone_the_nearest_is_taken():
    tone = np.sin(2 * np.pi * 100 * np.arange(RATE_HZ) / RATE_HZ)
    assert abs(find_lag(tone, np.roll(tone, 20), RATE_HZ)) <= 80
    assert find_lag(tone, tone, RATE_HZ) == 0


def test_added_silence_of_one_percent_is_a_lag():
    added = len(speech()) // 100
    found = pair(speech(), np.concatenate([np.zeros(added), speech()]))
    assert found.lag_s == added / RATE_HZ
    assert np.array_equal(found.candidate, speech())


def test_long_audio_is_aligned_across_the_blocks():
    long = np.random.default_rng(1).standard_normal(alignment.BLOCK * 2 + 77)
    assert find_lag(long, late(long, 1_234), RATE_HZ) == 1_234


def test_what_need_not_be_cut_is_the_recording_itself():
    inputs = held_against(speech(), with_noise(speech(), 20.0))
    found = aligned(inputs)
    assert isinstance(found, Aligned)
    assert found.reference_audio is inputs.reference
    assert found.candidate_audio is inputs.audio


def test_a_pair_is_aligned_once_and_another_reference_anew():
    heard, near, far = (
        Recording(frames, RATE_HZ) for frames in (speech(), speech(), late(speech(), 160))
    )
    first = MetricInput(audio=heard, reference=near)
    assert aligned(first) is aligned(MetricInput(audio=heard, reference=near))
    assert lag(first) == 0.0
    assert lag(MetricInput(audio=heard, reference=far)) == -0.01


def test_durations_beyond_two_percent_apart_are_missing():
    half = speech()[: 2 * RATE_HZ]
    assert lag(held_against(half, half[: int(1.9 * RATE_HZ)])) == Missing(
        "durations differ: 1.90 s against 2.00 s", MissingKind.DURATIONS_DIFFER
    )


def test_other_sample_rates_are_missing():
    inputs = MetricInput(
        audio=Recording(soxr.resample(speech(), RATE_HZ, 8_000), 8_000),
        reference=Recording(speech(), RATE_HZ),
    )
    assert lag(inputs) == Missing("sample rates differ: 8000 Hz against 16000 Hz")


@pytest.mark.parametrize("frames", [np.ones(1), np.ones(2), np.ones(5), np.sin(np.arange(800.0))])
def test_a_few_frames_have_no_lag(frames: np.ndarray):
    assert lag(held_against(frames, frames)) == 0.0


def test_silence_over_the_common_length_is_missing():
    begins = np.concatenate([np.zeros(1_000), np.ones(10)])
    assert lag(held_against(begins, np.ones(1_000))) == Missing(
        "one of the two is silent over their common length"
    )


def test_ten_minutes_are_aligned():
    long = np.random.default_rng(2).standard_normal(600 * 8_000)
    assert pair(long, late(long, 800), 8_000).lag_s == 0.1
