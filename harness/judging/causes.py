"""
The causes of a judgement: what got worse, told by one metric each, over all the cells it concerns.

A slower engine is slower in its median, its tail, its real-time factor and its first audio; one of
them tells it, the others are named. Reads the records of verdicts and decides nothing. Imports
nothing but the records and the standard library, as `phrases.py`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from voxgate.harness.judging import phrases
from voxgate.harness.judging.phrases import ToldShift, in_points
from voxgate.harness.records.verdict import (
    LINE_SHARE,
    CellVerdict,
    Comparison,
    MetricVerdict,
    RemarkKind,
    RunVerdict,
    Verdict,
)

WORSE = (Verdict.REGRESSED, Verdict.FAILED)
"""Verdicts on a metric that have a cause."""
TIMES = (
    "latency_p50",
    "live_latency_p50",
    "latency_p95",
    "live_latency_p95",
    "latency_p99",
    "rtf",
    "rtf_median",
    "rtfx",
    "budget_share",
    "first_audio_p50",
    "longest_gap_p50",
    "text_per_100_characters",
    "live_load",
    "live_algorithmic",
    "live_underruns",
    "underruns",
    "stall",
    "energy_per_audio_s",
)
"""Metrics of how fast the engine speaks; the first that is worse tells it."""
OWN_KIND: Mapping[str, str] = MappingProxyType(
    {
        "cold_start": "start",
        "peak_rss": "memory",
        "peak_cuda_bytes": "memory",
        "in_process_drift": "drift",
    }
)
"""Speed metrics that have other causes than the engine's pace. All further metrics are of sound."""
ALSO = 4
"""Other metrics that a sentence names."""
UNMOVED = 0.1
"""Of its limit: smaller changes tell nothing."""
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "latency_p50": "p50",
        "latency_p95": "p95",
        "latency_p99": "p99",
        "first_audio_p50": "first audio",
        "longest_gap_p50": "longest gap",
        "text_per_100_characters": "text front-end",
        "live_latency_p50": "live p50",
        "live_latency_p95": "live p95",
        "peak_rss": "memory",
        "peak_cuda_bytes": "GPU memory",
        "cold_start": "cold start",
        "energy_per_audio_s": "energy",
        "in_process_drift": "drift within a process",
    }
)
"""Short names for people; any other metric has its own."""
SLOWER = ("latency_p50", "latency_p95", "latency_p99", "rtf", "rtf_median", "cold_start")
"""Metrics of which more is called slower."""


