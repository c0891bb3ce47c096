"""
Admission control: at most `queue` requests in flight, in front of one engine.

Whole texts are collected into batches; streams are synthesised segment by segment
(`voxgate.engine.serve.scheduler`).
A request counts until its work is done or cancelled, so the work in flight never exceeds the limit.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from voxgate.engine.pipelines.pipeline import AudioSegment
from voxgate.engine.serve.errors import queue_full
from voxgate.engine.serve.jobs import BatchJob, StreamJob
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.request import SpeechRequest
from voxgate.engine.serve.scheduler import EngineThread

Options = Mapping[str, object]
SynthesizeBatch = Callable[[Sequence[str], Sequence[Options] | None], list[np.ndarray]]


class SpeechPipeline(Protocol):
    """The pipeline, or a fake of it."""

    sample_rate_hz: int

    def segments(self, text: str, options: Options | None = None) -> Iterator[AudioSegment]:
        """Yield the audio, one pass through the models at a time."""

    def synthesize_batch(
        self, texts: Sequence[str], options: Sequence[Options] | None = None
    ) -> list[np.ndarray]:
        """Synthesise several texts in shared passes."""


class TextBatcher(Protocol):
    """Collects whole texts into batches: `voxgate.engine.pipelines.batching.Batcher`."""

    def submit(self, text: str, options: Options) -> "Future[np.ndarray]":
        """Queue a text. Raises queue.Full."""

    def close(self) -> None:
        """Finish the queued texts."""


BatcherFactory = Callable[[SynthesizeBatch, int, float], TextBatcher]


@dataclass(frozen=True, slots=True)
class Ticket:
    """
    An admitted request.

    Cancelling it removes a waiting request; a stream ends with its current segment.
    """

    future: "Future[Any]"
    cancelled: threading.Event = field(default_factory=threading.Event)
    wake: Callable[[], None] = lambda: None
    """Notify the engine that the client's buffer has room for another segment."""

    def cancel(self) -> None:
        """Cancel the work; no effect after its end."""
        self.cancelled.set()
        self.future.cancel()
        self.wake()


class EngineAdmission:
    """
    Admits requests, `limits.queue` at a time, and passes their work to the engine's one thread.
    Raises ApiError (429) when the limit is reached.

    `now_s` returns the time for the scheduler, in seconds that never decrease.
    """

    def __init__(self, limits: Limits, now_s: Callable[[], float]) -> None:
        self._queue = limits.queue
        self._in_flight = 0
        self._lock = threading.Lock()
        self._engine = EngineThread(now_s)

    @property
    def in_flight(self) -> int:
        """The number of requests that wait or are in synthesis."""
        return self._in_flight

    @property
    def alive(self) -> bool:
        """Whether the engine's thread still runs."""
        return self._engine.alive

    def close(self) -> None:
        """Admit no more requests, and finish those in flight."""
        self._engine.close()

    def _admit(self, start: Callable[[], Ticket]) -> Ticket:
        with self._lock:
            if self._in_flight >= self._queue:
                raise queue_full(self._queue)
            self._in_flight += 1
        try:
            ticket = start()
        except queue.Full:
            self._release()
            raise queue_full(self._queue) from None
        except BaseException:
            self._release()
            raise
        ticket.future.add_done_callback(self._release)
        return ticket

    def _release(self, _future: object = None) -> None:
        with self._lock:
            self._in_flight -= 1


class AdmissionController(EngineAdmission):
    """Admits texts: whole ones share batches, and streams take turns."""

    def __init__(
        self,
        pipeline: SpeechPipeline,
        limits: Limits,
        make_batcher: BatcherFactory,
        now_s: Callable[[], float],
    ) -> None:
        super().__init__(limits, now_s)
        self._pipeline = pipeline
        self._batcher = make_batcher(
            self._synthesize_together, limits.max_batch, limits.window_ms / 1e3
        )

    @property
    def sample_rate_hz(self) -> int:
        """Sample rate of the audio."""
        return self._pipeline.sample_rate_hz

    def submit(self, speech: SpeechRequest) -> Ticket:
        """Queue a whole text for a batch; the future returns its audio, float32 (T,)."""
        return self._admit(lambda: Ticket(self._batcher.submit(speech.text, speech.options)))

    def submit_stream(
        self,
        speech: SpeechRequest,
        deliver: Callable[[np.ndarray], None],
        has_room: Callable[[], bool] = lambda: True,
    ) -> Ticket:
        """
        Queue a stream.

        Args:
            speech: the request.
            deliver: called with each segment, from another thread.
            has_room: whether another segment may be synthesised; checked again after `Ticket.wake`.

        Returns: the ticket, whose future ends with the last segment.
        """
        start = partial(self._pipeline.segments, speech.text, speech.options)
        stream = StreamJob(start, deliver, self._pipeline.sample_rate_hz, has_room)

        def enqueue() -> Ticket:
            self._engine.submit_stream(stream)
            return Ticket(stream.future, stream.cancelled, self._engine.wake)

        return self._admit(enqueue)

    def close(self) -> None:
        """Admit no more requests, and finish those in flight."""
        self._batcher.close()
        super().close()

    def _synthesize_together(
        self, texts: Sequence[str], options: Sequence[Options] | None
    ) -> list[np.ndarray]:
        batch = BatchJob(partial(self._pipeline.synthesize_batch, texts, options))
        self._engine.submit_batch(batch)
        return batch.future.result()
