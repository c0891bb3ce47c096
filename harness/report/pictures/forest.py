"""
The forest plot: every judged shift of a run on one axis, in units of its own limit, the worst
first.

A shift of latency in percent and one of PESQ in points stand on one axis because each is divided by
the limit that it is held against: 0 is no change, 1 is the limit, right is worse.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voxgate.harness.analysis.metric_rules import DRIFT, is_speed
from voxgate.harness.judging import phrases
from voxgate.harness.judging.causes import told_shift
from voxgate.harness.judging.phrases import ToldShift
from voxgate.harness.records.verdict import CellVerdict, MetricVerdict, Verdict
from voxgate.harness.report.badges import Badge, kind, of_verdict
from voxgate.harness.report.pictures.axis import Scale

LEAST_REACH, MOST_REACH = 1.6, 4.6
"""Limits that the axis shows to the right at least, and at most; to the left, half as many."""
SHOWN = 14
"""Rows that stand open; the others are folded."""
HEADLINES = ("latency_p50", "rtf", "live_latency_p50", "pesq", "wer", "similarity_margin")
"""What a cell in which nothing changed is shown by: the first speed, and the first quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """
    One metric of one cell. Places are percent of the width; `is_beyond` has left the axis to the
    right, and `is_below` to the left.
    """

    cell: str
    label: str
    metric: str
    mark: Badge
    blocking: bool
    at: float
    low: float
    high: float
    is_beyond: bool
    is_below: bool
    change: str
    limit: str
    times: float
    """The shift in limits, + is worse."""

    @property
    def tip(self) -> str:
        """The row in words."""
        side = "worse" if self.times > 0 else "better"
        size = f"{multiple(abs(self.times))} times the limit, {side}"
        return f"{self.label}, {self.metric}: {self.change} (95 % interval), {size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """
    The rows that stand open and those that are folded; `zero` and `limit` are the places of the two
    lines, `ticks` are (place, text).
    """

    caption: str
    rows: tuple[ForestRow, ...]
    folded: tuple[ForestRow, ...]
    zero: float
    limit: float
    ticks: tuple[tuple[float, str], ...]

    @property
    def has_bars(self) -> bool:
        """Whether any shift has an interval."""
        return any(row.low < row.high for row in (*self.rows, *self.folded))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shift:
    """A shift in limits, + is worse; without bounds where the data give none."""

    cell: CellVerdict
    metric: MetricVerdict
    told: ToldShift
    point: float
    low: float | None
    high: float | None

    @property
    def rank(self) -> tuple[bool, float]:
        """What is worse and counts comes first."""
        return (not (self.metric.blocking and kind(self.metric.verdict) == "bad"), -self.point)


def forest(cells: Sequence[CellVerdict]) -> Forest | None:
    """Return the forest plot of a judgement; None where nothing was compared."""
    shifts = sorted(_shifts(cells), key=lambda each: each.rank)
    if not shifts:
        return None
    first = [each for each in shifts if each in _headlines(shifts)]
    scale = _scale(shifts)
    shown = first[:SHOWN]
    return Forest(
        caption=_caption(cells, shifts, shown),
        rows=tuple(_row(each, scale) for each in shown),
        folded=tuple(_row(each, scale) for each in shifts if each not in shown),
        zero=scale.at(0.0),
        limit=scale.at(1.0),
        ticks=tuple((scale.at(tick), _tick(tick)) for tick in range(-2, 5) if scale.holds(tick)),
    )


def _shifts(cells: Iterable[CellVerdict]) -> Iterable[_Shift]:
    for cell in cells:
        for metric in cell.metrics:
            if metric.metric == DRIFT:
                continue  # it is held against its limit alone: no shift from a baseline
            told = told_shift(metric)
            if told is not None and told.comparison.shift is not None and told.limit:
                yield _shift(cell, metric, told, told.limit)


def _shift(cell: CellVerdict, metric: MetricVerdict, told: ToldShift, limit: float) -> _Shift:
    comparison = told.comparison
    point, low, high = (
        None if value is None else value / limit
        for value in (comparison.shift, comparison.low, comparison.high)
    )
    if comparison.better == "higher":
        point, low, high = _negative(point), _negative(high), _negative(low)
    elif comparison.better == "neither":
        low, high = _sizes(low, high)
        point = abs(point or 0.0)
    return _Shift(
        cell=cell,
        metric=metric,
        told=told,
        point=point or 0.0,
        low=low,
        high=high,
    )


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _sizes(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Return the bounds of the size of a shift of which neither direction is better."""
    if low is None or high is None:
        return None, None
    least = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    return least, max(abs(low), abs(high))


