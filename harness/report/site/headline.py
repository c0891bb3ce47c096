"""
The first words of the site: is anything worse, where, since when; and what nobody measures any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history.state import State
from harness.report.site import urls
from harness.report.site.marks import ADVISORY
from harness.report.site.state import QUIET, CellState, worst

SHOWN = 5
"""Cells that are named one by one; the table below has all."""
BAD = (State.WORSE, State.OVER_BUDGET)
WORDS = (*BAD, State.NO_DATA, f"{State.WORSE} {ADVISORY}")
"""What the sentence counts, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLine:
    """One thing to know, with the page that says more."""

    where: str
    address: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A sentence, and lines for what it counts."""

    title: str
    kind: str
    lines: tuple[HeadLine, ...]


def headline(states: Sequence[CellState]) -> Headline:
    """Say it; `states` come the most urgent first."""
    lost = [each for each in states if each.trend.state == State.NO_DATA]
    loud = [each for each in states if each.trend.state not in (*QUIET, State.NO_DATA)]
    more = len(loud) - SHOWN
    rest = [HeadLine(where="", address="", text=f"and {more} more, in the table")] if more > 0 else []
    silent = [HeadLine(where="", address="", text=_no_data(lost))] if lost else []
    lines = (*map(_line, loud[:SHOWN]), *rest, *silent)
    return Headline(title=_title(states), kind=worst(states).kind, lines=lines)


def _title(states: Sequence[CellState]) -> str:
    """Give the sentence: what is bad comes first, and where nothing is, that nothing is."""
    told = {word: [each for each in states if each.mark.word == word] for word in WORDS}
    parts = [_part(word, found) for word, found in told.items() if found]
    if not any(told[word] for word in BAD):
        parts.insert(0, _nothing(states))
    first, _, rest = "; ".join(parts).partition(" ")
    count = _several(_cells(states), "cell")
    return f"{first} of {count} {rest}." if first.isdigit() else f"{first} {rest}."


def _nothing(states: Sequence[CellState]) -> str:
    count = _several(_cells(states), "cell")
    if all(each.trend.state in (State.NO_DATA, State.TOO_FEW) for each in states):
        return f"Nothing can be said yet: {count}, none with enough nights"
    return f"Nothing is worse in {count} on {_several(len({each.place.machine for each in states}), 'machine')}"


def _part(word: str, found: Sequence[CellState]) -> str:
    """Count the cells in one state: `1 is worse since 2026-11-18`."""
    days, cells = sorted({each.since for each in found if each.since}), _cells(found)
    verb = ("has" if cells == 1 else "have") if word == State.NO_DATA else "is" if cells == 1 else "are"
    since = "" if not days else f" since {days[0]}" if len(days) == 1 else f" since {days[0]} (the latest {days[-1]})"
    return f"{cells} {verb} {word}{since}"


def _line(state: CellState) -> HeadLine:
    return HeadLine(
        where=f"{state.place.suite} / {state.label}",
        address=urls.cell_page(state.place.suite, state.cell),
        text=f"on {state.place.machine}: {state.line.series.metric} {state.trend.reason}",
    )


def _no_data(lost: Sequence[CellState]) -> str:
    places = sorted({f"{each.place.suite} on {each.place.machine}" for each in lost})
    named = "; ".join(places[:3])
    return f"no data: {named}{f' and {len(places) - 3} more' if len(places) > 3 else ''}"


def _cells(states: Sequence[CellState]) -> int:
    return len({(each.place.suite, each.cell) for each in states})


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
