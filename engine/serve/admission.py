"""
Where requests are let in, and from where they go to the one engine.

Whole texts are collected into batches, streamed ones are spoken piece by piece, in turns
(`engine.serve.scheduler`). A place is taken until the work that it stands for is done or given up,
so that there is never more work inside than was let in.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from engine.pipelines.audio_segment import AudioSegment
from engine.serve.errors import busy
from engine.serve.jobs import SpeechBatch, Stream
from engine.serve.limits import Limits
from engine.serve.request import SpeechRequest
from engine.serve.scheduler import EngineThread

Options = Mapping[str, object]
SpeakMany = Callable[[Sequence[str], Sequence[Options] | None], list[np.ndarray]]


class Speaker(Protocol):
    """What speaks: the pipeline, or a fake of it."""

    sample_rate_hz: int

    def stretches(self, text: str, options: Options | None = None) -> Iterator[AudioSegment]:
        """Speak piece by piece."""

    def synthesize_batch(
        self, texts: Sequence[str], options: Sequence[Options] | None = None
    ) -> list[np.ndarray]:
        """Speak several texts together."""


class Batching(Protocol):
    """What collects whole texts: `engine.pipelines.batching.Batcher`."""

    def submit(self, text: str, options: Options) -> "Future[np.ndarray]":
        """Take a text. Raises queue.Full."""

    def close(self) -> None:
        """Finish what was taken."""


MakeBatcher = Callable[[SpeakMany, int, float], Batching]


@dataclass(frozen=True, slots=True)
class Ticket:
    """
    Work that was let in. `leave` gives it up: what waits never starts, a stream ends with the piece
    that is being spoken.
    """

    future: "Future[Any]"
    gone: threading.Event = field(default_factory=threading.Event)
    wake: Callable[[], None] = lambda: None
    """Tells the engine that room was made for a further piece."""

    def leave(self) -> None:
        """Give the work up; nothing where it is done."""
        self.gone.set()
        self.future.cancel()
        self.wake()


class AdmissionController:
    """
    Lets requests in and hands them to the engine. Raises RefusedError (429) where no place is free.

    `now_s` tells the time, in seconds that never go back: turns are shared out by it.
    """

    def __init__(
        self,
        speaker: Speaker,
        limits: Limits,
        make_batcher: MakeBatcher,
        now_s: Callable[[], float],
    ) -> None:
        self._speaker = speaker
        self._queue = limits.queue
        self._inside = 0
        self._counting = threading.Lock()
        self._engine = EngineThread(now_s)
        self._batcher = make_batcher(self._speak_many, limits.max_batch, limits.window_ms / 1e3)

    @property
    def sample_rate_hz(self) -> int:
        """Of what is spoken."""
        return self._speaker.sample_rate_hz

    @property
    def inside(self) -> int:
        """How many requests wait or are being spoken."""
        return self._inside

    def whole(self, speech: SpeechRequest) -> Ticket:
        """Have a text spoken together with others; the future gives its audio, float32 (T,)."""
        return self._admit(lambda: Ticket(self._batcher.submit(speech.text, speech.options)))

    def streamed(
        self,
        speech: SpeechRequest,
        give: Callable[[np.ndarray], None],
        room: Callable[[], bool] = lambda: True,
    ) -> Ticket:
        """
        Have a text spoken piece by piece; `give` is called with each, from another thread. The
        future ends with the last.

        While `room` says no, none is spoken; `wake` of the order has it asked again.
        """
        begin = partial(self._speaker.stretches, speech.text, speech.options)
        stream = Stream(begin, give, self._speaker.sample_rate_hz, room)

        def hand_over() -> Ticket:
            self._engine.stream(stream)
            return Ticket(stream.future, stream.gone, self._engine.wake)

        return self._admit(hand_over)

    def close(self) -> None:
        """Finish what was let in; let nothing in any more."""
        self._batcher.close()
        self._engine.close()

    def _admit(self, begin: Callable[[], Ticket]) -> Ticket:
        with self._counting:
            if self._inside >= self._queue:
                raise busy(self._queue)
            self._inside += 1
        try:
            order = begin()
        except queue.Full:
            self._free()
            raise busy(self._queue) from None
        except BaseException:
            self._free()
            raise
        order.future.add_done_callback(self._free)
        return order

    def _free(self, _done: object = None) -> None:
        with self._counting:
            self._inside -= 1

    def _speak_many(
        self, texts: Sequence[str], options: Sequence[Options] | None
    ) -> list[np.ndarray]:
        batch = SpeechBatch(partial(self._speaker.synthesize_batch, texts, options))
        self._engine.batch(batch)
        return batch.future.result()
