"""
The page of a suite: on every machine its cells and metrics with their states, speed against
quality, and the latest runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voxgate.harness.judging.policy import Policy
from voxgate.harness.judging.tradeoff import fastest_passing
from voxgate.harness.records.verdict import RunVerdict
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.format import shown
from voxgate.harness.report.pictures.pareto import Pareto
from voxgate.harness.report.pictures.sparkline import Spark
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.folder import Folder
from voxgate.harness.report.site.headline import reason
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis
from voxgate.harness.report.site.judged_again import judgement, measurements
from voxgate.harness.report.site.nights import Found, nights_view
from voxgate.harness.report.site.overview_page import Listen
from voxgate.harness.report.site.run_view import (
    Measured,
    RunLink,
    columns,
    pictures_of,
    run_links,
)
from voxgate.harness.report.site.state import QUIET, CellState, cell_state, of_trend, summary, worst

LISTED = 14
"""Runs in a list: two weeks of nights."""
FOLDED_ROWS = 80
"""Of the picture of nights; the table below has a line for each metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueView:
    """
    One metric of one cell in the latest run; `mark` is set where there is something to remark.
    """

    text: str
    missing: str
    mark: Badge | None
    spark: Spark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """One row."""

    address: str
    label: str
    mark: Badge
    since: str
    reason: str
    values: tuple[ValueView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """One machine."""

    name: str
    mark: Badge
    summary: str
    fastest: str
    titles: tuple[str, ...]
    rows: tuple[CellView, ...]
    pictures: tuple[Pareto, ...]
    listen: Sequence[tuple[str, str]]
    runs: tuple[RunLink, ...]
    older: int


def write_suites(
    folder: Folder,
    book: Book,
    found: Found,
    policies: Mapping[str, Policy],
    listen: Listen,
) -> None:
    """Write the page of every suite."""
    for suite in dict.fromkeys(place.suite for place in book.places):
        places = [place for place in book.places if place.suite == suite]
        views = [_place(book, place, policies[suite], listen) for place in places]
        folder.page(
            urls.suite_page(suite),
            "suite.html",
            suite=suite,
            question=max(
                (place.runs[-1] for place in places), key=lambda run: run.created
            ).question,
            mark=worst([cell_state(book, place, cell) for place in places for cell in place.lines]),
            places=views,
            nights=nights_view(book, places, found, FOLDED_ROWS),
        )


def _place(book: Book, place: RunAxis, policy: Policy, listen: Listen) -> PlaceView:
    states = [cell_state(book, place, cell) for cell in place.lines]
    chosen = columns(place)
    last = len(place.runs) - 1
    judged, measured = judgement(book, place, last, policy), measurements(place, last)
    metrics = [column.metric for column in chosen]
    return PlaceView(
        name=place.name,
        mark=worst(states),
        summary=summary(states),
        fastest=fastest_line(judged, measured),
        titles=tuple(column.title for column in chosen),
        rows=tuple(_row(book, state, metrics) for state in states),
        pictures=pictures_of(judged, measured, policy).paretos,
        listen=listen.get(place.runs[-1].id, ()),
        runs=run_links(book, place.runs[: -LISTED - 1 : -1]),
        older=max(0, len(place.runs) - LISTED),
    )


def _row(book: Book, state: CellState, metrics: Sequence[str]) -> CellView:
    place = state.place
    lines = {line.series.metric: line for line in place.lines[state.cell]}
    return CellView(
        address=urls.cell_page(place.suite, state.cell),
        label=state.label,
        mark=state.mark,
        since="" if state.trend.state in QUIET else state.since,
        reason="" if state.trend.state in QUIET else reason(place, state.line, state.trend),
        values=tuple(_value(book, place, lines.get(metric)) for metric in metrics),
    )


def _value(book: Book, place: RunAxis, line: MetricSeries | None) -> ValueView:
    if line is None:
        return ValueView(text="", missing="not measured", mark=None, spark=None)
    index = line.index_of(len(place.runs) - 1)
    trend = book.trend(line)
    return ValueView(
        text="" if index is None else shown(line.measurement(index), interval=False),
        missing="not in the latest run" if index is None else line.missing.get(index, ""),
        mark=None if trend.state in QUIET else of_trend(trend),
        spark=book.spark(place, line),
    )


def fastest_line(judged: RunVerdict, measured: Measured) -> str:
    """
    Return the fastest cell that still passes, in one sentence; empty where no cell has a speed.
    """
    if not any(
        measurement.metric == "rtf"
        for measurements in measured.values()
        for measurement in measurements
    ):
        return ""
    best = fastest_passing(judged, measured, None)
    if best is None:
        return "No cell of the latest run is fit to ship."
    return (
        f"Fastest cell that still passes, and sounds good enough: {best.label}, rtf {best.rtf:.3g}."
    )
