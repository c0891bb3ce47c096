"""
The points of each series as arrays, oldest first, and their nights. Judges no series.

Cuts the history's table of points into series, once for all, since a history may hold a million
points.

Nights: the days on which a value was expected, those with one, and those without: NO DATA, never
filled in. At most one value per UTC day counts, the median of the day's, so that neither ten reruns
of one afternoon outvote a week nor the best of them replaces a bad night. Knows the calendar, but
neither metrics nor clocks: the caller passes the day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from voxgate.harness.history.records import Array, Days, Texts, Whole

if TYPE_CHECKING:
    import pandas as pd


NIGHTLY_FROM = 7
"""Nights that a series must have before a rhythm is read from it: a week."""
REGULAR = 0.75
"""
Share of the steps from one night to the next that must not skip an expected day, for the series to
be nightly.

Counted by steps and not by days, because a nightly job that is dead for a month makes one long
step: the outage must not end the expectation.
"""
RECENT_DAYS = 28
"""
A weekday on which nothing ran for four weeks is not expected (many run from Monday to Friday only)
...
"""
SETTLED_DAYS = 14
"""... once there were two of each. Before, every day is expected."""
NO_RUN = "no run"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoData:
    """
    A night without a value, and why: no run was stored, or the run had no value for this metric.
    """

    night: str
    """UTC day, `2026-11-20`."""
    why: str
    had_run: bool
    """Whether a run was stored, without a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """The nights with a value, oldest first."""

    days: Days
    values: Array

    def place(self, day: str) -> int:
        """Return the number of nights before a day."""
        return int(np.searchsorted(self.days, np.datetime64(day, "D")))


def days_of(created: Sequence[str]) -> Days:
    """Return the UTC days of times in ISO 8601, UTC."""
    return np.array([time[:10] for time in created], dtype="datetime64[D]")


def nights_of(days: Days, values: Array) -> Nights:
    """
    Return the nights of a series without gaps, oldest run first; several runs of a day count once,
    by their median.
    """
    rows = _first_of_day(days)
    if len(rows) == len(days):
        return Nights(days=days, values=values)
    medians = np.array([np.median(day) for day in np.split(values, rows[1:])])
    return Nights(days=days[rows], values=medians)


def is_nightly(days: Days) -> bool:
    """
    Return whether the days on which something ran have a rhythm: every day, or the same days of
    every week.
    """
    nights = days[_first_of_day(days)]
    if len(nights) < NIGHTLY_FROM:
        return False
    steps = np.busday_count(nights[:-1], nights[1:], weekmask=weekdays_of(nights).tolist())
    return bool(np.mean(steps <= 1) >= REGULAR)


def no_data_of(
    days: Days, values: Array, missing: Texts, today: str, *, nightly: bool
) -> tuple[NoData, ...]:
    """
    Return the nights without a value, oldest first: those whose runs had none, and if `nightly`,
    the expected ones without a run.

    `days`, `values` (NaN: none) and `missing` (why) are of all points; `today` is a date, ISO, UTC.
    """
    nights = map(str, missed_nights(days, today)) if nightly else ()
    found = [NoData(night=night, why=NO_RUN, had_run=False) for night in nights]
    without = np.isnan(values)
    if without.any():
        silent = np.flatnonzero(without & ~np.isin(days, days[~without]))
        told = {str(days[row]): missing[row] or NO_RUN for row in silent}
        found += [NoData(night=night, why=why, had_run=True) for night, why in told.items()]
    return tuple(sorted(found, key=lambda each: each.night))


def missed_nights(days: Days, today: str) -> Days:
    """
    Return the expected days on which nothing ran, from the first night to the day before `today`
    (ISO, UTC).

    Today is not over, so nothing is missed yet.
    """
    nights = days[_first_of_day(days)]
    if len(nights) == 0:
        return nights
    every = np.arange(nights[0], np.datetime64(today[:10], "D"))
    missed = np.is_busday(every, weekmask=weekdays_of(nights).tolist())
    places = (nights - nights[0]).astype(np.int64)
    missed[places[places < len(every)]] = False
    return every[missed]


def _first_of_day(days: Days) -> Whole:
    """Return the indexes at which a new day begins; the days are in order."""
    return np.flatnonzero(
        np.concatenate((np.ones(min(len(days), 1), dtype=bool), days[1:] != days[:-1]))
    )


def weekdays_of(nights: Days) -> npt.NDArray[np.bool_]:
    """Return for each day of the week, Monday first, whether it is expected."""
    if nights[-1] - nights[0] < np.timedelta64(SETTLED_DAYS - 1, "D"):
        return np.ones(7, dtype=bool)
    recent = nights[nights > nights[-1] - np.timedelta64(RECENT_DAYS, "D")]
    # day 0 of numpy's calendar, 1970-01-01, was a Thursday
    return np.bincount((recent.astype(np.int64) + 3) % 7, minlength=7) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoints:
    """
    The points of one series; a value is NaN where `missing` has the reason. `versions` are empty
    where they were not read.
    """

    created: Texts
    days: Days
    values: Array
    missing: Texts
    versions: Texts

    @property
    def known(self) -> Whole:
        """Return the indexes of the points with a value."""
        return np.flatnonzero(~np.isnan(self.values))


NONE = np.zeros(0, dtype=object)
EMPTY = SeriesPoints(
    created=NONE, days=days_of(()), values=np.zeros(0), missing=NONE, versions=NONE
)


def points_by_series(points: "pd.DataFrame") -> dict[int, SeriesPoints]:
    """Cut a table of points, as `History.points` returns it, by the id of their series."""
    order = np.argsort(points["series"].to_numpy(), kind="stable")
    columns = {name: points[name].to_numpy()[order] for name in points.columns}
    columns.setdefault("version", np.full(len(order), "", dtype=object))
    columns["days"] = _days(columns["run"], columns["created"])
    ids, starts = np.unique(columns["series"], return_index=True)
    stops = np.append(starts[1:], len(order))[: len(ids)].tolist()
    return {
        int(series_id): SeriesPoints(
            created=columns["created"][start:stop],
            days=columns["days"][start:stop],
            values=columns["value"][start:stop].astype(np.float64),
            missing=columns["missing"][start:stop],
            versions=columns["version"][start:stop],
        )
        for series_id, start, stop in zip(ids, starts.tolist(), stops, strict=True)
    }


def _days(runs: Whole, created: Texts) -> Days:
    """Return each point's day. A run has one time, so only one of its points is parsed."""
    _, first, place = np.unique(runs, return_index=True, return_inverse=True)
    return days_of([created[row] for row in first])[place]
