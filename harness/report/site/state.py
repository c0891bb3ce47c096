"""
The state of a cell on a machine: that of its most urgent metric. A cell with one slower metric is slower.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history.state import State
from harness.history.trend import Trend
from harness.report.site.book import Book, Line, Place
from harness.report.site.mark import Mark, of_state

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
        return of_state(self.trend.state)

    @property
    def label(self) -> str:
        """Give the cell's name for people."""
        return self.line.series.label

    @property
    def since(self) -> str:
        """Give the day on which it began; empty for what is as ever."""
        return (self.trend.since or "")[:10]


def cell_states(book: Book) -> tuple[CellState, ...]:
    """Give every cell of every place, the most urgent first, and of those the newest."""
    found = [cell_state(book, place, cell) for place in book.places for cell in place.lines]
    newest_first = sorted(found, key=lambda each: each.since, reverse=True)
    return tuple(sorted(newest_first, key=lambda each: ORDER.index(each.trend.state)))


def cell_state(book: Book, place: Place, cell: str) -> CellState:
    """
    Give the state of one cell: of several metrics that are equally urgent, that of the first.

    A metric that never had a value (GPU memory, on a machine without one) is nothing that got lost.
    """
    shown = [line for line in place.lines[cell] if not line.helps] or list(place.lines[cell])
    lines = [line for line in shown if book.trend(line).latest is not None] or shown
    line = min(lines, key=lambda line: ORDER.index(book.trend(line).state))
    return CellState(place=place, cell=cell, line=line, trend=book.trend(line))


def worst(states: Sequence[CellState]) -> Mark:
    """Give the most urgent of several states."""
    return of_state(min((each.trend.state for each in states), key=ORDER.index, default=State.TOO_FEW))


def summary(states: Sequence[CellState]) -> str:
    """Count the states: `1 worse, 11 steady`."""
    counts = {state: sum(each.trend.state == state for each in states) for state in ORDER}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)
