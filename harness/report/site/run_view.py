"""
One run of the history as measurements and verdicts again, for the functions of the single run's
page.

Also a run as a row of a list, with its page, and an environment as a flat list of facts, so that
two can be compared. Knows no fact by name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from voxgate.harness.history.records import CellRow, RunRow
from voxgate.harness.judging.policy import Policy
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.verdict import CellVerdict, MetricVerdict, RunVerdict, Verdict
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis
from voxgate.harness.report.site.marks import VERDICTS, Badge, of_verdict


def measurements(place: RunAxis, position: int) -> dict[str, tuple[Measurement, ...]]:
    """Return the measurements of the run at a position of the place's axis, by slug."""
    by_cell = {cell: _measured_at(lines, position) for cell, lines in place.lines.items()}
    return {cell: measured for cell, measured in by_cell.items() if measured}


def _measured_at(lines: Sequence[MetricSeries], position: int) -> tuple[Measurement, ...]:
    indices = ((line, line.index_of(position)) for line in lines)
    return tuple(line.measurement(index) for line, index in indices if index is not None)


def judgement(book: Book, place: RunAxis, position: int, policy: Policy) -> RunVerdict:
    """
    Return the verdicts of a run, and by the policy's floors which of its cells are fit to ship.
    """
    run = place.runs[position]
    named = measurements(place, position)
    return RunVerdict(
        suite=run.suite,
        profile=run.profile,
        machine=run.machine,
        head=run.head,
        baseline=run.baseline,
        cells=tuple(_cell(cell, named.get(cell.cell, ()), policy) for cell in book.cells[run.id]),
        counts={},
        verdict=_verdict(run.verdict),
        exit_code=run.exit_code or 0,
        line=run.line,
    )


def _cell(cell: CellRow, named: Sequence[Measurement], policy: Policy) -> CellVerdict:
    return CellVerdict(
        cell=cell.cell,
        label=cell.label,
        verdict=_verdict(cell.verdict),
        reason=cell.reason,
        metrics=tuple(
            _metric(measurement, policy) for measurement in named if measurement.metric in policy
        ),
        notes=cell.notes,
    )


def _verdict(word: str | None) -> Verdict:
    """Return the verdict of that name; NO_BASELINE for a cell that was not judged here."""
    return Verdict(word) if word in VERDICTS else Verdict.NO_BASELINE


def _metric(measurement: Measurement, policy: Policy) -> MetricVerdict:
    """Compare the value with the floor alone; the run's verdict is not decided again."""
    floor, value = policy[measurement.metric].min_acceptable, measurement.summary
    enough = floor is None or (
        isinstance(value, float)
        and (value <= floor if measurement.better == "lower" else value >= floor)
    )
    return MetricVerdict(
        metric=measurement.metric,
        verdict=Verdict.PASS,
        reason="",
        comparison=None,
        blocking=False,
        good_enough=enough,
    )


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


UNKNOWN = "unknown"
STEADY = ("machine", "toolchain")
"""
The groups that stay the same between two runs unless somebody changes something; the others say how
busy it was.
"""


def facts(environment: Mapping[str, object]) -> dict[str, str]:
    """Return every fact as text: `machine · cores` -> `2`."""
    flat: dict[str, str] = {}
    for name, value in environment.items():
        if isinstance(value, Mapping):
            flat |= {f"{name} · {inner}": fact for inner, fact in facts(value).items()}
        else:
            flat[str(name)] = text(value)
    return flat


def text(value: object) -> str:
    """Return a value as text."""
    return (", ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


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
    return facts({group: environment.get(group, {}) for group in STEADY})
