"""
The state of a cell on a machine, and the headline of the site.

The state is that of the most urgent metric: a cell with one slower metric is slower. The headline
names the regressions with place and date, and series that are no longer measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voxgate.harness.history.trend import SeriesTrend, TrendState
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.site import urls
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
    """Return the state of every cell of every place, the most urgent first, then the newest."""
    states = [cell_state(book, place, cell) for place in book.places for cell in place.lines]
    newest_first = sorted(states, key=lambda state: state.since, reverse=True)
    return tuple(sorted(newest_first, key=lambda state: urgency(state.trend)))


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


SHOWN = 5
"""Cells that are named one by one; the table below has all."""
BAD = (TrendState.WORSE, TrendState.OVER_BUDGET)
WORDS = (*BAD, TrendState.NO_DATA, f"{TrendState.WORSE} {ADVISORY}")
"""What the sentence counts, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLine:
    """One thing to know, with the page that says more."""

    where: str
    address: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A sentence, and the rows that it counts."""

    title: str
    kind: str
    lines: tuple[HeadLine, ...]


def headline(states: Sequence[CellState]) -> Headline:
    """Return the headline; `states` come the most urgent first."""
    lost = [state for state in states if state.trend.state == TrendState.NO_DATA]
    loud = [state for state in states if state.trend.state not in (*QUIET, TrendState.NO_DATA)]
    more = len(loud) - SHOWN
    others = (
        [HeadLine(where="", address="", text=f"and {more} more, in the table")] if more > 0 else []
    )
    silent = [HeadLine(where="", address="", text=_no_data(lost))] if lost else []
    lines = (*map(_line, loud[:SHOWN]), *others, *silent)
    return Headline(title=_title(states), kind=worst(states).kind, lines=lines)


def _title(states: Sequence[CellState]) -> str:
    """Return the sentence: the bad states come first, and where there is none, it says so."""
    by_word: dict[str, list[CellState]] = {word: [] for word in WORDS}
    for state in states:
        if state.mark.word in by_word:
            by_word[state.mark.word].append(state)
    found = [(word, of_word) for word, of_word in by_word.items() if of_word]
    parts = [f"{_cells(of_word)} {_part(word, of_word)}" for word, of_word in found]
    if any(by_word[word] for word in BAD):
        count = _several(_cells(states), "cell")
        parts[0] = f"{_cells(found[0][1])} of {count} {_part(*found[0])}"
    else:
        parts.insert(0, _nothing(states))
    return f"{'; '.join(parts)}."


def _nothing(states: Sequence[CellState]) -> str:
    count = _several(_cells(states), "cell")
    if all(state.trend.state in (TrendState.NO_DATA, TrendState.TOO_FEW) for state in states):
        return f"Nothing can be said yet: {count}, none with enough nights"
    return (
        f"Nothing is worse in {count} on "
        f"{_several(len({state.place.machine for state in states}), 'machine')}"
    )


def _part(word: str, of_word: Sequence[CellState]) -> str:
    """Return the state of several cells, as it follows their count: `is worse since 2026-11-18`."""
    days, cells = sorted({state.since for state in of_word if state.since}), _cells(of_word)
    verb = (
        ("has" if cells == 1 else "have")
        if word == TrendState.NO_DATA
        else "is"
        if cells == 1
        else "are"
    )
    since = (
        ""
        if not days
        else f" since {days[0]}"
        if len(days) == 1
        else f" since {days[0]} (the latest {days[-1]})"
    )
    return f"{verb} {word}{since}"


def _line(state: CellState) -> HeadLine:
    return HeadLine(
        where=f"{state.place.suite} / {state.label}",
        address=urls.cell_page(state.place.suite, state.cell),
        text=f"on {state.place.machine}: {state.line.series.metric} {state.trend.reason}",
    )


def _no_data(silent: Sequence[CellState]) -> str:
    places = sorted({f"{state.place.suite} on {state.place.machine}" for state in silent})
    named = "; ".join(places[:3])
    return f"no data: {named}{f' and {len(places) - 3} more' if len(places) > 3 else ''}"


def _cells(states: Sequence[CellState]) -> int:
    return len({(state.place.suite, state.cell) for state in states})


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
