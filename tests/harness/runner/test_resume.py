"""What is kept of an interrupted comparison: rounds that are whole on both sides."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.runner.test_run_folder import FINISHED, LOADED, OBSERVED, SAMPLE
from voxgate import Suite
from voxgate.harness.records.codec import to_json
from voxgate.harness.records.environment import RunEnvironment
from voxgate.harness.records.run import Failure, FailureKind, Phase
from voxgate.harness.runner import process_files, run_folder
from voxgate.harness.runner.process_files import WorkerLog
from voxgate.harness.runner.resume import put_torn_rounds_away, remainder
from voxgate.harness.runner.run_header import RunHeader

WHOLE = ("r1", "r2")


@pytest.fixture
def header(make_suite: Callable[..., Suite]) -> RunHeader:
    cells = make_suite(without={"steps": 4}, because="never").expand().cells
    facts = {
        "suite": "test",
        "question": "",
        "reference": "steps-8",
        "cells": cells,
        "excluded": {},
        "profile": "plain",
    }
    return RunHeader(
        **facts,
        environment=RunEnvironment(),
        created="2026-11-21",
        repeats=2,
        iterations=1,
        command="",
    )  # type: ignore[arg-type]


@pytest.fixture
def folders(tmp_path: Path, header: RunHeader) -> list[Path]:
    made = [tmp_path / name for name in ("base", "head")]
    for folder in made:
        run_folder.create_run(folder, header)
    return made


def record(
    folder: Path, repeat: int, requests: Sequence[str], *, finished: bool = True, before: int = 0
) -> bytes:
    """
    Writes what one process left, after so many iterations of an interrupted one; gives the bytes.
    """
    path = process_files.log_path(folder, "steps-8", repeat)
    log = WorkerLog(path)
    log.append(LOADED)
    log.append(OBSERVED)
    for iteration, request in enumerate(requests, before):
        sample = replace(
            SAMPLE, phase=Phase.MEASURED, request=request, repeat=repeat, iteration=iteration
        )
        log.append({"kind": "sample", "sample": to_json(sample)})
    if finished:
        log.append(FINISHED)
    log.close()
    return path.read_bytes()


def left(folder: Path) -> list[int]:
    return [each.repeat for each in run_folder.load_run(folder).processes]


def test_a_round_that_is_whole_on_both_sides_is_kept_as_it_is(
    folders: list[Path], header: RunHeader
) -> None:
    before = [record(folder, 0, WHOLE) for folder in folders]
    record(folders[0], 1, WHOLE)
    record(folders[1], 1, ["r1"], finished=False)
    put_torn_rounds_away(folders, header)
    assert [left(folder) for folder in folders] == [[0], [0]]
    assert [
        process_files.log_path(folder, "steps-8", 0).read_bytes() for folder in folders
    ] == before
    assert [[each.name for each in (folder / "torn").iterdir()] for folder in folders] == [
        ["steps-8.1.jsonl.1"]
    ] * 2


@pytest.mark.parametrize(
    ("requests", "finished"),
    [(["r1"], True), (WHOLE, False), ([], False)],
    ids=["ended early", "not ended", "just begun"],
)
def test_a_torn_process_takes_its_counterpart_with_it(
    folders: list[Path], header: RunHeader, requests: Sequence[str], finished: bool
) -> None:
    """A process whose counterpart died ends by itself, with less than was planned."""
    record(folders[0], 0, requests, finished=finished)
    record(folders[1], 0, WHOLE)
    put_torn_rounds_away(folders, header)
    assert [left(folder) for folder in folders] == [[], []]


def test_rounds_that_were_added_are_looked_at_too_and_nothing_is_overwritten(
    folders: list[Path], header: RunHeader
) -> None:
    for _ in range(2):
        record(folders[0], 5, WHOLE)
        put_torn_rounds_away(folders, header)
    record(folders[0], 5, ["r1"], finished=False)
    process_files.keep_interrupted(folders[0], "steps-8", 5)
    record(folders[0], 5, WHOLE, before=1)
    put_torn_rounds_away(folders, header)
    names = sorted(each.name for each in (folders[0] / "torn").iterdir())
    assert names == [
        "steps-8.5.jsonl.1",
        "steps-8.5.jsonl.2",
        "steps-8.5.jsonl.4",
        "steps-8.5.jsonl.part1.1",
    ]
    assert left(folders[0]) == []


def test_a_cell_that_failed_for_good_is_left_as_it_is(
    folders: list[Path], header: RunHeader
) -> None:
    record(folders[0], 0, ["r1"])
    record(folders[1], 0, ["r1"], finished=False)
    process_files.append_failure(
        folders[1], "steps-8", 0, Failure(kind=FailureKind.REFUSED, reason="no")
    )
    put_torn_rounds_away(folders, header)
    assert [left(folder) for folder in folders] == [[0], [0]]
    assert not (folders[0] / "torn").exists()


def test_a_round_of_a_workload_in_parts_is_whole_with_its_part(
    folders: list[Path], header: RunHeader
) -> None:
    """The rounds speak the parts in turn: r1, r2, r1."""
    halves = replace(header, parts=2, repeats=3)
    cell = halves.cells[0]
    assert [halves.spoken(cell, repeat) for repeat in range(3)] == [("r1",), ("r2",), ("r1",)]
    for folder in folders:
        for repeat, request in enumerate(("r1", "r2", "r2")):
            record(folder, repeat, [request])
    put_torn_rounds_away(folders, halves)
    assert [left(folder) for folder in folders] == [[0, 1], [0, 1]]


def test_what_is_left_of_a_round_in_parts_is_the_rest_of_its_part(
    folders: list[Path], header: RunHeader
) -> None:
    record(folders[0], 1, [], finished=False)
    rest = remainder(folders[0], header.cells[0], 1, replace(header, parts=2))
    assert rest is not None
    assert rest.missing == (("r2", 0),)
