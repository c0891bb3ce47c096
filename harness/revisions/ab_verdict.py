"""
From the two runs of a comparison to its verdict: score the audio, judge in pairs, amend.

The amendments are the rules of `judging/amend.py` that only a comparison of revisions needs.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import Measurements
from voxgate.harness.judging.amend import (
    add_unshared_cells,
    block_on_gaps,
    confirmed,
    fail_where_base_failed,
    invalidate_speed,
    undecided,
    untimed_cells,
)
from voxgate.harness.judging.baseline import golden_dir, of_run, write_golden
from voxgate.harness.judging.judge import judge, judge_metric
from voxgate.harness.judging.policy import Policy
from voxgate.harness.records.run import Run, failure_of
from voxgate.harness.records.verdict import MetricVerdict, RunVerdict
from voxgate.harness.revisions.control import Control, examine, without_control
from voxgate.harness.revisions.paired_run import PairedRuns, is_measured, load_sides
from voxgate.harness.revisions.suite_diff import SuiteDiff
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.progress import ScoreProgress
from voxgate.harness.runner.run_plan import CONFIRM
from voxgate.harness.scoring.kept_scores import keep_scores, score_side, stamp_of

NOWHERE = Path("none")
"""In place of BASE's golden audio, which it has not: no such folder exists."""


class PairScores(NamedTuple):
    """The measurements of both sides, and the folder of BASE's golden audio."""

    before: Measurements
    now: Measurements
    golden: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVerdict:
    """A judged pair: HEAD's run, the measurements of both sides, the verdict and the control."""

    head: Run
    before: Measurements
    now: Measurements
    judgement: RunVerdict
    control: Control


def judge_pair(
    folder: Path, policy: Policy, shared: SuiteDiff, scoring: ScoreProgress | None = None
) -> PairVerdict:
    """Score and judge the runs of a folder; golden audio, scores and transcripts are kept there."""
    sides = load_sides(folder)
    base, head = without_control(sides.base), without_control(sides.head)
    before, now, golden = score_pair(base, head, folder, scoring)
    _keep(sides.base, before, NOWHERE)
    _keep(sides.head, now, golden)
    base, head = _with_transcripts(base), _with_transcripts(head)
    judgement = judge(head, now, of_run(base, before), policy, head.cells, paired=True, base=base)
    judgement = block_on_gaps(judgement, policy, str(folder))
    if is_measured(folder / CONFIRM):
        again = judge_speed(load_sides(folder / CONFIRM), policy)
        judgement = confirmed(judgement, again.metrics, str(folder))
    control = _control(folder, policy)
    if control.trouble:
        judgement = invalidate_speed(judgement, control.trouble, str(folder))
    judgement = fail_where_base_failed(judgement, base, head)
    judgement = add_unshared_cells(
        judgement,
        added=shared.added,
        removed=shared.removed,
        changed=shared.changed,
        labels=shared.labels,
    )
    return PairVerdict(head=head, before=before, now=now, judgement=judgement, control=control)


def score_pair(
    base: Run, head: Run, folder: Path, scoring: ScoreProgress | None = None
) -> PairScores:
    """Score the audio of both sides against BASE's, which becomes the golden audio in `folder`."""
    golden = golden_dir(folder / "baselines", head.suite)
    write_golden(base, golden)
    before = score_side(base, NOWHERE, scoring)
    return PairScores(before=before, now=score_side(head, golden, scoring), golden=golden)


def judge_pair_metric(
    base: Run, head: Run, cell: str, metric: str, policy: Policy, scores: PairScores | None = None
) -> MetricVerdict:
    """Decide on one metric of one cell, by the gate's own rule; a speed needs no scores."""
    before = aggregate(base, {}) if scores is None else scores.before
    now = aggregate(head, {}) if scores is None else scores.now
    return judge_metric(head, now, of_run(base, before), policy, cell, metric)


def judge_speed(sides: PairedRuns, policy: Policy) -> RunVerdict:
    """Judge the speeds alone, which need no scored audio."""
    base, head = without_control(sides.base), without_control(sides.head)
    before, now = aggregate(base, {}), aggregate(head, {})
    return judge(head, now, of_run(base, before), policy, head.cells, paired=True)


def undecided_cells(sides: PairedRuns, policy: Policy) -> Collection[str]:
    """
    Return the cells that more rounds could decide, and those without any times; none that failed on
    a side, which is decided and is not measured again.
    """
    judgement = judge_speed(sides, policy)
    slugs = undecided(judgement.metrics) | untimed_cells(judgement, policy)
    runs = (sides.base, sides.head)
    return {slug for slug in slugs if not any(failure_of(slug, run) for run in runs)}


def _keep(side: Run, measurements: Measurements, golden: Path) -> None:
    folder = Path(side.folder)
    keep_scores(folder, measurements, stamp_of(side, golden, run_folder.records_digest(folder)))


def _with_transcripts(run: Run) -> Run:
    return replace(run, heard=run_folder.load_transcripts(Path(run.folder)))


def _control(folder: Path, policy: Policy) -> Control:
    """Examine the control of the first look and of the second; the first trouble counts."""
    looks = [path for path in (folder, folder / CONFIRM) if (path / "head" / "run.json").exists()]
    controls = [examine(sides.base, sides.head, policy) for sides in map(load_sides, looks)]
    return next((control for control in controls if control.trouble), controls[0])
