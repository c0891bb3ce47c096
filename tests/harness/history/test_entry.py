"""A judged run becomes an entry with all that was measured and decided."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import (
    accepted,
    good_run,
    judged,
    make_run,
    make_scores,
    policy,
    process,
    steady,
)
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.history.entry import digest_of_run, entry_of_run
from voxgate.harness.history.records import HistoryEntry
from voxgate.harness.judging.judge import judge
from voxgate.harness.records.environment import Machine
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import Failure, FailureKind, OptionCheck

EFFECT = OptionCheck(
    option="precision", requested="bf16", observed="bf16", in_effect=True, reason="12 of 12"
)


def entry_for(tmp_path: Path, **changes: object) -> HistoryEntry:
    run = good_run(tmp_path / "runs/0001", effects=(EFFECT,))
    judgement = judged(run, accepted(tmp_path), **changes)
    return entry_of_run(run, aggregate(run, make_scores(run, **changes)), judgement)


def test_the_run_says_what_was_measured_where_and_how_it_ended(tmp_path: Path) -> None:
    entry = entry_for(tmp_path)

    assert (entry.source, entry.suite, entry.profile, entry.machine) == (
        "voxgate",
        "smoke",
        "cpu",
        "box-2c",
    )
    assert (entry.head, entry.created) == ("3fa1c2e + 2 files", "2026-11-20T10:00:00+00:00")
    assert (entry.verdict, entry.exit_code, entry.line) == ("PASS", 0, "PASS: 2 passed")
    assert (entry.question, entry.complete, entry.folder) == (
        "is it quick?",
        True,
        str(tmp_path / "runs/0001"),
    )
    assert '"first"' in entry.baseline


def test_every_measurement_of_every_cell_is_in_it_helpers_included(tmp_path: Path) -> None:
    entry = entry_for(tmp_path)
    values = {value.metric: value for value in entry.cells[1].values}

    assert [cell.cell for cell in entry.cells] == ["nfe-32", "nfe-8"]
    assert {"latency_p50", "rtf", "pesq", "wer", "stage.vocoder", "wer_words"} <= set(values)
    latency = values["latency_p50"]
    assert (latency.unit, latency.better, latency.version, latency.n) == ("s", "lower", "1", 72)
    assert (
        isinstance(latency.value, float)
        and latency.low is not None
        and latency.low <= latency.value
    )
    assert (latency.verdict, values["stage.vocoder"].verdict) == ("PASS", None)
    assert latency.shift == pytest.approx(0.0, abs=1e-9)
    assert values["peak_cuda_bytes"].value == Missing("no CUDA device")


def test_a_cell_says_what_was_asked_what_was_in_effect_and_why_it_was_judged_so(
    tmp_path: Path,
) -> None:
    cell = entry_for(tmp_path, pesq=3.0).cells[1]

    assert cell.config == {
        "target": "fake",
        "pipeline": "flow",
        "workload": cell.config["workload"],
        "nfe": 8,
    }
    assert str(cell.config["workload"]).startswith("w ")
    assert cell.effective == {"nfe_steps": 8}
    assert [effect["observed"] for effect in cell.effects] == ["bf16"]
    assert cell.verdict == "REGRESSED" and cell.reason.startswith("pesq -0.6 MOS-LQO")
    assert {value.metric: value.verdict for value in cell.values}["pesq"] == "REGRESSED"


def test_a_failed_cell_keeps_its_reason_in_place_of_every_number(tmp_path: Path) -> None:
    failure = Failure(kind=FailureKind.TIMEOUT, reason="600 s")
    run = good_run(tmp_path / "runs/0001")
    kept = tuple(process for process in run.processes if process.cell == "nfe-32")
    run = replace(run, processes=(*kept, process("nfe-8", 0, [], failure=failure, finished=False)))
    scores = {key: value for key, value in make_scores(run).items() if key[0] == "nfe-32"}
    measurements = aggregate(run, scores)
    cell = entry_of_run(
        run, measurements, judge(run, measurements, accepted(tmp_path), policy())
    ).cells[1]

    assert (cell.verdict, cell.reason) == ("FAILED", "timeout: 600 s")
    found = {value.metric: value.value for value in cell.values}
    assert found["latency_p50"] == Missing("no measured iteration: timeout: 600 s")


def test_a_cell_that_was_judged_without_being_measured_is_in_it_too(tmp_path: Path) -> None:
    run = make_run({"nfe-32": steady(0.4)}, tmp_path / "runs/0002")
    judgement = judged(run, accepted(tmp_path))
    entry = entry_of_run(run, aggregate(run, make_scores(run)), judgement)

    assert [(cell.cell, cell.verdict, cell.values) for cell in entry.cells][1] == (
        "nfe-8",
        "FAILED",
        (),
    )
    assert "which the suite does not have" in entry.cells[1].reason


def test_the_digest_stays_with_the_run_and_with_no_other(tmp_path: Path) -> None:
    run = good_run("runs/0001")
    begun = replace(run, processes=(), complete=False)
    closed = replace(
        run,
        environment=replace(run.environment, after={"load_1min": 1.0}, more={"finished": "later"}),
    )
    moved = replace(run, folder="/elsewhere/0001")
    other = [
        replace(run, created="2026-11-20T10:00:01Z"),
        replace(run, profile="cuda"),
        replace(run, environment=replace(run.environment, machine=Machine(id="box-4c"))),
        make_run({"nfe-32": steady(0.4)}),
    ]

    assert {digest_of_run(each) for each in (run, begun, closed, moved)} == {digest_of_run(run)}
    assert len({digest_of_run(each) for each in (run, *other)}) == 5
