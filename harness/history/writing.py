"""
Write into the tables, inside a transaction that the caller opened. Reads nothing back for others.

A run is written whole. A stored run, by its digest, is left as it is, unless it was incomplete then
and is complete now, or rests on more numbers now (`--resume`): then the fuller one replaces it,
under the same id.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, func, insert, select, update

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.records import (
    Acknowledgement,
    EntryCell,
    EntryValue,
    HistoryEntry,
    Vote,
    clean,
    clean_json,
    plain_fields,
)
from voxgate.harness.history.tables import ACKNOWLEDGEMENT, CELL, KEY, POINT, RUN, SERIES, VOTE
from voxgate.harness.records.measurement import Missing

KEY_BYTES = 400
"""Longest name in a series' key: PostgreSQL's indexes accept 2700 bytes for all six together."""

SeriesIds = dict[tuple[str, str, str], int]
"""(cell, metric, unit) -> id, of one suite, profile and machine."""


def append(connection: Connection, entry: HistoryEntry) -> bool:
    """
    Write a run. Returns False where it was stored already. Raises HarnessError for a name that is
    too long for a key.
    """
    stored = connection.execute(
        select(RUN.c.id, RUN.c.complete).where(RUN.c.digest == entry.digest)
    ).first()
    row = clean_json(plain_fields(entry, "cells"))
    if stored is None:
        run = int(connection.execute(insert(RUN).values(row).returning(RUN.c.id)).scalar_one())
    elif _fullness(entry) > (stored.complete, _numbers(connection, stored.id)):
        run = int(stored.id)
        _forget(connection, run)
        connection.execute(update(RUN).where(RUN.c.id == run).values(row))
    else:
        return False
    _write_cells(connection, run, entry.cells)
    _write_points(connection, run, entry)
    return True


def acknowledge(connection: Connection, acknowledgement: Acknowledgement) -> bool:
    """
    Write an acknowledgement; the database assigns its `id`. Returns False where it was stored
    already.
    """
    row = clean_json(plain_fields(acknowledgement, "id"))
    pattern = ("suite", "cell", "metric", "machine", "since")
    same = and_(*(ACKNOWLEDGEMENT.c[name] == row[name] for name in pattern))
    return _insert_new(connection, ACKNOWLEDGEMENT, same, row)


def add_vote(connection: Connection, vote: Vote) -> bool:
    """Write a vote; the database assigns its `id`. Returns False where it was stored already."""
    return _insert_new(
        connection, VOTE, VOTE.c.digest == vote.digest, clean_json(plain_fields(vote, "id"))
    )


def _insert_new(connection: Connection, table: Table, same: Any, row: dict[str, Any]) -> bool:
    if connection.execute(select(table.c.id).where(same)).first() is not None:
        return False
    connection.execute(insert(table).values(row))
    return True


def _fullness(entry: HistoryEntry) -> tuple[bool, int]:
    values = chain.from_iterable(cell.values for cell in entry.cells)
    return entry.complete, sum(value.n for value in values)


def _numbers(connection: Connection, run: int) -> int:
    return int(
        connection.execute(
            select(func.coalesce(func.sum(POINT.c.n), 0)).where(POINT.c.run_id == run)
        ).scalar_one()
    )


def _forget(connection: Connection, run: int) -> None:
    for table in (POINT, CELL):
        connection.execute(delete(table).where(table.c.run_id == run))


def _write_cells(connection: Connection, run: int, cells: Sequence[EntryCell]) -> None:
    rows = [
        {"run_id": run, "position": position, **clean_json(plain_fields(cell, "values"))}
        for position, cell in enumerate(cells)
    ]
    if rows:
        connection.execute(insert(CELL), rows)


def _write_points(connection: Connection, run: int, entry: HistoryEntry) -> None:
    ids = _series_ids(connection, entry)
    rows = []
    for cell in entry.cells:
        for value in cell.values:
            rows.append(_point(run, ids[_key(cell.cell, value.metric, value.unit)], value))
    if rows:
        connection.execute(insert(POINT), rows)


def _point(run: int, series: int, value: EntryValue) -> dict[str, Any]:
    missing = isinstance(value.value, Missing)
    return {
        "run_id": run,
        "series_id": series,
        "value": None if isinstance(value.value, Missing) else float(value.value),
        "missing": clean(value.value.reason) if isinstance(value.value, Missing) else None,
        "low": None if missing else value.low,
        "high": None if missing else value.high,
        "n": value.n,
        "verdict": value.verdict,
        "reason": clean(value.reason),
        "shift": value.shift,
        "version": clean(value.version),
    }


def _series_ids(connection: Connection, entry: HistoryEntry) -> SeriesIds:
    """
    Return the ids of all series of a run; new ones are written, and those with another label,
    direction or version updated.
    """
    place = clean_json({name: getattr(entry, name) for name in ("suite", "profile", "machine")})
    stored = {_key(row.cell, row.metric, row.unit): row for row in _known_series(connection, place)}
    ids: SeriesIds = {}
    for cell in entry.cells:
        for value in cell.values:
            key, looks = _key(cell.cell, value.metric, value.unit), _looks(cell, value)
            row = stored.get(key)
            if row is None:
                ids[key] = _add_series(
                    connection, {**place, **dict(zip(KEY[3:], key, strict=True)), **looks}
                )
                continue
            ids[key] = row.id
            if any(getattr(row, name) != value for name, value in looks.items()):
                connection.execute(update(SERIES).where(SERIES.c.id == row.id).values(looks))
    return ids


def _known_series(connection: Connection, place: dict[str, str]) -> Sequence[Any]:
    return connection.execute(
        select(SERIES).where(*(SERIES.c[name] == value for name, value in place.items()))
    ).all()


def _add_series(connection: Connection, row: dict[str, str]) -> int:
    for name in KEY:
        if len(row[name].encode()) > KEY_BYTES:
            raise HarnessError(
                f"{name} {row[name][:40]!r}... has more than {KEY_BYTES} bytes; give it a shorter "
                "name"
            )
    return int(connection.execute(insert(SERIES).values(row).returning(SERIES.c.id)).scalar_one())


def _key(cell: str, metric: str, unit: str) -> tuple[str, str, str]:
    return clean(cell), clean(metric), clean(unit)


def _looks(cell: EntryCell, value: EntryValue) -> dict[str, str]:
    return {"label": clean(cell.label), "better": value.better, "version": clean(value.version)}
