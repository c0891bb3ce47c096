"""
The record of one run, from a judged run or from the history: all that its page shows of it.

`record_of` fills it for the single page (`page.py`), and `site/run_view.py` for the site;
`run_page.py` makes the view of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.harness.judging.tradeoff import SpeedGain
from voxgate.harness.machine.quietness import MachineState
from voxgate.harness.records.environment import facts_of
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.run import OptionCheck
from voxgate.harness.records.verdict import CellVerdict, MetricVerdict
from voxgate.harness.report.contents import (
    ReelTable,
    Report,
    TakesOf,
    cell_of,
    effective_of,
    effects_of,
    measured_count,
    reel_tables,
)
from voxgate.harness.report.findings import (
    Change,
    Finding,
    NextStep,
    broken_metrics,
    cause_lines,
    gain_text,
    next_step,
)
from voxgate.harness.report.format import flat_facts, shown_value
from voxgate.harness.report.pictures.run_pictures import DrawnRun, RunPictures, run_pictures
from voxgate.harness.report.tables import (
    TableColumn,
    TableRow,
    budget_line,
    columns,
    energy_line,
    floor_line,
    grouped_missing,
    rows,
    text_line,
)
from voxgate.harness.report.worst_utterances import (
    BrokenUtterance,
    broken_utterances,
    heard_first,
    red_cells,
    spread_text,
)

if TYPE_CHECKING:
    from voxgate.harness.report.listening.player import Player


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMeasurement:
    """One metric of a cell with its verdict as words; empty texts where nothing is known."""

    measurement: Measurement
    verdict: str = ""
    baseline: str = ""
    reason: str = ""
    spread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """One option check, as text; `in_effect` is None where nothing could be observed."""

    option: str
    requested: str
    observed: str
    in_effect: bool | None
    reason: str
    is_fact: bool = False
    """Whether it is no option but a fact that nobody requested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCell:
    """
    One cell of a run. `address` is its page, if it has one; `reasons` and then `notes` are lines
    that stand below its row. A cell that got worse or has reasons is unfolded.
    """

    slug: str
    label: str
    verdict: str | None
    reasons: tuple[str, ...]
    measured: tuple[JudgedMeasurement, ...]
    requested: Mapping[str, object]
    effective: Mapping[str, object]
    checks: tuple[CheckLine, ...]
    address: str = ""
    notes: tuple[str, ...] = ()
    broken: tuple[BrokenUtterance, ...] = ()
    told: tuple[str, ...] = ()
    """The verdict's whole reason, where the page tells it by a cause."""
    change: Change | None = None
    broken_metrics: frozenset[str] = frozenset()
    """Those that broke their limit and count for the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBefore:
    """The run before it, and (fact, before, now) where machine or toolchain differ."""

    head: str
    created: str
    changed: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run and all that its page shows of it, wherever it comes from."""

    title: str
    suite: str
    profile: str
    machine: str
    state: MachineState
    """How quiet the machine was."""
    verdict: str | None
    question: str
    line: str
    head: str
    created: str
    baseline: str
    run: str
    """Where the run lies, and what there is of it."""
    columns: tuple[TableColumn, ...]
    cells: tuple[RecordedCell, ...]
    fastest: SpeedGain | None
    gain: str
    """Of the fastest cell over the reference, with its interval."""
    pictures: RunPictures
    environment: Mapping[str, str]
    causes: tuple[Finding, ...] = ()
    """What got worse, the blocking first."""
    before: RunBefore | None = None
    remarks: tuple[str, ...] = ()
    """On the main table."""
    next_step: NextStep | None = None
    """How the run gets its missing baseline."""
    excluded: Mapping[str, str] | None = None
    reels: tuple[ReelTable, ...] = ()
    player: "Player | None" = None
    """None where no audio belongs to the page."""
    trail: Sequence[tuple[str, str]] = ()
    """(title, address) of the pages above this one."""
    links: Sequence[tuple[str, str]] = ()
    """(title, address) of pages about the run; a title alone is a remark."""


