"""Stage times for `python -m engine say`; the only reader of clocks in the engine. The harness brings its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


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
