"""Real child processes, some of which are made to die."""

import os
import signal

import pytest

from harness.errors import HarnessError
from harness.metrics.isolation import Crashed, run_isolated


def work(item: int) -> int:
    """Squares; 3 ends the process as a bug in C would, 5 as a bare exit, 7 as a user's mistake."""
    if item == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == 5:
        os._exit(1)
    if item == 7:
        raise HarnessError("seven is unlucky")
    return item * item


def threads_allowed(_: int) -> tuple[str | None, str | None]:
    return os.environ.get("OMP_NUM_THREADS"), os.environ.get("OPENBLAS_NUM_THREADS")


def test_each_crash_costs_its_own_item_and_no_other():
    results = dict(run_isolated(work, [0, 1, 2, 3, 4, 5, 6], workers=2))
    assert {i for i, result in results.items() if isinstance(result, Crashed)} == {3, 5}
    assert {i: result for i, result in results.items() if i not in (3, 5)} == {0: 0, 1: 1, 2: 4, 4: 16, 6: 36}


def test_what_the_function_raises_reaches_the_caller():
    with pytest.raises(HarnessError, match="seven is unlucky"):
        list(run_isolated(work, [7], workers=1))


def test_children_are_held_to_one_thread_and_the_parent_keeps_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert list(run_isolated(threads_allowed, [0], workers=1)) == [(0, ("1", "1"))]
    assert (os.environ["OMP_NUM_THREADS"], os.environ.get("OPENBLAS_NUM_THREADS")) == ("3", None)


def test_nothing_to_do_starts_nothing():
    assert list(run_isolated(work, [], workers=2)) == []