def record_of(
    contents: Report, takes_of: TakesOf, names: Mapping[str, str] | None = None
) -> RunRecord:
    """Return the record of a judged run; `names` are words for its older takes."""
    from voxgate.harness.report.listening.player import run_player

    judgement, run = contents.judgement, contents.run
    state = f"{measured_count(run)} measured iterations{'' if run.complete else ', not complete'}"
    return RunRecord(
        title=f"{judgement.verdict.value.replace('_', ' ')}: {judgement.suite}",
        suite=judgement.suite,
        profile=judgement.profile,
        machine=judgement.machine,
        state=contents.machine,
        verdict=judgement.verdict.value,
        question=run.question,
        line=judgement.line,
        head=judgement.head,
        created=run.created,
        baseline=judgement.baseline,
        run=f"{run.folder}: {state}",
        columns=columns(contents),
        cells=_cells(contents),
        fastest=contents.fastest,
        gain=gain_text(contents),
        pictures=run_pictures(_drawn(contents)),
        environment=flat_facts(facts_of(run.environment)),
        causes=cause_lines(judgement),
        remarks=tuple(
            filter(
                None, (line(contents) for line in (budget_line, energy_line, text_line, floor_line))
            )
        ),
        next_step=next_step(contents),
        excluded=run.excluded,
        player=run_player(
            run,
            takes_of,
            first=heard_first(judgement.cells),
            wanted=red_cells(judgement.cells),
            names=names,
        ),
        reels=reel_tables(run),
    )


def _drawn(contents: Report) -> DrawnRun:
    return DrawnRun(
        judgement=contents.judgement,
        measurements=contents.measurements,
        tradeoffs=contents.tradeoffs,
        best=None if contents.fastest is None else contents.fastest.cell,
        before=contents.before,
        floors=contents.floors,
        run=contents.run,
    )


def _cells(contents: Report) -> tuple[RecordedCell, ...]:
    return tuple(
        _cell(contents, row, judged)
        for row, judged in zip(rows(contents), contents.judgement.cells, strict=True)
    )


def _cell(contents: Report, row: TableRow, judged: CellVerdict) -> RecordedCell:
    cell = cell_of(contents.run, judged.cell)
    return RecordedCell(
        slug=judged.cell,
        label=row.label,
        verdict=judged.verdict.value,
        reasons=row.reasons,
        notes=grouped_missing(row),
        measured=_judged(judged, contents.measurements.get(judged.cell, ())),
        requested=cell.requested if cell is not None else {},
        effective=effective_of(contents.run, judged.cell),
        checks=tuple(map(_check, effects_of(contents.run, judged.cell))),
        broken=broken_utterances(judged),
        told=(judged.reason,) if row.causes else (),
        change=row.change,
        broken_metrics=broken_metrics(judged),
    )


def _check(check: OptionCheck) -> CheckLine:
    return CheckLine(
        option=check.option,
        requested="" if check.requested is None else str(check.requested),
        observed=check.observed,
        in_effect=check.in_effect,
        reason=check.reason,
        is_fact=check.requested is None and check.in_effect is None,
    )


def _judged(
    cell: CellVerdict, measurements: Sequence[Measurement]
) -> tuple[JudgedMeasurement, ...]:
    verdicts: Mapping[str, MetricVerdict] = {metric.metric: metric for metric in cell.metrics}
    return tuple(_with_verdict(each, verdicts.get(each.metric)) for each in measurements)


def _with_verdict(measurement: Measurement, judged: MetricVerdict | None) -> JudgedMeasurement:
    if judged is None:
        return JudgedMeasurement(measurement=measurement, baseline="none")
    name, unit, comparison = measurement.metric, measurement.unit, judged.comparison
    return JudgedMeasurement(
        measurement=measurement,
        verdict=judged.verdict.value + ("" if judged.blocking else " (advisory)"),
        baseline="none" if comparison is None else shown_value(name, unit, comparison.baseline),
        reason=judged.reason,
        spread=spread_text(judged),
    )
