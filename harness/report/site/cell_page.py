"""
The page of a cell: on every machine its metrics with their states, change points and latest runs.

Its data file holds, for every machine, the runs and every metric through time with all that is
drawn on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from voxgate.harness.analysis.metric_rules import STAGE
from voxgate.harness.history.budget import Budget, shift_text
from voxgate.harness.history.change_points import ChangePoint
from voxgate.harness.history.trend import SeriesTrend
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.format import shown, shown_scale, shown_unit
from voxgate.harness.report.pictures.sparkline import Spark
from voxgate.harness.report.pictures.waterfall import stage_colors
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.folder import Folder
from voxgate.harness.report.site.headline import reason
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis
from voxgate.harness.report.site.recent import DAY_S, limit_words, missed_times, trend_words
from voxgate.harness.report.site.run_data import metric_facts
from voxgate.harness.report.site.run_view import RunLink, run_links
from voxgate.harness.report.site.state import BAD, QUIET, CellState, cell_state, of_trend, worst
from voxgate.harness.report.site.urls import data_script, run_page

LISTED = 10
SAID = 5
"""Of the steps of a metric, the newest, in words; the chart has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendView:
    """One metric at one place, in words; `index` numbers it in the data file."""

    index: int
    title: str
    mark: Badge
    latest: str
    direction: str
    reason: str
    lines: tuple[str, ...]
    main: bool
    spark: Spark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTrends:
    """One machine."""

    index: int
    name: str
    mark: Badge
    summary: str
    trends: tuple[TrendView, ...]
    others: int
    stages: tuple[tuple[str, int], ...]
    """Name and colour."""
    runs: tuple[RunLink, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """One metric on every machine, as text."""

    title: str
    values: tuple[str, ...]


def write_cells(folder: Folder, book: Book) -> None:
    """Write the page and the data file of every cell."""
    cells = dict.fromkeys((place.suite, cell) for place in book.places for cell in place.lines)
    for suite, cell in cells:
        places = [place for place in book.places if place.suite == suite and cell in place.lines]
        _write(folder, book, places, cell)


def _write(folder: Folder, book: Book, places: Sequence[RunAxis], cell: str) -> None:
    suite, name = places[0].suite, urls.cell_name(places[0].suite, cell)
    states = [cell_state(book, place, cell) for place in places]
    folder.data(name, data_script(name, cell_content(book, places, cell)))
    folder.page(
        urls.cell_page(suite, cell),
        "cell.html",
        data=name,
        suite=suite,
        suite_address=urls.suite_page(suite),
        label=states[0].label,
        mark=worst(states),
        places=[_place(book, index, state) for index, state in enumerate(states)],
        side_by_side=_side_by_side(places, cell),
    )


def _place(book: Book, index: int, state: CellState) -> PlaceTrends:
    place, chosen = state.place, trends_of(book, state.place, state.cell)
    return PlaceTrends(
        index=index,
        name=place.name,
        mark=state.mark,
        summary=_summary(state),
        trends=tuple(
            _trend(book, place, number, line, is_main)
            for number, (line, is_main) in enumerate(chosen)
        ),
        others=sum(not is_main for _, is_main in chosen),
        stages=tuple(stage_colors(stage_names(place, state.cell)).items()),
        runs=run_links(book, place.runs[: -LISTED - 1 : -1]),
    )


def _summary(state: CellState) -> str:
    """Return what happened on a machine, and since when."""
    told = reason(state.place, state.line, state.trend)
    return f"{told}, since {state.since}" if state.trend.state in BAD else told


def _trend(book: Book, place: RunAxis, index: int, line: MetricSeries, is_main: bool) -> TrendView:
    series, trend = line.series, book.trend(line)
    better = {"lower": "lower is better", "higher": "higher is better"}.get(series.better, "")
    said = [_step(place, line, change) for change in trend.changes]
    cuts = [f"{cut.at[:10]}: {cut.why}" for cut in trend.cuts]
    budget = [] if trend.budget is None else [_budget(line, trend.budget)]
    return TrendView(
        index=index,
        title=series.metric,
        mark=of_trend(trend),
        latest=_latest(line),
        direction=better,
        reason=trend_words(trend),
        lines=(*budget, *cuts[-SAID:], *said[-SAID:]),
        main=is_main,
        spark=book.spark(place, line),
    )


def _budget(line: MetricSeries, budget: Budget) -> str:
    series = line.series
    unit = series.unit if shown_unit(series.metric, series.unit) else ""
    return f"budget {budget.bound} {unit}".rstrip() + f": {budget.why}"


def _step(place: RunAxis, line: MetricSeries, change: ChangePoint) -> str:
    head = place.runs[int(line.at[change.index])].head
    return f"step on {change.at[:10]}: {change_label(line, change)} at {head}"


def _latest(line: MetricSeries) -> str:
    """Return the newest point with its interval and unit, or why it has no value."""
    index = len(line.at) - 1
    if index in line.missing:
        return f"missing: {line.missing[index]}"
    return (
        f"{shown(line.measurement(index))} {shown_unit(line.series.metric, line.series.unit)}"
    ).strip()


def _side_by_side(places: Sequence[RunAxis], cell: str) -> tuple[SideBySide, ...]:
    lines = [_by_metric(place, cell) for place in places]
    metrics = dict.fromkeys(chain.from_iterable(lines))
    return tuple(_row_beside(metric, lines) for metric in metrics)


def _by_metric(place: RunAxis, cell: str) -> dict[str, MetricSeries]:
    return {line.series.metric: line for line in place.lines[cell] if not line.helps}


def _row_beside(metric: str, lines: Sequence[Mapping[str, MetricSeries]]) -> SideBySide:
    values = (_latest(of[metric]) if metric in of else "not measured" for of in lines)
    return SideBySide(title=metric, values=tuple(values))


MAIN = ("latency_p50", "latency_p95", "rtf", "snr", "pesq", "stoi", "wer")
"""
Metrics that are always in sight, in their order; so is whatever is not steady. The others unfold.
"""
GOOD_SIGN = {"lower": -1.0, "higher": 1.0}

Trends = Sequence[tuple[MetricSeries, bool]]
"""Lines in the order in which they are shown, and whether each is in sight."""


def cell_content(book: Book, places: Sequence[RunAxis], cell: str) -> dict[str, object]:
    """Return the content of a cell's data file."""
    return {
        "words": book.words,
        "pages": {place.runs[-1].id: run_page(place.runs[-1].id) for place in places},
        "places": [_place_data(book, place, cell) for place in places],
    }


def trends_of(book: Book, place: RunAxis, cell: str) -> Trends:
    """
    Return the series to draw for a cell, in order; where none of the usual metrics is there, all
    are open.
    """
    lines = [line for line in place.lines[cell] if not line.helps]
    usual = any(line.series.metric in MAIN for line in lines)
    seen = [
        (line, not usual or line.series.metric in MAIN or _is_loud(book.trend(line)))
        for line in lines
    ]
    rank = {metric: index for index, metric in enumerate(MAIN)}
    return sorted(seen, key=lambda pair: (not pair[1], rank.get(pair[0].series.metric, len(MAIN))))


def _is_loud(trend: SeriesTrend) -> bool:
    """Return whether a series is shown open; one that never had a value is not."""
    return trend.state not in QUIET and trend.latest is not None


def stage_names(place: RunAxis, cell: str) -> tuple[str, ...]:
    """Name the stages that were timed, in the order of the synthesis."""
    return tuple(
        line.series.metric.removeprefix(STAGE) for line in place.lines[cell] if line.is_stage
    )


def _place_data(book: Book, place: RunAxis, cell: str) -> dict[str, object]:
    return {
        "name": place.name,
        "runs": [run.id for run in place.runs],
        "times": place.times,
        "heads": [run.head for run in place.runs],
        "missed": _missed(book, place, cell),
        "trends": [
            {**_trend_data(line, book.trend(line), is_main), "limit": _limit(book, line)}
            for line, is_main in trends_of(book, place, cell)
        ],
        "stages": _stages(place, cell),
    }


def _missed(book: Book, place: RunAxis, cell: str) -> list[int]:
    """Return the expected nights without a run, in seconds since 1970, at the hour of the last."""
    longest = max(place.lines[cell], key=lambda line: len(line.at))
    return missed_times(book.trend(longest), int(place.times[-1]) % DAY_S)


def _limit(book: Book, line: MetricSeries) -> dict[str, object] | None:
    """Return the limit about the newest level; None where the metric has none, or no level."""
    trend, level = book.trend(line), float(book.recent[line.series.id].levels[-1])
    size = trend.limit.at(level)
    if not size > 0.0:
        return None
    scale = shown_scale(line.series.metric, line.series.unit)
    return {
        "level": level * scale,
        "size": size * scale,
        "text": f"limit {limit_words(trend, level)}",
    }


def _trend_data(line: MetricSeries, trend: SeriesTrend, is_main: bool) -> dict[str, object]:
    series = line.series
    scale = shown_scale(series.metric, series.unit)
    facts = metric_facts(series.metric, series.unit)
    exact = facts["exact"]
    budget = trend.budget
    bound = (
        None
        if budget is None
        else budget.at_most
        if budget.at_most is not None
        else budget.at_least
    )
    whole = len(line.at) and line.at[-1] == len(line.at) - 1
    return {
        **facts,
        "scale": 1,
        "exact": exact,
        "main": is_main,
        "better": series.better,
        "at": None if whole else line.at,
        **{
            name: (getattr(line, name) * scale).astype(np.float32)
            for name in ("value", "low", "high")
        },
        "verdicts": line.verdicts.astype(np.int32),
        "missing": line.missing,
        "reasons": line.reasons,
        "advisory": trend.is_advisory,
        "changes": [_change(line, change) for change in trend.changes],
        "segments": [
            [segment.start, segment.end, segment.level * scale] for segment in trend.segments
        ],
        "budget": None if bound is None else bound * scale,
        "cuts": [{"at": cut.index, "label": cut.label, "why": cut.why} for cut in trend.cuts],
    }


def _change(line: MetricSeries, change: ChangePoint) -> dict[str, object]:
    return {
        "at": change.index,
        "kind": change_kind(line, change),
        "label": change_label(line, change),
    }


def change_kind(line: MetricSeries, change: ChangePoint) -> str:
    """Return whether a step is `good` or `bad`; `open` where neither direction is better."""
    side = GOOD_SIGN.get(line.series.better, 0.0) * change.shift
    return "open" if side == 0.0 else "good" if side > 0.0 else "bad"


def change_label(line: MetricSeries, change: ChangePoint) -> str:
    """Write a step's size: `+6.1 %`."""
    return shift_text(change.shift, change.absolute, line.series.unit)


def _stages(place: RunAxis, cell: str) -> dict[str, object] | None:
    """Return the milliseconds of every stage in every run, null where it was not timed."""
    lines = [line for line in place.lines[cell] if line.is_stage]
    if not lines:
        return None
    times = np.full((len(lines), len(place.runs)), np.nan, dtype=np.float32)
    for row, line in enumerate(lines):
        times[row, line.at] = line.value * shown_scale("stage", "s")
    colors = stage_colors(stage_names(place, cell))
    return {"names": list(colors), "colors": list(colors.values()), "values": list(times)}
