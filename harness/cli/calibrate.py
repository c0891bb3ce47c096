"""
The verb calibrate: measure how far an engine's own takes lie apart, and propose margins.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from voxgate.harness.cli.options import Amount, Count, as_json, baselines, folder, planned
from voxgate.harness.cli.output import say_if_git_refuses, say_interrupted, say_result
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.calibrate import (
    COMPARISONS,
    SLACK,
    Calibration,
    CalibrationPlan,
    calibration_to_dict,
    write_margins,
)
from voxgate.harness.judging.calibrate import calibrate as calibrate_takes
from voxgate.harness.judging.judge_run import scored_run, suite_of
from voxgate.harness.judging.policy import limits_of, suite_policy
from voxgate.harness.records.files import short
from voxgate.harness.records.run import MOST_TAKES, Run
from voxgate.harness.runner.progress import measuring_progress, score_progress
from voxgate.harness.runner.run_plan import RunPlan, measure
from voxgate.harness.runner.runner import Outcome
from voxgate.harness.scoring.score_run import check_scoring
from voxgate.harness.suite.suite import load_suite
from voxgate.harness.suite.suite_checks import TAKES
from voxgate.harness.targets.registry import has_takes

COLUMNS = "{:<28} {:>10} {:>10} {:>10}  {:<8} {:>8} {:>8} {:>8}  {}"
NAMES = ("metric", "margin", "spread", "proposed", "unit", "worst", "gap", "proposed", "A/A alarms")


@click.command()
@planned
@click.option(
    "--takes",
    type=Count(4, MOST_TAKES),
    help="Takes of each text, to be split in two; twice those of the suite unless given.",
)
@click.option(
    "--run",
    "run",
    type=folder,
    help="Split the takes of this run folder, and measure nothing.",
)
@click.option(
    "--comparisons",
    type=Count(1, 100_000),
    default=COMPARISONS,
    show_default=True,
    help="Times that the takes are split in two and compared.",
)
@click.option(
    "--slack",
    type=Amount(),
    default=SLACK,
    show_default=True,
    help="Margin as a multiple of the largest shift that was seen; at least 1.",
)
@click.option(
    "--write", is_flag=True, help="Write the wider margins to policy.toml in the suite's baseline."
)
@as_json
@baselines
def calibrate(
    takes: int | None,
    run: Path | None,
    comparisons: int,
    slack: float,
    write: bool,
    as_json: bool,
    baselines: Path,
    **options: Any,
) -> int:
    """
    Measure how far the takes of SUITE's engine lie apart by chance, and propose margins that the
    unchanged engine keeps.

    Each text is spoken in many takes, which are split in two and compared, again and again: every
    shift is chance. A margin that is narrower than the largest of them times the slack is proposed
    wider; none is proposed narrower. Margins of speeds stay: the machine spreads them.

    \b
    Example: voxgate calibrate sampling --write
    """
    if slack < 1.0:
        raise HarnessError(
            f"--slack {slack:g} would propose margins below what was seen; give 1 or more"
        )
    plan = RunPlan(**options)
    splitting = CalibrationPlan(takes=takes, comparisons=comparisons, slack=slack)
    if run is None:
        say_if_git_refuses()
        outcome = _measure_takes(plan, takes)
        if outcome.interrupted:
            return say_interrupted(plan, "calibrate", outcome)
        run = outcome.folder
    measured, rows = _calibrate_run(run, plan.suite, splitting, baselines)
    path = suite_policy(baselines, measured.suite)
    written = write_margins(path, rows, measured, splitting) if write else ()
    if not as_json:
        for line in table(rows):
            click.echo(line)
    document = {
        "run": str(run),
        "metrics": [calibration_to_dict(row) for row in rows],
        "policy": str(path) if written else None,
    }
    say_result(as_json, document, _last_line(rows, path, written=bool(written)))
    return 0


def _measure_takes(plan: RunPlan, takes: int | None) -> Outcome:
    """Measure a suite with many takes of each text: twice those that it names, unless given."""
    suite = load_suite(plan.suite)
    check_scoring(suite)
    if has_takes(suite):
        suite = replace(suite, takes=takes or 2 * (suite.takes or TAKES))
    elif takes is not None:
        raise HarnessError(
            f"--takes {takes}: neither suite {suite.name!r} nor its target declares a sampled "
            "engine; add sampled=True to the suite, or leave --takes out"
        )
    outcome = measure(plan, suite, "calibrate", None, measuring_progress())
    return replace(outcome, folder=short(outcome.folder))


def _calibrate_run(
    folder: Path, name: str, plan: CalibrationPlan, baselines: Path
) -> tuple[Run, tuple[Calibration, ...]]:
    """Return a run of a suite, and how far its own takes lie apart."""
    suite = load_suite(name)
    if (found := suite_of(folder)) != suite.name:
        raise HarnessError(f"{folder} is a run of suite {found!r}, not of {suite.name!r}")
    limits = limits_of(baselines, suite=suite.name)
    run, measurements = scored_run(folder, baselines, score_progress())
    takes = plan.takes or 2 * (suite.takes or TAKES)
    rows = calibrate_takes(run, measurements, limits, replace(plan, takes=takes))
    _check_takes(folder, plan.takes, rows)
    return run, rows


def _check_takes(folder: Path, asked: int | None, rows: Sequence[Calibration]) -> None:
    """Raise HarnessError where more takes were asked for than the run holds of any text."""
    most = max((2 * row.takes for row in rows if not row.is_speed), default=0)
    if asked is not None and asked // 2 * 2 > most:
        raise HarnessError(
            f"--takes {asked}: {folder} holds {most} takes of a text that can be split; leave "
            "--run out to measure more, or give fewer"
        )


def table(rows: Sequence[Calibration]) -> list[str]:
    """Return the lines of the table, the metrics that need a wider margin first."""
    lines = [COLUMNS.format(*NAMES)]
    for row in sorted(rows, key=lambda each: each.limit is None):
        told = (
            ("-", "", "", "", "")
            if row.is_speed
            else (
                "holds" if row.proposed is None else f"{row.proposed:.3g}",
                "" if row.worst is None else f"{row.worst:.3g}",
                "" if row.worst is None else f"{max(row.gap, 0.0):.3g}",
                "" if row.proposed_worst is None else f"{row.proposed_worst:.3g}",
                f"{row.alarms} of {row.comparisons}",
            )
        )
        unit = "" if row.unit == "1" else row.unit
        numbers = (f"{row.margin:.3g}", f"{row.spread:.3g}")
        lines.append(COLUMNS.format(row.metric, *numbers, told[0], unit, *told[1:]).rstrip())
    return lines


def _last_line(rows: Sequence[Calibration], path: Path, *, written: bool) -> str:
    wider = sum(row.limit is not None for row in rows)
    count = sum(not row.is_speed for row in rows)
    if not wider:
        return f"calibrated: all {count} margins hold"
    if written:
        return f"calibrated: {wider} of {count} margins are wider now; review and commit {path}"
    return f"calibrated: {wider} of {count} margins are too narrow; write them with --write"
