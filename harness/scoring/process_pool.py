"""
Run work in child processes, so that an item that crashes or hangs costs that item and no other.

Work comes in batches of items, and a child answers item by item: when it dies, or is killed at its
time limit, the item at fault is known. Knows processes; does not know audio. Children are spawned,
never forked (the parent may hold locks or a GPU), work on one batch at a time, and keep their
numerical libraries to one thread each, so that `workers` processes never use more than `workers`
cores.
"""

import contextlib
import functools
import math
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.machine.process_guard import GUARD

Piece = TypeVar("Piece")
Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
CLOCK = WallClock()
START_S = 60.0
"""Time limit for a process to begin a batch: to start, and to import the modules of the work."""
BEGUN = "begun"


@dataclass(frozen=True, slots=True)
class Crashed:
    """
    Stands for the result of work that ended its process, or had to be killed; `reason` is a
    predicate.
    """

    reason: str = "crashed the process"


DIED = Crashed()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBatch(Generic[Piece]):
    """
    Items for one child, in order.

    `work` yields one result for each; all of it must be picklable by name.
    """

    work: Callable[[Sequence[Piece]], Iterable[Any]]
    pieces: tuple[Piece, ...]
    kind: str = ""
    """
    The model that must be loaded for it: a child stays with a kind until none is left, so that
    few load the same.
    """
    limit_s: float = math.inf
    """Time limit of one item, model loading included."""
    alone: bool = False
    """Whether its one item has crashed a process before: then there is no third try."""


def run_batches(batches: Sequence[PoolBatch[Any]], workers: int) -> Iterator[tuple[Any, Any]]:
    """
    Yield (item, result) as items are done, batches in any order; Crashed for an item that
    failed.

    An item at which a process died is tried once more, first of all in a fresh process: the
    fault may lie with the work before it. Exceptions of `work` are raised here: a foreseeable
    failure should be returned as a value instead.
    """
    queue, crew = _Queue(batches), list[_Child]()
    try:
        while queue or crew:
            while queue and len(crew) < max(workers, 1):
                crew.append(_Child(queue.next(None, _kinds(crew))))
            for child in _answering(crew):
                if child.has_begun():
                    continue
                piece, result = child.answer()
                once_more = result is DIED and not child.batch.alone
                if not once_more:
                    yield piece, result
                if child.at_work:
                    continue
                crew.remove(child)
                if once_more:
                    crew.append(_Child(replace(child.batch, pieces=(piece,), alone=True)))
                crew += _reassigned(child, queue, _kinds(crew))
    finally:
        for child in crew:
            child.kill()


def run_isolated(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    limit_s: float = math.inf,
) -> Iterator[tuple[int, Result | Crashed]]:
    """Run batches of one item each: yield (index, result) in any order, each index once."""
    work = functools.partial(_one_by_one, function)
    batches = [
        PoolBatch(work=work, pieces=((index, item),), limit_s=limit_s)
        for index, item in enumerate(items)
    ]
    for (index, _), result in run_batches(batches, workers):
        yield index, result


def _one_by_one(
    function: Callable[[Item], Result], pieces: Sequence[tuple[int, Item]]
) -> Iterator[Result]:
    for _, item in pieces:
        yield function(item)


class _Queue:
    """Batches that no child works on yet."""

    def __init__(self, batches: Sequence[PoolBatch[Any]]) -> None:
        self._waiting: dict[str, deque[PoolBatch[Any]]] = {}
        for batch in batches:
            self._waiting.setdefault(batch.kind, deque()).append(batch)

    def __bool__(self) -> bool:
        return any(self._waiting.values())

    def put_back(self, batch: PoolBatch[Any]) -> None:
        """Queue a batch as the next of its kind."""
        self._waiting[batch.kind].appendleft(batch)

    def next(self, loaded: str | None, busy: Collection[str]) -> PoolBatch[Any]:
        """
        Remove and return the next batch for a child.

        One of the kind that is loaded, else of the first kind without a child, else of that
        with most left.
        """
        kinds = [kind for kind, batches in self._waiting.items() if batches]
        free = [kind for kind in kinds if kind not in busy]
        if loaded in kinds:
            return self._waiting[str(loaded)].popleft()
        return self._waiting[
            free[0] if free else max(kinds, key=lambda kind: len(self._waiting[kind]))
        ].popleft()