def told_shift(metric: MetricVerdict) -> ToldShift | None:
    """Return the change that tells a metric; None where nothing was compared."""
    comparison = metric.comparison
    if comparison is None:
        return None
    if not decided_alone(metric):
        return in_points(comparison, metric.limit)
    first = metric.utterances[0]
    alone = replace(
        comparison,
        baseline=first.before,
        current=first.now,
        absolute=True,
        shift=first.now - first.before,
        low=None,
        high=None,
    )
    return ToldShift(comparison=alone, limit=metric.worst, utterance=first.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that got worse, in one or more cells."""

    metric: str
    """The metric that tells it; empty where a cell failed as a whole."""
    blocking: bool
    verdict: Verdict
    cells: tuple[CellVerdict, ...]
    """The worst first."""
    worst: MetricVerdict
    """
    On `metric` in the first cell. Where that cell failed as a whole, one without a comparison, with
    the cell's reason.
    """
    also: tuple[str, ...]
    """The other metrics that got worse with it."""
    over_limit: float
    """The size as a multiple of its limit; infinite where something failed."""
    size: str
    """`13.1 % slower (limit 5 %)`, for a heading."""
    sentence: str
    """`13.1 % slower (limit 5 %): acoustic +14 %. Also p95, first audio`."""


def causes(judgement: RunVerdict) -> tuple[Cause, ...]:
    """
    Return what got worse in a run, the blocking first, then by size over its limit.

    Cells share a cause where what tells it in one cell is worse in the other, too.
    """
    return merged_causes(judgement.cells)


def merged_causes(cells: Iterable[CellVerdict]) -> tuple[Cause, ...]:
    """Return what got worse in any of several cells, in the order of `causes`."""
    every = [(cell, found) for cell in cells for found in _found(cell)]
    every.sort(key=lambda pair: _order(pair[1]))
    merged: list[tuple[_Found, list[CellVerdict], dict[str, None]]] = []
    for cell, found in every:
        homes = [each for each in merged if _is_same(each[0], found)]
        alike = [each for each in homes if each[0].told.metric == found.told.metric]
        home = next(iter((*alike, *homes)), None)
        if home is None:
            home = (found, [], {})
            merged.append(home)
        home[1].append(cell)
        home[2].update(dict.fromkeys(found.metrics))
    return tuple(_cause(*each) for each in merged)


def over_limit(metric: MetricVerdict) -> float | None:
    """
    Return a shift as a multiple of its limit, above 0 where it is worse; infinite for a failure,
    None where nothing was compared.

    Where single utterances broke their own limit, the worst of them counts if it is the larger.
    """
    if metric.verdict is Verdict.FAILED:
        return math.inf
    alone = metric.utterances[0].worse / metric.worst if metric.utterances and metric.worst else 0.0
    comparison = metric.comparison
    if comparison is None or comparison.shift is None or not metric.limit:
        return alone or None
    size = _worse(comparison, comparison.shift) / abs(metric.limit)
    return max(size, alone) if alone else size


def decided_alone(metric: MetricVerdict) -> bool:
    """
    Return whether single utterances broke their own limit, and the mean of all kept its own or
    proves nothing: its interval holds no change.
    """
    if not metric.utterances or not metric.worst:
        return False
    comparison = metric.comparison
    shift = None if comparison is None else comparison.shift
    if comparison is None or shift is None or not metric.limit:
        return True
    low, high = comparison.low, comparison.high
    unproven = low is not None and high is not None and low <= 0.0 <= high
    return unproven or _worse(comparison, shift) <= metric.limit


def telling_metric(cell: CellVerdict) -> MetricVerdict | None:
    """
    Return the metric whose change tells a cell best; None where none was compared.

    Of a cell that got worse it tells the first cause. Of another it is the largest change over its
    limit among the metrics that decide the verdict, else among all that count; its pace where
    nothing moved.
    """
    found = [each.told for each in sorted(_found(cell), key=_order) if each.told.blocking]
    if found:
        return found[0] if found[0].comparison is not None else None
    sized = [(metric, over_limit(metric)) for metric in cell.metrics if metric.blocking]
    known = [(metric, size) for metric, size in sized if size is not None]
    deciding = [pair for pair in known if pair[0].verdict is cell.verdict] or known
    top, size = max(deciding, key=lambda pair: abs(pair[1]), default=(None, 0.0))
    first = min(
        (metric for metric, _ in deciding), key=lambda each: _place(each.metric), default=top
    )
    return first if top is None or top.metric in TIMES or abs(size) < UNMOVED else top


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What got worse in one cell, of one kind."""

    kind: str
    told: MetricVerdict
    metrics: tuple[str, ...]
    """All that are worse, the one that tells it first."""
    sentence: str
    """Without the other metrics."""


def _found(cell: CellVerdict) -> list[_Found]:
    worse = [metric for metric in cell.metrics if metric.verdict in WORSE]
    decided = any(metric.blocking and metric.verdict is cell.verdict for metric in worse)
    if cell.verdict is Verdict.FAILED and not decided:
        return [_failure(cell)]
    kinds: dict[str, list[MetricVerdict]] = {}
    for metric in worse:
        kinds.setdefault(_kind(metric.metric), []).append(metric)
    return [_of_kind(cell, kind, metrics) for kind, metrics in kinds.items()]


def _failure(cell: CellVerdict) -> _Found:
    told = MetricVerdict(
        metric="", verdict=Verdict.FAILED, reason=cell.reason, comparison=None, blocking=True
    )
    return _Found(kind=f"failure: {cell.reason}", told=told, metrics=("",), sentence=cell.reason)


def _kind(metric: str) -> str:
    return "pace" if metric in TIMES else OWN_KIND.get(metric, "sound")


def _of_kind(cell: CellVerdict, kind: str, metrics: Sequence[MetricVerdict]) -> _Found:
    ordered = sorted(metrics, key=_telling)
    if any(metric.comparison is not None and metric.comparison.shift is None for metric in metrics):
        ordered.sort(key=_telling_of_words)
    told = ordered[0]
    stage = _stage(cell) if kind == "pace" else ""
    return _Found(
        kind=kind,
        told=told,
        metrics=tuple(metric.metric for metric in ordered),
        sentence=_sentence(told) + (f": {stage}" if stage else ""),
    )


def _telling(metric: MetricVerdict) -> tuple[bool, bool, int, float]:
    """Order metrics of one kind by how well they tell it, the best first."""
    failed = metric.verdict is Verdict.FAILED
    return (not metric.blocking, not failed, _place(metric.metric), -_size(metric))


def _telling_of_words(metric: MetricVerdict) -> tuple[bool, bool, bool]:
    """
    Order metrics that are in the order of `_telling` where some sounds cannot be compared: other
    words are what made them longer or shorter.
    """
    words = phrases.base_metric(metric.metric) in phrases.ERROR_RATES
    return (not metric.blocking, metric.verdict is not Verdict.FAILED, not words)


def _place(metric: str) -> int:
    return TIMES.index(metric) if metric in TIMES else len(TIMES)


def _size(metric: MetricVerdict) -> float:
    """Return the size over its limit; what has none, such as another length, comes first."""
    size = over_limit(metric)
    return math.inf if size is None else abs(size)


def _order(found: _Found) -> tuple[bool, float]:
    return (not found.told.blocking, -_size(found.told))


def _is_same(first: _Found, other: _Found) -> bool:
    alike = first.kind == other.kind and first.told.blocking == other.told.blocking
    same_verdict = first.told.verdict is other.told.verdict
    return alike and same_verdict and first.told.metric in other.metrics


def _cause(found: _Found, cells: Sequence[CellVerdict], metrics: Iterable[str]) -> Cause:
    told = found.told
    also = tuple(name for name in metrics if name != told.metric)
    return Cause(
        metric=told.metric,
        blocking=told.blocking,
        verdict=told.verdict,
        cells=tuple(cells),
        worst=told,
        also=also,
        over_limit=_size(told),
        size=_sentence(told),
        sentence=f"{found.sentence}{_others(told.metric, also)}",
    )


def _others(told: str, also: Sequence[str]) -> str:
    """Name the other metrics, each once, whatever it is held against."""
    bases = dict.fromkeys(map(phrases.base_metric, also))
    names = [name for name in bases if name != phrases.base_metric(told)]
    more = f" and {len(names) - ALSO} more" if len(names) > ALSO else ""
    return f". Also {', '.join(map(short_name, names[:ALSO]))}{more}" if names else ""


def short_name(metric: str) -> str:
    """
    Return the name of a metric for people.

    >>> short_name("latency_p95"), short_name("golden_pesq")
    ('p95', 'golden pesq')
    """
    return NAMES.get(metric, metric.replace("_", " "))


def _sentence(metric: MetricVerdict) -> str:
    """Return a metric's change with its limit: `13.1 % slower (limit 5 %)`."""
    told = None if metric.verdict is Verdict.FAILED else told_shift(metric)
    if told is None or told.comparison.shift is None or not told.limit:
        return metric.reason
    return _utterances(metric, told) if told.utterance else _mean(metric, told)


def _mean(metric: MetricVerdict, told: ToldShift) -> str:
    comparison, margin = told.comparison, told.limit or 0.0
    shift = comparison.shift or 0.0
    size = phrases.amount(comparison, shift)
    word = "slower" if metric.metric in SLOWER and shift > 0.0 else _direction(shift)
    name = "" if metric.metric == "latency_p50" else f"{short_name(metric.metric)} "
    line = phrases.amount(comparison, LINE_SHARE * margin)
    early = f", decided at {line}" if _worse(comparison, shift) <= margin else ""
    return f"{name}{size} {word} (limit {told.limit_size}{early})"


def _direction(shift: float) -> str:
    return "higher" if shift > 0.0 else "lower"


def _utterances(metric: MetricVerdict, told: ToldShift) -> str:
    """Return the worst of the utterances that broke the limit of one."""
    more, shift = len(metric.utterances) - 1, told.comparison.shift or 0.0
    size = phrases.amount(told.comparison, shift)
    name = told.named(short_name(metric.metric))
    others = f", of {more} more too" if more else ""
    limit = f"limit {told.limit_size} for one utterance"
    return f"{name} {size} {_direction(shift)} ({limit}){others}"


def _stage(cell: CellVerdict) -> str:
    """Return the stage that moved most: `acoustic +14 %`; empty where none is known."""
    facts = [remark.facts for remark in cell.remarks if remark.kind is RemarkKind.STAGE]
    return facts[0][0] if facts and facts[0] else ""


def _worse(comparison: Comparison, shift: float) -> float:
    """Return a shift with + as worse; where neither direction is better, any is."""
    return {"lower": shift, "higher": -shift, "neither": abs(shift)}[comparison.better]
