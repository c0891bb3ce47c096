"""
The scheduler of the engine: earliest deadline first, one job at a time.

Every waiting job has a deadline. The earliest goes first; equal ones in order of arrival.

- A stream that has not started: HEAD_START_S before its arrival.
- A running stream: when its client underruns, if it plays from the first chunk on and pauses at
underruns.
- A batch of whole texts: PATIENCE_S after its arrival.

A new stream therefore precedes every running one, except one whose underrun began before that
deadline.
Streams with buffered audio yield to others.
Nobody starves: the deadlines of waiting jobs do not move, and those of later arrivals are later.
A stream whose client does not read its audio is not scheduled until it does.
Steps are not preempted: a batch can cause an underrun in a stream that has less buffered than the
batch takes.

`DeadlineQueue` is the rule alone, without threads, audio, HTTP or a clock.
`EngineThread` is the one thread that calls the engine.
Several threads in one model are no faster on the same processors, and each would keep memory of its
own.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voxgate.engine.errors import EngineError

HEAD_START_S = 2.0
"""How long an underrun within a stream is tolerated in favour of streams that have not started."""
PATIENCE_S = 2.0
"""
Whole texts are not played during synthesis: streams that underrun within this time precede a batch.
"""


class Job(Protocol):
    """Work for the engine thread."""

    @property
    def active(self) -> bool:
        """Whether anyone still waits for it."""

    @property
    def ready(self) -> bool:
        """Whether a step is possible; it is not while a stream's client does not read its audio."""

    def step(self) -> float | None:
        """
        Call the engine once.

        Returns: the seconds of audio that it made, None after the last step.
        Raises: nothing; exceptions go to the job's future.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """A job and its deadline."""

    job: Job
    due_s: float

    def reschedule(self, now_s: float, audio_s: float) -> "ScheduledJob":
        """Return the next step of a stream that has just made `audio_s` seconds of audio."""
        return ScheduledJob(job=self.job, due_s=max(self.due_s, now_s) + audio_s)


def schedule_stream(job: Job, now_s: float) -> ScheduledJob:
    """Return the first step of a stream."""
    return ScheduledJob(job=job, due_s=now_s - HEAD_START_S)


def schedule_batch(job: Job, now_s: float) -> ScheduledJob:
    """Return the only step of a batch."""
    return ScheduledJob(job=job, due_s=now_s + PATIENCE_S)


class DeadlineQueue:
    """The waiting jobs. Not thread-safe."""

    def __init__(self) -> None:
        self._waiting: list[ScheduledJob] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, scheduled: ScheduledJob) -> None:
        """Add a job."""
        self._waiting.append(scheduled)

    @property
    def ready(self) -> bool:
        """Whether any job can run."""
        return any(scheduled.job.ready for scheduled in self._waiting)

    def pop(self) -> ScheduledJob | None:
        """
        Remove and return the next job; None if none can run.

        Cancelled jobs go first: they cost nothing, and free a place.
        """
        ready = [index for index, scheduled in enumerate(self._waiting) if scheduled.job.ready]
        first = min(ready, key=lambda index: self._sort_key(self._waiting[index]), default=None)
        return None if first is None else self._waiting.pop(first)

    @staticmethod
    def _sort_key(scheduled: ScheduledJob) -> tuple[bool, float]:
        return scheduled.job.active, scheduled.due_s


class EngineThread:
    """Runs jobs from any thread. `now_s` returns the time, in seconds that never decrease."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._queue = DeadlineQueue()
        self._condition = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit_stream(self, job: Job) -> None:
        """Add a stream. Raises EngineError after `close`."""
        self._enqueue(job, schedule_stream)

    def submit_batch(self, job: Job) -> None:
        """Add a batch. Raises EngineError after `close`."""
        self._enqueue(job, schedule_batch)

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Check the waiting jobs again: a client has read something, or has left."""
        with self._condition:
            self._condition.notify()

    def close(self) -> None:
        """Accept no more jobs, and return when all are done."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()

    def _enqueue(self, job: Job, first: Callable[[Job, float], ScheduledJob]) -> None:
        with self._condition:
            if self._closed or not self.alive:
                raise EngineError(
                    "the engine is closed and speaks no more texts; start another server"
                )
            self._queue.put(first(job, self._now_s()))
            self._condition.notify()

    def _run(self) -> None:
        while (scheduled := self._next()) is not None:
            audio_s = scheduled.job.step()
            if audio_s is not None:
                with self._condition:
                    self._queue.put(scheduled.reschedule(self._now_s(), audio_s))

    def _next(self) -> ScheduledJob | None:
        """Wait for a job that can run; None at the end."""
        with self._condition:
            self._condition.wait_for(
                lambda: self._queue.ready or (self._closed and not self._queue)
            )
            return self._queue.pop()
