"""Real child processes, some of which are made to die or to hang."""

import importlib
import os
import select
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.scoring.process_pool import Crashed, PoolBatch, run_batches, run_isolated

DIED = Crashed("crashed the process")


def work(item: int) -> int:
    """Squares; 3 ends the process as a bug in C would, 5 as a bare exit, 7 as a user's mistake."""
    if item == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == 5:
        os._exit(1)
    if item == 7:
        raise HarnessError("seven is unlucky")
    return item * item


def several(items: Sequence[int]) -> Iterator[int]:
    for item in items:
        yield work(item)


def hang(items: Sequence[Path]) -> Iterator[int]:
    """
    Gives its number; what is called "hung" starts a process of its own and then waits for ever.
    """
    for item in items:
        if item.name == "hung":
            other = subprocess.Popen(["sleep", "600"])
            item.write_text(f"{os.getpid()} {other.pid}")
            signal.pause()
        yield os.getpid()


def poison(items: Sequence[str]) -> Iterator[str]:
    """An item that is called "spoil" spoils its process for whatever needs it whole."""
    spoilt = False
    for item in items:
        if spoilt and item == "whole":
            os._exit(1)
        spoilt = spoilt or item == "spoil"
        yield item


def who(items: Sequence[str]) -> Iterator[tuple[str, int]]:
    yield from ((item, os.getpid()) for item in items)


def too_few(items: Sequence[int]) -> Iterator[int]:
    yield from items[1:]


def not_portable(_: Sequence[int]) -> Iterator[int]:
    class OwnError(Exception):
        """Nobody else can make one."""

    raise OwnError("broken")
    yield 0


def threads_allowed(_: int) -> tuple[str | None, str | None]:
    return os.environ.get("OMP_NUM_THREADS"), os.environ.get("OPENBLAS_NUM_THREADS")


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_each_crash_costs_its_own_item_and_no_other():
    results = dict(run_isolated(work, [0, 1, 2, 3, 4, 5, 6], workers=2))
    assert {i for i, result in results.items() if isinstance(result, Crashed)} == {3, 5}
    assert {i: result for i, result in results.items() if i not in (3, 5)} == {
        0: 0,
        1: 1,
        2: 4,
        4: 16,
        6: 36,
    }


def test_a_crash_inside_a_batch_costs_its_own_piece():
    batches = [PoolBatch(work=several, pieces=(1, 3, 2)), PoolBatch(work=several, pieces=(4, 5))]
    assert dict(run_batches(batches, workers=2)) == {1: 1, 2: 4, 3: DIED, 4: 16, 5: DIED}


def test_a_piece_that_dies_of_what_ran_before_it_gets_its_value_in_a_process_of_its_own():
    assert list(
        run_batches([PoolBatch(work=poison, pieces=("spoil", "whole", "last"))], workers=1)
    ) == [
        ("spoil", "spoil"),
        ("whole", "whole"),
        ("last", "last"),
    ]


def test_a_hung_piece_costs_itself_and_its_processes_are_killed(tmp_path: Path):
    hung = tmp_path / "hung"
    results = dict(
        run_batches(
            [PoolBatch(work=hang, pieces=(tmp_path / "a", hung, tmp_path / "b"), limit_s=1.0)],
            workers=1,
        )
    )
    assert results[hung] == Crashed("took longer than 1 s")
    assert isinstance(results[tmp_path / "a"], int) and isinstance(results[tmp_path / "b"], int)
    for pid in map(int, hung.read_text().split()):
        for _ in range(1000):  # the system may need a moment
            if not is_running(pid):
                break
            select.select([], [], [], 0.01)
        assert not is_running(pid)


def test_a_process_stays_with_the_kind_it_has_loaded_and_there_are_never_too_many():
    kinds = {"a": 4, "b": 4, "c": 4}
    batches = [
        PoolBatch(work=who, pieces=(f"{kind}{i}",), kind=kind)
        for kind, count in kinds.items()
        for i in range(count)
    ]
    found = dict(result for _, result in run_batches(batches, workers=2))
    assert sorted(found) == sorted(piece for batch in batches for piece in batch.pieces)
    assert len(set(found.values())) == 2
    assert len({found[f"a{i}"] for i in range(4)} | {found[f"b{i}"] for i in range(4)}) == 2


def test_what_the_function_raises_reaches_the_caller():
    with pytest.raises(HarnessError, match="seven is unlucky"):
        list(run_isolated(work, [7], workers=1))


def test_what_only_the_child_can_make_is_raised_by_its_words():
    with pytest.raises(RuntimeError, match="OwnError: broken"):
        list(run_batches([PoolBatch(work=not_portable, pieces=(0,))], workers=1))


def test_work_that_gives_too_few_results_is_an_error_and_not_a_wait():
    with pytest.raises(RuntimeError, match="ValueError: zip"):
        list(run_batches([PoolBatch(work=too_few, pieces=(0, 1))], workers=1))


def test_a_caller_that_stops_early_leaves_no_process():
    before = set(psutil.Process().children())
    results = run_batches(
        [PoolBatch(work=several, pieces=(1,)), PoolBatch(work=several, pieces=(2, 4))], workers=2
    )
    next(results)
    results.close()
    assert not [
        child
        for child in set(psutil.Process().children()) - before
        if "spawn_main" in " ".join(child.cmdline())
    ]


def test_children_are_held_to_one_thread_and_the_parent_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert list(run_isolated(threads_allowed, [0], workers=1)) == [(0, ("1", "1"))]
    assert (os.environ["OMP_NUM_THREADS"], os.environ.get("OPENBLAS_NUM_THREADS")) == ("3", None)


def test_nothing_to_do_starts_nothing():
    assert list(run_isolated(work, [], workers=2)) == []


def test_work_that_cannot_be_imported_is_an_error_and_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "fickle.py").write_text("def work(pieces):\n    yield from pieces\n")
    monkeypatch.syspath_prepend(tmp_path)
    fickle = importlib.import_module("fickle")
    (tmp_path / "fickle.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(RuntimeError, match="No module named 'nothing_of_that_name'"):
        list(run_batches([PoolBatch(work=fickle.work, pieces=(0,))], workers=1))
