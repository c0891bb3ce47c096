"""
The changes of a judgement as rows of short texts: metric, base, head, change with its interval,
and limit. The comment on a pull request, the forest of a text and JUnit show the same rows.

Needs the standard library alone, so that a comment can be written without anything installed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voxgate.harness.judging import phrases
from voxgate.harness.judging.causes import decided_alone
from voxgate.harness.records.measurement import Missing, Value, is_exact
from voxgate.harness.records.verdict import CellVerdict, Comparison, MetricVerdict, Verdict
from voxgate.harness.report.format import (
    plain,
    plain_columns,
    shown_scale,
    shown_unit,
    shown_value,
)

BROKEN = (Verdict.FAILED, Verdict.REGRESSED)
HEAD = ("metric", "base", "head", "change [95 %]", "limit")
"""Titles of the columns."""
NONE = "-"
"""In a column that has nothing to show."""
SIGNS = {"lower": "+", "higher": "-", "neither": "±"}
"""Of a limit: the direction that is worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChange:
    """One metric of one cell, as text; from a document of a stranger, so not escaped yet."""

    label: str
    """Of the cell."""
    metric: str
    """`pesq of u06` where one utterance broke its limit, and the mean proves nothing."""
    base: str
    head: str
    change: str
    limit: str
    verdict: Verdict
    blocking: bool

    @property
    def word(self) -> str:
        """The verdict, and whether it only informs."""
        return self.verdict.value if self.blocking else f"{self.verdict.value} (advisory)"

    @property
    def columns(self) -> tuple[str, str, str, str, str]:
        """The texts in the order of `HEAD`."""
        return self.metric, self.base, self.head, self.change, self.limit


def metric_change(cell: CellVerdict, metric: MetricVerdict) -> MetricChange:
    """Return the row of one metric of a cell."""
    comparison = metric.comparison
    if comparison is not None and decided_alone(metric):
        texts = _of_utterance(metric, comparison)
    elif comparison is not None:
        texts = _of_mean(metric, comparison)
    else:
        texts = (metric.metric, NONE, NONE, NONE, NONE)
    name, base, head, change, limit = texts
    return MetricChange(
        label=cell.label,
        metric=name,
        base=base,
        head=head,
        change=change,
        limit=limit,
        verdict=metric.verdict,
        blocking=metric.blocking,
    )


def judged_changes(cell: CellVerdict) -> tuple[MetricChange, ...]:
    """
    Return the rows of all metrics that count, and of those that moved beyond their limits: what is
    broken and counts before everything else.
    """
    shown = [each for each in cell.metrics if each.blocking or each.verdict in BROKEN]
    shown.sort(key=lambda each: (each.verdict not in BROKEN, not each.blocking))
    return tuple(metric_change(cell, each) for each in shown)


def change_lines(changes: Iterable[MetricChange]) -> list[str]:
    """Return rows as lines of plain text in columns, below their titles."""
    rows: list[Sequence[str]] = [(each.word, *map(plain, each.columns)) for each in changes]
    return plain_columns([("verdict", *HEAD), *rows], left=(0, 1)) if rows else []


def _of_mean(metric: MetricVerdict, comparison: Comparison) -> tuple[str, str, str, str, str]:
    return (
        metric.metric,
        _value(comparison, comparison.baseline),
        _value(comparison, comparison.current),
        change_text(comparison),
        limit_text(comparison, metric.limit),
    )


def _of_utterance(metric: MetricVerdict, comparison: Comparison) -> tuple[str, str, str, str, str]:
    worst = metric.utterances[0]
    factor, unit = _absolute_scale(comparison)
    return (
        f"{metric.metric} of {worst.id}",
        _value(comparison, worst.before),
        _value(comparison, worst.now),
        f"{(worst.now - worst.before) * factor:+.3g} {unit}".rstrip(),
        f"{_limit(comparison, metric.worst, factor, unit)} for one",
    )


def change_text(comparison: Comparison) -> str:
    """
    Format a shift with its interval, in the unit in which its values are shown: `+9.8 % [+8.1
    +11.6]`, `+4.2 points [+1.0 +7.5]` of a rate in percent.
    """
    shift, low, high = comparison.shift, comparison.low, comparison.high
    if shift is None:
        return NONE
    if not comparison.absolute:
        return phrases.size(comparison)
    factor, unit = _absolute_scale(comparison)
    size = f"{_signed(shift * factor)} {unit}".rstrip()
    if low is None or high is None:
        return size
    return f"{size} [{_signed(low * factor)} {_signed(high * factor)}]"


def limit_text(comparison: Comparison, limit: float | None) -> str:
    """Format a limit with the sign of the direction that is worse: `+5 %`."""
    factor, unit = _absolute_scale(comparison) if comparison.absolute else (100.0, "%")
    return _limit(comparison, limit, factor, unit)


def _absolute_scale(comparison: Comparison) -> tuple[float, str]:
    unit = shown_unit(comparison.metric, comparison.unit)
    return shown_scale(comparison.metric, comparison.unit), "points" if unit == "%" else unit


def _value(comparison: Comparison, value: Value) -> str:
    if isinstance(value, Missing):
        return "missing"
    if is_exact(comparison.unit, value):
        return "exact"
    unit = shown_unit(comparison.metric, comparison.unit)
    return f"{shown_value(comparison.metric, comparison.unit, value)} {unit}".rstrip()


def _limit(comparison: Comparison, limit: float | None, factor: float, unit: str) -> str:
    if limit is None:
        return NONE
    return f"{SIGNS[comparison.better]}{limit * factor:.3g} {unit}".rstrip()


def _signed(value: float) -> str:
    return f"{value + 0.0:+.3g}"  # adding zero turns -0.0 into 0.0
