"""
From the two runs of a comparison to its verdict: score the audio, judge in pairs, amend.

An amendment is a rule that only a comparison of revisions has: a value missing on both sides, a
cell that one side lacks, the stage that moved, a control that moved.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analysis.aggregate import aggregate
from harness.analysis.grouping import Measurements
from harness.analysis.metric_rules import is_speed
from harness.analysis.stages import in_turns, moved_stage
from harness.judging import explain
from harness.judging.baseline import golden_dir, of_run, write_golden
from harness.judging.confirm import confirmed, revised, undecided
from harness.judging.decide import judge, with_cells
from harness.judging.policy import Policy
from harness.metrics.registry import needs_asr
from harness.records.measurement import Missing, MissingKind
from harness.records.run import Run, failure_of
from harness.records.verdict import CellVerdict, MetricVerdict, RunVerdict, Verdict
from harness.revisions.paired_run import (
    Control,
    PairedRuns,
    examine,
    invalidate_speed,
    is_measured,
    load_sides,
    without_control,
)
from harness.revisions.suite_diff import SuiteDiff
from harness.runner import run_folder
from harness.scoring.provenance import keep_scores, records_digest, stamp_of
from harness.scoring.score_run import score_run
from harness.workflow import CONFIRM, ScoreProgress

NOWHERE = Path("none")
"""In place of BASE's golden audio, which it has not: no such folder exists."""


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
    golden = golden_dir(folder / "baselines", head.suite)
    write_golden(base, golden)
    before, now = score_side(base, NOWHERE, scoring), score_side(head, golden, scoring)
    _keep(sides.base, before, NOWHERE)
    _keep(sides.head, now, golden)
    base, head = _with_transcripts(base), _with_transcripts(head)
    judgement = judge(head, now, of_run(base, before), policy, head.cells, paired=True)
    judgement = with_gaps(judgement, policy, str(folder))
    cells = tuple(_with_stage(cell, base, head, before, now) for cell in judgement.cells)
    judgement = replace(judgement, cells=cells)
    if is_measured(folder / CONFIRM):
        again = judge_speed(load_sides(folder / CONFIRM), policy)
        judgement = confirmed(judgement, again, str(folder))
    control = _control(folder, policy)
    if control.trouble:
        judgement = invalidate_speed(judgement, control.trouble, str(folder))
    judgement = _with_unmeasured(judgement, shared, base, head, str(folder))
    return PairVerdict(head=head, before=before, now=now, judgement=judgement, control=control)


def judge_speed(sides: PairedRuns, policy: Policy) -> RunVerdict:
    """Judge the speeds alone, which need no scored audio."""
    base, head = without_control(sides.base), without_control(sides.head)
    before, now = aggregate(base, {}), aggregate(head, {})
    return judge(head, now, of_run(base, before), policy, head.cells, paired=True)


def undecided_cells(sides: PairedRuns, policy: Policy) -> Collection[str]:
    """Return the cells that more rounds could decide, and those without any times."""
    judgement = judge_speed(sides, policy)
    untimed = {cell.cell for cell in judgement.cells if _is_untimed(cell, policy)}
    return undecided(judgement) | untimed


def with_gaps(judgement: RunVerdict, policy: Policy, folder: str) -> RunVerdict:
    """
    Count a blocking metric without a value on either side: UNRESOLVED.

    In a stored baseline somebody accepted such a gap. Here nobody did, and a machine so busy that
    no time counts must not look like a pass.
    """

    def counted(metric: MetricVerdict) -> MetricVerdict:
        needed = (
            metric.metric in policy and policy[metric.metric].blocking and _must_be_there(metric)
        )
        return replace(metric, blocking=True) if needed else metric

    return revised(judgement, counted, folder)


def score_side(run: Run, golden: Path, progress: ScoreProgress | None) -> Measurements:
    """Score the audio of a run, keep the transcripts in its folder, return its measurements."""
    scores = score_run(run, golden, progress=progress)
    run_folder.save_transcripts(Path(run.folder), scores.heard)
    return aggregate(run, scores.values, versions=scores.versions)


