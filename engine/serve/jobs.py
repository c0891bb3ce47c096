"""
The jobs of the engine thread: one streamed text, or a batch of whole texts.

A streamed text takes one step per segment, interleaved with other jobs; a batch takes one step.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import numpy as np

from voxgate.engine.pipelines.pipeline import AudioSegment


class StreamJob:
    """
    One text in synthesis, segment by segment.

    Public: `future`, which ends with the last segment or an exception, and `cancelled`, set when
    the client has left.

    Cancelling the future ends a job that has not started; one that has started ends with its
    current segment.
    `has_room` returns whether another segment fits into the client's buffer; until then the job is
    not scheduled.
    """

    def __init__(
        self,
        start: Callable[[], Iterator[AudioSegment]],
        deliver: Callable[[np.ndarray], None],
        rate_hz: int,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.future: Future[None] = Future()
        self.cancelled = threading.Event()
        self._start, self._deliver, self._rate_hz, self._has_room = (
            start,
            deliver,
            rate_hz,
            has_room,
        )
        self._segments: Iterator[AudioSegment] | None = None

    @property
    def active(self) -> bool:
        """Whether the client still waits for it."""
        return not (self.cancelled.is_set() or self.future.cancelled())

    @property
    def ready(self) -> bool:
        """Whether a step is useful: to synthesise on, or to end after cancellation."""
        return not self.active or self._has_room()

    def step(self) -> float | None:
        """
        Synthesise and deliver the next segment.

        An exception ends this job's future, and no other.
        """
        if self._segments is None and not self.future.set_running_or_notify_cancel():
            return None
        try:
            segment = self._next() if self.active else None
        except Exception as error:
            self.future.set_exception(error)
            return None
        if segment is None or segment.last:
            self.future.set_result(None)
            return None
        return segment.audio.size / self._rate_hz

    def _next(self) -> AudioSegment | None:
        if self._segments is None:
            self._segments = self._start()
        segment = next(self._segments, None)
        if segment is not None:
            self._deliver(segment.audio)
        return segment


class BatchJob:
    """
    Whole texts in one batch, or one recording.

    Public: `future`, with the audio of all or an exception. Cancelling it ends a job that has not
    started; one that has started is completed.
    """

    ready = True

    def __init__(self, synthesize: Callable[[], list[np.ndarray]]) -> None:
        self.future: Future[list[np.ndarray]] = Future()
        self._synthesize = synthesize

    @property
    def active(self) -> bool:
        """Whether any client still waits for it."""
        return not self.future.cancelled()

    def step(self) -> None:
        """Synthesise the batch, in a single step."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            audios = self._synthesize()
        except Exception as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(audios)
