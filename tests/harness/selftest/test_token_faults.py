"""
Each fault of a token model, planted into real speech, is seen by the metric that is there for it,
and by no neighbour; requests are changed as the fault says.
"""

from dataclasses import replace

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, TEXT, speech
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.duration import cut_tail, length_off, length_ratio
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.prompt_leakage import prompt_leakage_s, prompt_snippet_s
from voxgate.harness.metrics.repetition import held_sound_s, longest_held_s
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Missing, is_hidden
from voxgate.harness.selftest import token_faults
from voxgate.harness.selftest.fault_effects import Change, SpokenUtterance

SPOKEN = SpokenUtterance(audio=speech().astype(np.float32), rate_hz=RATE_HZ, text=TEXT)


def _inputs(change: Change | None = None, voice: np.ndarray | None = None) -> MetricInput:
    spoken = (
        SPOKEN
        if voice is None
        else SpokenUtterance(
            audio=SPOKEN.audio, rate_hz=RATE_HZ, text=TEXT, voice=voice.astype(np.float32)
        )
    )
    audio = spoken.audio if change is None else change(spoken)
    assert audio is not None
    return MetricInput(
        audio=Recording(audio, RATE_HZ),
        text=TEXT,
        voice=None if voice is None else Recording(voice, RATE_HZ),
    )


def test_clean_speech_shows_none_of_it() -> None:
    clean = _inputs(voice=speech()[::-1].copy())

    assert (length_off(clean), held_sound_s(clean), prompt_snippet_s(clean)) == (0.0, 0.0, 0.0)
    assert length_ratio(clean) == pytest.approx(0.85, abs=0.15)


def test_running_away_is_seen_by_the_length() -> None:
    for make in (token_faults.babble, token_faults.held):
        away = _inputs(make(10.0))
        assert length_off(away) == 1.0
        assert length_ratio(away) > 3.0
        end = cut_tail(away)
        assert end == 0.0 or is_hidden(end), "it dies away"
    assert held_sound_s(_inputs(token_faults.held(2.0))) == pytest.approx(1.6, abs=0.3)
    assert held_sound_s(_inputs(token_faults.babble(10.0))) == 0.0


def test_a_stuck_phone_is_a_held_sound_and_speech_goes_on() -> None:
    change = token_faults.stuck(1.5)
    held = _inputs(change)

    assert held_sound_s(held) == pytest.approx(1.1, abs=0.3)
    assert np.array_equal(held.audio.samples[-2_000:], SPOKEN.audio[-2_000:])
    assert held_sound_s(_inputs(token_faults.stuck(0.2))) == 0.0


def test_an_early_end_is_seen_by_the_length() -> None:
    assert length_off(_inputs(token_faults.ended_early(0.4))) == 1.0


def test_a_snippet_of_the_prompt_is_found_wherever_it_comes_from() -> None:
    prompt = np.roll(speech(), RATE_HZ)[::-1].copy()
    spilt = _inputs(token_faults.snippet(0.6), voice=prompt)

    assert prompt_snippet_s(spilt) == pytest.approx(0.6, abs=0.15)
    assert prompt_leakage_s(spilt) == 0.0, "it is not the prompt's end"


def test_what_cannot_be_scored_says_so() -> None:
    silent = MetricInput(audio=Recording(np.zeros(RATE_HZ), RATE_HZ), text=TEXT)
    spanish = MetricInput(audio=Recording(speech(), RATE_HZ), text="Hola.", language="es")

    for value in (length_ratio(silent), longest_held_s(silent.audio), length_off(spanish)):
        assert isinstance(value, Missing)
    assert isinstance(length_ratio(MetricInput(audio=silent.audio, text="...")), Missing)


def _said(text: str, respeak: object) -> str | None:
    changed = respeak(Request(id="u1", text=text), ())  # type: ignore[operator]
    return None if changed is None else changed.text


def test_words_are_said_twice_and_left_out() -> None:
    text = "The library has a quiet, cool room for students."

    assert _said(text, token_faults.said_twice(1)) == (
        "The library has a quiet quiet, cool room for students."
    )
    assert _said(text, token_faults.said_twice(3)) == (
        "The library has a quiet cool a quiet, cool room for students."
    )
    assert _said(text, token_faults.without_end(1)) == "The library has a quiet, cool room for."
    assert _said("Is it cold in the room?", token_faults.without_end(3)) == "Is it cold?"
    assert _said("Too short.", token_faults.said_twice(1)) is None
    assert _said("Too short.", token_faults.without_end(1)) is None


def test_what_is_too_short_to_be_spoilt_is_left_out() -> None:
    tiny = SpokenUtterance(audio=np.ones(500, np.float32), rate_hz=RATE_HZ)

    for change in (token_faults.babble(2.0), token_faults.held(2.0), token_faults.stuck(0.6)):
        assert change(tiny) is None
    assert token_faults.snippet(0.6)(tiny) is None


REQUESTS = (
    Request(id="u1", text="The library has a quiet, cool room for students."),
    Request(id="u2", text="Is it cold?"),
)


def _told(index: int, respeak: token_faults.Respeak) -> str | None:
    changed = respeak(REQUESTS[index], REQUESTS)
    return None if changed is None else changed.text


def test_another_text_is_said_or_the_beginning_of_one_behind_it() -> None:
    assert _told(0, token_faults.other_text) == "Is it cold?"
    assert _told(1, token_faults.other_text) == REQUESTS[0].text
    assert _told(1, token_faults.more_text) == "Is it cold? The library has a quiet."
    assert token_faults.other_text(REQUESTS[0], REQUESTS[:1]) is None
    assert token_faults.more_text(REQUESTS[0], REQUESTS[:1]) is None


def test_words_are_left_out_anywhere() -> None:
    assert _told(0, token_faults.without_first_word) == REQUESTS[0].text[4:]
    assert _told(0, token_faults.without_middle_word) == (
        "The has a quiet, cool room for students."
    )
    assert _told(0, token_faults.without_second_half) == "The library has a quiet."
    for respeak in (token_faults.without_middle_word, token_faults.without_second_half):
        assert _told(1, respeak) is None


def test_another_utterance_is_heard_instead_or_behind() -> None:
    spoken = replace(SPOKEN, other=SPOKEN.audio[::-1].copy())
    assert np.array_equal(token_faults.another_sentence(spoken), spoken.other)
    longer = token_faults.hallucinated(2.0)(spoken)
    assert len(longer) == pytest.approx(len(SPOKEN.audio) + 2.2 * RATE_HZ, abs=0.3 * RATE_HZ)
    for change in (token_faults.another_sentence, token_faults.hallucinated(2.0)):
        assert change(SPOKEN) is None
    late = token_faults.begun_late(SPOKEN)
    assert 0.1 * RATE_HZ < len(SPOKEN.audio) - len(late) < 0.5 * len(SPOKEN.audio)
