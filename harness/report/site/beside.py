"""
Two things at once: one in a process of its own that shares what is in memory, the other here. Knows neither.

Only where forking is cheap and safe (Linux); elsewhere, and on a single CPU, one after the other.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from harness.errors import HarnessError


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Do `work` while the block runs; both are done at its end. Raises HarnessError where the work failed."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        work()
        yield
        return
    context = multiprocessing.get_context("fork")
    told, tell = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(work, tell))
    process.start()
    tell.close()
    try:
        yield
    except BaseException:
        process.terminate()
        raise
    finally:
        process.join()
    fault = _heard(told)
    if fault or process.exitcode != 0:
        raise HarnessError(fault or f"a part could not be written: its process ended with {process.exitcode}; try it again")


def _do(work: Callable[[], None], tell: Connection) -> None:
    try:
        work()
    except HarnessError as error:
        tell.send(str(error))


def _heard(told: Connection) -> str:
    try:
        return str(told.recv())
    except EOFError:
        return ""
    finally:
        told.close()
