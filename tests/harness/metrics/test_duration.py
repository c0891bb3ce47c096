"""Duration, and characters per second of it."""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, TEXT, speech
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.duration import chars_per_s, duration_s
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing


def of(frames: np.ndarray, text: str = TEXT) -> MetricInput:
    return MetricInput(audio=Recording(frames, RATE_HZ), text=text)


def test_duration_is_frames_over_rate():
    assert duration_s(of(np.zeros(24_000))) == 1.5


@pytest.mark.parametrize(
    ("heard", "reason"),
    [(np.zeros(0), "empty"), (np.array([0.0, np.nan]), "NaN"), (np.array([np.inf]), "infinity")],
)
def test_unplayable_audio_has_neither(heard: np.ndarray, reason: str):
    for metric in (duration_s, chars_per_s):
        value = metric(of(heard))
        assert isinstance(value, Missing)
        assert reason in value.reason


def test_letters_and_digits_count_and_nothing_else():
    assert chars_per_s(of(np.zeros(2 * RATE_HZ), "¿Qué? 24, no!")) == 7 / 2


def test_speech_has_an_ordinary_pace():
    assert 12.0 < chars_per_s(of(speech())) < 18.0


def test_babble_after_the_text_halves_the_pace():
    assert chars_per_s(of(np.concatenate([speech(), speech()]))) == chars_per_s(of(speech())) / 2


def test_a_text_without_letters_has_no_pace():
    assert chars_per_s(of(speech(), "... !")) == Missing("the text has no letters")
