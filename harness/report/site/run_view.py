"""
One run of the history as the record that the page of a run shows, and as a row of a list.

Only the latest run of a place has a page that needs no script; `templates/run.js` lays out any
other one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from voxgate.harness.history.records import CellRow, RunRow
from voxgate.harness.judging.policy import Policy
from voxgate.harness.judging.tradeoff import fastest_passing
from voxgate.harness.machine.quietness import MachineState, state_between
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.verdict import CellVerdict, RunVerdict
from voxgate.harness.report.badges import Badge, of_verdict
from voxgate.harness.report.contents import tradeoffs_of
from voxgate.harness.report.findings import (
    broken_metrics,
    cause_lines,
    cell_change,
    own_causes,
    own_reasons,
)
from voxgate.harness.report.format import fact_text, flat_facts, shown_unit, shown_value
from voxgate.harness.report.pictures.run_pictures import DrawnRun, RunPictures, run_pictures
from voxgate.harness.report.run_record import (
    CheckLine,
    JudgedMeasurement,
    RecordedCell,
    RunBefore,
    RunRecord,
)
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis
from voxgate.harness.report.site.judged_again import judgement, measurements, with_since
from voxgate.harness.report.tables import COLUMNS, TableColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLink:
    """One line of a list."""

    address: str
    when: str
    head: str
    mark: Badge
    line: str
    complete: bool


def run_address(book: Book, run: int) -> str:
    """Return the page of a run: its own for one of the latest, else the page of any run."""
    return urls.run_page(run) if run in book.latest else urls.any_run(run)


def run_links(book: Book, runs: Collection[RunRow]) -> tuple[RunLink, ...]:
    """Return the rows for runs, in their order."""
    return tuple(
        RunLink(
            address=run_address(book, run.id),
            when=when(run.created),
            head=run.head,
            mark=of_verdict(run.verdict),
            line=run.line,
            complete=run.complete,
        )
        for run in runs
    )


def when(created: str) -> str:
    """Return a time to the minute: `2026-11-20 02:00`."""
    return created[:16].replace("T", " ")


WIDEST = 8
"""Metrics in a table whose suite knows none of the usual ones (imported from other tools)."""
Measured = Mapping[str, Sequence[Measurement]]
UNKNOWN = "unknown"
STEADY = ("machine", "toolchain")
"""
The groups that stay the same between two runs unless somebody changes something; the others say how
busy it was.
"""


def changed(
    before: Mapping[str, object], now: Mapping[str, object]
) -> tuple[tuple[str, str, str], ...]:
    """Return (fact, before, now) where the machines or toolchains of two runs differ."""
    old, new = _steady_facts(before), _steady_facts(now)
    names = dict.fromkeys([*old, *new])
    return tuple(
        (name, old.get(name, UNKNOWN), new.get(name, UNKNOWN))
        for name in names
        if old.get(name) != new.get(name)
    )


def _steady_facts(environment: Mapping[str, object]) -> dict[str, str]:
    return flat_facts({group: environment.get(group, {}) for group in STEADY})


def record(
    book: Book, place: RunAxis, policy: Policy, links: Sequence[tuple[str, str]]
) -> RunRecord:
    """Return the record of the latest run of a place."""
    last = len(place.runs) - 1
    run, before = place.runs[last], place.runs[last - 1] if last else None
    judged, measured = judgement(book, place, last, policy), measurements(place, last)
    return RunRecord(
        title=f"Run {run.id}: {of_verdict(run.verdict).word.replace('_', ' ')} {run.suite}",
        suite=run.suite,
        profile=run.profile,
        machine=run.machine,
        state=_state(run.environment),
        verdict=run.verdict,
        question=run.question,
        line=run.line,
        head=run.head,
        created=run.created,
        baseline=run.baseline,
        run=f"{run.folder or run.source}{'' if run.complete else ', not complete'}",
        columns=columns(place),
        cells=tuple(
            _recorded(book, place, *each)
            for each in zip(book.cells[run.id], judged.cells, strict=True)
        ),
        fastest=fastest_passing(judged, measured, None),
        gain="",
        pictures=pictures_of(judged, measured, policy),
        environment=flat_facts(run.environment),
        causes=tuple(with_since(book, place, line) for line in cause_lines(judged)),
        before=_before(before, run) if before else None,
        trail=(
            ("overview", "index.html"),
            (run.suite, urls.suite_page(run.suite)),
            (f"run {run.id}", ""),
        ),
        links=(*links, ("Environment against another run", _compare(before, run))),
    )


def _recorded(book: Book, place: RunAxis, row: CellRow, judged: CellVerdict) -> RecordedCell:
    lines = place.lines.get(row.cell, ())
    worse = bool(own_causes(judged))
    return RecordedCell(
        slug=row.cell,
        label=row.label,
        verdict=row.verdict,
        reasons=() if of_verdict(row.verdict).kind == "good" else _reasons(judged),
        told=(row.reason,) if worse and row.reason else (),
        change=cell_change(judged),
        broken_metrics=broken_metrics(judged),
        measured=tuple(_judged_at(book, lines, judged, len(place.runs) - 1)),
        requested=row.config,
        effective=row.effective,
        checks=tuple(map(_check, row.effects)),
        address=urls.cell_page(place.suite, row.cell) if lines else "",
    )


def _reasons(judged: CellVerdict) -> tuple[str, ...]:
    return tuple(filter(None, own_reasons(judged)))


def _check(check: Mapping[str, object]) -> CheckLine:
    """Return an option check; the history keeps the keys that a run folder has."""
    option, requested, observed, why = (
        fact_text("" if check.get(key) is None else check[key])
        for key in ("option", "asked", "observed", "why")
    )
    holds = check.get("holds")
    return CheckLine(
        option=option,
        requested=requested,
        observed=observed,
        in_effect=holds if isinstance(holds, bool) else None,
        reason=why,
        is_fact=holds is None and check.get("asked", "") is None,
    )


def _judged_at(
    book: Book, lines: Sequence[MetricSeries], judged: CellVerdict, position: int
) -> Iterator[JudgedMeasurement]:
    compared = {each.metric: each.comparison for each in judged.metrics}
    for line in lines:
        index, comparison = line.index_of(position), compared.get(line.series.metric)
        if index is not None:
            before = None if comparison is None else comparison.baseline
            yield JudgedMeasurement(
                measurement=line.measurement(index),
                verdict=book.words[line.verdicts[index]],
                baseline=""
                if before is None
                else shown_value(line.series.metric, line.series.unit, before),
                reason=line.reasons.get(index, ""),
            )


def _before(before: RunRow, run: RunRow) -> RunBefore:
    return RunBefore(
        head=before.head,
        created=before.created,
        changed=changed(before.environment, run.environment),
    )


def _compare(before: RunRow | None, run: RunRow) -> str:
    return urls.compare_page(before.id if before else run.id, run.id)


def _state(environment: Mapping[str, object]) -> MachineState:
    """Return how quiet the machine was; the history keeps the environments of other tools too."""
    parts = (environment.get(name) for name in ("machine", "before", "after"))
    return state_between(*(part if isinstance(part, Mapping) else {} for part in parts))


def columns(place: RunAxis) -> tuple[TableColumn, ...]:
    """Choose a table's columns: those of the main table, or the first metrics that there are."""
    every = chain.from_iterable(place.lines.values())
    units = {line.series.metric: line.series.unit for line in every if not line.helps}
    usual = tuple(column for column in COLUMNS if column.metric in units)
    return usual or tuple(
        TableColumn(
            metric=name, title=f"{name} {shown_unit(name, unit)}".strip(), interval=True, rank=rank
        )
        for rank, (name, unit) in enumerate(list(units.items())[:WIDEST])
    )


def pictures_of(judged: RunVerdict, measured: Measured, policy: Policy) -> RunPictures:
    """Return the pictures of a run of the history, which keeps no utterances and no comparisons."""
    floors = {name: limit.min_acceptable for name, limit in policy.items()}
    best = fastest_passing(judged, measured, None)
    return run_pictures(
        DrawnRun(
            judgement=judged,
            measurements=measured,
            tradeoffs=tradeoffs_of(judged, measured),
            best=None if best is None else best.cell,
            floors={name: value for name, value in floors.items() if value is not None},
        )
    )
