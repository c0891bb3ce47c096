"""
The second look at speeds: which cells need more rounds, which look slower, and what fresh processes
say of those.

An alarm counts only if processes measured after it say the same. Decides by the rules of
`decide.py`; measures nothing.

A judgement with second thoughts: the verdicts of some metrics changed, and what follows for their
cells and for the whole.

For what only shows after judging: a control that moved, a gap that nobody accepted. It changes no
verdict by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from harness import statistics
from harness.analysis.metric_rules import is_speed
from harness.judging import explain, phrases
from harness.judging.decide import EVIDENCE_SHARE, LINE_SHARE, with_cells
from harness.records.verdict import WORST_FIRST, CellVerdict, MetricVerdict, RunVerdict, Verdict

FALSE_SHARE = 0.05
"""
Of the regressions that are confirmed in a suite, at most this share may be false (Benjamini &
Hochberg 1995).
"""


def undecided(judgement: RunVerdict) -> frozenset[str]:
    """
    Name the cells that more rounds could decide: those with a blocking speed that has a baseline
    and is UNRESOLVED.
    """
    return frozenset(
        cell.cell
        for cell in judgement.cells
        for each in cell.metrics
        if each.blocking
        and is_speed(each.metric)
        and each.verdict is Verdict.UNRESOLVED
        and _has_shift(each)
    )


def suspects(judgement: RunVerdict) -> frozenset[str]:
    """
    Name the cells whose speed is REGRESSED so far: those to measure again before anybody is told.
    """
    return frozenset(cell.cell for cell in judgement.cells if any(map(_suspicious, cell.metrics)))


def confirmed(first: RunVerdict, second: RunVerdict, folder: str) -> RunVerdict:
    """
    Hold the suspects of a judgement against one on fresh processes of the same cells, and decide
    for good.

    A suspect speed stays REGRESSED if the fresh processes show the size again, and proof that
    stands when as many suspects were tried: Benjamini-Hochberg over all of them. Else the fresh
    processes' own verdict counts, where it is PASS, and UNRESOLVED if it is not. Only fresh data
    count, so that an alarm was not chosen for its luck.
    """
    again = {cell.cell: {each.metric: each for each in cell.metrics} for cell in second.cells}
    tried = [
        (cell.cell, each.metric, again.get(cell.cell, {}).get(each.metric))
        for cell in first.cells
        for each in cell.metrics
        if _suspicious(each)
    ]
    proofs = [1.0 if fresh is None else _doubt(fresh) for _, _, fresh in tried]
    stands = dict(
        zip(
            [(cell, metric) for cell, metric, _ in tried],
            statistics.benjamini_hochberg(proofs, FALSE_SHARE),
            strict=True,
        )
    )
    cells = [_confirm_cell(cell, again.get(cell.cell, {}), stands, folder) for cell in first.cells]
    return with_cells(first, cells, folder)


def _confirm_cell(
    cell: CellVerdict,
    again: Mapping[str, MetricVerdict],
    stands: Mapping[tuple[str, str], bool],
    folder: str,
) -> CellVerdict:
    if not any(map(_suspicious, cell.metrics)):
        return cell
    metrics = [
        _confirm(each, again.get(each.metric), stands[cell.cell, each.metric])
        if _suspicious(each)
        else each
        for each in cell.metrics
    ]
    counting = [each for each in metrics if each.blocking]
    verdict = min((each.verdict for each in counting), key=WORST_FIRST.index)
    if cell.verdict is not Verdict.REGRESSED and cell.verdict is not verdict:
        return replace(cell, metrics=tuple(metrics))  # failed for another reason
    reason = explain.cell_reason(verdict, metrics, folder)
    notes = cell.notes if verdict is Verdict.REGRESSED else ""
    return replace(
        cell,
        verdict=verdict,
        reason="; ".join(filter(None, [reason, notes])),
        metrics=tuple(metrics),
        notes=notes,
    )


def _confirm(first: MetricVerdict, fresh: MetricVerdict | None, proven: bool) -> MetricVerdict:
    if fresh is None or fresh.comparison is None:
        return replace(
            first,
            verdict=Verdict.UNRESOLVED,
            reason=f"{first.reason}, not confirmed: measured once only",
        )
    size = phrases.size(fresh.comparison)
    if proven and fresh.verdict is Verdict.REGRESSED:
        return replace(first, reason=f"{first.reason}, confirmed in fresh processes: {size}")
    verdict = (
        Verdict.PASS if fresh.verdict in (Verdict.PASS, Verdict.IMPROVED) else Verdict.UNRESOLVED
    )
    return replace(
        first, verdict=verdict, reason=f"{first.reason}, not confirmed in fresh processes: {size}"
    )


def _suspicious(metric: MetricVerdict) -> bool:
    return metric.blocking and is_speed(metric.metric) and metric.verdict is Verdict.REGRESSED


def _has_shift(metric: MetricVerdict) -> bool:
    return metric.comparison is not None and metric.comparison.shift is not None


def _doubt(metric: MetricVerdict) -> float:
    """
    Give the p-value of "this is no more than the evidence line"; 1.0 where nothing was compared.
    """
    comparison = metric.comparison
    if comparison is None or comparison.shift is None or metric.limit is None:
        return 1.0
    sign = 1.0 if comparison.better == "lower" else -1.0
    shift = statistics.Shift(
        point=comparison.shift, error=comparison.error, freedom=comparison.freedom
    )
    if sign < 0.0:  # a rate that falls: look at its inverse
        shift = replace(shift, point=1.0 / (1.0 + comparison.shift) - 1.0)
    return statistics.p_beyond(shift, LINE_SHARE * metric.limit / EVIDENCE_SHARE)


Change = Callable[[MetricVerdict], MetricVerdict]


def revised(judgement: RunVerdict, change: Change, folder: str, why: str = "") -> RunVerdict:
    """
    Change every metric's verdict; a cell whose verdict becomes another gets `why` as its reason, or
    its metrics' reasons.
    """
    return with_cells(
        judgement, [_revise(cell, change, folder, why) for cell in judgement.cells], folder
    )


def _revise(cell: CellVerdict, change: Change, folder: str, why: str) -> CellVerdict:
    metrics = tuple(map(change, cell.metrics))
    if metrics == cell.metrics:
        return cell
    before, after = (
        [each.verdict for each in several if each.blocking] for several in (cell.metrics, metrics)
    )
    if cell.verdict is not min(before, key=WORST_FIRST.index, default=Verdict.UNRESOLVED):
        return replace(cell, metrics=metrics)  # it failed, or was not finished: that stands
    verdict = min(after, key=WORST_FIRST.index, default=cell.verdict)
    if verdict is cell.verdict and not why:
        return replace(cell, metrics=metrics)
    changed = any(
        now.verdict is verdict for was, now in zip(cell.metrics, metrics, strict=True) if was != now
    )
    reason = why if why and changed else explain.cell_reason(verdict, metrics, folder)
    return replace(cell, verdict=verdict, reason=reason, metrics=metrics, notes="")
