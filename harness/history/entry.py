"""
Entries: a measured and judged run as one record of the history. A pure function of records; reads
no file and no database.

Also their JSON form, in which a history moves from one database to another: `export json` writes it
and `import` reads it.

SCHEMA names its version. History: `voxgate-history/1`, 2026-11, first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from voxgate.harness.analysis.grouping import Measurements
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.records import (
    Acknowledgement,
    EntryCell,
    EntryValue,
    HistoryEntry,
    Vote,
    clean_json,
    digest_of,
    plain_fields,
    utc_iso,
)
from voxgate.harness.judging.baseline import identity
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.environment import facts_of
from voxgate.harness.records.measurement import Measurement, value_from_json, value_to_json
from voxgate.harness.records.run import OptionCheck, Run
from voxgate.harness.records.verdict import CellVerdict, MetricVerdict, RunVerdict

SOURCE = "voxgate"


def entry_of_run(run: Run, measurements: Measurements, judgement: RunVerdict) -> HistoryEntry:
    """
    Return the history entry of a run: its cells, and those that were judged without being measured.
    """
    verdicts = {cell.cell: cell for cell in judgement.cells}
    measured = [
        _measured(cell, run, measurements.get(cell.slug, ()), verdicts.get(cell.slug))
        for cell in run.cells
    ]
    measured_slugs = {cell.slug for cell in run.cells}
    absent = [_absent(cell) for cell in judgement.cells if cell.cell not in measured_slugs]
    return HistoryEntry(
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
        environment=facts_of(run.environment),
        complete=run.complete,
        cells=(*measured, *absent),
    )


def digest_of_run(run: Run) -> str:
    """
    Return the digest of a run, from facts that are fixed before its first process: where and when
    it began, and its configuration.

    So the same run has the same digest before and after `--resume`, in a copy of its folder, and
    under another baseline.
    """
    facts = facts_of(run.environment)
    began = {name: facts.get(name) for name in ("machine", "toolchain", "before")}
    return digest_of(
        run.suite, run.profile, run.created, began, [cell.digest() for cell in run.cells]
    )


def _measured(
    cell: Cell, run: Run, measured: Sequence[Measurement], verdict: CellVerdict | None
) -> EntryCell:
    requested = identity(cell, run)
    judged = {metric.metric: metric for metric in verdict.metrics} if verdict is not None else {}
    return EntryCell(
        cell=cell.slug,
        label=cell.label,
        config={
            **{
                name: requested[name]
                for name in ("target", "pipeline", "workload", "command")
                if name in requested
            },
            **cell.options,
        },
        effective=requested["effective"],
        effects=tuple(to_json(effect) for effect in _effects(cell.slug, run)),
        verdict=None if verdict is None else verdict.verdict.value,
        reason="" if verdict is None else verdict.reason,
        notes="" if verdict is None else verdict.notes,
        values=tuple(
            _value(measurement, judged.get(measurement.metric)) for measurement in measured
        ),
    )


def _absent(verdict: CellVerdict) -> EntryCell:
    """Return the entry of a cell that the suite or the baseline has and the run lacks."""
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
        n=sum(isinstance(value.value, float) for value in measured.values),
        verdict=None if judged is None else judged.verdict.value,
        reason="" if judged is None else judged.reason,
        shift=None if judged is None or judged.comparison is None else judged.comparison.shift,
    )


def _effects(slug: str, run: Run) -> tuple[OptionCheck, ...]:
    """Return the option checks of a cell: of its last process that was observed at all."""
    candidates = [
        process.effects for process in run.processes if process.cell == slug and process.effects
    ]
    return candidates[-1] if candidates else ()


SCHEMA = "voxgate-history/1"
T = TypeVar("T")


def entry_to_dict(entry: HistoryEntry) -> dict[str, Any]:
    """Return plain JSON values."""
    return {
        **clean_json(plain_fields(entry, "cells")),
        "cells": [_cell_to_dict(cell) for cell in entry.cells],
    }


def entry_from_dict(data: Mapping[str, Any]) -> HistoryEntry:
    """
    Return the entry of `entry_to_dict`'s JSON. Raises HarnessError naming the field for anything
    else.
    """
    cells = data.get("cells")
    if not isinstance(cells, list):
        raise _unreadable("run", "it has no list of cells")
    read = tuple(_cell_from_dict(cell) for cell in cells)
    return replace(_read("run", HistoryEntry, {**data, "cells": []}), cells=read)


def acknowledgement_to_dict(record: Acknowledgement | Vote) -> dict[str, Any]:
    """Return plain JSON values; the id is left out, for it belongs to one database."""
    return dict(clean_json(plain_fields(record, "id")))


def acknowledgement_from_dict(data: Mapping[str, Any]) -> Acknowledgement:
    """
    Return the acknowledgement of `acknowledgement_to_dict`'s JSON. Raises HarnessError for anything
    else.
    """
    return _read("acknowledgement", Acknowledgement, {**data, "id": 0})


def vote_from_dict(data: Mapping[str, Any]) -> Vote:
    """
    Return the vote of `acknowledgement_to_dict`'s JSON. Raises HarnessError for anything else.
    """
    return _read("vote", Vote, {**data, "id": 0})


def _cell_to_dict(cell: EntryCell) -> dict[str, Any]:
    return {
        **clean_json(plain_fields(cell, "values")),
        "values": [_value_to_dict(value) for value in cell.values],
    }


def _cell_from_dict(data: object) -> EntryCell:
    values = data.get("values") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(values, list):
        raise _unreadable("cell", "it has no list of values")
    read = tuple(_value_from_dict(value) for value in values)
    return replace(_read("cell", EntryCell, {**data, "values": []}), values=read)


def _value_from_dict(data: object) -> EntryValue:
    if not isinstance(data, Mapping):
        raise _unreadable("value", "it is no object")
    try:
        value = value_from_json(data["value"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unreadable("value", str(error)) from error
    return replace(_read("value", EntryValue, {**data, "value": 0.0}), value=value)


def _read(what: str, kind: type[T], data: object) -> T:
    try:
        return from_json(kind, data)
    except HarnessError as error:
        raise _unreadable(what, str(error)) from error


def _value_to_dict(value: EntryValue) -> dict[str, Any]:
    return {
        **clean_json(plain_fields(value, "value")),
        "value": clean_json(value_to_json(value.value)),
    }


def _unreadable(what: str, fault: str) -> HarnessError:
    return HarnessError(
        f"a {what} of this export cannot be read ({fault}); export the history again"
    )
