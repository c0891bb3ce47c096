"""
Stage times for `python -m engine say`, and the clock of the server; nothing else of what speaks reads clocks.

The harness brings its own.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager


def instant_s() -> float:
    """Give the seconds since some fixed moment, which never go back: for whoever hands a clock in."""
    return time.perf_counter()


class StageTimes:
    """Adds up the wall time of every stage; pass `watch` to a pipeline."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = time.perf_counter()

    @contextmanager
    def watch(self, stage: str) -> Iterator[None]:
        """Time what happens inside."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began

    def total_s(self) -> float:
        """Give the seconds since this object was made."""
        return time.perf_counter() - self.started
