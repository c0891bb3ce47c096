"""
Stage times for `python -m engine say`, and the clock of the server; nothing else of what speaks
reads clocks.

The harness brings its own.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


def instant_s() -> float:
    """
    Give the seconds since some fixed moment, which never go back: for whoever hands a clock in.
    """
    return time.perf_counter()


class StageTimes:
    """
    Adds up the wall time of every stage; pass `watch` to a pipeline.

    Time in which several threads are in stages is shared out among them, so that stages never add
    up to more than the whole.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = time.perf_counter()
        self._open: list[str] = []
        self._since = self.started
        self._turning = threading.Lock()

    @contextmanager
    def watch(self, stage: str) -> Iterator[None]:
        """Time what happens inside."""
        with self._turning:
            self._turn()
            self._open.append(stage)
            self.seconds.setdefault(stage, 0.0)
        try:
            yield
        finally:
            with self._turning:
                self._turn()
                self._open.remove(stage)

    def total_s(self) -> float:
        """Give the seconds since this object was made."""
        return time.perf_counter() - self.started

    def _turn(self) -> None:
        now = time.perf_counter()
        for stage in self._open:
            self.seconds[stage] += (now - self._since) / len(self._open)
        self._since = now
