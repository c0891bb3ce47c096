"""
The choice of what a bisection searches for, from the comparison of its ends.
"""

from collections.abc import Collection

from harness.analysis.metric_rules import is_speed
from harness.records.verdict import CellVerdict, MetricVerdict, RunVerdict, Verdict
from harness.revisions.bisect_result import BisectTarget, Culprit

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
    worse = [
        (each, one)
        for each in ends.cells
        for one in each.metrics
        if one.verdict is Verdict.REGRESSED
    ]
    if cell is not None:
        worse = [
            (each, one)
            for each, one in worse
            if each.cell == cell or (each.cell == reference and not is_speed(one.metric))
        ]
    named = [
        (each, one)
        for each, one in worse
        if one.metric == metric or (metric is None and one.blocking)
    ]
    aims = []
    for speed in (True, False):
        family = [(each, one) for each, one in named if is_speed(one.metric) == speed]
        if family:
            each, one = min(family, key=_order)
            aims.append(BisectTarget(cell=each.cell, metric=one.metric))
    return tuple(aims)


def undecided_families(
    ends: RunVerdict, cell: str | None, metric: str | None, told: Collection[str]
) -> tuple[Culprit, ...]:
    """
    Return a finding without a culprit for each family in which GOOD and BAD could not be told
    apart.
    """
    found: dict[str, Culprit] = {}
    if all(each.verdict is Verdict.FAILED for each in ends.cells):
        return ()
    for each in ends.cells:
        for one in each.metrics:
            aim = BisectTarget(cell=each.cell, metric=one.metric)
            asked = one.blocking and cell in (None, each.cell) and metric in (None, one.metric)
            if asked and one.verdict is Verdict.UNRESOLVED and aim.family not in told:
                why = f"GOOD and BAD could not be told apart: {one.reason}"
                found.setdefault(
                    aim.family,
                    Culprit(aim=aim, culprit=None, candidates=(), why=why, stage="", steps=()),
                )
    return tuple(found.values())


def _order(found: tuple[CellVerdict, MetricVerdict]) -> tuple[int, float]:
    """Order by metric, the quietest first, then by size, the largest first."""
    metric, comparison = found[1].metric, found[1].comparison
    rank = PREFERRED.index(metric) if metric in PREFERRED else len(PREFERRED)
    return rank, -abs(comparison.shift or 0.0) if comparison is not None else 0.0
