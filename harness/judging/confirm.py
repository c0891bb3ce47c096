"""
Confirmation: which cells need more rounds, which look slower, and whether fresh processes confirm
that.

A speed regression counts only if processes measured after it show it again. Decides by the rules of
`decide.py`; measures nothing.
"""

from dataclasses import replace

from voxgate.harness import statistics
from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.judging import phrases
from voxgate.harness.judging.amend import amend_verdicts
from voxgate.harness.judging.decide import EVIDENCE_SHARE, LINE_SHARE
from voxgate.harness.records.verdict import MetricVerdict, MetricVerdicts, RunVerdict, Verdict

FALSE_SHARE = 0.05
"""
Of the regressions that are confirmed in a suite, at most this share may be false (Benjamini &
Hochberg 1995).
"""

MetricKey = tuple[str, str]
"""Slug of a cell, name of a metric."""


def undecided(speeds: MetricVerdicts) -> frozenset[str]:
    """
    Return the slugs of the cells that more rounds could decide: those with a blocking speed that
    has a baseline and is UNRESOLVED.
    """
    return frozenset(slug for slug, metrics in speeds.items() if any(map(_decidable, metrics)))


def suspects(speeds: MetricVerdicts) -> frozenset[str]:
    """
    Return the slugs of the cells whose speed is REGRESSED so far, to be measured again before that
    is reported.
    """
    return frozenset(slug for slug, metrics in speeds.items() if any(map(_suspicious, metrics)))


def confirmed(first: RunVerdict, second: MetricVerdicts, folder: str) -> RunVerdict:
    """
    Return the first judgement with its suspects decided by the verdicts on fresh processes.

    A suspect speed stays REGRESSED if the fresh processes show the size again, and proof that
    stands when as many suspects were tried: Benjamini-Hochberg over all of them. Else the fresh
    processes' own verdict counts, where it is PASS, and UNRESOLVED if it is not. Only fresh data
    count, because the first were selected for looking slow.
    """
    fresh = _by_key(second)
    tried = [key for key, metric in _by_key(first.metrics).items() if _suspicious(metric)]
    p_values = [_p_value(fresh[key]) if key in fresh else 1.0 for key in tried]
    proven = dict(zip(tried, statistics.benjamini_hochberg(p_values, FALSE_SHARE), strict=True))

    def confirm(slug: str, metric: MetricVerdict) -> MetricVerdict:
        key = (slug, metric.metric)
        return _confirm(metric, fresh.get(key), proven[key]) if key in proven else metric

    return amend_verdicts(first, confirm, folder)


def _by_key(verdicts: MetricVerdicts) -> dict[MetricKey, MetricVerdict]:
    return {
        (slug, metric.metric): metric for slug, metrics in verdicts.items() for metric in metrics
    }


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


def _decidable(metric: MetricVerdict) -> bool:
    unresolved = metric.verdict is Verdict.UNRESOLVED
    return metric.blocking and is_speed(metric.metric) and unresolved and _has_shift(metric)


def _has_shift(metric: MetricVerdict) -> bool:
    return metric.comparison is not None and metric.comparison.shift is not None


def _p_value(metric: MetricVerdict) -> float:
    """
    Return the p-value of "the shift is no more than the evidence line"; 1.0 where nothing was
    compared.
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
