"""
The choice of search targets of a bisection, from the comparison of its ends.
"""

from collections.abc import Collection

from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.records.verdict import CellVerdict, MetricVerdict, RunVerdict, Verdict
from voxgate.harness.revisions.bisect_result import BisectTarget, Culprit

PREFERRED = ("latency_p50", "rtf", "latency_p95")
"""
Speeds in the order in which they are searched by: the first is matched request by request, and the
quietest.
"""


def choose_targets(
    ends: RunVerdict, cell: str | None, metric: str | None, reference: str
) -> tuple[BisectTarget, ...]:
    """
    Return the targets of the search: the clearest REGRESSED speed, and the clearest quality.

    The reference cell's quality counts for every cell: golden audio is its audio, and shows the
    smallest change.
    """
    regressed = [
        (judged, verdict)
        for judged in ends.cells
        for verdict in judged.metrics
        if verdict.verdict is Verdict.REGRESSED
    ]
    named = [
        (judged, verdict)
        for judged, verdict in regressed
        if _is_asked(judged, verdict, cell, reference)
        and (verdict.metric == metric or (metric is None and verdict.blocking))
    ]
    aims = []
    for speed in (True, False):
        family = [pair for pair in named if is_speed(pair[1].metric) == speed]
        if family:
            judged, verdict = min(family, key=_order)
            aims.append(BisectTarget(cell=judged.cell, metric=verdict.metric))
    return tuple(aims)


def _is_asked(
    judged: CellVerdict, verdict: MetricVerdict, cell: str | None, reference: str
) -> bool:
    return cell in (None, judged.cell) or (
        judged.cell == reference and not is_speed(verdict.metric)
    )


def undecided_families(
    ends: RunVerdict, cell: str | None, metric: str | None, decided: Collection[str]
) -> tuple[Culprit, ...]:
    """
    Return a finding without a culprit for each family in which GOOD and BAD could not be told
    apart.
    """
    undecided: dict[str, Culprit] = {}
    if all(judged.verdict is Verdict.FAILED for judged in ends.cells):
        return ()
    for judged in ends.cells:
        for verdict in judged.metrics:
            aim = BisectTarget(cell=judged.cell, metric=verdict.metric)
            asked = (
                verdict.blocking
                and cell in (None, judged.cell)
                and metric in (None, verdict.metric)
            )
            if asked and verdict.verdict is Verdict.UNRESOLVED and aim.family not in decided:
                why = f"GOOD and BAD could not be told apart: {verdict.reason}"
                undecided.setdefault(
                    aim.family,
                    Culprit(aim=aim, culprit=None, candidates=(), why=why, stage="", steps=()),
                )
    return tuple(undecided.values())


def _order(pair: tuple[CellVerdict, MetricVerdict]) -> tuple[int, float]:
    """Order by metric, the quietest first, then by size, the largest first."""
    metric, comparison = pair[1].metric, pair[1].comparison
    rank = PREFERRED.index(metric) if metric in PREFERRED else len(PREFERRED)
    return rank, -abs(comparison.shift or 0.0) if comparison is not None else 0.0
