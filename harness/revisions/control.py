"""
The control of a comparison: a cell of the harness's own, measured on both sides of every round.

It is the same computation whatever the revisions are. If it is judged slower or faster all the
same, something other than the engine differs between the sides (the environment, the machine, the
order), and no speed of the comparison can be trusted.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.judging import phrases
from voxgate.harness.judging.baseline import of_run
from voxgate.harness.judging.compare import compare
from voxgate.harness.judging.compare_speed import MATCHED
from voxgate.harness.judging.decide import decide
from voxgate.harness.judging.policy import Policy
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import Run, failure_of
from voxgate.harness.records.verdict import Comparison, Verdict

TARGET = "control"
SLUG = "control-fixed"
MOVED = (Verdict.REGRESSED, Verdict.IMPROVED)
"""Verdicts on a speed that need a control that stood still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How far the control moved, for people, and why no speed can be trusted; empty if they can."""

    shift: str
    trouble: str


def control_cell(like: Cell) -> Cell:
    """
    Return the control of a suite, with the workload of its cells, so that it takes as many turns as
    they do.
    """
    return Cell(
        suite=like.suite,
        target=TARGET,
        pipeline="none",
        workload=like.workload,
        axes={"control": "fixed"},
    )


def without_control(run: Run) -> Run:
    """Return a run without its control cell, for scoring and judging."""
    return _only(run, lambda slug: slug != SLUG)


def examine(base: Run, head: Run, policy: Policy) -> Control:
    """Judge the control of both sides as if it were a cell, by its median latency."""
    before, now = (_only(run, lambda slug: slug == SLUG) for run in (base, head))
    if not before.cells:
        return Control(shift="not measured", trouble="")
    failure = failure_of(SLUG, before) or failure_of(SLUG, now)
    if failure is not None:
        return Control(shift="none", trouble=f"the control could not be measured: {failure}")
    compared = compare(now, aggregate(now, {}), of_run(before, aggregate(before, {})), paired=True)
    comparison = next(candidate for candidate in compared[SLUG] if candidate.metric == MATCHED)
    if comparison.shift is None:
        return Control(
            shift="none", trouble=f"the control could not be measured: {_why_none(comparison)}"
        )
    shift = phrases.size(comparison)
    moved = MATCHED in policy and decide(comparison, policy[MATCHED]).verdict in MOVED
    return Control(
        shift=shift,
        trouble=f"the control moved by {shift}, though it is the same code on both sides"
        if moved
        else "",
    )


def _why_none(comparison: Comparison) -> str:
    reasons = [
        value.reason
        for value in (comparison.baseline, comparison.current)
        if isinstance(value, Missing)
    ]
    return reasons[0] if reasons else "no round left times on both sides"


def _only(run: Run, selects: Callable[[str], bool]) -> Run:
    cells = tuple(cell for cell in run.cells if selects(cell.slug))
    return replace(
        run,
        cells=cells,
        processes=tuple(process for process in run.processes if selects(process.cell)),
    )
