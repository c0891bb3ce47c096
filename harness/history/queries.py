"""
Queries: rows as records, points as a data frame. Writes nothing, and decides nothing about the
rows.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Integer,
    Select,
    Table,
    Text,
    cast,
    select,
    type_coerce,
)

from voxgate.harness.errors import HarnessError
from voxgate.harness.history import damage
from voxgate.harness.history.records import (
    Acknowledgement,
    CellRow,
    EntryCell,
    EntryValue,
    HistoryEntry,
    RunRow,
    Series,
    Vote,
    plain_fields,
)
from voxgate.harness.history.tables import ACKNOWLEDGEMENT, CELL, POINT, RUN, SERIES, VOTE

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("series", "run", "created", "value", "missing", "low", "high", "n", "verdict", "shift")
"""Of the frame of points."""
WORDS = ("reason", "version")
"""Further columns, for writing down a whole history."""
TYPES = dict.fromkeys(("series", "run", "n"), np.int64)
"""Of the frame's columns; those of floats arrive checked, the others are texts or None."""
STORED = {"series": "series_id", "run": "run_id"}
MANY = 500
"""
From so many series on, all are read and the others dropped: a database accepts only so many names
in one query.
"""


def runs(connection: Connection, suite: str | None, limit: int | None) -> list[RunRow]:
    """
    Return the runs, oldest first; with a limit, the newest of them. Raises HarnessError naming a
    damaged row, as all do.
    """
    newest = _rows_of(RUN).order_by(RUN.c.created.desc(), RUN.c.id.desc()).limit(limit)
    rows = connection.execute(newest if suite is None else newest.where(RUN.c.suite == suite))
    return [_run(row) for row in rows.mappings()][::-1]


def run(connection: Connection, number: int) -> RunRow:
    """Return one run. Raises HarnessError if there is none of that id."""
    row = connection.execute(_rows_of(RUN).where(RUN.c.id == number)).mappings().first()
    if row is None:
        raise HarnessError(f"the history has no run {number}; see `voxgate history list`")
    return _run(row)


def cells(connection: Connection, number: int) -> list[CellRow]:
    """Return the cells of a run, in the suite's order."""
    rows = connection.execute(
        _rows_of(CELL).where(CELL.c.run_id == number).order_by(CELL.c.position)
    ).mappings()
    return [_cell(dict(row), json.loads) for row in rows]


def every_cell(connection: Connection) -> list[CellRow]:
    """
    Return the cells of all runs, each run's in the suite's order; equal options of different runs
    are one object.
    """
    read = cache(json.loads)  # of a hundred thousand texts a handful differ
    rows = connection.execute(_rows_of(CELL).order_by(CELL.c.run_id, CELL.c.position)).mappings()
    return [_cell(row, read) for row in rows]


def series(connection: Connection, **fields: str | None) -> list[Series]:
    """Return the series whose fields match, in the order in which they began."""
    chosen = [SERIES.c[name] == value for name, value in fields.items() if value is not None]
    rows = connection.execute(select(SERIES).where(*chosen).order_by(SERIES.c.id)).mappings()
    return [damage.read(Series, row, "series", row["id"]) for row in rows]


def acknowledgements(connection: Connection) -> list[Acknowledgement]:
    """Return all acknowledgements, in the order in which they were added."""
    rows = connection.execute(select(ACKNOWLEDGEMENT).order_by(ACKNOWLEDGEMENT.c.id)).mappings()
    return [damage.read(Acknowledgement, row, "acknowledgement", row["id"]) for row in rows]


def votes(connection: Connection) -> list[Vote]:
    """Return all votes, in the order in which they were added."""
    rows = connection.execute(_rows_of(VOTE).order_by(VOTE.c.id)).mappings()
    return [
        damage.read(Vote, {**row, "correct": damage.flag(row["correct"])}, "vote", row["id"])
        for row in rows
    ]


def entry(connection: Connection, number: int) -> HistoryEntry:
    """
    Return a run as the entry that would append it to another history. Raises HarnessError if there
    is none of that id.
    """
    of_cells: dict[str, list[EntryValue]] = {}
    of_run = select(
        SERIES.c.cell, SERIES.c.metric, SERIES.c.unit, SERIES.c.better, POINT
    ).join_from(POINT, SERIES)
    for row in connection.execute(
        of_run.where(POINT.c.run_id == number).order_by(SERIES.c.id)
    ).mappings():
        of_cells.setdefault(row["cell"], []).append(_value(row))
    whole = tuple(
        EntryCell(**plain_fields(cell, "run"), values=tuple(of_cells.get(cell.cell, ())))
        for cell in cells(connection, number)
    )
    return HistoryEntry(**plain_fields(run(connection, number), "id"), cells=whole)


