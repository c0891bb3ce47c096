"""
The main job's second look: rounds are added until speeds are decided, and an alarm is measured
twice. Real processes.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli.test_main import SUITE, WORKLOAD, made_up
from voxgate.harness import workflow
from voxgate.harness.analysis.metric_rules import ENERGY
from voxgate.harness.cli.main import invoke
from voxgate.harness.judging import compare as compare_module
from voxgate.harness.judging import judge as judge_module
from voxgate.harness.judging import judge_run as judge_run_module
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.verdict import CellVerdict, Comparison, MetricVerdict, Verdict
from voxgate.harness.runner import process_files, run_folder
from voxgate.harness.runner.run_plan import CONFIRM, CONFIRM_ROUNDS, RunPlan
from voxgate.harness.scoring import kept_scores
from voxgate.harness.workflow import check_suite, judge_run

Script = Callable[[dict[str, Any]], None]
SLOW = {"steps-4": {"slower": 1.1, "stage": "vocoder"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one suite and its baseline."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept_scores, "score_run", made_up)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "two.py").write_text(SUITE)
    (tmp_path / "two.toml").write_text(WORKLOAD)
    assert invoke(["run", "two", "--iterations", "3"]) == 0
    assert invoke(["accept", "runs/0001", "--why", "first", "--loaded"]) == 0
    return tmp_path


def cell_of(folder: Path, slug: str = "steps-4") -> CellVerdict:
    return next(cell for cell in judge_run(folder).judgement.cells if cell.cell == slug)


def rounds_of(folder: Path, slug: str = "steps-4") -> int:
    return sum(process.cell == slug for process in run_folder.load_run(folder).processes)


def test_a_quiet_run_is_decided_by_its_planned_rounds(project: Path) -> None:
    outcome = check_suite(RunPlan(suite="two", iterations=3))
    assert rounds_of(outcome.folder) == 2
    assert not (outcome.folder / CONFIRM).exists()
    assert judge_run(outcome.folder).judgement.verdict is Verdict.PASS


def test_rounds_are_added_until_the_speeds_are_decided(project: Path) -> None:
    """One process says nothing of the spread; the second decides."""
    outcome = check_suite(RunPlan(suite="two", repeats=1, iterations=3))
    assert rounds_of(outcome.folder) == 2
    assert judge_run(outcome.folder).judgement.verdict is Verdict.PASS


def test_without_a_budget_what_is_undecided_stays_unresolved(project: Path) -> None:
    outcome = check_suite(RunPlan(suite="two", repeats=1, iterations=3, budget_s=0.0))
    assert rounds_of(outcome.folder) == 1
    assert judge_run(outcome.folder).judgement.exit_code == 3


def test_a_suspect_is_measured_again_and_confirmed(project: Path, script: Script) -> None:
    script(SLOW)
    outcome = check_suite(RunPlan(suite="two", iterations=3))
    again = run_folder.load_run(outcome.folder / CONFIRM)
    assert {process.cell for process in again.processes} == {"steps-4"}
    assert len(again.processes) == CONFIRM_ROUNDS
    cell = cell_of(outcome.folder)
    assert cell.verdict is Verdict.REGRESSED
    assert "confirmed in fresh processes: +10.0 %" in cell.reason
    assert "vocoder" in cell.reason


def test_a_suspect_that_was_only_unlucky_passes_and_says_so(
    project: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_again = workflow.measure_again

    def calmer(*arguments: Any) -> Any:
        script({})
        return measure_again(*arguments)

    monkeypatch.setattr(workflow, "measure_again", calmer)
    script(SLOW)
    outcome = check_suite(RunPlan(suite="two", iterations=3))
    cell = cell_of(outcome.folder)
    assert cell.verdict is Verdict.PASS
    speed = next(each for each in cell.metrics if each.metric == "rtf")
    assert "rtf +10.0 %" in speed.reason
    assert "not confirmed in fresh processes: +0.0 %" in speed.reason


def test_gate_alone_judges_what_it_finds(project: Path, script: Script) -> None:
    """Another machine cannot measure again; it says what the run says."""
    script(SLOW)
    assert invoke(["run", "two", "--iterations", "3"]) == 0
    assert invoke(["gate", "runs/0002"]) == 1


def counted(name: str, of: Callable[..., Any], counts: Counter[str]) -> Callable[..., Any]:
    """Wrap a function so that its calls are counted."""

    def call(*arguments: Any, **named: Any) -> Any:
        counts[name] += 1
        return of(*arguments, **named)

    return call


def test_a_green_check_loads_everything_once_and_judges_once(
    project: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The speeds, which decide on further rounds, are not judged again with the whole."""
    counts = Counter[str]()
    for module, names in (
        (judge_run_module, ("load_suite", "baseline_of", "judge_speeds", "judge")),
        (judge_run_module, ("limits_of",)),
        (process_files, ("process_of",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, counted(name, getattr(module, name), counts))
    decided = Counter[tuple[str, str]]()

    def decide(comparison: Comparison, *more: Any) -> MetricVerdict:
        decided[comparison.cell, comparison.metric] += 1
        return decide_one(comparison, *more)

    decide_one = judge_module.decide
    monkeypatch.setattr(judge_module, "decide", decide)
    compared = Counter[tuple[str, str]]()

    def compare_speed(cell: str, now: Measurement, *more: Any) -> Comparison:
        compared[cell, now.metric] += 1
        return compare_one(cell, now, *more)

    compare_one = compare_module.compare_speed
    monkeypatch.setattr(compare_module, "compare_speed", compare_speed)
    assert invoke(["check", "two", "--iterations", "3"]) == 0
    assert counts.pop("process_of") == len(list(Path("runs/0002/processes").glob("*.jsonl")))
    once = ("load_suite", "limits_of", "baseline_of", "judge_speeds", "judge")
    assert counts == dict.fromkeys(once, 1)
    # why no energy was measured is known only when the run is complete
    twice = {metric for (_, metric), count in decided.items() if count > 1}
    assert twice <= {ENERGY} and ("steps-4", "rtf") in decided and ("steps-4", "wer") in decided
    assert {metric for (_, metric), count in compared.items() if count > 1} <= {ENERGY}
    assert ("steps-4", "rtf") in compared
