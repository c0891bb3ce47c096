"""
The state of a cell on a machine: that of its most urgent metric. A cell with one slower metric is slower.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history.state import State
from harness.history.trend import Trend
from harness.report.site.history_view import Book, Line, Place
from harness.report.site.marks import Mark, of_state, of_trend

ORDER = tuple(State)
QUIET = (State.STEADY, State.TOO_FEW)
"""States of which nobody needs to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellState:
    """One cell on one machine; `line` is the metric that decides, its trend says since when and why."""

    place: Place
    cell: str
    line: Line
    trend: Trend

    @property
    def mark(self) -> Mark:
        """Give the state as it is shown."""
        return of_trend(self.trend)

    @property
    def label(self) -> str:
        """Give the cell's name for people."""
        return self.line.series.label

    @property
    def since(self) -> str:
        """Give the day on which it began; empty for what is as ever."""
        return (self.trend.since or "")[:10]


def urgency(trend: Trend) -> float:
    """Rank a trend, the most urgent lowest: what is worse and only informs stands behind everything that people must act on."""
    informs = trend.state is State.WORSE and not trend.counts
    return ORDER.index(State.NO_DATA) + 0.5 if informs else ORDER.index(trend.state)


def cell_states(book: Book) -> tuple[CellState, ...]:
    """Give every cell of every place, the most urgent first, and of those the newest."""
    found = [cell_state(book, place, cell) for place in book.places for cell in place.lines]
    newest_first = sorted(found, key=lambda each: each.since, reverse=True)
    return tuple(sorted(newest_first, key=lambda each: urgency(each.trend)))


def cell_state(book: Book, place: Place, cell: str) -> CellState:
    """
    Give the state of one cell: of several metrics that are equally urgent, that of the first.

    A metric that never had a value (GPU memory, on a machine without one) is nothing that got lost.
    """
    shown = [line for line in place.lines[cell] if not line.helps] or list(place.lines[cell])
    lines = [line for line in shown if book.trend(line).latest is not None] or shown
    line = min(lines, key=lambda line: urgency(book.trend(line)))
    return CellState(place=place, cell=cell, line=line, trend=book.trend(line))


def worst(states: Sequence[CellState]) -> Mark:
    """Give the most urgent of several states."""
    trends = sorted((each.trend for each in states), key=urgency)
    return of_trend(trends[0]) if trends else of_state(State.TOO_FEW)


def summary(states: Sequence[CellState]) -> str:
    """Count the states: `1 worse, 11 steady`."""
    words = [each.mark.word for each in sorted(states, key=lambda each: urgency(each.trend))]
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
