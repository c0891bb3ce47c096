"""
The records of the history: what its database holds, row by row, and the entry by which a run comes in.

They hold what was measured and decided, and compute nothing but their own cleanliness: times are UTC, numbers are finite or
missing with a reason, texts are ones that every database takes.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from harness.errors import HarnessError
from harness.measurement import Better, Value, value_to_json

ANY = "*"
"""In an acknowledgement: every cell, every metric, every machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryValue:
    """One metric of one cell in an entry. `shift` is against the run's baseline, as `Comparison.shift` defines it."""

    metric: str
    unit: str
    better: Better
    version: str
    value: Value
    low: float | None = None
    """The 95 % interval of `value`; None where none was computed."""
    high: float | None = None
    n: int = 0
    """Numbers that `value` summarises."""
    verdict: str | None = None
    """None for a metric that nobody judges."""
    reason: str = ""
    shift: float | None = None

    def __post_init__(self) -> None:
        """Raises HarnessError for NaN and infinity."""
        value_to_json(self.value)
        for name in ("low", "high", "shift"):
            number = getattr(self, name)
            if number is not None:
                value_to_json(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCell:
    """One cell of an entry. `config` is what was asked, `effective` every option as the target resolved it."""

    cell: str
    """Slug: what joins the same cell of many runs."""
    label: str
    config: Mapping[str, object]
    effective: Mapping[str, object]
    effects: tuple[Mapping[str, object], ...]
    """What was observed of options, one object each, as the run folder keeps it."""
    verdict: str | None
    reason: str
    notes: str
    values: tuple[EntryValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Everything of one run, to be appended. `digest` says which run it is: one that is known is not appended again."""

    digest: str
    source: str
    """What measured it: `voxgate`, `pytest-benchmark`, `asv` or `performance-history`."""
    suite: str
    profile: str
    machine: str
    head: str
    """The revision that was measured, e.g. `3fa1c2e + 2 files`."""
    created: str
    """ISO 8601, UTC, as `utc_iso` writes it."""
    verdict: str | None
    exit_code: int | None
    line: str
    """The verdict in one line."""
    baseline: str
    folder: str
    question: str
    environment: Mapping[str, object]
    complete: bool
    cells: tuple[EntryCell, ...]

    def __post_init__(self) -> None:
        """Raises HarnessError for a time that does not sort as text."""
        if self.created != utc_iso(self.created):
            raise HarnessError(f"created is {self.created!r}; write it as {utc_iso(self.created)!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run of the history; the fields are those of `Entry`."""

    id: int
    digest: str
    source: str
    suite: str
    profile: str
    machine: str
    head: str
    created: str
    verdict: str | None
    exit_code: int | None
    line: str
    baseline: str
    folder: str
    question: str
    environment: Mapping[str, object]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRow:
    """One cell of one run; the fields are those of `EntryCell`."""

    run: int
    cell: str
    label: str
    config: Mapping[str, object]
    effective: Mapping[str, object]
    effects: tuple[Mapping[str, object], ...]
    verdict: str | None
    reason: str
    notes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    One line through time: a metric of a cell on a machine. `label`, `better` and `version` are those of the last run appended.

    A metric whose unit changes starts another line: numbers of two units are never joined.
    """

    id: int
    suite: str
    profile: str
    machine: str
    cell: str
    label: str
    metric: str
    unit: str
    better: Better
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A person's word that a change is known. The four names are patterns (`fnmatch`); the change begins at `since`."""

    id: int
    suite: str
    cell: str
    metric: str
    machine: str
    since: str
    why: str
    by: str
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One answer of a listener who did not know which side was played."""

    id: int
    digest: str
    """Says which answer it is, so that it counts once however often its file is imported."""
    suite: str
    cell: str
    mode: str
    """`abx` or `preference`."""
    a: str
    """The side's label, with the run's digest behind it where it is known: `new @ 3fa1...`."""
    b: str
    request: str
    x: str
    """Which side was played as X; empty where nothing was hidden (preference)."""
    answer: str
    """`a`, `b` or `none`."""
    correct: bool | None
    """None where there is no right answer."""
    listener: str
    created: str


def utc_iso(moment: str) -> str:
    """
    Give a date or time as this history writes it, to the second: `2026-11-20T02:00:00+00:00`, so that texts sort as times.

    What names no zone is taken as UTC. Raises HarnessError for anything else than ISO 8601.
    """
    try:
        parsed = datetime.fromisoformat(moment.strip())
    except ValueError as error:
        raise HarnessError(f"{moment!r} is no date; write it as 2026-11-20 or 2026-11-20T02:00:00+00:00") from error
    aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds")


def digest_of(*parts: object) -> str:
    """Identify plain JSON values; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def clean(text: str) -> str:
    """Give a text that every database takes: PostgreSQL has no NUL, and half a surrogate pair is no UTF-8."""
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def clean_json(value: Any) -> Any:
    """Give plain JSON values with clean texts; NaN and infinity, which JSON cannot hold, become their names."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): clean_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else clean(str(value))


def plain_fields(record: Any, *without: str) -> dict[str, Any]:
    """Give a record's fields by name, without some."""
    return {field.name: getattr(record, field.name) for field in fields(record) if field.name not in without}
