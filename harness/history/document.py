"""
The JSON that a history is carried in, from one database to another: what `export json` writes and `import` reads.

SCHEMA names its version. History: `voxgate-history/1`, 2026-11, first.
"""

from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError
from harness.history.records import Acknowledgement, Entry, EntryCell, EntryValue, Vote, clean_json, plain_fields
from harness.measurement import value_from_json, value_to_json

SCHEMA = "voxgate-history/1"
FAULTS = (KeyError, TypeError, AttributeError, ValueError, OverflowError)


def entry_to_dict(entry: Entry) -> dict[str, Any]:
    """Give plain JSON values."""
    return {**clean_json(plain_fields(entry, "cells")), "cells": [_cell_to_dict(cell) for cell in entry.cells]}


def entry_from_dict(data: Mapping[str, Any]) -> Entry:
    """Read what `entry_to_dict` gave. Raises HarnessError for anything else."""
    try:
        return Entry(**{**data, "cells": tuple(_cell_from_dict(cell) for cell in data["cells"])})
    except HarnessError:
        raise
    except FAULTS as error:
        raise _unreadable("run", error) from error


def word_to_dict(word: Acknowledgement | Vote) -> dict[str, Any]:
    """Give plain JSON values; the id is left out, for it belongs to one database."""
    return dict(clean_json(plain_fields(word, "id")))


def acknowledgement_from_dict(data: Mapping[str, Any]) -> Acknowledgement:
    """Read what `word_to_dict` gave. Raises HarnessError for anything else."""
    try:
        return Acknowledgement(id=0, **data)
    except HarnessError:
        raise
    except FAULTS as error:
        raise _unreadable("acknowledgement", error) from error


def vote_from_dict(data: Mapping[str, Any]) -> Vote:
    """Read what `word_to_dict` gave. Raises HarnessError for anything else."""
    try:
        return Vote(id=0, **data)
    except HarnessError:
        raise
    except FAULTS as error:
        raise _unreadable("vote", error) from error


def _cell_to_dict(cell: EntryCell) -> dict[str, Any]:
    return {**clean_json(plain_fields(cell, "values")), "values": [_value_to_dict(each) for each in cell.values]}


def _cell_from_dict(data: Mapping[str, Any]) -> EntryCell:
    values = tuple(EntryValue(**{**each, "value": value_from_json(each["value"])}) for each in data["values"])
    return EntryCell(**{**data, "effects": tuple(data["effects"]), "values": values})


def _value_to_dict(value: EntryValue) -> dict[str, Any]:
    return {**clean_json(plain_fields(value, "value")), "value": clean_json(value_to_json(value.value))}


def _unreadable(what: str, error: Exception) -> HarnessError:
    return HarnessError(f"a {what} of this export cannot be read ({error!r}); export the history again")
