"""
Check rows as they are read: a row that somebody edited, or that a disk spoilt, is an error that
names it. The databases check some of this themselves, but SQLite only where the table demands it.

There may be a million points, so they are checked by column, and only where a column is wrong is
its row looked up.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.measurement import Missing, Value
from voxgate.harness.records.verdict import Verdict

T = TypeVar("T")
Numbers = npt.NDArray[np.float64]
TEXT, NUMBER, WHOLE = frozenset({str}), frozenset({float, int}), frozenset({int})
NOTHING = frozenset({type(None)})
COLUMNS: Mapping[str, frozenset[type]] = {
    "series": WHOLE,
    "run": WHOLE,
    "n": WHOLE,
    "value": NUMBER | NOTHING,
    "low": NUMBER | NOTHING,
    "high": NUMBER | NOTHING,
    "shift": NUMBER | NOTHING,
    "missing": TEXT | NOTHING,
    "verdict": TEXT | NOTHING,
    "reason": TEXT,
    "version": TEXT,
}
"""Of points: the types that the driver may return."""
VERDICTS = frozenset({None, *(verdict.value for verdict in Verdict)})
ADVICE = "correct the row or delete it"


def read(kind: type[T], row: Mapping[Any, Any], table: str, key: object) -> T:
    """
    Return a row as its record. Raises HarnessError naming table, row and field of a damaged row.
    """
    return made(kind, row, f"row {key} of table {table}")


def made(kind: type[T], row: Mapping[Any, Any], where: str) -> T:
    """Return fields as their record. Raises HarnessError naming the place and the field."""
    try:
        return from_json(kind, dict(row))
    except HarnessError as error:
        raise _damaged(where, str(error)) from None


def flag(stored: object) -> object:
    """
    Return a truth value from the form in which SQLite and PostgreSQL store it; anything else
    unchanged, to be refused.
    """
    return bool(stored) if stored in (0, 1) and isinstance(stored, int) else stored


def parsed(load: Callable[[str], Any], text: object, where: str) -> Any:
    """Return the JSON of a column. Raises HarnessError where it is not JSON."""
    if not isinstance(text, str):
        raise _damaged(where, f"holds {type(text).__name__} where JSON should be")
    try:
        return load(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(where, f"holds what is no JSON ({' '.join(str(error).split())})") from None


def is_sound_cell(data: Mapping[str, Any]) -> bool:
    """Whether the fields of a cell have their types."""
    texts = all(type(data[name]) is str for name in ("cell", "label", "reason", "notes"))
    tables = (
        type(data["config"]) is dict
        and type(data["effective"]) is dict
        and type(data["effects"]) is list
    )
    effects = tables and all(type(effect) is dict for effect in data["effects"])
    return (
        texts
        and effects
        and data["verdict"] in VERDICTS
        and type(data["run"]) is int
        and data["cell"] != ""
    )


def number_or_reason(value: object, missing: object, where: str) -> Value:
    """
    Return a point's number, or why there is none. Raises HarnessError for both, for neither, and
    for a number that is not finite.
    """
    fault = _value_fault(value, missing)
    if fault:
        raise _damaged(where, fault)
    return Missing(str(missing)) if value is None else float(str(value))


def checked_numbers(columns: Mapping[str, Sequence[Any]]) -> dict[str, Numbers]:
    """
    Return the numeric columns of points as arrays, NaN where there is no number; `columns` come as
    the driver returns them.

    Raises HarnessError naming the first point that is damaged.
    """
    for name, column in columns.items():
        if not set(map(type, column)) <= COLUMNS[name]:
            at = next(
                index for index, value in enumerate(column) if type(value) not in COLUMNS[name]
            )
            raise _point(columns, at, f"{name} is {_shown(column[at])}")
    if not set(columns["verdict"]) <= VERDICTS:
        at = next(index for index, value in enumerate(columns["verdict"]) if value not in VERDICTS)
        raise _point(columns, at, f"verdict is {_shown(columns['verdict'][at])}, which is none")
    numbers = {
        name: np.array(columns[name], dtype=np.float64)
        for name in ("value", "low", "high", "shift")
    }
    for at in _faulty(columns, numbers):
        fault = _value_fault(columns["value"][at], columns["missing"][at]) or _bounds_fault(
            columns, at
        )
        raise _point(columns, at, fault)
    return numbers


def check_times(runs: Sequence[Any], of_points: np.ndarray) -> None:
    """
    Raise HarnessError where a run's time is not a time, or a point belongs to a run that does not
    exist.
    """
    from voxgate.harness.history.records import utc_iso

    for row in runs:
        try:
            sound = type(row.created) is str and utc_iso(row.created) == row.created
        except HarnessError:
            sound = False
        if not sound:
            raise _damaged(
                f"row {row.id} of table run", f"created is {_shown(row.created)}, no time in UTC"
            )
    stored = {row.id for row in runs}
    orphan = next(
        (int(run_id) for run_id in np.unique(of_points) if int(run_id) not in stored), None
    )
    if orphan is not None:
        raise HarnessError(
            f"there are points of run {orphan}, which is not in table run; delete them or restore "
            "the run"
        )


def _faulty(columns: Mapping[str, Sequence[Any]], numbers: Mapping[str, Numbers]) -> list[int]:
    """
    Return the places of points whose numbers are wrong. SQLite cannot hold NaN, which stands for
    nothing here.
    """
    value, low, high, shift = (numbers[name] for name in ("value", "low", "high", "shift"))
    explained = np.array([reason is not None for reason in columns["missing"]], dtype=bool)
    odd = np.isinf(value) | np.isinf(low) | np.isinf(high) | np.isinf(shift) | (low > high)
    return [int(at) for at in np.flatnonzero(odd | (np.isnan(value) != explained))]


def _value_fault(value: object, missing: object) -> str:
    if value is None:
        return (
            ""
            if isinstance(missing, str)
            else "it has neither a value nor a reason for having none"
        )
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"value is {_shown(value)}, no finite number"
    return (
        ""
        if missing is None
        else f"it has a value, and a reason for having none: {_shown(missing)}"
    )


def _bounds_fault(columns: Mapping[str, Sequence[Any]], at: int) -> str:
    low, high = columns["low"][at], columns["high"][at]
    return (
        f"its interval is from {_shown(low)} to {_shown(high)}, its shift "
        f"{_shown(columns['shift'][at])}"
    )


def _point(columns: Mapping[str, Sequence[Any]], at: int, fault: str) -> HarnessError:
    return _damaged(
        f"the point of run {_shown(columns['run'][at])} and series {_shown(columns['series'][at])}",
        fault,
    )


def _damaged(where: str, fault: str) -> HarnessError:
    return HarnessError(f"the history is damaged: {where}: {fault}; {ADVICE}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
