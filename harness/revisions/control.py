"""
The control: a cell of the harness's own that is measured on both sides of every round, and must not move.

It is the same computation whatever the revisions are. If it is judged slower or quicker all the same, then something other
than the engine differs between the sides (the environment, the machine, the order), and no speed of the job can be trusted.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.analysis.aggregate import is_speed, measure
from harness.judging import phrases
from harness.judging.baseline import of_run
from harness.judging.compare import MATCHED, compare
from harness.judging.decide import decide
from harness.judging.policy import Policy
from harness.judging.revised import revised
from harness.records.cell import Cell
from harness.records.measurement import Missing
from harness.records.run import Run, failure_of
from harness.records.verdict import Comparison, Judgement, MetricVerdict, Verdict

TARGET = "control"
SLUG = "control-fixed"
MOVED = (Verdict.REGRESSED, Verdict.IMPROVED)
TRUSTED = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.PASS)
"""Verdicts on a speed that need a control that stood still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How far the control moved, for people, and why no speed can be trusted; empty if they can."""

    shift: str
    trouble: str


def control_cell(like: Cell) -> Cell:
    """Give the control of a suite, with the workload of its cells, so that it takes as many turns as they do."""
    return Cell(suite=like.suite, target=TARGET, pipeline="none", workload=like.workload, axes={"control": "fixed"})


def without_control(run: Run) -> Run:
    """Give a run as if there had been no control: what is scored and judged."""
    return _only(run, lambda slug: slug != SLUG)


def examine(base: Run, head: Run, policy: Policy) -> Control:
    """Judge the control of both sides as if it were a cell, by its median latency."""
    before, now = (_only(run, lambda slug: slug == SLUG) for run in (base, head))
    if not before.cells:
        return Control(shift="not measured", trouble="")
    failure = failure_of(SLUG, before) or failure_of(SLUG, now)
    if failure is not None:
        return Control(shift="none", trouble=f"the control could not be measured: {failure}")
    compared = compare(now, measure(now, {}), of_run(before, measure(before, {})), paired=True)
    comparison = next(each for each in compared[SLUG] if each.metric == MATCHED)
    if comparison.shift is None:
        return Control(shift="none", trouble=f"the control could not be measured: {_why_none(comparison)}")
    shift = phrases.size(comparison)
    moved = MATCHED in policy and decide(comparison, policy[MATCHED]).verdict in MOVED
    return Control(
        shift=shift, trouble=f"the control moved by {shift}, though it is the same code on both sides" if moved else ""
    )


def voided(judgement: Judgement, why: str, folder: str) -> Judgement:
    """Take back every verdict on a speed: UNRESOLVED, with the reason. What was judged of the quality stays."""

    def void(metric: MetricVerdict) -> MetricVerdict:
        if not is_speed(metric.metric) or metric.verdict not in TRUSTED:
            return metric
        return replace(metric, verdict=Verdict.UNRESOLVED, reason=f"{metric.reason}; {why}")

    return revised(judgement, void, folder, why)


def _why_none(comparison: Comparison) -> str:
    reasons = [each.reason for each in (comparison.baseline, comparison.current) if isinstance(each, Missing)]
    return reasons[0] if reasons else "no round left times on both sides"


def _only(run: Run, wanted: Callable[[str], bool]) -> Run:
    cells = tuple(cell for cell in run.cells if wanted(cell.slug))
    return replace(run, cells=cells, processes=tuple(process for process in run.processes if wanted(process.cell)))
