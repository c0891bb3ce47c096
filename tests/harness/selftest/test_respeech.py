"""What an engine is asked to say instead."""

from dataclasses import replace

from voxgate.harness.records.cell import Request
from voxgate.harness.selftest.faults import as_statement, at_speed, other_speaker, wrong_word

REQUESTS = (
    Request(id="r1", text="Where are the Scissors?", options={"speaker": "slt"}),
    Request(id="r2", text="Over the window.", options={"speaker": "rms"}),
)


def test_a_wrong_word_stands_for_the_longest() -> None:
    assert wrong_word(REQUESTS[0], REQUESTS) == replace(REQUESTS[0], text="Where are the window?")
    assert wrong_word(REQUESTS[1], REQUESTS) == replace(REQUESTS[1], text="Over the orange.")
    assert wrong_word(Request(id="r", text="12"), REQUESTS) is None


def test_another_speaker_is_one_of_the_workload() -> None:
    said = other_speaker(REQUESTS[0], REQUESTS)
    assert said is not None and said.options == {"speaker": "rms"}
    assert other_speaker(REQUESTS[0], REQUESTS[:1]) is None
    assert other_speaker(Request(id="r", text="One."), REQUESTS) is None


def test_a_question_is_told_and_a_statement_is_none() -> None:
    assert as_statement(REQUESTS[0], REQUESTS) == replace(
        REQUESTS[0], text="Where are the Scissors."
    )
    assert as_statement(REQUESTS[1], REQUESTS) is None


def test_a_pace_is_that_of_the_request_times_so_much() -> None:
    said = at_speed(1.1)(REQUESTS[0], REQUESTS)
    assert said is not None and said.options == {"speaker": "slt", "speed": 1.1}
    slow = at_speed(0.5)(Request(id="r", text="One.", options={"speed": 0.8}), REQUESTS)
    assert slow is not None and slow.options == {"speed": 0.4}
