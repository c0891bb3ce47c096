"""
Stage times for `python -m voxgate.engine say`, and the server's clock.

No other module of synthesis or serving reads a clock.
The harness has its own.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


def monotonic_s() -> float:
    """
    Return the seconds since a fixed moment; they never decrease. Passed in wherever a clock is
    needed.
    """
    return time.perf_counter()


def unix_ns() -> int:
    """Return the nanoseconds since 1970."""
    return time.time_ns()


class StageTimes:
    """
    Sums the wall time of every stage; pass `watch` to a pipeline.

    Time during which several threads are in stages is divided among them, so that the stages never
    sum to more than the total.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = time.perf_counter()
        self._open: list[str] = []
        self._last_change_s = self.started
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, stage: str) -> Iterator[None]:
        """Time the body of the `with` statement as `stage`."""
        with self._lock:
            self._advance()
            self._open.append(stage)
            self.seconds.setdefault(stage, 0.0)
        try:
            yield
        finally:
            with self._lock:
                self._advance()
                self._open.remove(stage)

    def total_s(self) -> float:
        """Return the seconds since construction."""
        return time.perf_counter() - self.started

    def _advance(self) -> None:
        now = time.perf_counter()
        for stage in self._open:
            self.seconds[stage] += (now - self._last_change_s) / len(self._open)
        self._last_change_s = now
