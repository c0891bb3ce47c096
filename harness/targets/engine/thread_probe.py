"""
Records in which threads an engine's passes run, and how many compute at one time. It decides
nothing.

Whether short calls overlap would be chance, so threads are held at their first product until as
many have arrived as could, and a moment longer in case there are more. Threads that wait for each
other never overlap.
"""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from voxgate.engine.pipelines.batching import in_turn
from voxgate.engine.pipelines.flow import initial_noise
from voxgate.engine.text.frontend import phonemise

PATIENCE_S = 10.0
"""
How long the first thread is held for the others; reached only if the engine does not let them
overlap.
"""
LINGER_S = 0.2
"""How much longer, in case more arrive than may."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ThreadMark:
    """
    When and where an event was recorded: its position among all events, the thread, and torch's
    thread count there.
    """

    at: int
    thread: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdSeen:
    """
    The threads of one observed synthesis.

    lanes: the thread of every pass of the acoustic model: 0 is the caller's own, the others are
    numbered in the order of their first event.
    vocoder_lanes: the same of every call of the vocoder.
    threads: torch's thread count in every pass.
    most: largest number of threads that computed at one time; compiled models are not counted.
    """

    lanes: tuple[int, ...]
    vocoder_lanes: tuple[int, ...]
    threads: tuple[int, ...]
    most: int


class Crowd:
    """Counts the threads that compute. `could_meet`: how many could; a single one is not held."""

    def __init__(self, could_meet: int = 1) -> None:
        self.most = 0
        self._could_meet = could_meet
        self._caller = threading.get_ident()
        self._notes = itertools.count()
        self._inside = 0
        self._over = could_meet < 2
        self._changed = threading.Condition()

    def mark(self) -> ThreadMark:
        """Return the mark of an event in this thread."""
        return ThreadMark(next(self._notes), threading.get_ident(), torch.get_num_threads())

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Count this thread while it computes; hold it first, if others are still to arrive."""
        with self._changed:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._changed.notify_all()
            if not self._over and threading.get_ident() != self._caller:
                self._hold()
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1

    def _hold(self) -> None:
        self._changed.wait_for(lambda: self._over or self._inside >= self._could_meet, PATIENCE_S)
        self._changed.wait_for(lambda: self._over or self._inside > self._could_meet, LINGER_S)
        self._over = True
        self._changed.notify_all()

    def seen(self, passes: Sequence[ThreadMark], vocoder: Sequence[ThreadMark]) -> CrowdSeen:
        """Return the record, from the marks of every pass and of every call of the vocoder."""
        others = dict.fromkeys(
            mark.thread for mark in (*passes, *vocoder) if mark.thread != self._caller
        )
        lane = {self._caller: 0, **{thread: number for number, thread in enumerate(others, 1)}}
        return CrowdSeen(
            lanes=tuple(lane[mark.thread] for mark in passes),
            vocoder_lanes=tuple(lane[mark.thread] for mark in vocoder),
            threads=tuple(mark.threads for mark in passes),
            most=self.most,
        )


class Passes:
    """
    Assigns events to passes, in the order of the chunks.

    Threads begin in any order; only the noise shows which chunk a pass synthesises, because it is
    drawn from the seed and the chunk's number. A pass of other noise comes last.
    """

    def __init__(
        self, begun: Sequence[ThreadMark], first_states: Sequence[Tensor], seed: int, chunks: int
    ) -> None:
        ranks = [_chunk_of(state, seed, chunks) for state in first_states]
        order = sorted(range(len(begun)), key=lambda index: ranks[index])
        self._begun = [begun[index] for index in order]

    def of(self, mark: ThreadMark) -> int:
        """Return the pass that was the last to begin in the event's thread."""
        before = [
            (start.at, index)
            for index, start in enumerate(self._begun)
            if _begins_before(start, mark)
        ]
        return max(before)[1] if before else len(self._begun)

    def coming(self, mark: ThreadMark) -> int:
        """Return the pass that is the next to begin in the event's thread."""
        after = [
            (start.at, index)
            for index, start in enumerate(self._begun)
            if _begins_before(mark, start)
        ]
        return min(after)[1] if after else len(self._begun)


def could_meet(pipeline: Any, text: str) -> int:
    """Return how many passes of a text could run at one time, by the engine's configuration."""
    config = pipeline.config
    if getattr(config, "workers", 1) == 1:
        return 1
    first = getattr(config, "first_chunk_characters", 0)
    accent = {
        name: getattr(config, name) for name in ("language", "region") if hasattr(config, name)
    }
    sizes = {"max_characters": config.chunk_characters, "first_characters": first}
    chunks = phonemise(text, **accent, **sizes)
    passes = in_turn(len(chunks), config.batch, first_alone=first > 0)
    at_once: int = min(config.workers, len(passes) - (first > 0))
    return at_once


def rearranged(
    values: Sequence[Value], marks: Sequence[ThreadMark], rank: Callable[[ThreadMark], int]
) -> list[Value]:
    """Sort recorded values by their pass; within a pass the order is kept."""
    order = sorted(range(len(values)), key=lambda index: rank(marks[index]))
    return [values[index] for index in order]


def _begins_before(first: ThreadMark, second: ThreadMark) -> bool:
    return first.thread == second.thread and first.at <= second.at


def _chunk_of(state: Tensor, seed: int, chunks: int) -> int:
    def begins(chunk: int) -> bool:
        return torch.equal(initial_noise(seed, chunk, *state.shape[1:]).to(state.dtype), state)

    return next((chunk for chunk in range(chunks) if begins(chunk)), chunks)
