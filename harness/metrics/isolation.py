"""
Runs a function over many items in child processes, such that a crash of one item costs one item.

Knows processes; does not know audio. Children are spawned, never forked (the parent may hold locks or a GPU), and keep
their numerical libraries to one thread each, so that `workers` processes never use more than `workers` cores.
"""

import contextlib
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
IN_FLIGHT = 2  # per worker: one at work, one waiting; after a crash no more than these are under suspicion


class Crashed:
    """What stands in the place of a result when the item ended its process."""


def run_isolated(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[tuple[int, Result | Crashed]]:
    """
    Yields (index, result) as items finish, in any order, each index once; Crashed for an item that ended its process.

    `function` and the items must be picklable by name. What `function` raises is raised here: a failure that can be
    foreseen should be returned as a value instead.
    """
    waiting = deque(range(len(items)))
    while waiting:
        suspects: list[int] = []
        with _single_threaded_children(), _pool(min(workers, len(waiting))) as pool:
            yield from _run_until_crash(pool, function, items, waiting, suspects, workers * IN_FLIGHT)
        for index in suspects:
            yield index, run_alone(function, items[index])


def run_alone(function: Callable[[Item], Result], item: Item) -> Result | Crashed:
    """One item in a process of its own."""
    with _single_threaded_children(), _pool(1) as pool:
        try:
            return pool.submit(function, item).result()
        except BrokenProcessPool:
            return Crashed()


def _run_until_crash(
    pool: ProcessPoolExecutor,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    waiting: deque[int],
    suspects: list[int],
    most: int,
) -> Iterator[tuple[int, Result]]:
    """Yields results until done or until the pool breaks; then `suspects` holds what was under way, `waiting` the rest."""
    running: dict[Future[Result], int] = {}
    while waiting or running:
        while waiting and len(running) < most:
            index = waiting.popleft()
            try:
                running[pool.submit(function, items[index])] = index
            except BrokenProcessPool:
                waiting.appendleft(index)
                break
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            index = running.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                suspects.append(index)
            else:
                yield index, future.result()
        if suspects:
            suspects.extend(running.values())
            return


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max_workers=max(workers, 1), mp_context=multiprocessing.get_context("spawn"))


@contextlib.contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Children read these variables when they import their libraries, before any code of ours could tell them."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
