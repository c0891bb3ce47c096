"""
Makes an entry of a run that was measured and judged. A pure function of records; reads no file and no database.
"""

from collections.abc import Mapping, Sequence

from harness.analysis.aggregate import Measurements
from harness.history.records import Entry, EntryCell, EntryValue, digest_of, utc_iso
from harness.judging.baseline import identity
from harness.records.cell import Cell
from harness.records.measurement import Measurement
from harness.records.run import Effect, Run
from harness.records.verdict import CellVerdict, Judgement, MetricVerdict
from harness.runner.run_folder import effect_to_json

SOURCE = "voxgate"


def entry_of_run(run: Run, measurements: Measurements, judgement: Judgement) -> Entry:
    """Give everything that the history keeps of a run: its cells and those that were judged without being measured."""
    verdicts = {cell.cell: cell for cell in judgement.cells}
    measured = [_measured(cell, run, measurements.get(cell.slug, ()), verdicts.get(cell.slug)) for cell in run.cells]
    known = {cell.slug for cell in run.cells}
    absent = [_absent(cell) for cell in judgement.cells if cell.cell not in known]
    return Entry(
        digest=digest_of_run(run),
        source=SOURCE,
        suite=run.suite,
        profile=run.profile,
        machine=judgement.machine,
        head=judgement.head,
        created=utc_iso(run.created),
        verdict=judgement.verdict.value,
        exit_code=judgement.exit_code,
        line=judgement.line,
        baseline=judgement.baseline,
        folder=run.folder,
        question=run.question,
        environment=run.environment,
        complete=run.complete,
        cells=(*measured, *absent),
    )


def digest_of_run(run: Run) -> str:
    """
    Identify a run by what is known before its first process and never changes: where and when it began, and what was asked.

    So the same run has the same digest before and after `--resume`, in a copy of its folder, and under another baseline.
    """
    began = {name: run.environment.get(name) for name in ("machine", "toolchain", "before")}
    return digest_of(run.suite, run.profile, run.created, began, [cell.digest() for cell in run.cells])


def _measured(cell: Cell, run: Run, measured: Sequence[Measurement], verdict: CellVerdict | None) -> EntryCell:
    asked = identity(cell, run)
    judged = {each.metric: each for each in verdict.metrics} if verdict is not None else {}
    return EntryCell(
        cell=cell.slug,
        label=cell.label,
        config={**{name: asked[name] for name in ("target", "pipeline", "workload")}, **cell.options},
        effective=asked["effective"],
        effects=tuple(effect_to_json(each) for each in _effects(cell.slug, run)),
        verdict=None if verdict is None else verdict.verdict.value,
        reason="" if verdict is None else verdict.reason,
        notes="" if verdict is None else verdict.notes,
        values=tuple(_value(each, judged.get(each.metric)) for each in measured),
    )


def _absent(verdict: CellVerdict) -> EntryCell:
    """Give a cell that the suite or the baseline has and the run has not."""
    nothing: Mapping[str, object] = {}
    return EntryCell(
        cell=verdict.cell,
        label=verdict.label,
        config=nothing,
        effective=nothing,
        effects=(),
        verdict=verdict.verdict.value,
        reason=verdict.reason,
        notes=verdict.notes,
        values=(),
    )


def _value(measured: Measurement, judged: MetricVerdict | None) -> EntryValue:
    return EntryValue(
        metric=measured.metric,
        unit=measured.unit,
        better=measured.better,
        version=measured.version,
        value=measured.summary,
        low=measured.low,
        high=measured.high,
        n=sum(isinstance(each.value, float) for each in measured.values),
        verdict=None if judged is None else judged.verdict.value,
        reason="" if judged is None else judged.reason,
        shift=None if judged is None or judged.comparison is None else judged.comparison.shift,
    )


def _effects(slug: str, run: Run) -> tuple[Effect, ...]:
    """Give what was observed of a cell: of its last process that was observed at all."""
    found = [process.effects for process in run.processes if process.cell == slug and process.effects]
    return found[-1] if found else ()