def points(
    connection: Connection, ids: Collection[int] | None, more: Sequence[str] = ()
) -> "pd.DataFrame":
    """Return the points of some series, or of all, oldest first: COLUMNS, and `more` of WORDS."""
    names = [name for name in (*COLUMNS, *more) if name != "created"]
    chosen = select(*(POINT.c[STORED.get(name, name)] for name in names))
    few = ids is not None and len(ids) < MANY
    rows = connection.execute(
        chosen.where(POINT.c.series_id.in_(ids)) if ids is not None and few else chosen
    ).cursor
    assert rows is not None, "a question has an answer"
    # the driver's own rows: there may be a million
    by_column = list(zip(*rows.fetchall(), strict=True)) or [()] * len(names)
    raw = dict(zip(names, by_column, strict=True))
    numbers = damage.checked_numbers(raw)
    columns = {
        name: numbers[name]
        if name in numbers
        else np.array(raw[name], dtype=TYPES.get(name, object))
        for name in raw
    }
    if ids is not None and not few:
        selected = np.isin(columns["series"], list(ids))
        columns = {name: column[selected] for name, column in columns.items()}
    return _oldest_first(connection, columns, [*COLUMNS, *more])


def _oldest_first(
    connection: Connection, columns: dict[str, np.ndarray], names: Sequence[str]
) -> "pd.DataFrame":
    ordered = connection.execute(
        select(RUN.c.id, RUN.c.created).order_by(RUN.c.created, RUN.c.id)
    ).all()
    damage.check_times(ordered, columns["run"])
    rank = np.zeros(max((row.id for row in ordered), default=0) + 1, dtype=np.int64)
    rank[[row.id for row in ordered]] = np.arange(len(ordered))
    age = rank[columns["run"]]
    order = np.argsort(age, kind="stable")
    created = np.array([row.created for row in ordered], dtype=object)
    columns = {
        **{name: column[order] for name, column in columns.items()},
        "created": created[age[order]],
    }
    import pandas as pd

    return pd.DataFrame(
        {name: pd.Series(columns[name], dtype=columns[name].dtype, copy=False) for name in names}
    )


def _rows_of(table: Table) -> Select[Any]:
    """
    Query whole rows in stored form, so that a value that the driver cannot convert is reported with
    its row.
    """
    return select(*(_plain(column) for column in table.c))


def _plain(column: Column[Any]) -> Any:
    if isinstance(column.type, JSON):
        return cast(column, Text).label(column.name)
    return (
        type_coerce(column, Integer).label(column.name)
        if isinstance(column.type, Boolean)
        else column
    )


def _run(row: Mapping[Any, Any]) -> RunRow:
    where = f"row {row['id']} of table run"
    environment = damage.parsed(json.loads, row["environment"], where)
    return damage.read(
        RunRow,
        {**row, "environment": environment, "complete": damage.flag(row["complete"])},
        "run",
        row["id"],
    )


def _cell(row: Mapping[Any, Any], read: Any) -> CellRow:
    """Return a cell: its fields set one by one where all are sound, for speed with many cells."""
    where = f"cell {row['cell']!r} of run {row['run_id']}"
    config, effective, effects = (
        damage.parsed(read, row[name], where) for name in ("config", "effective", "effects")
    )
    data = {
        **{name: row[name] for name in ("cell", "label", "verdict", "reason", "notes")},
        "run": row["run_id"],
        "config": config,
        "effective": effective,
        "effects": effects,
    }
    if not damage.is_sound_cell(data):
        return damage.read(CellRow, data, "cell", f"{row['cell']!r} of run {row['run_id']}")
    return CellRow(**{**data, "effects": tuple(effects)})


def _value(row: Any) -> EntryValue:
    where = f"point of run {row['run_id']} and series {row['series_id']}"
    number = damage.number_or_reason(row["value"], row["missing"], where)
    names = set(EntryValue.__dataclass_fields__) - {"value"}
    return replace(
        damage.made(EntryValue, {**{name: row[name] for name in names}, "value": 0.0}, where),
        value=number,
    )
