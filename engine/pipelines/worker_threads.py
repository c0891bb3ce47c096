"""
Worker threads: chunks of one text are computed at the same time, results in the order of the work.

The threads are made with the pipeline and end with it. Each computes with its share of the
arithmetic's threads, a number that torch keeps per thread; the caller's thread keeps all of them.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

import torch

AHEAD = 2
"""
Work per worker that may be started ahead of the earliest result: one running and one waiting, so
that no worker is idle behind a long one. No more, since a listener may leave.
"""
START_S = 60.0
"""
How long the threads wait for each other when they are made; a machine that cannot make them so soon
raises.
"""

Work = TypeVar("Work")
Sound = TypeVar("Sound")
_here = threading.local()


class Workers:
    """
    `count` threads, each with `share` of the arithmetic's threads; `threads` is the caller's own
    number, which stays.
    """

    def __init__(self, count: int, share: int, threads: int) -> None:
        self._most = AHEAD * count
        self._pool = ThreadPoolExecutor(count, "worker")
        # nobody ends before all have begun, so each is another thread
        met = threading.Barrier(count, timeout=START_S)
        for begun in [self._pool.submit(_begin, share, met) for _ in range(count)]:
            begun.result()
        # a thread that asks torch for the first time takes over what was set last, by anyone
        torch.set_num_threads(threads)

    def in_order(
        self, speak: Callable[[Work], Sound], work: Iterator[Work], *, first_alone: bool
    ) -> Iterator[Sound]:
        """
        Run all work, as much at a time as there are threads; yield the results in order, each as
        soon as it is its turn.

        `first_alone` speaks the first here, with all the arithmetic's threads, before anything else
        begins: it shares nothing then and is there as early as it can be. What `work` or `speak`
        raises is raised when its turn has come. Nothing runs on when the caller leaves early: what
        waits never starts, and what runs is waited for.
        """
        yield from map(speak, islice(work, int(first_alone)))
        begun: deque[Future[Sound]] = deque()
        try:
            while self._fill(begun, speak, work):
                yield begun[0].result()
                begun.popleft()
        finally:
            _end(begun)

    def _fill(
        self, begun: "deque[Future[Sound]]", speak: Callable[[Work], Sound], work: Iterator[Work]
    ) -> bool:
        """Start as much work as allowed; return whether any result is left."""
        while len(begun) < self._most:
            try:
                part = next(work)
            except StopIteration:
                break
            except Exception as error:
                begun.append(_failed(error))
            else:
                begun.append(self._pool.submit(speak, part))
        return bool(begun)


def _begin(share: int, met: threading.Barrier) -> None:
    # what others set last is taken over by a thread's first question, so it must not come later
    torch.get_num_threads()
    torch.set_num_threads(share)
    _here.is_worker = True
    met.wait()


def _failed(error: Exception) -> "Future[Sound]":
    future: Future[Sound] = Future()
    future.set_exception(error)
    return future


def _end(begun: "deque[Future[Sound]]") -> None:
    """
    Cancel pending work. A worker that happens to collect an abandoned stream must not wait for
    itself.
    """
    running = [future for future in begun if not future.cancel()]
    if not getattr(_here, "is_worker", False):
        wait(running)