class _Child:
    """One child process, at work on one batch."""

    def __init__(self, batch: PoolBatch[Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _single_threaded_children():
            self._process.start()
        theirs.close()
        GUARD.watch(self._process.pid or 0)  # an item that never ends must not outlive us
        self.start(batch)

    def start(self, batch: PoolBatch[Any]) -> None:
        """Send another batch to the child."""
        self.batch, self._answered, self.alive = batch, 0, True
        self._begun, self._since_s, self._patience_s = (
            False,
            CLOCK.seconds(),
            START_S + batch.limit_s,
        )
        # it died; `answer` reports it
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((batch.work, batch.pieces))

    @property
    def at_work(self) -> bool:
        """Return whether results of its batch are outstanding."""
        return self.alive and self._answered < len(self.batch.pieces)

    @property
    def due_s(self) -> float:
        """Return the deadline of the next answer, by CLOCK."""
        return self._since_s + self._patience_s

    def has_begun(self) -> bool:
        """Return whether the message only reports that the batch has begun."""
        if self._begun or not self.connection.poll():
            return False
        try:
            assert self.connection.recv() == BEGUN, "a child says that first"
        except (EOFError, OSError):
            return False  # it died; `answer` reports it
        self._begun, self._since_s, self._patience_s = True, CLOCK.seconds(), self.batch.limit_s
        return True

    def answer(self) -> tuple[Any, Any]:
        """
        Return the next item and its result.

        DIED if the process has ended, another Crashed if its time was up.
        """
        piece = self.batch.pieces[self._answered]
        self._answered += 1
        if not self.connection.poll():
            self.kill()
            return piece, Crashed(f"took longer than {self._patience_s:.0f} s")
        try:
            done, result = self.connection.recv()
        except (EOFError, OSError):
            self.kill()
            return piece, DIED
        self._since_s = CLOCK.seconds()
        if not done:
            raise result
        return piece, result

    def remaining(self) -> tuple[Any, ...]:
        """Return the items that were not begun."""
        return self.batch.pieces[self._answered :]

    def kill(self) -> None:
        """End the process at once, and whatever it started."""
        if not self.alive:
            return
        self.alive = False
        assert self._process.pid is not None, "it was started"
        with contextlib.suppress(ProcessLookupError):  # it died before it led a group
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        GUARD.release(self._process.pid)
        self.connection.close()


def _answering(crew: Sequence[_Child]) -> list[_Child]:
    """Wait; return the children that have answered, have died, or have exceeded their time."""
    patience_s = min(child.due_s for child in crew) - CLOCK.seconds()
    ready = wait(
        [child.connection for child in crew],
        None if math.isinf(patience_s) else max(patience_s, 0.0),
    )
    return [child for child in crew if child.connection in ready or child.due_s <= CLOCK.seconds()]


def _reassigned(child: _Child, queue: _Queue, busy: Collection[str]) -> list[_Child]:
    """Return the child with its next batch; none if it is dead or has nothing left to do."""
    if not child.alive:
        if child.remaining():
            queue.put_back(replace(child.batch, pieces=child.remaining()))
        return []
    if not queue:
        child.kill()
        return []
    child.start(queue.next(child.batch.kind, busy))
    return [child]


def _kinds(crew: Sequence[_Child]) -> list[str]:
    return [child.batch.kind for child in crew]


def _serve(connection: Connection) -> None:
    """Work through one batch after the other in the child, until the parent exits."""
    # so that its own children are killed with it; the parent handles Ctrl-C
    os.setsid()
    with contextlib.suppress(EOFError, OSError):  # the parent has exited
        while True:
            for news in _messages(connection):
                connection.send(news)


def _messages(connection: Connection) -> Iterator[Any]:
    """Wait for a batch and work through it: yield BEGUN, then the answers."""
    try:
        work, pieces = connection.recv()
    except (EOFError, OSError):
        raise
    except Exception as error:  # the module that holds the work cannot be imported
        yield BEGUN
        yield False, _portable(error)
        return
    yield BEGUN
    yield from _answers(work, pieces)


def _answers(
    work: Callable[[Sequence[Any]], Iterable[Any]], pieces: Sequence[Any]
) -> Iterator[tuple[bool, Any]]:
    """Yield (True, result) for each item; (False, error) is the last if the work raises."""
    try:
        for _, result in zip(pieces, work(pieces), strict=True):
            yield True, result
    except Exception as error:
        yield False, _portable(error)


def _portable(error: Exception) -> Exception:
    """
    Return an error that the parent can unpickle: a HarnessError as it is, any other as its
    text.
    """
    if isinstance(error, HarnessError):
        return HarnessError(str(error))
    return RuntimeError(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")


@contextlib.contextmanager
def _single_threaded_children() -> Iterator[None]:
    """
    Set the thread variables of numerical libraries for children.

    Children read them when they import their libraries, before any code of ours runs.
    """
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
