"""
The only reader of clocks and of the process's own peaks. It averages nothing and knows neither
targets nor files.

Times are seconds from `time.perf_counter`. Where CUDA is in use, work is only queued when a call
returns, so every reading waits for the device first. Tests and the scripted target use
`VirtualClock`, whose time passes only when told to.
"""

import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

TIMEX_BYTES = 512
"""Room for `struct timex`, which has 208 bytes on 64-bit Linux."""
UNSYNCHRONIZED = 5
"""TIME_ERROR of adjtimex(2)."""


class Clock(Protocol):
    """A source of time."""

    def seconds(self) -> float:
        """Return seconds since some fixed moment, after all queued device work."""

    def process_age_s(self) -> float:
        """Return seconds since this process was started."""


class WallClock:
    """Real time."""

    def seconds(self) -> float:
        """Wait for the device, then read the monotonic clock."""
        synchronize()
        return time.perf_counter()

    def process_age_s(self) -> float:
        """
        Read the age from /proc, to 0.01 s; elsewhere only since the interpreter counts, which
        misses its start-up.
        """
        try:
            started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
            uptime_s = float(Path("/proc/uptime").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return time.process_time()
        return max(0.0, uptime_s - started_ticks / os.sysconf("SC_CLK_TCK"))


class VirtualClock:
    """Time that passes only by `advance`: what a test says took 0.11 s took 0.11 s."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def seconds(self) -> float:
        """Return the virtual time."""
        return self._now_s

    def process_age_s(self) -> float:
        """Return the virtual time: the process began at zero."""
        return self._now_s

    def advance(self, duration_s: float) -> None:
        """Advance the virtual time."""
        assert duration_s >= 0, f"time cannot go back by {duration_s} s"
        self._now_s += duration_s


class StageWatch:
    """
    Adds up the seconds spent in each stage: `with watch("vocoder"): ...`.

    A stage inside a stage counts for itself only, and time in which several threads are in stages
    is shared out among them, so that `stages_s` never adds up to more than the whole. With `keep`,
    `intervals` has each time that a stage ran: its name, start and end on the clock.
    """

    def __init__(self, clock: Clock, *, keep: bool = False) -> None:
        self.stages_s: dict[str, float] = {}
        self.intervals: list[tuple[str, float, float]] | None = [] if keep else None
        self._clock = clock
        self._open: dict[int, list[str]] = {}
        """By thread."""
        self._since_s = 0.0
        self._turning = threading.Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the time of the block for `stage`."""
        here = threading.get_ident()
        with self._turning:
            self._turn()
            self._open.setdefault(here, []).append(stage)
            self.stages_s.setdefault(stage, 0.0)
            start_s = self._since_s
        try:
            yield
        finally:
            with self._turning:
                self._turn()
                self._open[here].pop()
                if self.intervals is not None:
                    self.intervals.append((stage, start_s, self._since_s))

    def _turn(self) -> None:
        now_s = self._clock.seconds()
        inner = [stages[-1] for stages in self._open.values() if stages]
        for stage in inner:
            self.stages_s[stage] += (now_s - self._since_s) / len(inner)
        self._since_s = now_s


def now_utc_iso() -> str:
    """Return date and time, UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def unix_s() -> float:
    """Return the time as file systems keep it: seconds since 1970."""
    return time.time()


def is_synchronized() -> bool | None:
    """
    Whether the kernel says that a time server holds the clock right (adjtimex(2)); None where it
    does not tell.
    """
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError, TypeError):  # not Linux
        return None
    state = adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))  # all zero: read, and set nothing
    return None if state < 0 else state != UNSYNCHRONIZED


def sleep(duration_s: float) -> None:
    """Wait for seconds of real time."""
    time.sleep(duration_s)


def instant_s() -> float:
    """
    Read the monotonic clock without waiting for the device: for a thread that looks on while others
    work.
    """
    return time.perf_counter()


def synchronize() -> None:
    """Wait until the GPU has done what was queued; nothing where this process uses none."""
    cuda = _cuda()
    for number in () if cuda is None else _in_use(cuda):
        cuda.synchronize(number)


def peak_rss_bytes() -> int:
    """Return the largest resident size that this process ever had."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux KiB (getrusage(2))
    return peak if sys.platform == "darwin" else peak * 1024


def peak_cuda_bytes() -> int | None:
    """
    Return the most GPU memory that torch ever had allocated, on all GPUs that it used; None where
    this process uses none.
    """
    cuda = _cuda()
    return (
        None
        if cuda is None
        else sum(int(cuda.max_memory_allocated(number)) for number in _in_use(cuda))
    )


def _cuda() -> Any:
    """
    Return torch.cuda if this process imported torch and started CUDA; never imports or starts it.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_initialized():
        return None
    return torch.cuda


def _in_use(cuda: Any) -> list[int]:
    """
    Return the numbers of the GPUs that torch has memory on.

    Without a number torch uses its current GPU, which is the first, also where all the work is on
    `cuda:1`.
    """
    count = int(cuda.device_count())
    return (
        [0] if count == 1 else [number for number in range(count) if cuda.memory_reserved(number)]
    )
