"""
A cell's page: on every machine its metrics with their states, what happened to them, and the latest runs; all machines at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history.budget import Budget
from harness.history.change_points import Change
from harness.history.records import Series
from harness.report.format import shown, shown_unit
from harness.report.site import urls
from harness.report.site.cell_data import cell_content, change_label, stage_names, trends_of
from harness.report.site.data_file import data_script
from harness.report.site.folder import Folder
from harness.report.site.history_view import Book, Line, Place
from harness.report.site.marks import Mark, of_trend
from harness.report.site.run_link import RunLink, run_links
from harness.report.site.sparkline import Spark
from harness.report.site.state import CellState, cell_state, worst

LISTED = 10
SAID = 5
"""Of the steps of a metric, the newest, in words; the chart has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendView:
    """One metric at one place, in words; `index` numbers it in the data file."""

    index: int
    title: str
    mark: Mark
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
    mark: Mark
    summary: str
    trends: tuple[TrendView, ...]
    others: int
    stages: tuple[str, ...]
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


def _write(folder: Folder, book: Book, places: Sequence[Place], cell: str) -> None:
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
        summary=f"{state.line.series.metric} {state.trend.reason}",
        trends=tuple(_trend(book, place, number, line, is_main) for number, (line, is_main) in enumerate(chosen)),
        others=sum(not is_main for _, is_main in chosen),
        stages=stage_names(place, state.cell),
        runs=run_links(book, place.runs[: -LISTED - 1 : -1]),
    )


def _trend(book: Book, place: Place, index: int, line: Line, is_main: bool) -> TrendView:
    series, trend = line.series, book.trend(line)
    better = {"lower": "lower is better", "higher": "higher is better"}.get(series.better, "")
    said = [_step(place, line, change) for change in trend.changes]
    cuts = [f"{cut.at[:10]}: {cut.why}" for cut in trend.cuts]
    budget = [] if trend.budget is None else [_budget(series, trend.budget)]
    return TrendView(
        index=index,
        title=series.metric,
        mark=of_trend(trend),
        latest=_latest(line),
        direction=better,
        reason=trend.reason,
        lines=(*budget, *cuts[-SAID:], *said[-SAID:]),
        main=is_main,
        spark=book.spark(line),
    )


def _budget(series: Series, budget: Budget) -> str:
    unit = series.unit if shown_unit(series.metric, series.unit) else ""
    return f"budget {budget.bound} {unit}".rstrip() + f": {budget.why}"


def _step(place: Place, line: Line, change: Change) -> str:
    head = place.runs[int(line.at[change.index])].head
    return f"step on {change.at[:10]}: {change_label(line, change)} at {head}"


def _latest(line: Line) -> str:
    """Give the newest point with its interval and unit, or why it has no value."""
    index = len(line.at) - 1
    if index in line.missing:
        return f"missing: {line.missing[index]}"
    return f"{shown(line.measurement(index))} {shown_unit(line.series.metric, line.series.unit)}".strip()


def _side_by_side(places: Sequence[Place], cell: str) -> tuple[SideBySide, ...]:
    lines = [{line.series.metric: line for line in place.lines[cell] if not line.helps} for place in places]
    return tuple(
        SideBySide(title=metric, values=tuple(_latest(of[metric]) if metric in of else "not measured" for of in lines))
        for metric in dict.fromkeys(metric for of in lines for metric in of)
    )
