"""
voxgate.engine.pipelines.batching: groups, the memory rule, and the queue in front of a voice. No
model.
"""

import queue
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from voxgate.engine.config import MAX_BATCH
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.batching import (
    BYTES_PER_FRAME,
    FRAMES_PER_CHARACTER,
    MEMORY_SHARE,
    Batcher,
    batch_by_length,
    batch_from_memory,
    free_bytes,
    in_turn,
    padded_frames,
)

LONG_S = 60.0
"""A window that no test waits for."""


def test_neighbours_are_spoken_together_and_the_first_alone_where_that_is_wanted():
    assert [list(group) for group in in_turn(5, 2)] == [[0, 1], [2, 3], [4]]
    assert [list(group) for group in in_turn(5, 2, first_alone=True)] == [[0], [1, 2], [3, 4]]
    assert [list(group) for group in in_turn(1, 4, first_alone=True)] == [[0]]
    assert in_turn(0, 4, first_alone=True) == []


def test_like_goes_with_like_and_the_earliest_comes_first():
    assert batch_by_length([10, 90, 12, 95, 11], max_count=2) == [[0], [3, 1], [2, 4]]


def test_a_group_is_bounded_by_its_padded_length_and_what_is_longer_goes_alone():
    assert batch_by_length([50, 40, 200, 30], max_count=9, max_padded=100) == [[0, 1], [2], [3]]


@given(
    st.lists(st.integers(0, 500), max_size=40),
    st.integers(1, 9),
    st.one_of(st.none(), st.integers(1, 2000)),
)
def test_every_utterance_is_in_one_group_within_both_bounds(lengths, count, padded):
    groups = batch_by_length(lengths, max_count=count, max_padded=padded)

    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(len(group) <= count for group in groups)
    assert padded is None or all(
        len(g) == 1 or len(g) * max(lengths[i] for i in g) <= padded for g in groups
    )
    assert [min(group) for group in groups] == sorted(min(group) for group in groups)


def test_a_group_of_none_is_refused():
    with pytest.raises(EngineError, match="max_count of 1 or more"):
        batch_by_length([1], max_count=0)


def test_the_batch_follows_free_memory_between_one_and_the_most():
    chunk_bytes = 90 * FRAMES_PER_CHARACTER * BYTES_PER_FRAME

    assert batch_from_memory(0, 90, 1.0) == 1
    assert batch_from_memory(5 * chunk_bytes * MEMORY_SHARE, 90, 1.0) == 5
    assert batch_from_memory(5 * chunk_bytes * MEMORY_SHARE, 90, 0.5) == 2  # slow speech is longer
    assert batch_from_memory(1 << 60, 90, 1.0) == MAX_BATCH
    assert padded_frames(0) == 1


def test_free_memory_is_what_the_tighter_of_system_and_group_leaves(tmp_path):
    (tmp_path / "memory.current").write_text("300\n")
    for limit, free in (("1000\n", 700), ("200\n", 0)):
        (tmp_path / "memory.max").write_text(limit)
        assert free_bytes(torch.device("cpu"), tmp_path) == free
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(torch.device("cpu"), tmp_path) > 1000
    assert free_bytes(torch.device("cpu"), tmp_path / "none") > 1000


class Voice:
    """Speaks a text as its length; fails at "bad"; waits, if it is told to, until it may go on."""

    def __init__(self, *, held: bool = False) -> None:
        self.calls: list[list[str]] = []
        self.options: list[object] = []
        self.begun, self.go = threading.Event(), threading.Event()
        if not held:
            self.go.set()

    def __call__(self, texts, options):
        self.calls.append(list(texts))
        self.options += options
        self.begun.set()
        assert self.go.wait(LONG_S)
        if "bad" in texts:
            raise EngineError("nothing in 'bad' can be spoken")
        return [np.full(2, len(text), np.float32) for text in texts]


@pytest.fixture(name="batcher")
def _batcher():
    made = []

    def make(voice, **settings):
        made.append((Batcher(voice, **{"max_batch": 3, "window_s": 0.0, **settings}), voice))
        return made[-1][0]

    yield make
    for batcher, voice in made:
        voice.go.set()
        batcher.close()


