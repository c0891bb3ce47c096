"""
The one thread that calls the engine: turn by turn, as `engine.serve.scheduler` has it.

A model that several threads call at once is no quicker on the same processors, and each thread would keep memory of its own.
"""

import threading
from collections.abc import Callable

from engine.errors import EngineError
from engine.serve.scheduler import Turn, Turns, Work, of_batch, of_stream


class EngineThread:
    """Takes work from any thread. `now_s` tells the time, in seconds that never go back."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._turns = Turns()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def stream(self, work: Work) -> None:
        """Have a text spoken piece by piece. Raises EngineError after `close`."""
        self._let_in(work, of_stream)

    def batch(self, work: Work) -> None:
        """Have texts spoken together. Raises EngineError after `close`."""
        self._let_in(work, of_batch)

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

    def _let_in(self, work: Work, first: Callable[[Work, float], Turn]) -> None:
        with self._changed:
            if self._closed:
                raise EngineError("the engine is closed and speaks no more texts; start another server")
            self._turns.put(first(work, self._now_s()))
            self._changed.notify()

    def _work(self) -> None:
        while (turn := self._next()) is not None:
            audio_s = turn.work.go_on()
            if audio_s is not None:
                with self._changed:
                    self._turns.put(turn.again(self._now_s(), audio_s))

    def _next(self) -> Turn | None:
        """Wait for work that can go on; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._turns.ready or (self._closed and not self._turns))
            return self._turns.take()
