"""
The changes of a judgement as rows of short texts: metric, base, head, change with its interval,
and limit. The comment on a pull request, the forest of a text and JUnit show the same rows.

Needs the standard library alone, so that a comment can be written without anything installed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voxgate.harness.judging.causes import told_shift
from voxgate.harness.judging.phrases import ToldShift
from voxgate.harness.records.measurement import Missing, Value, is_exact
from voxgate.harness.records.verdict import CellVerdict, Comparison, MetricVerdict, Verdict
from voxgate.harness.report.format import (
    plain,
    plain_columns,
    shown_unit,
    shown_value,
)

BROKEN = (Verdict.FAILED, Verdict.REGRESSED)
HEAD = ("metric", "base", "head", "change [95 %]", "limit")
"""Titles of the columns."""
NONE = "-"
"""In a column that has nothing to show."""


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
    told = told_shift(metric)
    return MetricChange(
        label=cell.label,
        metric=metric.metric if told is None else told.named(metric.metric),
        base=NONE if told is None else _value(told.comparison, told.comparison.baseline),
        head=NONE if told is None else _value(told.comparison, told.comparison.current),
        change=(told and told.size) or NONE,
        limit=(told and limit_of(told)) or NONE,
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


def limit_of(told: ToldShift) -> str:
    """Return a limit: `+5 %`, `-1 MOS-LQO for one`; empty where there is none."""
    return told.limit_line + (" for one" if told.limit_line and told.utterance else "")


def change_lines(changes: Iterable[MetricChange]) -> list[str]:
    """Return rows as lines of plain text in columns, below their titles."""
    rows: list[Sequence[str]] = [(each.word, *map(plain, each.columns)) for each in changes]
    return plain_columns([("verdict", *HEAD), *rows], left=(0, 1)) if rows else []


def _value(comparison: Comparison, value: Value) -> str:
    if isinstance(value, Missing):
        return "missing"
    if is_exact(comparison.unit, value):
        return "exact"
    unit = shown_unit(comparison.metric, comparison.unit)
    return f"{shown_value(comparison.metric, comparison.unit, value)} {unit}".rstrip()
