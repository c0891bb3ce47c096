"""
Whatever the order of run, stop, gate, report, accept and resume, the end is that of one straight
run.

The worker, store, scoring and judging are real; the engine is scripted, its scores depend on what
was scored. VOXGATE_ORDERS=100 for as many orders as one has time for.
"""

import json
import os
import random
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli.test_main import SUITE, WORKLOAD, made_up
from tests.harness.in_process import ALONE, ChildHere
from voxgate.harness import workflow
from voxgate.harness.cli.main import invoke
from voxgate.harness.history.database import open_history
from voxgate.harness.judging.baseline import load_baseline, machine_id
from voxgate.harness.judging.baseline_file import BaselineFile
from voxgate.harness.judging.judge_run import SpeedDecision
from voxgate.harness.records.run import Phase, Run
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.runner import (
    engine_side,
    process_files,
    run_folder,
    run_plan,
    worker,
    worker_pool,
)
from voxgate.harness.runner.run_plan import CONFIRM, RunPlan
from voxgate.harness.scoring import kept_scores
from voxgate.harness.scoring.kept_scores import FILE
from voxgate.harness.scoring.score_run import RunScores
from voxgate.harness.workflow import check_suite, judge_run

Script = Callable[[dict[str, Any]], None]
RUN = Path("runs/0001")
CELLS = ("steps-8", "steps-4")
ROUNDS = int(os.environ.get("VOXGATE_ORDERS", "4"))


class Stopped(ChildHere):
    """A worker in this process; `left` commands later, somebody presses Ctrl-C."""

    said: list[str] = []  # noqa: RUF012  (nobody reads it)
    left = 10**9

    def do(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        type(self).left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().do(command, timeout_s)


def heard(run: Run, golden: Path, **_: object) -> RunScores:
    """Scores that depend on what there was to score: stale ones show."""
    scores = made_up(run, golden)
    files = sum(
        sample.audio_file is not None for each in run.processes for sample in each.iterations
    )
    made = {
        "pesq": 3.0 + 0.1 * files,
        **({"golden_pesq": 3.0 + 0.1 * files} if golden.exists() else {}),
    }
    values = {name: {**value, **made} for name, value in scores.values.items()}
    return RunScores(values=values, versions={})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one suite; workers run in this process, and collect no garbage."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept_scores, "score_run", heard)
    monkeypatch.setattr(run_plan, "ready_profile", lambda _: ALONE)
    monkeypatch.setattr(run_plan, "get_profile", lambda _: ALONE)
    monkeypatch.setattr(worker_pool, "WorkerProcess", Stopped)
    for module in (worker, engine_side):
        monkeypatch.setattr(module, "no_garbage_collection", nullcontext)
        monkeypatch.setattr(module, "freeze_gc", lambda: None)
    monkeypatch.setattr(engine_side, "peak_rss_bytes", lambda: 50_000_000)
    monkeypatch.setattr(Stopped, "left", 10**9)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "two.py").write_text(SUITE.replace("iterations=12", "iterations=2"))
    (tmp_path / "two.toml").write_text(WORKLOAD)
    return tmp_path


def measure(monkeypatch: pytest.MonkeyPatch, left: int = 10**9, verb: str = "run") -> int:
    monkeypatch.setattr(Stopped, "left", left)
    return invoke([verb, "two", "--out", str(RUN), *(["--resume"] if RUN.exists() else [])])


def accepted(baselines: Path, *more: str) -> int:
    return invoke(
        ["accept", str(RUN), "--why", "so", "--loaded", "--baselines", str(baselines), *more]
    )


def ending(baselines: Path) -> dict[str, Any]:
    """What is judged, what is accepted, and how much of it there is."""
    contents = judge_run(RUN, baselines)
    found = load_baseline(baselines, "two", machine_id(contents.run))
    cells = {
        cell.cell: {each.metric: (each.verdict, each.reason) for each in cell.metrics}
        for cell in contents.judgement.cells
    }
    return {
        "verdict": contents.judgement.verdict,
        "cells": cells,
        "files": [plain(file) for file in found.files],
    }


def plain(file: BaselineFile) -> Any:
    numbers = {
        slug: {
            name: (each.summary, each.low, each.high, len(each.values))
            for name, each in named.items()
        }
        for slug, named in file.measurements.items()
    }
    return json.loads(json.dumps({"samples": file.samples, "numbers": numbers}, default=str))


