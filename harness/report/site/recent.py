"""
The last nights of a series: each night's value against its level and limit, on an axis of days.

A night is compared with the level of the standing alarm; without one, with the median of the first
fortnight behind the last cut in sight, so that an acknowledged change begins anew. Nights without a
run, and runs without a value, are kept apart. What the nights' picture and the sparklines share;
draws nothing and judges nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np

from voxgate.harness.history.alarm import OF, Alarm
from voxgate.harness.history.budget import Margin, shift_of
from voxgate.harness.history.records import Array, Whole
from voxgate.harness.history.series import NoData
from voxgate.harness.history.trend import SeriesTrend, StateReason, TrendState
from voxgate.harness.judging.compare_quality import INAUDIBLE_DB
from voxgate.harness.report.format import shown_scale, shown_unit, shown_value

SHOWN_NIGHTS = 60
"""As many as can still be told apart in a line as big as a word."""
FORTNIGHT = 14
SIGNS: Mapping[str, float] = {"lower": 1.0, "higher": -1.0}
"""Better direction of a metric -> the side of a change that is worse."""
DAY_S = 86_400
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NightAxis:
    """Days since 1970, one after the other."""

    first: int
    count: int

    def at(self, day: str) -> int:
        """Return the place of a day; outside of the axis it is negative or too large."""
        return day_number(day) - self.first

    def day(self, place: int) -> str:
        """Return the day at a place, ISO."""
        return (EPOCH + timedelta(days=self.first + place)).isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentNights:
    """
    One series on an axis, an item a night; NaN where it has no value.

    `over` is the distance from the level as a multiple of the limit, above positive; `worse` the
    same with the bad side positive (zero where neither direction is better).
    """

    axis: NightAxis
    values: Array
    levels: Array
    over: Array
    worse: Array
    lost: Mapping[int, NoData]
    """Expected nights without a value."""
    cuts: tuple[tuple[int, str, bool], ...]
    """Where a new level begins, why, and whether a person acknowledged it."""
    changes: tuple[int, ...]
    is_nightly: bool

    @property
    def known(self) -> Whole:
        """Return the places of the nights with a value."""
        return np.flatnonzero(~np.isnan(self.values))

    @property
    def missed(self) -> tuple[int, ...]:
        """Return the places of the nights without a run."""
        return tuple(place for place, night in self.lost.items() if not night.had_run)


def day_number(day: str) -> int:
    """Return the days since 1970 of a day in ISO."""
    return (date.fromisoformat(day[:10]) - EPOCH).days


def axis_of(days: Iterable[Whole], today: str, *, nightly: bool) -> NightAxis:
    """
    Return an axis that ends with the newest day, or the day before `today` where that is later. It
    is as long as the last nights; without a rhythm, as the last runs.
    """
    every = [run_days for run_days in days if len(run_days)]
    newest = max(int(run_days[-1]) for run_days in every)
    end = max(newest, day_number(today) - 1) if nightly else newest
    first = min(int(run_days[0]) for run_days in every)
    if nightly:
        return NightAxis(first=max(first, end - SHOWN_NIGHTS + 1), count=_span(first, end))
    latest = min(int(run_days[-SHOWN_NIGHTS:][0]) for run_days in every)
    return NightAxis(first=latest, count=end - latest + 1)


def _span(first: int, end: int) -> int:
    return min(SHOWN_NIGHTS, end - first + 1)


def recent_nights(axis: NightAxis, days: Whole, values: Array, trend: SeriesTrend) -> RecentNights:
    """Return the nights of a series, whose points were measured on `days`, on an axis."""
    start = int(np.searchsorted(days, axis.first))
    grid = np.full(axis.count, np.nan)
    places = days[start:] - axis.first
    kept = values[start:]
    if trend.series.unit == "dB":
        kept = np.minimum(kept, INAUDIBLE_DB)
    known = ~np.isnan(kept) & (places < axis.count)
    grid[places[known]] = kept[known]
    cuts = [(axis.at(cut.at), cut.why, cut.is_acknowledged) for cut in trend.cuts]
    levels = _levels(grid, [cut[0] for cut in cuts], trend)
    over = (grid - levels) / _allowed(levels, trend.limit)
    return RecentNights(
        axis=axis,
        values=grid,
        levels=levels,
        over=over,
        worse=over * SIGNS.get(trend.series.better, 0.0),
        lost=_lost(axis, trend),
        cuts=tuple(cut for cut in cuts if 0 <= cut[0] < axis.count),
        changes=tuple(place for change in trend.changes if (place := axis.at(change.at)) >= 0),
        is_nightly=trend.nightly,
    )


def _levels(grid: Array, cuts: Sequence[int], trend: SeriesTrend) -> Array:
    """Return the level of each night: that of its part between two cuts."""
    levels = np.empty(len(grid))
    edges = [0, *sorted({place for place in cuts if 0 < place < len(grid)}), len(grid)]
    for start, stop in pairwise(edges):
        part = grid[start:stop]
        first = part[~np.isnan(part)][:FORTNIGHT]
        levels[start:stop] = np.median(first) if len(first) else np.nan
        if stop == len(grid) and trend.alarm is not None:
            levels[start:stop] = trend.alarm.level
    return levels


def _allowed(levels: Array, limit: Margin) -> Array:
    allowed = limit.of(levels)
    return np.where(allowed > 0.0, allowed, np.nan)


def _lost(axis: NightAxis, trend: SeriesTrend) -> dict[int, NoData]:
    """Return the nights without a value on the axis, from the newest back."""
    lost = {}
    for night in reversed(trend.no_data):
        place = axis.at(night.night)
        if place < 0:
            break
        if place < axis.count:
            lost[place] = night
    return dict(sorted(lost.items()))


def missed_times(trend: SeriesTrend, hour_s: int) -> list[int]:
    """Return the expected nights without a run, in seconds since 1970, at an hour of the day."""
    missed = (night.night for night in trend.no_data if not night.had_run)
    return [day_number(night) * DAY_S + hour_s for night in missed]


def change_text(metric: str, unit: str, shift: float, *, absolute: bool) -> str:
    """
    Return a change with its unit as the pages show it.

    >>> change_text("latency_p50", "s", 0.081, absolute=False)
    '+8.1 %'
    >>> change_text("wer", "1", 0.006, absolute=True)
    '+0.6 points'
    """
    if not absolute:
        return f"{100.0 * shift:+.1f} %"
    name = shown_unit(metric, unit)
    size = f"{shift * shown_scale(metric, unit):+.2g}"
    return f"{size} {'points' if name == '%' else name}".rstrip()


def night_change(trend: SeriesTrend, level: float, value: float) -> str:
    """
    Return the change of a night's value from its level, in words; of what is shown in per cent, in
    points.
    """
    series = trend.series
    shift, absolute = shift_of(level, value, trend.limit)
    if not absolute and shown_unit(series.metric, series.unit) == "%":
        shift, absolute = value - level, True
    return change_text(series.metric, series.unit, shift, absolute=absolute)


def limit_words(trend: SeriesTrend, level: float) -> str:
    """Return the limit of a series at a level: `5 %`, `0.15 MOS-LQO`."""
    allowed = night_change(trend, level, level + trend.limit.at(level)).lstrip("+")
    return "1 point" if allowed == "1 points" else allowed.replace(".0 %", " %")


def trend_words(trend: SeriesTrend) -> str:
    """Return all findings of a trend, with numbers in the units of the pages."""
    return "; ".join(_finding_words(trend, finding) for finding in trend.says)


def _finding_words(trend: SeriesTrend, finding: StateReason) -> str:
    if finding.state in (TrendState.WORSE, TrendState.BETTER) and trend.alarm is not None:
        return _alarm_words(trend, trend.alarm, finding)
    if finding.state is TrendState.STEADY and trend.segments:
        known = acknowledged(trend)
        level = level_words(trend, trend.segments[-1].level)
        return f"steady at {level} since {finding.since}{f', {known}' if known else ''}"
    return finding.text


def acknowledged(trend: SeriesTrend, since: str = "") -> str:
    """
    Return the reason for which the newest level is known, if a person acknowledged it from a day
    on: `acknowledged: it lost its fan`; empty where nobody did.
    """
    last = trend.cuts[-1] if trend.cuts else None
    return last.why if last is not None and last.is_acknowledged and last.at[:10] >= since else ""


def _alarm_words(trend: SeriesTrend, alarm: Alarm, finding: StateReason) -> str:
    series, level = trend.series, alarm.level
    size = change_text(series.metric, series.unit, alarm.shift, absolute=alarm.absolute)
    by = night_change(trend, level, level + alarm.threshold).lstrip("+")
    hold = "; acknowledge it to hold on to it" if finding.state is TrendState.BETTER else ""
    return (
        f"{size} since {finding.since}: {alarm.beyond} of the last {OF} nights off "
        f"{level_words(trend, level)} by more than {by}{hold}"
    )


def level_words(trend: SeriesTrend, value: float) -> str:
    """Return a value of a series with its unit."""
    metric, unit = trend.series.metric, trend.series.unit
    return f"{shown_value(metric, unit, value)} {shown_unit(metric, unit)}".rstrip()
