"""
Whose turn it is at the one engine: the rule alone. Knows instants; no threads, no audio, no HTTP,
and reads no clock.

Everything that waits is due at some instant, and what is due earliest goes first, of equals what
has waited longer:

- a text of which nothing has been heard: HEAD_START_S before it came;
- a text that is being heard: when its listener runs dry, if he began with the first piece and waits
  where nothing is left;
- a batch of whole texts: PATIENCE_S after it was asked for.

So a newcomer is heard next, unless somebody's audio ran out HEAD_START_S before he came; listeners
with something in hand leave the engine to others; and nobody waits for ever, since his instant
stands still while the instants of all that comes move on with the time. Who has not taken what was
spoken for him long before has no turn until he has. A turn is never interrupted: a batch can make a
listener wait who has less in hand than it takes.

The one thread that calls the engine: turn by turn, as `engine.serve.scheduler` has it.

A model that several threads call at once is no quicker on the same processors, and each thread
would keep memory of its own.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.errors import EngineError

HEAD_START_S = 2.0
"""How long a silence within a text is borne for the sake of those who have heard nothing at all."""
PATIENCE_S = 2.0
"""
Whole texts are not played while they are spoken: listeners who would run dry within so long go
before a batch.
"""


class Job(Protocol):
    """What waits for the engine."""

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""

    @property
    def ready(self) -> bool:
        """
        Whether it can go on; a stream cannot while its listener has not taken what was spoken long
        before.
        """

    def step(self) -> float | None:
        """
        Call the engine once; give the seconds of audio that came of it, None if that was all.
        Raises nothing.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """Work, and when it is due."""

    work: Job
    due_s: float

    def again(self, now_s: float, audio_s: float) -> "ScheduledJob":
        """Give the next turn of a text of which so much audio has just been given."""
        return ScheduledJob(work=self.work, due_s=max(self.due_s, now_s) + audio_s)


def of_stream(work: Job, now_s: float) -> ScheduledJob:
    """Give the first turn of a text that is to be heard piece by piece."""
    return ScheduledJob(work=work, due_s=now_s - HEAD_START_S)


def of_batch(work: Job, now_s: float) -> ScheduledJob:
    """Give the one turn of texts that are spoken together."""
    return ScheduledJob(work=work, due_s=now_s + PATIENCE_S)


class DeadlineQueue:
    """All that waits. For one thread at a time."""

    def __init__(self) -> None:
        self._waiting: list[ScheduledJob] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, turn: ScheduledJob) -> None:
        """Have a turn wait."""
        self._waiting.append(turn)

    @property
    def ready(self) -> bool:
        """Whether anything that waits can go on."""
        return any(turn.work.ready for turn in self._waiting)

    def take(self) -> ScheduledJob | None:
        """
        Return whose turn it is; None where nothing that waits can go on.

        What nobody wants any more goes first: it costs nothing, and frees a place.
        """
        ready = [index for index, turn in enumerate(self._waiting) if turn.work.ready]
        first = min(ready, key=lambda index: self._order(self._waiting[index]), default=None)
        return None if first is None else self._waiting.pop(first)

    @staticmethod
    def _order(turn: ScheduledJob) -> tuple[bool, float]:
        return turn.work.wanted, turn.due_s


class EngineThread:
    """Takes work from any thread. `now_s` tells the time, in seconds that never go back."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._turns = DeadlineQueue()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def stream(self, work: Job) -> None:
        """Have a text spoken piece by piece. Raises EngineError after `close`."""
        self._admit(work, of_stream)

    def batch(self, work: Job) -> None:
        """Have texts spoken together. Raises EngineError after `close`."""
        self._admit(work, of_batch)

    def wake(self) -> None:
        """Look again at what waits: a listener has taken something, or has left."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Take no more; return when all that was taken is done."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _admit(self, work: Job, first: Callable[[Job, float], ScheduledJob]) -> None:
        with self._changed:
            if self._closed:
                raise EngineError(
                    "the engine is closed and speaks no more texts; start another server"
                )
            self._turns.put(first(work, self._now_s()))
            self._changed.notify()

    def _work(self) -> None:
        while (turn := self._next()) is not None:
            audio_s = turn.work.step()
            if audio_s is not None:
                with self._changed:
                    self._turns.put(turn.again(self._now_s(), audio_s))

    def _next(self) -> ScheduledJob | None:
        """Wait for work that can go on; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._turns.ready or (self._closed and not self._turns))
            return self._turns.take()