@pytest.fixture
def straight(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The end of one run without a stop, accepted and judged; its folder is put out of the way."""
    assert measure(monkeypatch) == 0
    assert accepted(Path("straight")) == 0
    end = ending(Path("straight"))
    RUN.rename(tmp_path / "straight_run")
    return end


STEPS = {
    "go on a little": lambda patch, rng, baselines: measure(patch, rng.randrange(1, 25)),
    "gate": lambda patch, rng, baselines: invoke(["gate", str(RUN), "--baselines", str(baselines)]),
    "report": lambda patch, rng, baselines: invoke(
        ["report", str(RUN), "--baselines", str(baselines)]
    ),
    "accept": lambda patch, rng, baselines: accepted(baselines, "--partial"),
    "gate into the history": lambda patch, rng, baselines: invoke(
        ["gate", str(RUN), "--baselines", str(baselines), "--history", "sqlite:///own.db"]
    ),
}


def test_any_order_of_work_ends_in_the_judgement_of_one_straight_run(
    straight: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for seed in range(ROUNDS):
        rng, baselines, told = random.Random(seed), Path(f"baselines{seed}"), ["go on a little"]
        measure(monkeypatch, rng.randrange(1, 40))
        for name in rng.choices(list(STEPS), k=rng.randrange(3, 10)):
            told.append(name)
            STEPS[name](monkeypatch, rng, baselines)
        assert measure(monkeypatch) == 0, told
        assert accepted(baselines) == 0, told
        assert ending(baselines) == straight, f"seed {seed}: {told}"
        RUN.rename(tmp_path / f"seed{seed}")


def test_scores_of_a_stopped_run_do_not_hide_what_a_slower_engine_adds(
    straight: dict[str, Any],
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    The first input: run, stop, gate, resume with an engine 20 times as slow; the second gate said
    PASS.
    """
    measure(monkeypatch, 40)
    assert invoke(["gate", str(RUN), "--baselines", "straight"]) in (0, 3)
    script({"*": {"slower": 20.0}})
    measure(monkeypatch)
    capsys.readouterr()
    assert invoke(["gate", str(RUN), "--baselines", "straight"]) in (1, 3)
    assert not capsys.readouterr().out.splitlines()[-1].startswith("PASS")


def measured(folder: Path, slug: str) -> int:
    samples = [
        sample
        for each in run_folder.load_run(folder).processes
        if each.cell == slug
        for sample in each.iterations
    ]
    return sum(sample.phase is Phase.MEASURED for sample in samples)


def test_a_check_that_goes_on_judges_every_sample(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first input: check, then check --resume --budget measured 200 samples and judged 40."""
    plan = RunPlan(suite="two", repeats=1, budget_s=0.0, out=RUN)
    check_suite(plan)
    assert judge_run(RUN).judgement.exit_code == 3
    assert accepted(Path("baselines")) == 0
    monkeypatch.setattr(
        SpeedDecision,
        "undecided",
        lambda self, folder: CELLS if process_files.rounds(folder) < 4 else (),
    )
    check_suite(RunPlan(suite="two", repeats=1, budget_s=60.0, out=RUN, resume=True))
    judged = judge_run(RUN)
    latency = next(each for each in judged.measurements["steps-4"] if each.metric == "latency_p50")
    assert len(latency.values) == measured(RUN, "steps-4") == 4 * 4
    assert accepted(Path("baselines")) == 0
    speed = load_baseline(Path("baselines"), "two", machine_id(judged.run)).speed
    assert speed is not None and len(speed.measurements["steps-4"]["latency_p50"].values) == 4 * 4


def test_audio_that_changed_is_scored_anew_and_records_without_audio_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[Path] = []
    monkeypatch.setattr(
        kept_scores,
        "score_run",
        lambda run, golden, **more: calls.append(golden) or heard(run, golden),
    )
    measure(monkeypatch, 60)
    for times in (1, 1):
        invoke(["gate", str(RUN)])
        assert len(calls) == times
    some = next(RUN.glob("audio/*/*.wav"))
    some.write_bytes(some.read_bytes() + b"\0")
    invoke(["gate", str(RUN)])
    assert len(calls) == 2
    some.unlink()
    invoke(["gate", str(RUN)])
    assert len(calls) == 2, "what is gone has the scores that it had"
    for file in RUN.glob("audio/*/*"):
        file.unlink()
    assert invoke(["gate", str(RUN)]) == 3
    log = next(RUN.glob("processes/*.jsonl"))
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    capsys.readouterr()
    assert invoke(["gate", str(RUN)]) == 2
    assert "were made from other records, and its audio is gone" in capsys.readouterr().err


def test_a_stamp_of_before_is_no_proof(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure(monkeypatch)
    invoke(["gate", str(RUN)])
    new = json.loads((RUN / FILE).read_text())
    (RUN / FILE).write_text(json.dumps({"golden": new["golden"], "panel": new["panel"]}))
    invoke(["gate", str(RUN)])
    assert json.loads((RUN / FILE).read_text()) == new


def test_a_second_look_at_other_records_counts_no_more(
    straight: dict[str, Any], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was confirmed as quick, and then went on with a slow engine, is slow."""
    plan = RunPlan(suite="two", out=RUN, budget_s=0.0)
    again = workflow.measure_again

    def calmer(*arguments: Any) -> Any:
        script({})
        return again(*arguments)

    monkeypatch.setattr(workflow, "measure_again", calmer)
    script({"steps-4": {"slower": 1.3}})
    check_suite(plan, Path("straight"))
    assert judge_run(RUN, Path("straight")).judgement.verdict is Verdict.PASS, (
        "not confirmed in fresh processes"
    )
    (RUN / "processes" / "steps-4.1.jsonl").unlink()
    script({"steps-4": {"slower": 1.4}})
    measure(monkeypatch)
    assert judge_run(RUN, Path("straight")).judgement.verdict is Verdict.REGRESSED
    monkeypatch.setattr(workflow, "measure_again", again)
    check_suite(RunPlan(suite="two", out=RUN, budget_s=0.0, resume=True), Path("straight"))
    assert judge_run(RUN, Path("straight")).judgement.verdict is Verdict.REGRESSED
    assert (RUN / f"{CONFIRM}.old1" / "run.json").exists()


def test_the_history_keeps_the_last_state_of_a_run_that_went_on(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ["gate", str(RUN), "--history", "sqlite:///own.db"]
    measure(monkeypatch, 45)
    invoke(gate)
    measure(monkeypatch)
    invoke(gate)
    with open_history("sqlite:///own.db") as history:
        (row,) = history.runs()
        entry = history.entry(row.id)
    latency = next(
        value
        for cell in entry.cells
        if cell.cell == "steps-4"
        for value in cell.values
        if value.metric == "rtf"
    )
    assert entry.complete and latency.n == measured(RUN, "steps-4") == 8
