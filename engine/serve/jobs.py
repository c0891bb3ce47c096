"""
One text that is spoken piece by piece, a turn for each, while others have theirs in between.

Whole texts that are spoken together, in one turn at the engine.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import numpy as np

from engine.pipelines.audio_segment import AudioSegment


class Stream:
    """
    Public: `future`, which ends with the last piece or with what went wrong, and `gone`, set when
    nobody listens any more.

    A text that nobody has begun to speak ends as its future is cancelled, any other with the piece
    that is under way. `room` tells whether a further piece can be taken; until then the text has no
    turn.
    """

    def __init__(
        self,
        begin: Callable[[], Iterator[AudioSegment]],
        give: Callable[[np.ndarray], None],
        rate_hz: int,
        room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.future: Future[None] = Future()
        self.gone = threading.Event()
        self._begin, self._give, self._rate_hz, self._room = begin, give, rate_hz, room
        self._stretches: Iterator[AudioSegment] | None = None

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return not (self.gone.is_set() or self.future.cancelled())

    @property
    def ready(self) -> bool:
        """Whether a turn is of use: to speak on, or to end where nobody listens."""
        return not self.wanted or self._room()

    def step(self) -> float | None:
        """Speak and give the next piece; what goes wrong is the future's, and no other text's."""
        if self._stretches is None and not self.future.set_running_or_notify_cancel():
            return None
        try:
            stretch = self._next() if self.wanted else None
        except Exception as error:
            self.future.set_exception(error)
            return None
        if stretch is None or stretch.last:
            self.future.set_result(None)
            return None
        return stretch.audio.size / self._rate_hz

    def _next(self) -> AudioSegment | None:
        if self._stretches is None:
            self._stretches = self._begin()
        stretch = next(self._stretches, None)
        if stretch is not None:
            self._give(stretch.audio)
        return stretch


class SpeechBatch:
    """Public: `future`, the audio of all texts, or what went wrong."""

    wanted = True
    """Who leaves has left the batcher's queue before; a batch under way is spoken to its end."""

    ready = True

    def __init__(self, speak: Callable[[], list[np.ndarray]]) -> None:
        self.future: Future[list[np.ndarray]] = Future()
        self._speak = speak

    def step(self) -> None:
        """Speak; a batch has no second turn."""
        try:
            audios = self._speak()
        except Exception as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(audios)