def _keep(side: Run, measurements: Measurements, golden: Path) -> None:
    folder = Path(side.folder)
    keep_scores(folder, measurements, stamp_of(side, golden, records_digest(folder)))


def _with_transcripts(run: Run) -> Run:
    return replace(run, heard=run_folder.load_transcripts(Path(run.folder)))


def _with_stage(
    cell: CellVerdict, base: Run, head: Run, before: Measurements, now: Measurements
) -> CellVerdict:
    """
    Name the stage that moved by rounds measured side by side, not by the medians of each side.
    """
    if cell.cell not in now:
        return cell
    coarse = explain.attribution(cell.cell, now[cell.cell], of_run(base, before))
    fine = moved_stage(in_turns(base, head, cell.cell))
    if not coarse or coarse not in cell.notes:
        return cell
    return replace(
        cell, reason=cell.reason.replace(coarse, fine), notes=cell.notes.replace(coarse, fine)
    )


def _control(folder: Path, policy: Policy) -> Control:
    """Examine the control of the first look and of the second; the first trouble counts."""
    looks = [path for path in (folder, folder / CONFIRM) if (path / "head" / "run.json").exists()]
    controls = [examine(sides.base, sides.head, policy) for sides in map(load_sides, looks)]
    return next((control for control in controls if control.trouble), controls[0])


def _with_unmeasured(
    judgement: RunVerdict, shared: SuiteDiff, base: Run, head: Run, folder: str
) -> RunVerdict:
    """Add the cells that were not measured, and name BASE where it is BASE that failed."""
    added = "new in HEAD: BASE's suite has no such cell"
    removed = "HEAD's suite lost this cell"
    cells = [_unless_base_failed(cell, base, head) for cell in judgement.cells]
    cells += [_unmeasured(c.slug, c.label, Verdict.NO_BASELINE, added) for c in shared.added]
    cells += [_unmeasured(c.slug, c.label, Verdict.FAILED, removed) for c in shared.removed]
    for slug, reasons in shared.changed.items():
        reason = f"HEAD's suite asks for something else: {'; '.join(reasons)}"
        cells.append(_unmeasured(slug, shared.labels[slug], Verdict.INCOMPARABLE, reason))
    whole = with_cells(judgement, cells, folder)
    return replace(whole, line=whole.line.partition("; accept: ")[0])  # there is nothing to accept


def _unless_base_failed(cell: CellVerdict, base: Run, head: Run) -> CellVerdict:
    """
    Return FAILED, with BASE named, where only BASE failed: nothing was compared, and nobody
    accepted that. A failure of HEAD stays its own.
    """
    failure = failure_of(cell.cell, base)
    if failure is None or failure_of(cell.cell, head) is not None:
        return cell
    return replace(
        cell,
        verdict=Verdict.FAILED,
        reason=f"BASE cannot run this cell: {failure}",
        metrics=(),
        notes="",
    )


def _unmeasured(slug: str, label: str, verdict: Verdict, reason: str) -> CellVerdict:
    return CellVerdict(cell=slug, label=label, verdict=verdict, reason=reason, metrics=())


def _is_untimed(cell: CellVerdict, policy: Policy) -> bool:
    return any(_is_blocking_gap(metric, policy) for metric in cell.metrics)


def _is_blocking_gap(metric: MetricVerdict, policy: Policy) -> bool:
    return policy[metric.metric].blocking and is_speed(metric.metric) and _must_be_there(metric)


def _must_be_there(metric: MetricVerdict) -> bool:
    """
    Return whether both sides lack a value that every measurable cell has: times, and transcripts.
    """
    comparison = metric.comparison
    if comparison is None or not (is_speed(metric.metric) or needs_asr(metric.metric)):
        return False
    return (
        isinstance(comparison.baseline, Missing)
        and comparison.baseline.kind is not MissingKind.NO_BASELINE
        and isinstance(comparison.current, Missing)
    )
