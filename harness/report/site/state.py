"""
The state of a cell on a machine: that of its most urgent metric, since a cell with one slower
metric is slower.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from voxgate.harness.history.records import Series
from voxgate.harness.history.trend import SeriesTrend, StateReason, TrendState
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis

STATES: Mapping[str, str] = {
    TrendState.WORSE: "bad",
    TrendState.OVER_BUDGET: "bad",
    TrendState.NO_DATA: "open",
    TrendState.BETTER: "good",
    TrendState.TOO_FEW: "open",
    TrendState.STEADY: "good",
}
"""What a trend may be, the most urgent first, and its kind of colour."""

ADVISORY = "(advisory)"
ORDER = tuple(TrendState)
NAMED = 4
"""Metrics that a line names."""
BAD = (TrendState.WORSE, TrendState.OVER_BUDGET)
QUIET = (TrendState.STEADY, TrendState.TOO_FEW)
"""States of which nobody needs to be told."""


def of_state(state: str) -> Badge:
    """Mark a trend's state."""
    return Badge(word=state, kind=STATES[state])


def of_trend(trend: SeriesTrend) -> Badge:
    """
    Mark a trend: red only where it counts against the engine, as in the exit code of
    `history status`.
    """
    mark = of_state(trend.state)
    return (
        mark
        if mark.kind != "bad" or trend.counts
        else Badge(word=f"{mark.word} {ADVISORY}", kind="open")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellState:
    """
    One cell on one machine; `line` is the metric that decides, its trend says since when and why.
    """

    place: RunAxis
    cell: str
    line: MetricSeries
    trend: SeriesTrend

    @property
    def mark(self) -> Badge:
        """The badge of the state."""
        return of_trend(self.trend)

    @property
    def label(self) -> str:
        """The label of the cell."""
        return self.line.series.label

    @property
    def since(self) -> str:
        """The day on which the state began; empty for an unchanged one."""
        return (self.trend.since or "")[:10]


def urgency(trend: SeriesTrend) -> float:
    """
    Return the rank of a trend, the most urgent lowest: one that is worse but only informs stands
    behind all that need action.
    """
    informs = trend.state is TrendState.WORSE and not trend.counts
    return ORDER.index(TrendState.NO_DATA) + 0.5 if informs else ORDER.index(trend.state)


def cell_states(book: Book) -> tuple[CellState, ...]:
    """
    Return the state of every cell of every place: the most urgent first, then the largest over its
    limit, then the newest.
    """
    states = [cell_state(book, place, cell) for place in book.places for cell in place.lines]
    newest_first = sorted(states, key=lambda state: state.since, reverse=True)
    return tuple(sorted(newest_first, key=lambda state: (urgency(state.trend), -_size(state))))


def _size(state: CellState) -> float:
    return state.trend.over_limit or 0.0


def cell_state(book: Book, place: RunAxis, cell: str) -> CellState:
    """
    Return the state of one cell: of several equally urgent metrics, that of the first.

    A metric that never had a value (GPU memory, on a machine without one) is not lost.
    """
    visible = [line for line in place.lines[cell] if not line.helps] or list(place.lines[cell])
    lines = [line for line in visible if book.trend(line).latest is not None] or visible
    line = min(lines, key=lambda line: urgency(book.trend(line)))
    return CellState(place=place, cell=cell, line=line, trend=book.trend(line))


def worst(states: Sequence[CellState]) -> Badge:
    """Return the most urgent of several states."""
    trends = sorted((state.trend for state in states), key=urgency)
    return of_trend(trends[0]) if trends else of_state(TrendState.TOO_FEW)


def summary(states: Sequence[CellState]) -> str:
    """Count the states: `1 worse, 11 steady`."""
    words = [state.mark.word for state in sorted(states, key=lambda each: urgency(each.trend))]
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))


def most_nights(book: Book) -> int:
    """Return the nights of the place that has most."""
    return max((len(np.unique(place.days)) for place in book.places), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSilence:
    """A place whose newest nights lack values: of everything (`is_whole`), or of some metrics."""

    place: RunAxis
    text: str
    metrics: tuple[str, ...]
    is_whole: bool


def silences(book: Book) -> tuple[MachineSilence, ...]:
    """Return the places whose newest nights lack values."""
    return tuple(filter(None, (_silence(book, place) for place in book.places)))


def _silence(book: Book, place: RunAxis) -> MachineSilence | None:
    every = [line for line in chain.from_iterable(place.lines.values()) if not line.helps]
    measured = [line for line in every if book.trend(line).latest is not None]
    lost: list[tuple[Series, StateReason]] = []
    for line in measured:
        says = (each for each in book.trend(line).says if each.state is TrendState.NO_DATA)
        lost += [(line.series, each) for each in says]
    if not lost:
        return None
    metrics = tuple(dict.fromkeys(series.metric for series, _ in lost))
    cells = {series.cell for series, _ in lost}
    is_whole = len(lost) == len(measured)
    first = min((finding for _, finding in lost), key=lambda finding: finding.since or "")
    which = f"{', '.join(metrics[:NAMED])} in {len(cells)} of {len(place.lines)} cells: "
    where = f"{place.suite} on {place.machine} ({place.profile})"
    return MachineSilence(
        place=place,
        text=f"{where}: {'' if is_whole else which}{first.text}",
        metrics=metrics,
        is_whole=is_whole,
    )


def machine_names(book: Book) -> Mapping[str, str]:
    """Return short names of the machines, without the digest where they differ without it."""
    names = sorted({place.machine for place in book.places})
    short = {name: re.sub(r"-[0-9a-f]{6}$", "", name) for name in names}
    taken = list(short.values())
    return {name: text if taken.count(text) == 1 else name for name, text in short.items()}
