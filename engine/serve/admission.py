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

from voxgate.engine.pipelines.pipeline import AudioSegment, Watch, no_watch
from voxgate.engine.serve.errors import queue_full
from voxgate.engine.serve.jobs import BatchJob, StreamJob
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.metrics import Mode, ServerMetrics
from voxgate.engine.serve.request import SpeechRequest
from voxgate.engine.serve.scheduler import EngineThread
from voxgate.engine.serve.spans import RequestSpans, StageRecorder
from voxgate.engine.timing import unix_ns

Options = Mapping[str, object]
SynthesizeBatch = Callable[[Sequence[str], Sequence[Options] | None], list[np.ndarray]]


class SpeechPipeline(Protocol):
    """The pipeline, or a fake of it."""

    sample_rate_hz: int

    def segments(
        self, text: str, options: Options | None = None, watch: Watch = no_watch
    ) -> Iterator[AudioSegment]:
        """Yield the audio, one pass through the models at a time; `watch` watches the stages."""

    def synthesize_batch(
        self,
        texts: Sequence[str],
        options: Sequence[Options] | None = None,
        watch: Watch = no_watch,
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


@dataclass(frozen=True, slots=True)
class WaitingWork:
    """Admitted work that has not begun, and the span of its request."""

    mode: Mode
    admitted_s: float
    admitted_ns: int
    parent: Any


class EngineAdmission:
    """
    Admits requests, `limits.queue` at a time, and passes their work to the engine's one thread.
    Raises ApiError (429) when the limit is reached.

    `now_s` returns the time for the scheduler, in seconds that never decrease; `spans` are those of
    the server, none by default.
    """

    def __init__(
        self, limits: Limits, now_s: Callable[[], float], spans: RequestSpans | None = None
    ) -> None:
        self.spans = spans or RequestSpans()
        self.now_s = now_s
        self._queue = limits.queue
        self._in_flight = 0
        self._waiting: dict[Future[Any], WaitingWork] = {}
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
        work = WaitingWork(mode, self.now_s(), unix_ns(), self.spans.parent())
        try:
            ticket = start()
        except queue.Full:
            self._release()
            raise queue_full(self._queue) from None
        except BaseException:
            self._release()
            raise
        with self._lock:
            self._waiting[ticket.future] = work
        if ticket.future.running() or ticket.future.done():  # it was begun before it stood there
            self._begin([ticket.future])
        ticket.future.add_done_callback(self._release)
        return ticket

    def _release(self, future: "Future[Any] | None" = None) -> None:
        with self._lock:
            self._in_flight -= 1
            if future is not None:
                self._waiting.pop(future, None)

    def _begin(self, futures: "Iterable[Future[Any]]") -> list[Any]:
        """Observe how long this work has waited, once; return the spans of its requests."""
        now_s, parents = self.now_s(), []
        for future in futures:
            with self._lock:
                work = self._waiting.pop(future, None)
            if work is not None and not future.cancelled():
                self.metrics.begun(work.mode, now_s - work.admitted_s)
                self.spans.emit(work.parent, "queue", work.admitted_ns)
                parents.append(work.parent)
        return parents

    def _watching(self, recorder: StageRecorder) -> dict[str, Any]:
        """Return what has a pipeline note its stages; nothing where spans are off."""
        return {"watch": recorder.watch} if self.spans.is_on else {}

    def _turn(
        self,
        work: Callable[[], Made],
        audio_s: Callable[[Made], float],
        parents: Sequence[Any],
        recorder: StageRecorder,
    ) -> Made:
        """Do some work of the engine, and count its time and its audio."""
        began_s, began_ns = self.now_s(), unix_ns()
        made_s: dict[str, float] = {}
        try:
            made = work()
            made_s["voxgate.audio_s"] = audio_s(made)
            self.metrics.turn(self.now_s() - began_s, made_s["voxgate.audio_s"])
            return made
        finally:
            stages = recorder.take()
            for parent in parents:
                self.spans.emit(
                    parent,
                    "synthesize",
                    began_ns,
                    stages=stages,
                    attributes={**made_s, "voxgate.requests": len(parents)},
                    failed=not made_s,
                )


def _lazily(make: Callable[[], Iterator[Made]]) -> Iterator[Made]:
    """Yield what a call gives, and make that call only for the first of it."""
    yield from make()


class AdmissionController(EngineAdmission):
    """Admits texts: whole ones share batches, and streams take turns."""

    def __init__(
        self,
        pipeline: SpeechPipeline,
        limits: Limits,
        make_batcher: BatcherFactory,
        now_s: Callable[[], float],
        spans: RequestSpans | None = None,
    ) -> None:
        super().__init__(limits, now_s, spans)
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
            parents, recorder = self._begin([stream.future]), StageRecorder()
            watch = self._watching(recorder)
            make = partial(self._pipeline.segments, speech.text, speech.options, **watch)
            return self._timed(make, parents, recorder)

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
            parents, recorder = self._begin(self._running_texts()), StageRecorder()
            self.metrics.batch(len(texts))
            watch = self._watching(recorder)
            return self._turn(
                partial(self._pipeline.synthesize_batch, texts, options, **watch),
                lambda audios: sum(map(len, audios)) / self.sample_rate_hz,
                parents,
                recorder,
            )

        batch = BatchJob(synthesize)
        self._engine.submit_batch(batch)
        return batch.future.result()

    def _running_texts(self) -> "list[Future[Any]]":
        """Return the whole texts that the batcher has just taken up."""
        with self._lock:
            waiting = list(self._waiting.items())
        return [future for future, work in waiting if work.mode is Mode.WHOLE and future.running()]

    def _timed(
        self,
        make: Callable[[], Iterator[AudioSegment]],
        parents: Sequence[Any],
        recorder: StageRecorder,
    ) -> Iterator[AudioSegment]:
        """
        Yield the segments, and count the time and the audio of each; that of the first includes
        reading the text.
        """
        segments = _lazily(make)

        def audio_s(segment: AudioSegment | None) -> float:
            return 0.0 if segment is None else segment.audio.size / self.sample_rate_hz

        while True:
            segment = self._turn(lambda: next(segments, None), audio_s, parents, recorder)
            if segment is None:
                return
            yield segment
