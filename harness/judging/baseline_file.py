"""
One baseline file as text: JSON with one line per cell and metric, so that its diff reads as a
table.

    {
    "schema_version": 2,
    ...                                         one line per fact of the header
    "golden": {                                 of quality: SHA-256 of each file of golden/, by
                                                request
    "u01": "5f2a...",
    },
    "cells": {
    "nfe_steps-8": {"digest": ..., "options": ..., "effective": ..., "heard": {"recogniser": {"u01":
        "words", ...}}},
    },
    "measurements": {
    "nfe_steps-8 latency_p50": {"value": 0.1213, "low": ..., "n": 48, "values": [{"u01": [0.1211,
        ...]}, ...]},
    }
    }

`values` holds one object per process: request id -> its values, so that a comparison can work at
process and utterance level. Knows the format, and the line of a fault in the text; knows no folder,
and does not know which value is good.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_type_hints

from voxgate.harness.analysis.metric_rules import is_known
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline_check import fault_of, fault_of_kind
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.constraints import NON_EMPTY, OmitDefault, Range, TextPattern
from voxgate.harness.records.documents import parse_json
from voxgate.harness.records.measurement import (
    Better,
    Measurement,
    Missing,
    UtteranceValue,
    Value,
    value_to_json,
)

SCHEMA_VERSION = 2
"""
Of the baseline files. History: 1, 2026-11, first; 2, 2026-11, the digests of the golden audio and
what was heard, in files of quality. A file without golden audio is still written as 1, so that an
older voxgate reads it.
"""
DIGITS = 7
"""
Significant digits: microseconds for latencies up to ten seconds, and far below what any limit can
see.
"""
HEADER = (
    "suite",
    "kind",
    "profile",
    "reference",
    "machine",
    "commit",
    "created",
    "why",
    "samples",
    "environment",
    "toolchain",
)
AGAIN = "restore it, or remove it and accept a run again"

Kind = Literal["quality", "speed"]
Text = Annotated[str, NON_EMPTY]
Name = Annotated[
    str,
    TextPattern(r"[a-z0-9][a-z0-9._-]{0,249}", "a name of small letters, digits, '.', '_' and '-'"),
]
RequestName = Annotated[
    str,
    TextPattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", "a name of letters, digits, '.', '_' and '-'"),
]
Time = Annotated[
    str,
    TextPattern(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?",
        "a time like 2026-11-30T06:00:00+00:00",
    ),
]
Digest = Annotated[str, TextPattern(r"[0-9a-f]{64}", "a SHA-256 in hex")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A cell as a baseline keeps it."""

    digest: Annotated[str, TextPattern(r"[0-9a-f]{12}", "a cell's digest")]
    target: Text
    pipeline: Text
    workload: Text
    options: Mapping[str, str | int | float | bool | None]
    effective: Mapping[str, object]
    command: Annotated[Text, OmitDefault()] = ""
    """The command line, of the target `command`."""
    heard: Mapping[str, Mapping[RequestName, str]] = field(default_factory=dict)
    """In a file of quality: recogniser -> request -> transcript."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the table of measurements."""

    value: Value
    low: float | None
    high: float | None
    unit: Text
    better: Better
    version: Text
    n: Annotated[int, Range(least=0)]
    values: tuple[Mapping[RequestName, tuple[Value, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFile:
    """
    One baseline file, parsed: reviewed measurements with where, when and why they were accepted.
    """

    path: str
    suite: Name
    kind: Kind
    profile: Text
    reference: Name
    machine: Text
    commit: Text
    created: Time
    why: Text
    samples: Annotated[int, Range(least=1)]
    """Number of measured iterations."""
    environment: Mapping[str, object]
    """The facts of the machine."""
    toolchain: Mapping[str, object]
    cells: Mapping[str, Mapping[str, Any]]
    """
    Slug -> the cell's configuration (`digest`, `target`, `pipeline`, `workload`, `options`) and its
    `effective` options.
    """
    measurements: Mapping[str, Mapping[str, Measurement]]
    """Slug -> metric -> measurement."""
    golden: Mapping[str, str] | None = None
    """
    Request -> SHA-256 of its accepted audio file; None in a file of speed, and in a file of the
    first schema.
    """


def render(file: BaselineFile) -> str:
    """Return the file's text; the same measurements always give the same text."""
    version = 1 if file.golden is None else SCHEMA_VERSION
    head = [
        f"{_line('schema_version', version)},",
        *(f"{_line(name, getattr(file, name))}," for name in HEADER),
    ]
    golden = [] if file.golden is None else [*_table("golden", file.golden), "},"]
    entries: dict[str, object] = {}
    for slug, measurements in file.measurements.items():
        entries.update(
            {f"{slug} {name}": _entry(measured) for name, measured in measurements.items()}
        )
    tables = [*golden, *_table("cells", file.cells), "},", *_table("measurements", entries), "}"]
    return "\n".join(["{", *head, *tables, "}", ""])


def parse(text: str, path: str) -> BaselineFile:
    """
    Parse a file's text. Raises HarnessError naming file, line and value for anything broken,
    unknown, newer or impossible.
    """
    data = _decode(text, path)
    _check_keys(data, text, path)
    hints = get_type_hints(BaselineFile, include_extras=True)
    header = {
        name: _checked(hints[name], data[name], f"{path}:{_line_of(text, name)}: {name}")
        for name in HEADER
    }
    for slug, identity in data["cells"].items():
        where = f"{path}:{_line_of(text, slug)}: cell {slug!r}"
        _checked(Name, slug, where)
        _checked(Identity, identity, where)
    if header["reference"] not in data["cells"]:
        raise HarnessError(
            f"{path}: the reference {header['reference']!r} is not among this file's cells; {AGAIN}"
        )
    golden = _golden(data, text, path)
    measurements = _measurements(data, text, path, header["kind"])
    return BaselineFile(
        path=path, **header, cells=data["cells"], measurements=measurements, golden=golden
    )


def _table(name: str, rows: Mapping[str, object]) -> list[str]:
    """Return the lines of a table, without its end."""
    return [f'"{name}": {{', ",\n".join(_line(key, rows[key]) for key in sorted(rows))]


def _decode(text: str, path: str) -> dict[str, Any]:
    try:
        data = parse_json(text, path)
    except HarnessError as error:
        if isinstance(error.__cause__, json.JSONDecodeError):
            number, what = error.__cause__.lineno, error.__cause__.msg
            line = text.split("\n")[number - 1][:60]
            raise HarnessError(
                f"{path}:{number}: not valid JSON ({what}) at {line!r}; {AGAIN}"
            ) from error
        _check_lines(text, path)
        raise HarnessError(f"{error}; {AGAIN}") from error
    if not isinstance(data, dict):
        raise HarnessError(
            f"{path}:1: a baseline is a JSON object, not {type(data).__name__}; {AGAIN}"
        )
    return data


def _check_lines(text: str, path: str) -> None:
    """
    Raise HarnessError for the first line that is wrong by itself. A fault that spans lines is not
    reported here.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            parse_json(f"{{{line.rstrip(', ')}}}", f"{path}:{number}")
        except HarnessError as error:
            if not isinstance(error.__cause__, ValueError | RecursionError):
                raise HarnessError(f"{error} in {line[:60]!r}; {AGAIN}") from error


def _check_keys(data: Mapping[str, Any], text: str, path: str) -> None:
    version = data.get("schema_version")
    if isinstance(version, bool) or version not in range(1, SCHEMA_VERSION + 1):
        advice = (
            f"this voxgate reads up to {SCHEMA_VERSION}; upgrade voxgate, or accept a run again"
        )
        raise HarnessError(
            f"{path}:{_line_of(text, 'schema_version')}: baseline has schema {version!r}, {advice}"
        )
    more = {"golden"} if version == SCHEMA_VERSION else set()
    wrong = sorted(set(data) ^ {"schema_version", "cells", "measurements", *more, *HEADER})
    if wrong:
        raise HarnessError(
            f"{path}:{_line_of(text, wrong[0])}: missing or unknown key {wrong[0]!r}; {AGAIN}"
        )
    for table in ("cells", "measurements", "environment", "toolchain", *more):
        if not isinstance(data[table], dict):
            kind = type(data[table]).__name__
            raise HarnessError(
                f"{path}:{_line_of(text, table)}: {table} is a {kind}, not a table; {AGAIN}"
            )


def _golden(data: Mapping[str, Any], text: str, path: str) -> dict[str, str] | None:
    if "golden" not in data:
        return None
    if data["kind"] != "quality":
        raise HarnessError(
            f"{path}:{_line_of(text, 'golden')}: golden audio belongs to quality, not to speed; "
            f"{AGAIN}"
        )
    return {
        _checked(RequestName, name, where := f"{path}:{_line_of(text, name)}: golden"): _checked(
            Digest, digest, where
        )
        for name, digest in data["golden"].items()
    }


def _checked(kind: Any, data: object, where: str) -> Any:
    try:
        return from_json(kind, data, where)
    except HarnessError as error:
        raise HarnessError(f"{error}; {AGAIN}") from error


def _measurements(
    data: Mapping[str, Any], text: str, path: str, kind: str
) -> dict[str, dict[str, Measurement]]:
    parsed: dict[str, dict[str, Measurement]] = {}
    lines = _line_numbers(text)
    for key, entry in data["measurements"].items():
        slug, _, metric = key.partition(" ")
        where = f"{path}:{lines.get(key, 1)}"
        if slug not in data["cells"]:
            raise HarnessError(
                f"{where}: cell {slug!r} is not among this file's cells; remove the line or accept "
                "a run again"
            )
        if not is_known(metric):
            version = (
                f" (version {entry['version']})"
                if isinstance(entry, dict) and "version" in entry
                else ""
            )
            advice = "install the package that has it, remove the line or accept a run again"
            raise HarnessError(f"{where}: there is no metric {metric!r}{version}; {advice}")
        measurement = _measurement(metric, entry, where)
        fault = fault_of_kind(metric, kind) or fault_of(measurement)
        if fault is not None:
            raise HarnessError(f"{where}: {slug} {metric}: {fault}; {AGAIN}")
        parsed.setdefault(slug, {})[metric] = measurement
    return parsed


def _entry(measurement: Measurement) -> dict[str, object]:
    processes: dict[int, list[UtteranceValue]] = {}
    for value in measurement.values:
        processes.setdefault(value.repeat, []).append(value)
    return {
        "value": value_to_json(_rounded(measurement.summary)),
        "low": _bound(measurement.low),
        "high": _bound(measurement.high),
        "unit": measurement.unit,
        "better": measurement.better,
        "version": measurement.version,
        "n": len(measurement.values),
        "values": [_process(processes[repeat]) for repeat in sorted(processes)],
    }


def _process(values: Sequence[UtteranceValue]) -> dict[str, list[Any]]:
    answer: dict[str, list[Any]] = {}
    for value in values:
        answer.setdefault(value.id, []).append(value_to_json(_rounded(value.value)))
    return answer


def _measurement(metric: str, data: object, where: str) -> Measurement:
    """Return the measurement of an entry."""
    entry: Entry = _checked(Entry, data, f"{where}: {metric}")
    values: list[UtteranceValue] = []
    for repeat, process in enumerate(entry.values):
        for name, numbers in process.items():
            values += [UtteranceValue(id=name, value=n, repeat=repeat) for n in numbers]
    if len(values) != entry.n:
        raise HarnessError(
            f"{where}: {metric}: n is {entry.n!r} but there are {len(values)} values; {AGAIN}"
        )
    fields = {name: getattr(entry, name) for name in ("unit", "better", "version", "low", "high")}
    return Measurement(metric=metric, values=tuple(values), summary=entry.value, **fields)


def _rounded(value: Value) -> Value:
    return value if isinstance(value, Missing) else float(f"{value:.{DIGITS}g}")


def _bound(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _line(key: str, value: object) -> str:
    return f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}"


def _line_of(text: str, key: str) -> int:
    """Return the number of the first line that has this key; 1 where none has."""
    quoted = f"{json.dumps(key)}:"
    return next(
        (
            number
            for number, line in enumerate(text.splitlines(), start=1)
            if quoted in line.replace(" :", ":")
        ),
        1,
    )


def _line_numbers(text: str) -> dict[str, int]:
    """Return the line of each key that begins one, as `render` writes them."""
    lines = enumerate(text.split("\n"), start=1)
    return {
        line[1 : line.index('": ')]: number
        for number, line in lines
        if line.startswith('"') and '": ' in line
    }
