"""
Admission control: at most `queue` requests in flight, in front of one engine.

Whole texts are collected into batches; streams are synthesised segment by segment
(`voxgate.engine.serve.scheduler`).
A request counts until its work is done or cancelled, so the work in flight never exceeds the limit.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from voxgate.engine.pipelines.pipeline import AudioSegment
from voxgate.engine.serve.errors import queue_full
from voxgate.engine.serve.jobs import BatchJob, StreamJob
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.metrics import Mode, ServerMetrics
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
Made = TypeVar("Made")


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
        self.now_s = now_s
        self._queue = limits.queue
        self._in_flight = 0
        self._waiting: dict[Future[Any], tuple[Mode, float]] = {}
        """Mode and moment of admission of the work that has not begun."""
        self._lock = threading.Lock()
        self._engine = EngineThread(now_s)
        self.metrics = ServerMetrics()
        self.metrics.watch_admission(
            self._queue,
            in_flight=lambda: self._in_flight,
            waiting=lambda: len(self._waiting),
            alive=lambda: float(self.alive),
        )

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

    def _admit(self, start: Callable[[], Ticket], mode: Mode) -> Ticket:
        with self._lock:
            if self._in_flight >= self._queue:
                raise queue_full(self._queue)
            self._in_flight += 1
        admitted_s = self.now_s()
        try:
            ticket = start()
        except queue.Full:
            self._release()
            raise queue_full(self._queue) from None
        except BaseException:
            self._release()
            raise
        with self._lock:
            self._waiting[ticket.future] = (mode, admitted_s)
        if ticket.future.running() or ticket.future.done():  # it was begun before it stood there
            self._begin([ticket.future])
        ticket.future.add_done_callback(self._release)
        return ticket

    def _release(self, future: "Future[Any] | None" = None) -> None:
        with self._lock:
            self._in_flight -= 1
            if future is not None:
                self._waiting.pop(future, None)

    def _begin(self, futures: "Iterable[Future[Any]]") -> None:
        """Observe how long this work has waited, once."""
        now_s = self.now_s()
        for future in futures:
            with self._lock:
                mode, admitted_s = self._waiting.pop(future, (None, 0.0))
            if mode is not None and not future.cancelled():
                self.metrics.begun(mode, now_s - admitted_s)

    def _turn(self, work: Callable[[], Made], audio_s: Callable[[Made], float]) -> Made:
        """Do some work of the engine, and count its time and its audio."""
        began_s = self.now_s()
        made = work()
        self.metrics.turn(self.now_s() - began_s, audio_s(made))
        return made


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
        return self._admit(
            lambda: Ticket(self._batcher.submit(speech.text, speech.options)), Mode.WHOLE
        )

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

        def start() -> Iterator[AudioSegment]:
            self._begin([stream.future])
            return self._timed(self._pipeline.segments(speech.text, speech.options))

        stream = StreamJob(start, deliver, self._pipeline.sample_rate_hz, has_room)

        def enqueue() -> Ticket:
            self._engine.submit_stream(stream)
            return Ticket(stream.future, stream.cancelled, self._engine.wake)

        return self._admit(enqueue, Mode.STREAMED)

    def close(self) -> None:
        """Admit no more requests, and finish those in flight."""
        self._batcher.close()
        super().close()

    def _synthesize_together(
        self, texts: Sequence[str], options: Sequence[Options] | None
    ) -> list[np.ndarray]:
        def synthesize() -> list[np.ndarray]:
            self._begin(self._running_texts())
            self.metrics.batch(len(texts))
            return self._turn(
                partial(self._pipeline.synthesize_batch, texts, options),
                lambda audios: sum(map(len, audios)) / self.sample_rate_hz,
            )

        batch = BatchJob(synthesize)
        self._engine.submit_batch(batch)
        return batch.future.result()

    def _running_texts(self) -> "list[Future[Any]]":
        """Return the whole texts that the batcher has just taken up."""
        with self._lock:
            waiting = list(self._waiting.items())
        return [future for future, (mode, _) in waiting if mode is Mode.WHOLE and future.running()]

    def _timed(self, segments: Iterator[AudioSegment]) -> Iterator[AudioSegment]:
        """Yield the segments, and count the time and the audio of each."""

        def audio_s(segment: AudioSegment | None) -> float:
            return 0.0 if segment is None else segment.audio.size / self.sample_rate_hz

        while (segment := self._turn(lambda: next(segments, None), audio_s)) is not None:
            yield segment
