"""
The decision on one metric of one cell: a comparison against its limit.

REGRESSED needs size and evidence: the shift lies beyond the line in the bad direction, and it is
proven to be more than noise. PASS of a speed needs evidence too: that a regression beyond the limit
is excluded. Without either the verdict is UNRESOLVED: nothing passes in silence. Knows no cell and
computes no statistic. Every constant is argued in docs/how-verdicts-are-made.md.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from voxgate.harness.analysis.metric_rules import PERCENTILES
from voxgate.harness.judging import explain, phrases
from voxgate.harness.metrics.registry import needs_asr
from voxgate.harness.records.measurement import (
    Better,
    Missing,
    MissingKind,
    Value,
    is_hidden,
    lacks_package,
)
from voxgate.harness.records.verdict import (
    LINE_SHARE,
    Comparison,
    Limit,
    MetricVerdict,
    Verdict,
)
from voxgate.harness.statistics import samples_needed

EVIDENCE_SHARE = 2.5
"""
A regression is proven when the one-sided 95 % bound of the shift exceeds line / 2.5. Demanding
bound > line would find a true regression of the limit's size far too seldom; demanding bound > 0
would report every drift of the machine.
"""
LIMIT = "limit"
"""Of `Limit.against`: no baseline, the limit alone."""
LOST = (Verdict.FAILED, Verdict.REGRESSED)
"""Verdicts on a value that is gone, which are bad enough without a broken utterance."""
TAIL_SAMPLES = 200
"""
With fewer values on either side, a tail percentile informs and does not block: p95 calls the same
engine more than 5 % slower in 17 % of comparisons at 50 iterations, 8 % at 100 and 4 % at 200
(tests/harness/judging/test_why_the_rules.py).
"""


def decide(comparison: Comparison, limit: Limit, listener: str | None = None) -> MetricVerdict:
    """
    Decide on one metric of one cell. `listener` is the reason why no transcript exists in the whole
    run, if so.

    A metric with no value on either side is UNRESOLVED without blocking: the reviewer accepted the
    gap. An utterance that is broken by itself is REGRESSED, whatever the mean says.
    """
    now, better = comparison.current, comparison.better
    judged = _with_utterances(_decide(comparison, limit, listener), comparison, limit)
    decided = replace(judged, good_enough=_good_enough(now, better, limit))
    cause = inexcusable(now, better, limit)
    if not cause:
        return decided
    reason = f"{comparison.metric}: {cause}"
    return replace(decided, verdict=Verdict.FAILED, reason=reason, cause=cause, blocking=True)


def _with_utterances(judged: MetricVerdict, comparison: Comparison, limit: Limit) -> MetricVerdict:
    """
    Make a verdict REGRESSED if more utterances than the policy allows are worse by more than
    `worst`; neither the mean nor the other utterances count against that. A verdict that others
    lost their value keeps its reason.
    """
    worst = limit.worst
    broken = [each for each in comparison.changes if worst is not None and each.worse > worst]
    if worst is None or len(broken) <= limit.count:
        return judged
    blocking = limit.blocking or limit.worst_blocks
    found = replace(judged, utterances=tuple(broken), worst=worst, blocking=blocking)
    if isinstance(comparison.current, Missing) and judged.verdict in LOST:
        return found
    named = phrases.broken_utterances(comparison, broken, worst, limit.count)
    also = judged.verdict is Verdict.REGRESSED
    told = (judged.reason, named) if also else (named, f"on average {judged.reason}")
    return replace(found, verdict=Verdict.REGRESSED, reason=phrases.joined(*told), cause="")


def inexcusable(value: Value, better: Better, limit: Limit) -> str:
    """Return why a value is FAILED whatever the baseline is; empty for any other."""
    if isinstance(value, Missing):
        return ""
    most = limit.reject
    if most is not None and (value < most if better == "higher" else value > most):
        return f"{value:.3g} lies beyond {most:g}, which no baseline excuses"
    if limit.floor_fails and not _good_enough(value, better, limit):
        floor = limit.min_acceptable
        return f"{value:.3g} is beyond {floor:g}, which the policy demands (floor_fails)"
    return ""


def with_company(
    metric: MetricVerdict, judged: Sequence[MetricVerdict], limit: Limit
) -> MetricVerdict:
    """
    Make a metric that is REGRESSED by its size advisory if it counts only with others, one of them
    was judged, and none of them is worse.
    """
    others = [each for each in judged if each.metric in limit.only_with]
    worse = any(each.verdict in (Verdict.REGRESSED, Verdict.FAILED) for each in others)
    sound = any(each.verdict in (Verdict.PASS, Verdict.IMPROVED) for each in others)
    by_size = metric.comparison is not None and metric.comparison.shift is not None
    if metric.verdict is not Verdict.REGRESSED or not by_size or worse or not sound:
        return metric
    advice = f"advisory: {' and '.join(limit.only_with)} did not get worse"
    cause = f"{metric.cause}; {advice}" if metric.cause else ""
    return replace(metric, blocking=False, reason=f"{metric.reason}; {advice}", cause=cause)


def _good_enough(value: Value, better: Better, limit: Limit) -> bool:
    if limit.min_acceptable is None:
        return True
    return isinstance(value, float) and (
        value <= limit.min_acceptable if better == "lower" else value >= limit.min_acceptable
    )


def _decide(comparison: Comparison, limit: Limit, listener: str | None) -> MetricVerdict:
    before, now = comparison.baseline, comparison.current
    blocking = limit.blocking
    if limit.against == LIMIT:
        return _decide_alone(comparison, limit)
    if comparison.incomparable:
        verdict, reason = Verdict.INCOMPARABLE, "; ".join(comparison.incomparable)
    elif isinstance(before, Missing) and _is_unjudged(before) and not lacks_package(now):
        verdict, reason = Verdict.NO_BASELINE, before.reason
    elif isinstance(before, Missing) and isinstance(now, Missing) and not _is_unjudged(before):
        verdict, reason, blocking = (
            Verdict.UNRESOLVED,
            f"no value, as in the baseline: {now.reason}",
            False,
        )
    elif isinstance(before, Missing) and isinstance(now, float):
        verdict, reason = _decide_new(before)
    elif isinstance(now, Missing):
        verdict, reason = _decide_missing(comparison.metric, now, listener)
        blocking = blocking and not is_hidden(now)
    else:
        return _decide_size(comparison, limit)
    named = f"{comparison.metric}: {reason}"
    return replace(_verdict(comparison, verdict, named, blocking), cause=reason)


def _decide_alone(comparison: Comparison, limit: Limit) -> MetricVerdict:
    """
    Decide on a metric that is held against its limit alone: REGRESSED where its whole interval lies
    beyond. Without an interval nothing is known, and nothing blocks.
    """
    margin, size = limit.absolute, comparison.shift
    if size is None or margin is None:
        now = comparison.current
        cause = now.reason if isinstance(now, Missing) else "no limit in its own unit"
        reason = f"{comparison.metric}: {cause}"
        undecided = _verdict(comparison, Verdict.UNRESOLVED, reason, False, margin)
        return replace(undecided, cause=cause)
    shown = explain.format_shift(comparison, margin)
    if comparison.low is None or comparison.high is None:
        reason = f"{shown}, not proven: one process; at least two are needed"
        return _verdict(comparison, Verdict.UNRESOLVED, reason, False, margin)
    beyond = comparison.low > margin
    verdict = Verdict.REGRESSED if beyond else Verdict.PASS
    return _verdict(comparison, verdict, shown, limit.blocking, margin)


def _is_unjudged(before: Missing) -> bool:
    """Whether the baseline has no entry, in place of an entry without a value."""
    return before.kind in (MissingKind.NO_BASELINE, MissingKind.OLDER_BASELINE)


def _decide_new(before: Missing) -> tuple[Verdict, str]:
    """Decide where only the run has a value."""
    if lacks_package(before):
        return (
            Verdict.UNRESOLVED,
            f"the baseline was made without it ({before.reason}); accept a run",
        )
    return Verdict.NO_BASELINE, f"the baseline has no value ({before.reason})"


def _decide_missing(metric: str, now: Missing, listener: str | None) -> tuple[Verdict, str]:
    if now.kind is MissingKind.NO_GOLDEN:
        return (
            Verdict.NO_BASELINE,
            "scored before the golden audio was accepted; score the run again",
        )
    if needs_asr(metric) and listener is not None:
        return Verdict.UNRESOLVED, listener
    if lacks_package(now):
        return Verdict.UNRESOLVED, now.reason
    if is_hidden(now):
        return Verdict.UNRESOLVED, now.reason
    if now.kind is MissingKind.DURATIONS_DIFFER:
        return Verdict.REGRESSED, now.reason
    if now.kind is MissingKind.TAKES_DIFFER:
        return (
            Verdict.UNRESOLVED,
            f"{now.reason}, which was not so in the baseline; if that is meant, accept a run",
        )
    return Verdict.FAILED, f"no value, though the baseline has one: {now.reason}"


def _decide_size(comparison: Comparison, limit: Limit) -> MetricVerdict:
    """
    Decide where both sides have a value: on the size of the shift beyond the limit, and its proof.
    """
    blocking, advice = _may_block(comparison, limit)
    if comparison.shift is None:
        cause = f"nothing to compare{advice}"
        reason = f"{comparison.metric}: {cause}"
        return replace(_verdict(comparison, Verdict.UNRESOLVED, reason, blocking), cause=cause)
    margin = max(margin_of(comparison, limit), comparison.chance or 0.0)
    worse, at_least, at_most = _worse(comparison)
    size = f"{explain.format_shift(comparison, margin_of(comparison, limit))}{advice}"
    if limit.evidence == "processes":
        return _decide_speed(comparison, limit, (worse, at_least, at_most), size, blocking)
    if worse > margin:
        if _proven(comparison, limit):
            return _verdict(comparison, Verdict.REGRESSED, size, blocking, margin)
        return _verdict(
            comparison,
            Verdict.UNRESOLVED,
            f"{size}, not proven: {explain.why_not(comparison)}",
            blocking,
            margin,
        )
    better = -worse > margin and _proven(comparison, limit)
    return _verdict(
        comparison, Verdict.IMPROVED if better else Verdict.PASS, size, blocking, margin
    )


def _decide_speed(
    comparison: Comparison,
    limit: Limit,
    worse: tuple[float, float | None, float | None],
    size_text: str,
    blocking: bool,
) -> MetricVerdict:
    """
    Decide between noise and change: REGRESSED and IMPROVED need size and proof; PASS needs proof
    that a regression beyond the limit is excluded.
    """
    margin = margin_of(comparison, limit)
    line = LINE_SHARE * margin
    bound = line / EVIDENCE_SHARE
    size, at_least, at_most = worse
    if size > line and at_least is not None and at_least > bound:
        return _verdict(comparison, Verdict.REGRESSED, size_text, blocking, margin)
    seen = explain.sight(comparison, line, bound)
    if size > line:
        reason = f"{size_text}, not proven: {explain.why_not(comparison)}{seen}"
    elif at_most is None or at_most >= margin:
        reason = (
            f"{size_text}, a regression beyond the limit is not excluded: "
            f"{explain.why_not(comparison)}{seen}"
        )
    else:
        better = -size > line and -at_most > bound
        return _verdict(
            comparison,
            Verdict.IMPROVED if better else Verdict.PASS,
            f"{size_text}{seen}",
            blocking,
            margin,
        )
    return _verdict(comparison, Verdict.UNRESOLVED, reason, blocking, margin)


def _may_block(comparison: Comparison, limit: Limit) -> tuple[bool, str]:
    """
    Return whether the metric counts, and the advice if not: a percentile needs enough values on
    both sides (`samples_needed`).
    """
    q = PERCENTILES.get(comparison.metric)
    count = min(comparison.n_current, comparison.n_baseline)
    needed = 0 if q is None or q <= 50.0 else max(TAIL_SAMPLES, samples_needed(q))
    if not limit.blocking or count >= needed:
        return limit.blocking, ""
    return False, f" (advisory: {count} samples, {needed - count} more needed to block)"


def margin_of(comparison: Comparison, limit: Limit) -> float:
    """
    Return the margin in the shift's own scale; the greater where relative and absolute are set.
    """
    assert isinstance(comparison.baseline, float), (
        "sizes are judged only where there is a baseline value"
    )
    base = abs(comparison.baseline)
    relative, absolute = limit.relative or 0.0, limit.absolute or 0.0
    if comparison.absolute:
        return max(relative * base, absolute)
    return max(relative, absolute / base if base > 0.0 else math.inf)


def _worse(comparison: Comparison) -> tuple[float, float | None, float | None]:
    """
    Return shift and one-sided bounds with + as worse. For a metric without a good direction, both
    directions are worse.
    """
    shift, at_least, at_most = comparison.shift or 0.0, comparison.at_least, comparison.at_most
    if comparison.better == "lower" or (comparison.better == "neither" and shift >= 0.0):
        return shift, at_least, at_most
    return -shift, None if at_most is None else -at_most, None if at_least is None else -at_least


def _proven(comparison: Comparison, limit: Limit) -> bool:
    """Return whether a quality metric has the evidence that the policy demands."""
    if limit.evidence == "none":
        return True
    low, high = comparison.low, comparison.high
    return low is not None and high is not None and (low > 0.0 or high < 0.0)


def _verdict(
    comparison: Comparison,
    verdict: Verdict,
    reason: str,
    blocking: bool,
    limit: float | None = None,
) -> MetricVerdict:
    return MetricVerdict(
        metric=comparison.metric,
        verdict=verdict,
        reason=reason,
        comparison=comparison,
        blocking=blocking,
        limit=limit,
    )
