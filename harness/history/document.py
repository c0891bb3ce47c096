"""
The JSON that a history is carried in, from one database to another: what `export json` writes and `import` reads.

SCHEMA names its version. History: `voxgate-history/1`, 2026-11, first.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from harness.errors import HarnessError
from harness.history.records import Acknowledgement, Entry, EntryCell, EntryValue, Vote, clean_json, plain_fields
from harness.records.codec import from_json
from harness.records.measurement import value_from_json, value_to_json

SCHEMA = "voxgate-history/1"
T = TypeVar("T")


def entry_to_dict(entry: Entry) -> dict[str, Any]:
    """Return plain JSON values."""
    return {**clean_json(plain_fields(entry, "cells")), "cells": [_cell_to_dict(cell) for cell in entry.cells]}


def entry_from_dict(data: Mapping[str, Any]) -> Entry:
    """Read what `entry_to_dict` gave. Raises HarnessError naming the field for anything else."""
    cells = data.get("cells")
    if not isinstance(cells, list):
        raise _unreadable("run", "it has no list of cells")
    read = tuple(_cell_from_dict(cell) for cell in cells)
    return replace(_read("run", Entry, {**data, "cells": []}), cells=read)


def word_to_dict(word: Acknowledgement | Vote) -> dict[str, Any]:
    """Return plain JSON values; the id is left out, for it belongs to one database."""
    return dict(clean_json(plain_fields(word, "id")))


def acknowledgement_from_dict(data: Mapping[str, Any]) -> Acknowledgement:
    """Read what `word_to_dict` gave. Raises HarnessError for anything else."""
    return _read("acknowledgement", Acknowledgement, {**data, "id": 0})


def vote_from_dict(data: Mapping[str, Any]) -> Vote:
    """Read what `word_to_dict` gave. Raises HarnessError for anything else."""
    return _read("vote", Vote, {**data, "id": 0})


def _cell_to_dict(cell: EntryCell) -> dict[str, Any]:
    return {**clean_json(plain_fields(cell, "values")), "values": [_value_to_dict(each) for each in cell.values]}


def _cell_from_dict(data: object) -> EntryCell:
    values = data.get("values") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(values, list):
        raise _unreadable("cell", "it has no list of values")
    read = tuple(_value_from_dict(each) for each in values)
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
    return {**clean_json(plain_fields(value, "value")), "value": clean_json(value_to_json(value.value))}


def _unreadable(what: str, fault: str) -> HarnessError:
    return HarnessError(f"a {what} of this export cannot be read ({fault}); export the history again")
