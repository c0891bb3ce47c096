"""
Two things at once: one in a process of its own that shares what is in memory, the other here. Knows neither.

Only where forking is cheap and safe (Linux); elsewhere, and on a single CPU, one after the other.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.errors import HarnessError


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Do `work` while the block runs; both are done at its end. Raises HarnessError where the work failed."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        work()
        yield
        return
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    try:
        yield
    except BaseException:
        process.terminate()
        raise
    finally:
        process.join()
    if process.exitcode != 0:
        raise HarnessError(f"a part could not be written (exit {process.exitcode}, the reason stands above); is the disk full?")
