"""
Sending: how many at once, and whether anybody waits for anybody. No clock is trusted; events hold
requests back.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.harness.targets.speech_servers import Reply, fake_server, tone, wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.load.driver import Driver, Speak, drive
from voxgate.harness.load.plan import Extent, Level
from voxgate.harness.load.records import (
    LoadPhase,
    ResponseRecord,
    read_cell,
)
from voxgate.harness.load.summary import at_once
from voxgate.harness.machine.clock import instant_s, sleep
from voxgate.harness.records.cell import Request
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.run import FailureKind
from voxgate.harness.targets.http.client import Ask, ReceivedAudio, SpeechApi, SpeechError

REQUESTS = tuple(Request(id=f"r{number}", text="One.") for number in range(3))
PIECE = ReceivedAudio(audio=np.zeros(800, np.float32), rate_hz=16_000)


def driven(
    speak: Speak, level: Level, extent: Extent, timeout_s: float = 10.0
) -> list[ResponseRecord]:
    answers: list[ResponseRecord] = []
    driver = Driver(speak=speak, record=answers.append, timeout_s=timeout_s, zero_s=instant_s())
    drive(driver, level, REQUESTS, extent, seed=1)
    return answers


def test_an_open_load_waits_for_nobody() -> None:
    """
    All twenty must have been sent before the first is answered; a load that waited for answers
    would never get there.
    """
    sent, all_sent, counting = [0], threading.Event(), threading.Lock()

    def speak(_: Request) -> Iterator[ReceivedAudio]:
        with counting:
            sent[0] += 1
            if sent[0] == 20:
                all_sent.set()
        assert all_sent.wait(10)
        yield PIECE

    answers = driven(speak, Level(rate_per_s=200.0), Extent(requests=20))

    planned = sorted(answer.planned_s for answer in answers)
    assert len(answers) == 20 and not any(answer.failure for answer in answers)
    first = min(answers, key=lambda answer: answer.planned_s)
    # the stall is in the latency of those who came during it
    assert first.latency_s >= planned[-1] - planned[0]
    assert all(answer.planned_s <= answer.sent_s for answer in answers)


def test_latency_counts_from_the_planned_instant_even_where_the_load_is_late() -> None:
    driver = Driver(
        speak=lambda _: iter([PIECE]),
        record=lambda _: None,
        timeout_s=1.0,
        zero_s=instant_s() - 100.0,
    )
    answer = driver.ask(REQUESTS[0], LoadPhase.LOADED, "open-1", planned_s=60.0)

    assert answer.latency_s >= 40.0 and answer.wait_s is not None and answer.wait_s >= 40.0


@pytest.mark.parametrize("clients", [1, 3])
def test_a_closed_load_has_just_so_many_in_flight(clients: int) -> None:
    together = threading.Barrier(clients, timeout=10)

    def speak(_: Request) -> Iterator[ReceivedAudio]:
        together.wait()  # breaks if fewer are in flight
        yield PIECE

    answers = driven(speak, Level(clients=clients), Extent(requests=6))

    assert len(answers) == 6 and not any(answer.failure for answer in answers)
    assert at_once(answers) == clients


def test_a_closed_load_ends_with_its_time() -> None:
    answers = driven(lambda _: iter([PIECE]), Level(clients=2), Extent(duration_s=0.05))

    assert answers and at_once(answers) <= 2


def test_failures_are_recorded_by_kind_and_nobody_stops() -> None:
    def speak(request: Request) -> Iterator[ReceivedAudio]:
        yield PIECE
        if request.id == "r0":
            raise SpeechError(FailureKind.BROKEN_OFF, "half-way")
        if request.id == "r1":
            raise KeyError("a mistake of ours")

    answers = driven(speak, Level(clients=1), Extent(requests=6))
    found = {answer.request: (answer.failure, answer.reason) for answer in answers}

    assert len(answers) == 6
    assert found == {
        "r0": ("broken off", "half-way"),
        "r1": ("error", "KeyError: 'a mistake of ours'"),
        "r2": ("", ""),
    }


def test_an_answer_that_never_ends_is_given_up() -> None:
    def endless(_: Request) -> Iterator[ReceivedAudio]:
        while True:
            yield PIECE

    (answer,) = driven(endless, Level(clients=1), Extent(requests=1), timeout_s=0.05)

    assert answer.failure == "timeout" and "not complete after 0.05 s" in answer.reason


def test_after_ctrl_c_nothing_more_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    may, both = threading.Event(), threading.Event()

    def speak(request: Request) -> Iterator[ReceivedAudio]:
        asked.append(request.id)
        if len(asked) == 2:
            both.set()
        assert may.wait(10)
        yield PIECE
        if request.id == asked[0]:
            raise SpeechError(FailureKind.BROKEN_OFF, "since nobody listens any more")

    def interrupted(*_: object) -> None:
        assert both.wait(10)
        raise KeyboardInterrupt

    threads: list[threading.Thread] = []
    start = threading.Thread.start

    def starting(thread: threading.Thread) -> None:
        threads.append(thread)
        start(thread)

    answers: list[ResponseRecord] = []
    driver = Driver(speak=speak, record=answers.append, timeout_s=10.0, zero_s=instant_s())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", starting)
        patch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            drive(driver, Level(clients=2), REQUESTS, Extent(requests=9), seed=1)
    may.set()
    for thread in threads:
        thread.join(10)
    assert len(asked) == 2
    # breaking off is nobody's failure
    assert [(answer.request, answer.failure) for answer in answers] == [(asked[1], "")]


def test_an_answer_survives_being_written_down() -> None:
    (answer,) = driven(lambda _: iter([PIECE]), Level(clients=1), Extent(requests=1))

    assert from_json(ResponseRecord, to_json(answer)) == answer
    assert answer.audio_s == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("each_s", "underruns"), [(0.05, 1), (1000.0, 0)], ids=["runs dry", "has enough in hand"]
)
def test_a_listener_who_runs_dry_is_noted(each_s: float, underruns: int) -> None:
    piece = ReceivedAudio(audio=np.zeros(round(each_s * 100), np.float32), rate_hz=100)

    def speak(_: Request) -> Iterator[ReceivedAudio]:
        yield piece
        sleep(0.2)
        yield piece

    (answer,) = driven(speak, Level(clients=1), Extent(requests=1))
    assert (answer.underruns, answer.audio_s) == (underruns, 2 * each_s)
    assert from_json(ResponseRecord, to_json(answer)) == answer


def test_of_an_answer_that_never_came_nobody_says_how_it_played() -> None:
    def speak(_: Request) -> Iterator[ReceivedAudio]:
        raise SpeechError(FailureKind.BUSY, "no place")
        yield PIECE

    (answer,) = driven(speak, Level(clients=1), Extent(requests=1))
    assert answer.failure == "busy" and answer.underruns is None


def test_a_server_that_sends_something_else_than_was_asked_for_serves_nobody() -> None:
    """A whole WAV file decoded as bare frames would be very fast speech."""
    with fake_server(Reply(headers={"Content-Type": "audio/pcm"}, parts=(wav(tone()),))) as fake:
        api = SpeechApi(fake.url, timeout_s=5.0)
        ask = Ask(text="One.", model="tiny", form="pcm")
        (answer,) = driven(lambda _: api.speak(ask), Level(clients=1), Extent(requests=1))
    assert (answer.failure, answer.reason) == (
        "bad format",
        "the audio is not bare 16-bit PCM: a WAV file was sent",
    )
    assert answer.audio_s == 0.0


def test_a_damaged_line_of_a_load_is_one_error_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"kind": "answer", "phase": "noon"}\n', encoding="utf-8")
    with pytest.raises(HarnessError, match=r"a\.jsonl: "):
        read_cell(tmp_path, "a")
