"""
The stages in their order: measure a suite, score its audio, judge it, accept it, show it. Command
line and pytest both call these, so that there is one main job and not two.

Knows which folder is handed to whom; what happens inside a stage is the stage's own business.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from voxgate.harness.audio.kept_audio import check_audio
from voxgate.harness.history.address import append_entry
from voxgate.harness.history.entry import entry_of_run
from voxgate.harness.judging.accept import BaselineChange, accept
from voxgate.harness.judging.amend import suspects
from voxgate.harness.judging.baseline import BASELINES
from voxgate.harness.judging.judge_run import (
    CheckInputs,
    SpeedDecision,
    judge_folder,
    scored_run,
    suite_of,
)
from voxgate.harness.judging.policy import limits_of
from voxgate.harness.records.files import short
from voxgate.harness.report.contents import Report, build_report, measured_before
from voxgate.harness.runner.progress import Progress, ScoreProgress
from voxgate.harness.runner.run_plan import RunPlan, measure, measure_again
from voxgate.harness.runner.runner import Outcome
from voxgate.harness.runner.spans import send_run
from voxgate.harness.scoring.asr_floor import floor_of_run
from voxgate.harness.scoring.score_run import check_scoring

REPORTS = Path("reports")


def measure_suite(
    plan: RunPlan,
    progress: Progress | None = None,
    verb: str = "run",
    more: Callable[[Path], Collection[str]] | None = None,
    inputs: CheckInputs | None = None,
) -> Outcome:
    """
    Measure into a run folder; `more` is asked after the planned rounds which cells need another
    one.

    Raises HarnessError for anything that cannot be meant, before any work.
    """
    suite = (inputs or CheckInputs(plan.suite)).suite
    check_scoring(suite)
    outcome = measure(plan, suite, verb, more, progress)
    return replace(outcome, folder=short(outcome.folder))


def check_suite(
    plan: RunPlan,
    baselines: Path = BASELINES,
    policy: Path | None = None,
    progress: Progress | None = None,
    inputs: CheckInputs | None = None,
) -> Outcome:
    """
    Measure a suite until its speeds are decided or the time is up, and measure the cells that look
    slower again.

    What was measured is judged by `judge_run`; `inputs`, if any, are shared with it. Raises
    HarnessError as `measure_suite` does.
    """
    inputs = inputs or CheckInputs(plan.suite, baselines, policy)
    _ = inputs.limits(inputs.suite.name)  # a policy that cannot be read is told before any work
    decision = SpeedDecision(plan.budget_s, inputs)
    outcome = measure_suite(plan, progress, "check", decision.undecided, inputs)
    if outcome.interrupted:
        return outcome
    suspicious = suspects(decision.verdicts(outcome.folder))
    if not suspicious:
        return outcome
    undecided = SpeedDecision(plan.budget_s, inputs).undecided
    again = measure_again(plan, inputs.suite, outcome.folder, suspicious, undecided, progress)
    return replace(again, folder=outcome.folder)


def judge_run(
    folder: Path,
    baselines: Path = BASELINES,
    policy: Path | None = None,
    progress: ScoreProgress | None = None,
    inputs: CheckInputs | None = None,
) -> Report:
    """
    Judge a run against its baseline; score it first where needed.

    Reads nothing but data: whatever is needed of the suite stands in the run folder, so that a
    stranger's run can be judged.
    """
    inputs = inputs or CheckInputs(baselines=baselines, policy=policy)
    judged = judge_folder(folder, inputs, progress)
    run = judged.run
    return build_report(
        run,
        judged.measurements,
        judged.judgement,
        floor_of_run(run),
        measured_before(inputs.baseline(run)),
        inputs.limits(run.suite),
    )


def remember(contents: Report, url: str | None = None) -> str:
    """
    Append a judged run to the history at a URL, that of the environment unless given.

    Returns the reason where that fails, which changes neither verdict nor exit code; else "".
    """
    return append_entry(
        lambda: entry_of_run(contents.run, contents.measurements, contents.judgement), url
    )


def accept_run(
    folder: Path,
    why: str,
    baselines: Path = BASELINES,
    *,
    only: str | None = None,
    partial: bool = False,
    loaded: bool = False,
    policy: Path | None = None,
    progress: ScoreProgress | None = None,
) -> tuple[BaselineChange, ...]:
    """
    Make a run the baseline, or only its speed or its quality; return the changes.

    `policy` is a file of limits in place of the one in the baselines.
    """
    limits = limits_of(baselines, policy, suite_of(folder))
    run, measurements = scored_run(folder, baselines, progress)
    check_audio(run)
    return accept(
        run,
        measurements,
        why,
        baselines,
        only=only,
        partial=partial,
        loaded=loaded,
        policy=limits,
    )


def send_spans(folder: Path, address: str) -> int:
    """Send the spans of a run to an address; return how many they are."""
    return send_run(folder, address)