def _headlines(shifts: Sequence[_Shift]) -> list[_Shift]:
    """
    Return of each cell one speed and one quality: the worst that counts where one is not a pass,
    else the first of HEADLINES.
    """
    chosen: dict[tuple[str, bool], _Shift] = {}
    for each in sorted(shifts, key=_prominence):
        chosen.setdefault((each.cell.cell, is_speed(each.metric.metric)), each)
    return list(chosen.values())


def _prominence(each: _Shift) -> tuple[int, float, int]:
    name, told = each.metric.metric, each.metric.verdict is not Verdict.PASS
    place = HEADLINES.index(name) if name in HEADLINES else len(HEADLINES)
    if each.metric.blocking and told:
        return 0, -round(each.point, 1), place
    return 1 if each.metric.blocking else 2, 0.0, place


def _scale(shifts: Sequence[_Shift]) -> Scale:
    right = max(max(each.point, each.high or 0.0) for each in shifts)
    left = min(min(each.point, each.low or 0.0) for each in shifts)
    return Scale(
        low=-min(max(-left * 1.05, LEAST_REACH / 2.0), MOST_REACH / 2.0),
        high=min(max(right * 1.05, LEAST_REACH), MOST_REACH),
        start=0.0,
        end=100.0,
    )


def _row(each: _Shift, scale: Scale) -> ForestRow:
    low, high = (each.point if bound is None else bound for bound in (each.low, each.high))
    return ForestRow(
        cell=each.cell.cell,
        label=each.cell.label,
        metric=_name(each),
        mark=of_verdict(each.metric.verdict.value),
        blocking=each.metric.blocking,
        at=scale.at(each.point),
        low=scale.at(low),
        high=scale.at(high),
        is_beyond=each.point > scale.high,
        is_below=each.point < scale.low,
        change=each.told.size,
        limit=each.told.limit_line,
        times=each.point,
    )


def _name(each: _Shift) -> str:
    """Name a metric, and the utterance that alone broke its limit."""
    return each.told.named(each.metric.metric)


def _tick(value: int) -> str:
    """Name a place of the axis."""
    if value == 0.0:
        return "no change"
    if value == 1.0:
        return "limit"
    return f"{'−' if value < 0 else ''}{abs(value):g}×"


def _caption(
    cells: Sequence[CellVerdict], shifts: Sequence[_Shift], shown: Sequence[_Shift]
) -> str:
    """
    Return the finding in a sentence: how many cells are over a limit, and the farthest one of the
    rows in sight.
    """
    over = [each for each in shifts if each.metric.blocking and kind(each.metric.verdict) == "bad"]
    failed = _failed(cells, over)
    if not over:
        return f"No shift that counts is over its limit{failed}."
    seen = [each for each in over if each in shown] or over
    worst = max(seen, key=lambda each: each.point)
    count = len({each.cell.cell for each in over})
    verb = "is" if count == 1 else "are"
    return (
        f"{count} of {len(cells)} cells {verb} over a limit; farthest {worst.cell.label}: "
        f"{_name(worst)} {worst.told.size}, {multiple(worst.point)} times "
        f"its limit{failed}."
    )


def _failed(cells: Sequence[CellVerdict], over: Sequence[_Shift]) -> str:
    """Return the cells that failed for what is no shift, as the end of a sentence."""
    told = {each.cell.cell for each in over}
    failed = [
        cell.label for cell in cells if cell.verdict is Verdict.FAILED and cell.cell not in told
    ]
    return f"; {phrases.cells_named(failed)} failed, and not by a shift" if failed else ""


def multiple(times: float) -> str:
    """
    Format a multiple of a limit.

    >>> multiple(2.61), multiple(101.3)
    ('2.6', '101')
    """
    return f"{times:.0f}" if abs(times) >= 10.0 else f"{times:.2g}"
