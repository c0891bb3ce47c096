"""
The overview page: headline, every cell with its state, suites with their latest runs, machines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.history.records import RunRow
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.pictures.sparkline import Spark
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.causes import TrendCause
from voxgate.harness.report.site.commits import reader
from voxgate.harness.report.site.folder import Folder
from voxgate.harness.report.site.headline import headline, reason
from voxgate.harness.report.site.history_view import Book, RunAxis
from voxgate.harness.report.site.nights import nights_view
from voxgate.harness.report.site.run_view import RunLink, run_links
from voxgate.harness.report.site.state import QUIET, CellState, cell_states, machine_names

Listen = Mapping[int, Sequence[tuple[str, str]]]
"""Run -> (title, address) of the pages on which it can be heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """One cell on one machine, as text."""

    address: str
    suite: str
    label: str
    mark: Badge
    since: str
    metric: str
    reason: str
    spark: Spark | None
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteLine:
    """One suite on one machine."""

    address: str
    suite: str
    question: str
    machine: str
    run: RunLink
    listen: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLine:
    """One machine, and how long it has been measured on."""

    machine: str
    processor: str
    runs: int
    first: str
    latest: str


def write_overview(
    folder: Folder, book: Book, found: Sequence[TrendCause], listen: Listen, project: Path
) -> None:
    """Write index.html; the commits between two nights are read from the repository `project`."""
    if not book.runs:
        folder.page("index.html", "empty.html", left_out=book.left_out)
        return
    states, names = cell_states(book), machine_names(book)
    folder.page(
        "index.html",
        "overview.html",
        headline=headline(book, found, reader(project)),
        nights=nights_view(book, book.places, found),
        left_out=book.left_out,
        rows=[_cell(book, state, names) for state in states if state.trend.state not in QUIET],
        steady=[_cell(book, state, names) for state in states if state.trend.state in QUIET],
        suites=[_suite(book, place, listen) for place in book.places],
        machines=_machines(book.runs),
    )


def _cell(book: Book, state: CellState, names: Mapping[str, str]) -> CellLine:
    return CellLine(
        address=urls.cell_page(state.place.suite, state.cell),
        suite=state.place.suite,
        label=state.label,
        mark=state.mark,
        since=state.since,
        metric=state.line.series.metric,
        reason=reason(state.place, state.line, state.trend, named=False),
        spark=book.spark(state.place, state.line),
        machine=names[state.place.machine],
    )


def _suite(book: Book, place: RunAxis, listen: Listen) -> SuiteLine:
    latest = place.runs[-1]
    return SuiteLine(
        address=urls.suite_page(place.suite),
        suite=place.suite,
        question=latest.question.strip().partition("\n")[0],
        machine=place.name,
        run=run_links(book, [latest])[0],
        listen=listen.get(latest.id, ()),
    )


def _machines(runs: Sequence[RunRow]) -> tuple[MachineLine, ...]:
    of: dict[str, list[RunRow]] = {}
    for run in runs:
        of.setdefault(run.machine, []).append(run)
    return tuple(
        MachineLine(
            machine=machine,
            processor=_processor(states[-1]),
            runs=len(states),
            first=states[0].created[:10],
            latest=states[-1].created[:10],
        )
        for machine, states in of.items()
    )


def _processor(run: RunRow) -> str:
    machine = run.environment.get("machine")
    return str(machine.get("cpu_model", "unknown")) if isinstance(machine, Mapping) else "unknown"