def test_a_full_group_does_not_wait_for_the_window_and_everyone_gets_his_own_audio(batcher):
    voice = Voice()
    queued = batcher(voice, window_s=LONG_S)
    futures = [
        queued.submit(text, {"speed": speed})
        for text, speed in (("a", 1.0), ("bbb", 2.0), ("cc", 0.5))
    ]

    assert [future.result(LONG_S)[0] for future in futures] == [1, 3, 2]
    assert [sorted(call) for call in voice.calls] == [["a", "bbb", "cc"]]
    assert {"speed": 2.0} in voice.options


def test_a_lone_text_is_spoken_when_its_window_is_over(batcher):
    assert batcher(Voice(), window_s=0.01).submit("alone").result(LONG_S).size == 2


def test_of_many_that_wait_those_like_the_earliest_are_spoken_first(batcher):
    voice = Voice(held=True)
    queued = batcher(voice, max_batch=2)
    first = queued.submit("busy")
    assert voice.begun.wait(LONG_S)
    futures = [queued.submit("x" * length) for length in (4, 90, 5, 99)]
    voice.go.set()

    assert [future.result(LONG_S)[0] for future in (first, *futures)] == [4, 4, 90, 5, 99]
    assert [sorted(map(len, call)) for call in voice.calls] == [[4], [4, 5], [90, 99]]


def test_a_full_queue_refuses_and_a_cancelled_text_gives_its_place_back(batcher):
    voice = Voice(held=True)
    queued = batcher(voice, max_batch=1, max_waiting=2)
    queued.submit("busy")
    assert voice.begun.wait(LONG_S)
    waiting = [queued.submit("one"), queued.submit("two")]

    with pytest.raises(queue.Full, match="2 texts wait already"):
        queued.submit("three")
    assert waiting[0].cancel()
    third = queued.submit("three")
    voice.go.set()
    assert third.result(LONG_S)[0] == 5
    assert ["one"] not in voice.calls


def test_when_all_that_waited_was_cancelled_the_next_is_still_spoken(batcher):
    voice = Voice()
    queued = batcher(voice, max_batch=2, window_s=LONG_S)
    assert queued.submit("gone").cancel()

    futures = [queued.submit(text) for text in ("a", "bb")]
    assert [future.result(LONG_S)[0] for future in futures] == [1, 2]
    assert all("gone" not in call for call in voice.calls)


def test_a_bad_text_fails_by_itself(batcher):
    queued = batcher(Voice(), window_s=LONG_S)
    futures = [queued.submit(text) for text in ("good", "bad", "also")]

    assert futures[0].result(LONG_S)[0] == futures[2].result(LONG_S)[0] == 4
    with pytest.raises(EngineError, match="'bad'"):
        futures[1].result(LONG_S)


def test_a_voice_that_gives_too_little_is_an_error_and_no_hang(batcher):
    class Stingy(Voice):
        def __call__(self, texts, options):
            return super().__call__(texts, options)[1:]

    queued = batcher(Stingy(), max_batch=1)

    with pytest.raises(EngineError, match="1 texts were asked for and 0 waveforms came"):
        queued.submit("a").result(LONG_S)


def test_closing_speaks_what_waits_and_takes_no_more():
    voice = Voice(held=True)
    queued = Batcher(voice, max_batch=1, window_s=0.0)
    futures = [queued.submit(text) for text in ("a", "bb", "ccc")]
    voice.go.set()
    queued.close()
    queued.close()

    assert [future.result(0)[0] for future in futures] == [1, 2, 3]
    with pytest.raises(EngineError, match="closed"):
        queued.submit("late")


@pytest.mark.parametrize(
    "settings",
    [{"max_batch": 0}, {"max_waiting": 0}, {"window_s": -0.1}, {"window_s": float("nan")}],
)
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(EngineError, match="must be at least 1"):
        Batcher(Voice(), **settings)
