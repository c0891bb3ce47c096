"""
The records of the history: the rows of its database, and the entry by which a run is appended.

They hold measurements and decisions, and compute nothing but their own cleanliness: times are UTC,
numbers are finite or missing with a reason, texts are ones that every database accepts.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timezone
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from voxgate.harness.errors import HarnessError
from voxgate.harness.python310 import parse_iso
from voxgate.harness.records.constraints import NON_EMPTY, Range, TextPattern
from voxgate.harness.records.measurement import Better, Value, value_to_json
from voxgate.harness.records.verdict import Verdict

ANY = "*"
"""In an acknowledgement: every cell, every metric, every machine."""
COUNTED = 2**31 - 1
"""The largest whole number that every database accepts."""

Named = Annotated[str, NON_EMPTY]
Word = Annotated[str, TextPattern("|".join(Verdict), f"a verdict ({', '.join(Verdict)})")]
Count = Annotated[int, Range(0, COUNTED)]
Moment = Annotated[
    str,
    TextPattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", "a time like 2026-11-20T02:00:00+00:00"),
]
"""ISO 8601, UTC, as `utc_iso` writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryValue:
    """
    One metric of one cell in an entry. `shift` is against the run's baseline, as `Comparison.shift`
    defines it.
    """

    metric: Named
    unit: str
    better: Better
    version: str
    value: Value
    low: float | None = None
    """The 95 % interval of `value`; None where none was computed."""
    high: float | None = None
    n: Count = 0
    """Numbers that `value` summarises."""
    verdict: Word | None = None
    """None for a metric that is not judged."""
    reason: str = ""
    shift: float | None = None

    def __post_init__(self) -> None:
        """Raise HarnessError for NaN and infinity."""
        value_to_json(self.value)
        for name in ("low", "high", "shift"):
            number = getattr(self, name)
            if number is not None:
                value_to_json(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCell:
    """
    One cell of an entry. `config` holds the requested options, `effective` every option as the
    target resolved it.
    """

    cell: Named
    """Slug: it joins the same cell of many runs."""
    label: str
    config: Mapping[str, object]
    effective: Mapping[str, object]
    effects: tuple[Mapping[str, object], ...]
    """The option checks, one object each, as the run folder keeps them."""
    verdict: Word | None
    reason: str
    notes: str
    values: tuple[EntryValue, ...]

    def __post_init__(self) -> None:
        """Raise HarnessError for two values of one metric and unit: one would be lost."""
        _check_once(
            f"in cell {self.cell}, the metric",
            [clean(f"{value.metric} {value.unit}") for value in self.values],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """
    Everything of one run, to be appended. `digest` identifies the run: a stored one is not appended
    again.
    """

    digest: Named
    source: str
    """The tool that measured it: `voxgate`, `pytest-benchmark`, `asv` or `performance-history`."""
    suite: Named
    profile: Named
    machine: Named
    head: str
    """The revision that was measured, e.g. `3fa1c2e + 2 files`."""
    created: Moment
    verdict: Word | None
    exit_code: Annotated[int, Range(0, 255)] | None
    line: str
    """The verdict in one line."""
    baseline: str
    folder: str
    question: str
    environment: Mapping[str, object]
    complete: bool
    cells: tuple[EntryCell, ...]

    def __post_init__(self) -> None:
        """
        Raise HarnessError for a time that does not sort as text, and for two cells of one name.
        """
        if self.created != utc_iso(self.created):
            raise HarnessError(
                f"created is {self.created!r}; write it as {utc_iso(self.created)!r}"
            )
        _check_once("the cell", [clean(cell.cell) for cell in self.cells])


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run of the history; the fields are those of `HistoryEntry`."""

    id: int
    digest: Named
    source: str
    suite: Named
    profile: Named
    machine: Named
    head: str
    created: Moment
    verdict: Word | None
    exit_code: Annotated[int, Range(0, 255)] | None
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
    cell: Named
    label: str
    config: Mapping[str, object]
    effective: Mapping[str, object]
    effects: tuple[Mapping[str, object], ...]
    verdict: Word | None
    reason: str
    notes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    A metric of a cell on a machine, over time. `label`, `better` and `version` are those of the
    last run appended.

    A metric whose unit changes starts another series: numbers of two units are never joined.
    """

    id: int
    suite: Named
    profile: Named
    machine: Named
    cell: Named
    label: str
    metric: Named
    unit: str
    better: Better
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """
    A person's note that a change is known. The four names are patterns (`fnmatch`); the change
    begins at `since`.
    """

    id: int
    suite: Named
    cell: Named
    metric: Named
    machine: Named
    since: Moment
    why: str
    by: str
    created: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One answer of a listener who did not know which side was played."""

    id: int
    digest: Named
    """Identifies the answer, so that it counts once however often its file is imported."""
    suite: Named
    cell: Named
    mode: Annotated[str, TextPattern("abx|preference", "a mode (abx, preference)")]
    a: str
    """The side's label, with the run's digest behind it where it is known: `new @ 3fa1...`."""
    b: str
    request: str
    x: Annotated[str, TextPattern("[ab]?", "a side")]
    """The side that was played as X; empty where nothing was hidden (preference)."""
    answer: Annotated[str, TextPattern("a|b|none", "a side, or none")]
    correct: bool | None
    """None where there is no right answer."""
    listener: str
    created: Moment


def _check_once(what: str, names: Sequence[str]) -> None:
    twice = (
        next((candidate for candidate in names if names.count(candidate) > 1), None)
        if len(set(names)) < len(names)
        else None
    )
    if twice is not None:
        raise HarnessError(
            f"{what} {' '.join(twice.split())!r} stands there twice; give the two different names"
        )


def utc_iso(moment: str) -> str:
    """
    Return a date or time in the form of this history, to the second: `2026-11-20T02:00:00+00:00`,
    so that texts sort as times.

    A time without a zone is taken as UTC. Raises HarnessError for anything else than ISO 8601.
    """
    try:
        parsed = parse_iso(moment.strip())
        aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=timezone.utc)
        return aware.astimezone(timezone.utc).isoformat(timespec="seconds")
    except (
        ValueError,
        OverflowError,
    ) as error:  # the first day of year 1, east of Greenwich, is in no calendar
        raise HarnessError(
            f"{moment!r} is no date; write it as 2026-11-20 or 2026-11-20T02:00:00+00:00"
        ) from error


def digest_of(*parts: object) -> str:
    """Return the digest of plain JSON values; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def clean(text: str) -> str:
    """
    Return a text that every database accepts: PostgreSQL has no NUL, and half a surrogate pair is
    no UTF-8.
    """
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def clean_json(value: Any) -> Any:
    """
    Return plain JSON values with clean texts; NaN and infinity, which JSON cannot hold, become
    their names.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else clean(str(value))


def plain_fields(record: Any, *without: str) -> dict[str, Any]:
    """Return a record's fields by name, without some."""
    return {
        field.name: getattr(record, field.name)
        for field in fields(record)
        if field.name not in without
    }


Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int_]
Days = npt.NDArray[np.datetime64]
"""UTC days."""
Texts = npt.NDArray[np.object_]
