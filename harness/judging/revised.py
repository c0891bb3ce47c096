"""
A judgement with second thoughts: the verdicts of some metrics changed, and what follows for their cells and for the whole.

For what only shows after judging: a control that moved, a gap that nobody accepted. It changes no verdict by itself.
"""

from collections.abc import Callable
from dataclasses import replace

from harness.judging import explain
from harness.judging.decide import with_cells
from harness.records.verdict import WORST_FIRST, CellVerdict, Judgement, MetricVerdict, Verdict

Change = Callable[[MetricVerdict], MetricVerdict]


def revised(judgement: Judgement, change: Change, folder: str, why: str = "") -> Judgement:
    """Change every metric's verdict; a cell whose verdict becomes another gets `why` as its reason, or its metrics' reasons."""
    return with_cells(judgement, [_revise(cell, change, folder, why) for cell in judgement.cells], folder)


def _revise(cell: CellVerdict, change: Change, folder: str, why: str) -> CellVerdict:
    metrics = tuple(map(change, cell.metrics))
    if metrics == cell.metrics:
        return cell
    before, after = ([each.verdict for each in several if each.blocking] for several in (cell.metrics, metrics))
    if cell.verdict is not min(before, key=WORST_FIRST.index, default=Verdict.UNRESOLVED):
        return replace(cell, metrics=metrics)  # it failed, or was not finished: that stands
    verdict = min(after, key=WORST_FIRST.index, default=cell.verdict)
    if verdict is cell.verdict and not why:
        return replace(cell, metrics=metrics)
    changed = any(now.verdict is verdict for was, now in zip(cell.metrics, metrics, strict=True) if was != now)
    reason = why if why and changed else explain.cell_reason(verdict, metrics, folder)
    return replace(cell, verdict=verdict, reason=reason, metrics=metrics, notes="")
