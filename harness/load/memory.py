"""Watches how much memory a server has resident, now and then, from a thread of its own."""

import threading
from collections.abc import Callable
from types import TracebackType

from harness.load.server import rss_bytes
from harness.machine.clock import instant_s

EVERY_S = 0.25

Note = Callable[[float, int], None]
"""Called with seconds since the load began and bytes."""


class MemoryWatch:
    """Notes the memory of a process as long as the context lasts; nothing where the process is not ours."""

    def __init__(self, pid: int | None, zero_s: float, note: Note) -> None:
        self._pid = pid
        self._zero_s = zero_s
        self._note = note
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        if self._pid is not None:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        if self._pid is not None:
            self._thread.join()

    def _watch(self) -> None:
        assert self._pid is not None
        while True:
            found = rss_bytes(self._pid)
            if found is None:
                return
            self._note(instant_s() - self._zero_s, found)
            if self._ended.wait(EVERY_S):
                return
