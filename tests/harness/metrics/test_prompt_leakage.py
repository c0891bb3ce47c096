"""
Spill-over: the prompt's last sounds before the speech are measured, another utterance of the voice
is not taken for them.
"""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech, with_noise
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.telephone import line
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.prompt_leakage import prompt_leakage_s
from voxgate.harness.records.measurement import Missing

HALF = len(speech()) // 2


def prompt() -> np.ndarray:
    return np.concatenate([speech()[HALF:], np.zeros(RATE_HZ // 5)])


def target() -> np.ndarray:
    return np.concatenate([np.zeros(RATE_HZ // 10), speech()[:HALF]])


def of(heard: np.ndarray, voice: np.ndarray | None = None) -> MetricInput:
    return MetricInput(
        audio=Recording(heard, RATE_HZ),
        voice=Recording(prompt() if voice is None else voice, RATE_HZ),
    )


def spilled(length_s: float) -> np.ndarray:
    loud = np.flatnonzero(np.abs(prompt()) > 0.02 * np.abs(prompt()).max())[-1]
    return np.concatenate(
        [prompt()[loud - round(length_s * RATE_HZ) : loud + RATE_HZ // 20], target()]
    )


def test_another_utterance_of_the_voice_has_no_spill():
    assert prompt_leakage_s(of(target())) == 0.0
    assert prompt_leakage_s(of(speech())) == 0.0


@pytest.mark.parametrize("length_s", [0.25, 0.4, 0.8])
def test_the_end_of_the_prompt_is_measured(length_s: float):
    assert prompt_leakage_s(of(spilled(length_s))) == pytest.approx(length_s, abs=0.08)


def test_level_noise_and_a_telephone_line_do_not_hide_it():
    heard = spilled(0.4)
    for changed in (heard / 16, with_noise(heard, 30.0)):
        assert prompt_leakage_s(of(changed)) == pytest.approx(0.4, abs=0.1)
    called = of(
        line(Recording(heard, RATE_HZ)).samples, voice=line(Recording(prompt(), RATE_HZ)).samples
    )
    assert prompt_leakage_s(called) == pytest.approx(0.4, abs=0.1)


def test_the_start_of_the_prompt_is_no_spill():
    heard = np.concatenate([prompt()[: RATE_HZ // 2], target()])
    assert prompt_leakage_s(of(heard)) == 0.0


@pytest.mark.parametrize("bad", [np.zeros(0), np.zeros(RATE_HZ), np.array([0.1, np.nan] * 1000)])
def test_without_speech_on_either_side_there_is_no_value(bad: np.ndarray):
    assert isinstance(prompt_leakage_s(of(bad)), Missing)
    assert isinstance(prompt_leakage_s(of(target(), voice=bad)), Missing)
