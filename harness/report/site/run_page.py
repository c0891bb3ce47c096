"""
The page of one of the latest runs, which needs no script. `templates/run.js` lays out any other
run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from voxgate.harness.history.records import CellRow
from voxgate.harness.machine.quietness import MachineState, state_between
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.format import shown, shown_unit
from voxgate.harness.report.page import MEANING
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.folder import Folder
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis
from voxgate.harness.report.site.marks import Badge, of_verdict
from voxgate.harness.report.site.overview_page import Listen
from voxgate.harness.report.site.run_view import changed, facts
from voxgate.harness.report.site.suite_page import columns
from voxgate.harness.report.tables import TableColumn

NOT_JUDGED = "This run was not judged."


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricView:
    """One metric of one cell, as text; `missing` says why there is no value."""

    title: str
    text: str
    short: str
    """The same without its interval."""
    unit: str
    verdict: str
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCell:
    """One cell of a run; `values` are those of the main table."""

    row: CellRow
    address: str
    mark: Badge
    reason: str
    values: tuple[MetricView, ...]
    metrics: tuple[MetricView, ...]


def write_latest_runs(folder: Folder, book: Book, listen: Listen) -> None:
    """Write the page of the latest run of every suite, profile and machine."""
    for place in book.places:
        _write(folder, book, place, listen)


def meaning(verdict: str | None) -> str:
    """Return the meaning of a run's verdict."""
    return meanings().get(verdict or "", NOT_JUDGED)


def meanings() -> dict[str, str]:
    """Return the meaning of every verdict, for the script."""
    return {verdict.value: text for verdict, text in MEANING.items()}


def _write(folder: Folder, book: Book, place: RunAxis, listen: Listen) -> None:
    run, before = place.runs[-1], place.runs[-2] if len(place.runs) > 1 else None
    chosen = columns(place)
    folder.page(
        urls.run_page(run.id),
        "run.html",
        run=run,
        before=before,
        mark=of_verdict(run.verdict),
        meaning=meaning(run.verdict),
        suite_address=urls.suite_page(run.suite),
        fitness=_fitness(run.environment),
        compare=urls.compare_page(before.id if before else run.id, run.id),
        titles=[column.title for column in chosen],
        cells=[_cell(book, place, row, chosen) for row in book.cells[run.id]],
        changed=changed(before.environment, run.environment) if before else (),
        facts=facts(run.environment),
        listen=listen.get(run.id, ()),
    )


def _cell(book: Book, place: RunAxis, row: CellRow, chosen: Sequence[TableColumn]) -> RunCell:
    lines = place.lines.get(row.cell, ())
    views = {
        line.series.metric: view
        for line in lines
        if (view := _metric(book, place, line)) is not None
    }
    mark = of_verdict(row.verdict)
    return RunCell(
        row=row,
        address=urls.cell_page(place.suite, row.cell) if lines else "",
        mark=mark,
        reason="" if mark.kind == "good" else row.reason,
        values=tuple(_in_table(views.get(column.metric), column) for column in chosen),
        metrics=tuple(views.values()),
    )


def _metric(book: Book, place: RunAxis, line: MetricSeries) -> MetricView | None:
    index = line.index_of(len(place.runs) - 1)
    if index is None:
        return None
    measured = line.measurement(index)
    value = measured.summary
    return MetricView(
        title=measured.metric,
        text=shown(measured),
        short=shown(measured, interval=False),
        unit=shown_unit(measured.metric, measured.unit),
        verdict=book.words[line.verdicts[index]],
        missing=value.reason if isinstance(value, Missing) else "",
    )


def _in_table(view: MetricView | None, column: TableColumn) -> MetricView:
    if view is None:
        return MetricView(
            title=column.metric, text="", short="", unit="", verdict="", missing="not measured"
        )
    return view if column.interval else replace(view, text=view.short)


def _fitness(environment: Mapping[str, object]) -> MachineState:
    """Return how quiet the machine was; the history keeps the environments of other tools too."""
    parts = (environment.get(name) for name in ("machine", "before", "after"))
    return state_between(*(part if isinstance(part, Mapping) else {} for part in parts))
