"""Faults are what their names say, of the size that they say, and the same every time."""

from dataclasses import replace

import numpy as np
import pytest

from harness.cell import Request
from harness.metrics.clicks import clicks_per_s
from harness.metrics.parity import snr_db
from harness.selftest.faults import (
    FAULTS,
    click,
    cut_tail,
    dropout,
    mute_tail,
    noise,
    other_speaker,
    rounded,
    wrong_word,
)
from tests.harness.metrics.speech import speech

RATE_HZ = 16_000
REQUESTS = (
    Request(id="r1", text="Where are the Scissors?", options={"speaker": "slt"}),
    Request(id="r2", text="Over the window.", options={"speaker": "rms"}),
)


@pytest.fixture(scope="module", name="voice")
def _voice() -> np.ndarray:
    """A second of tone between silences, as float32."""
    time_s = np.arange(RATE_HZ) / RATE_HZ
    tone = 0.3 * np.sin(2 * np.pi * 200 * time_s) * np.sin(np.pi * time_s)
    return np.concatenate([np.zeros(1600), tone, np.zeros(1600)]).astype(np.float32)


@pytest.mark.parametrize(
    "fault",
    [each for several in FAULTS.values() for each in several if each.change],
    ids=lambda fault: f"{fault.name} {fault.strength}",
)
def test_a_fault_is_the_same_every_time_and_leaves_the_audio_it_was_given(fault, voice) -> None:
    before = voice.copy()
    first, second = fault.change(voice, RATE_HZ), fault.change(voice, RATE_HZ)
    assert np.array_equal(first, second)
    assert np.array_equal(voice, before)
    assert not np.array_equal(first, voice)
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 1.0


def test_a_click_is_one_frame_in_the_speech(voice) -> None:
    (place,) = np.flatnonzero(click(1.0)(voice, RATE_HZ) != voice)
    assert place == pytest.approx(1600 + RATE_HZ / 2, abs=80)


def test_a_dropout_is_as_long_as_it_says(voice) -> None:
    gone = np.flatnonzero(dropout(0.02)(voice, RATE_HZ) != voice)
    assert gone[-1] - gone[0] + 1 == pytest.approx(0.02 * RATE_HZ, abs=2)


def test_a_cut_tail_takes_the_silence_and_so_much_speech(voice) -> None:
    speech_ends = np.flatnonzero(np.abs(voice) > 0.003)[-1] + 1
    assert len(cut_tail(0.08)(voice, RATE_HZ)) == speech_ends - 0.08 * RATE_HZ


def test_a_muted_tail_leaves_the_audio_as_long_as_it_was(voice) -> None:
    muted = mute_tail(0.08)(voice, RATE_HZ)
    assert len(muted) == len(voice)
    speech_ends = np.flatnonzero(np.abs(voice) > 0.003)[-1] + 1
    assert np.flatnonzero(muted)[-1] == speech_ends - 0.08 * RATE_HZ - 1


@pytest.mark.parametrize("ratio_db", [20, 30, 40])
def test_noise_is_as_far_below_the_speech_as_it_says(ratio_db, voice) -> None:
    assert snr_db(voice, noise(ratio_db)(voice, RATE_HZ), RATE_HZ) == pytest.approx(ratio_db, abs=0.2)


def test_rounding_to_16_bits_is_not_heard(voice) -> None:
    assert snr_db(voice, rounded(16)(voice, RATE_HZ), RATE_HZ) > 70


def test_a_wrong_word_stands_for_the_longest() -> None:
    assert wrong_word(REQUESTS[0], REQUESTS) == replace(REQUESTS[0], text="Where are the window?")
    assert wrong_word(REQUESTS[1], REQUESTS) == replace(REQUESTS[1], text="Over the orange.")
    assert wrong_word(Request(id="r", text="12"), REQUESTS) is None


def test_another_speaker_is_one_of_the_workload() -> None:
    said = other_speaker(REQUESTS[0], REQUESTS)
    assert said is not None and said.options == {"speaker": "rms"}
    assert other_speaker(REQUESTS[0], REQUESTS[:1]) is None
    assert other_speaker(Request(id="r", text="One."), REQUESTS) is None


def test_strengths_rise_and_only_rounding_is_harmless() -> None:
    assert [kind for kind, several in FAULTS.items() if several[0].harmless] == ["rounding"]
    assert [fault.strength for fault in FAULTS["noise"]] == ["40 dB below", "30 dB below", "20 dB below"]


def test_the_greatest_click_is_one_that_the_detector_hears() -> None:
    audio = speech()
    assert clicks_per_s(audio, RATE_HZ) == 0.0
    assert clicks_per_s(click(1.0)(audio.astype(np.float32), RATE_HZ), RATE_HZ) > 0.0
