"""
All data of the site, read once from the history: places with their runs and series.

A place is a suite on a machine under a profile: one axis of time. Knows no page.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from voxgate.harness.analysis.metric_rules import STAGE, is_helper
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import History
from voxgate.harness.history.dates import Believed, left_out_line
from voxgate.harness.history.records import Acknowledgement, CellRow, RunRow, Series
from voxgate.harness.history.trend import SeriesTrend, trends
from voxgate.harness.python310 import parse_iso
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.report.pictures.sparkline import Spark, extent_of, sparkline
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.recent import (
    DAY_S,
    RecentNights,
    axis_of,
    recent_nights,
    trend_words,
)

if TYPE_CHECKING:
    import pandas as pd

Numbers = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
PLACE = ("suite", "profile", "machine")
NUMBERS = ("value", "low", "high", "shift")


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """
    All points as columns, by series (its place among them) and within that by time; texts where
    there are any, by row. `shift` is against the baseline of the run, NaN where there is none.
    """

    series: Whole
    run: Whole
    value: Numbers
    low: Numbers
    high: Numbers
    shift: Numbers
    verdict: Whole
    missing: Mapping[int, str]
    reasons: Mapping[int, str]
    """Of verdicts that say more than that all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSeries:
    """
    One metric of one cell at one place, through time.

    `at` are positions among the place's runs, rising; `verdicts` number the book's words; `missing`
    and `reasons` go by index.
    """

    series: Series
    at: Whole
    value: Numbers
    low: Numbers
    high: Numbers
    shift: Numbers
    verdicts: Whole
    missing: Mapping[int, str]
    reasons: Mapping[int, str]

    @property
    def helps(self) -> bool:
        """Whether the metric only serves others: it is not shown by itself."""
        return is_helper(self.series.metric)

    @property
    def is_stage(self) -> bool:
        """Whether the metric is the time of one stage."""
        return self.series.metric.startswith(STAGE)

    def index_of(self, position: int) -> int | None:
        """Find the point of a run; None if the run has none."""
        index = int(np.searchsorted(self.at, position))
        return index if index < len(self.at) and self.at[index] == position else None

    def measurement(self, index: int) -> Measurement:
        """Return a point as the measurement record that reports format."""
        low, high = (
            None if np.isnan(bound) else float(bound)
            for bound in (self.low[index], self.high[index])
        )
        return Measurement(
            metric=self.series.metric,
            unit=self.series.unit,
            better=self.series.better,
            version=self.series.version,
            values=(),
            summary=Missing(self.missing[index])
            if index in self.missing
            else float(self.value[index]),
            low=low,
            high=high,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAxis:
    """
    One axis of time; `times` are the runs' in seconds since 1970, `lines` stand by cell, in the
    order in which they came.
    """

    suite: str
    profile: str
    machine: str
    runs: tuple[RunRow, ...]
    times: Whole
    lines: Mapping[str, tuple[MetricSeries, ...]]

    @property
    def days(self) -> Whole:
        """Return the day of each run, counted from 1970."""
        return self.times // DAY_S

    @property
    def name(self) -> str:
        """Name machine and profile for people."""
        return f"{self.machine} ({self.profile})"

    @property
    def file_name(self) -> str:
        """Name the place within a file's name."""
        return urls.place_name(self.suite, self.profile, self.machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """
    The history, read. `words` are the verdicts that points name by number, the first of them none.
    """

    runs: tuple[RunRow, ...]
    cells: Mapping[int, tuple[CellRow, ...]]
    series: tuple[Series, ...]
    points: Points
    words: tuple[str, ...]
    places: tuple[RunAxis, ...]
    latest: frozenset[int]
    """The latest run of every place."""
    left_out: tuple[str, ...] = ()
    """Runs that are not shown because their time cannot be true, a line each."""
    trends: Mapping[int, SeriesTrend] = field(default_factory=dict)
    """What was read into every series, by its id; empty until it was."""
    recent: Mapping[int, RecentNights] = field(default_factory=dict)
    """The last nights of every series against its limit, all on one axis."""
    extents: Mapping[str, float] = field(default_factory=dict)
    """Metric -> multiple of the limit up to which its lines are drawn, on every page alike."""

    def trend(self, line: MetricSeries) -> SeriesTrend:
        """Return the trend of a series from the loaded records."""
        return self.trends[line.series.id]

    def spark(self, place: RunAxis, line: MetricSeries) -> Spark | None:
        """Draw a line as big as a word, on the site's axis unless it has no night there."""
        trend, nights = self.trend(line), self.recent[line.series.id]
        if len(nights.known) < 2 and not trend.nightly:
            days = place.days[line.at]
            own = axis_of([days], "", nightly=False)
            nights = recent_nights(own, days, line.value, trend)
        spark = sparkline(
            nights.over,
            nights.worse,
            nights.missed,
            nights.changes,
            self.extents[line.series.metric],
            f"{line.series.metric} over the last nights: {trend_words(trend)}",
        )
        return spark and replace(spark, is_advisory=trend.is_advisory)

    @property
    def cell_names(self) -> frozenset[tuple[str, str]]:
        """Return suite and slug of every cell, whatever the machine."""
        return frozenset((row.suite, row.cell) for row in self.series)


class LoadedHistory:
    """A history that was read once, as the source of trends."""

    def __init__(self, history: History, today: str) -> None:
        """Read all but runs whose times cannot be true `today`. Raises HarnessError for a fault."""
        believed = Believed(history, today)
        self._points = believed.points(words=True)
        self._series, self._acknowledgements = history.series(), history.acknowledgements()
        # last: every point's run is among them
        self.runs, self.cells = believed.runs(), history.every_cell()
        self.left_out = tuple(map(left_out_line, believed.left_out()))

    def before(self, day: str) -> "LoadedHistory":
        """Return the history as it was when that UTC day began."""
        earlier = copy(self)
        earlier.runs = tuple(run for run in self.runs if run.created < day)
        earlier._points = self._points[self._points["created"] < day]
        earlier._acknowledgements = [a for a in self._acknowledgements if a.created < day]
        return earlier

    def series(self) -> Sequence[Series]:
        """Return all series."""
        return self._series

    def points(self, *, words: bool) -> "pd.DataFrame":
        """Return all points with their acknowledgements."""
        return self._points

    def acknowledgements(self) -> Sequence[Acknowledgement]:
        """Return all acknowledgements."""
        return self._acknowledgements


def make_book(loaded: LoadedHistory) -> Book:
    """Group the loaded records by suite, profile and machine."""
    series = tuple(loaded.series())
    points, words = _points(loaded.points(words=True), series)
    places = _places(loaded.runs, series, points)
    return Book(
        runs=loaded.runs,
        cells=_by_run(loaded.runs, loaded.cells),
        series=series,
        points=points,
        words=words,
        places=places,
        latest=frozenset(place.runs[-1].id for place in places),
        left_out=loaded.left_out,
    )


def read_trends(book: Book, loaded: LoadedHistory, today: str, baselines: Path) -> Book:
    """
    Return the book with every line read through time. Raises HarnessError for a broken policy or
    budget.
    """
    found = {trend.series.id: trend for trend in trends(loaded, today, baselines)}
    if not book.runs:
        return replace(book, trends=found)
    nightly = any(trend.nightly for trend in found.values())
    axis = axis_of([place.days for place in book.places], today, nightly=nightly)
    recent: dict[int, RecentNights] = {}
    of_metrics: dict[str, list[Numbers]] = {}
    for place in book.places:
        days = place.days
        for line in chain.from_iterable(place.lines.values()):
            nights = recent_nights(axis, days[line.at], line.value, found[line.series.id])
            recent[line.series.id] = nights
            of_metrics.setdefault(line.series.metric, []).append(nights.over)
    extents = {metric: extent_of(lines) for metric, lines in of_metrics.items()}
    return replace(book, trends=found, recent=recent, extents=extents)


def _by_run(runs: Sequence[RunRow], cells: Sequence[CellRow]) -> dict[int, tuple[CellRow, ...]]:
    by_run: dict[int, list[CellRow]] = {run.id: [] for run in runs}
    for cell in cells:
        if cell.run in by_run:  # another process may have appended a run in between
            by_run[cell.run].append(cell)
    return {run: tuple(rows) for run, rows in by_run.items()}


def _points(frame: "pd.DataFrame", series: Sequence[Series]) -> tuple[Points, tuple[str, ...]]:
    """Turn the frame into columns, sorted by series; give the verdicts' words beside them."""
    number = {row.id: index for index, row in enumerate(series)}
    ids = frame["series"].to_numpy(dtype=np.int64)
    series_ids, codes = np.unique(ids, return_inverse=True)
    orphan = next((int(row) for row in series_ids if int(row) not in number), None)
    if orphan is not None:
        raise HarnessError(
            f"the history is damaged: there are points of series {orphan}, which is not there; "
            "delete them"
        )
    of = np.array([number[int(row)] for row in series_ids], dtype=np.int64)[codes]
    order = np.argsort(of, kind="stable")
    verdicts, words = frame["verdict"].factorize()
    verdict = verdicts[order].astype(np.int64) + 1
    remarkable = np.array([False, *(word not in ("PASS", "IMPROVED") for word in words)])[verdict]
    return Points(
        series=of[order],
        run=frame["run"].to_numpy(dtype=np.int64)[order],
        **{
            name: frame[name].to_numpy(dtype=np.float64)[order]
            for name in ("value", "low", "high", "shift")
        },
        verdict=verdict,
        missing=_texts(frame["missing"], order, frame["value"].isna().to_numpy()[order]),
        reasons=_texts(frame["reason"], order, remarkable),
    ), ("", *map(str, words))


def _texts(
    column: "pd.Series[str]", order: Whole, selected: npt.NDArray[np.bool_]
) -> dict[int, str]:
    texts, rows = column.to_numpy(dtype=object), np.flatnonzero(selected)
    return {int(row): str(text) for row, text in zip(rows, texts[order[rows]], strict=True) if text}


def _places(
    runs: Sequence[RunRow], series: Sequence[Series], points: Points
) -> tuple[RunAxis, ...]:
    """Sort runs and lines to their places, in the order in which the places came."""
    axes: dict[tuple[str, ...], list[RunRow]] = {}
    for run in runs:
        axes.setdefault(_key(run), []).append(run)
    _check_places(runs, series, points)
    position: dict[int, int] = {}
    for axis in axes.values():
        position |= {run.id: at for at, run in enumerate(axis)}
    run_ids, codes = np.unique(points.run, return_inverse=True)
    at = np.array([position[int(run)] for run in run_ids], dtype=np.int64)[codes]
    edges = np.searchsorted(points.series, np.arange(len(series) + 1))
    lines: dict[tuple[str, ...], dict[str, list[MetricSeries]]] = {key: {} for key in axes}
    for row, first, end in zip(series, edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if end > first:
            lines[_key(row)].setdefault(row.cell, []).append(_line(row, points, at, first, end))
    return tuple(_place(key, axis, lines[key]) for key, axis in axes.items())


def _check_places(runs: Sequence[RunRow], series: Sequence[Series], points: Points) -> None:
    """
    Raise HarnessError for a point of a run that was measured elsewhere than its series: somebody
    edited a row.
    """
    places = {
        key: number
        for number, key in enumerate(dict.fromkeys([*map(_key, runs), *map(_key, series)]))
    }
    run_places = np.array(
        sorted((run.id, places[_key(run)]) for run in runs), dtype=np.int64
    ).reshape(-1, 2)
    of_series = np.array([places[_key(row)] for row in series], dtype=np.int64)
    at = (
        run_places[np.searchsorted(run_places[:, 0], points.run), 1]
        if len(points.run)
        else np.zeros(0, dtype=np.int64)
    )
    wrong = np.flatnonzero(at != of_series[points.series]) if len(points.run) else at
    if len(wrong):
        row = series[int(points.series[wrong[0]])]
        raise HarnessError(
            f"the history is damaged: run {points.run[wrong[0]]} has a point of series {row.id}, "
            f"which is of {row.suite} on {row.machine} ({row.profile}) and not where the run "
            "was; correct the row or delete it"
        )


def _key(of: RunRow | Series) -> tuple[str, ...]:
    return tuple(getattr(of, name) for name in PLACE)


def _line(series: Series, points: Points, at: Whole, first: int, end: int) -> MetricSeries:
    rows = slice(first, end)
    missing = np.flatnonzero(np.isnan(points.value[rows])) + first
    return MetricSeries(
        series=series,
        at=at[rows],
        value=points.value[rows],
        low=points.low[rows],
        high=points.high[rows],
        shift=points.shift[rows],
        verdicts=points.verdict[rows],
        missing={
            int(row) - first: points.missing.get(int(row), "no reason was kept") for row in missing
        },
        reasons={
            row - first: points.reasons[row] for row in range(first, end) if row in points.reasons
        },
    )


def _place(
    key: tuple[str, ...], runs: Sequence[RunRow], lines: Mapping[str, Sequence[MetricSeries]]
) -> RunAxis:
    times = [int(parse_iso(run.created).timestamp()) for run in runs]
    suite, profile, machine = key
    return RunAxis(
        suite=suite,
        profile=profile,
        machine=machine,
        runs=tuple(runs),
        times=np.array(times, dtype=np.int64),
        lines={cell: tuple(series) for cell, series in lines.items()},
    )
