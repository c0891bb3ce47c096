"""
One file of a baseline as text: JSON whose lines read as a table, one per cell and metric, so that its diff does too.

    {
    "schema_version": 1,
    ...                                         one line per fact of the header
    "cells": {
    "nfe_steps-8": {"digest": ..., "options": ..., "effective": ...},
    },
    "measurements": {
    "nfe_steps-8 latency_p50": {"value": 0.1213, "low": ..., "n": 48, "values": [{"u01": [0.1211, ...]}, ...]},
    }
    }

`values` holds one object per process: request id -> its values, so that a comparison can work at process and utterance
level. Knows the format, and where in the text a fault stands; does not know what a good value is, nor any folder.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.measure import is_known
from harness.measurement import Measurement, Missing, UtteranceValue, Value, value_to_json
from harness.measurement import measurement_from_dict as checked

SCHEMA_VERSION = 1
"""Of the baseline files. History: 1, 2026-11, first."""
DIGITS = 7
"""Significant digits: microseconds for latencies up to ten seconds, and far below what any limit can see."""
HEADER = ("suite", "kind", "profile", "reference", "machine", "commit", "created", "why", "samples", "environment", "toolchain")
ENTRY = ("value", "low", "high", "unit", "better", "version", "n", "values")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFile:
    """One baseline file, read: reviewed measurements with where, when and why they were accepted."""

    path: str
    suite: str
    kind: str
    """`quality` or `speed`."""
    profile: str
    reference: str
    machine: str
    commit: str
    created: str
    why: str
    samples: int
    """Measured iterations in all."""
    environment: Mapping[str, object]
    """The machine's facts."""
    toolchain: Mapping[str, object]
    cells: Mapping[str, Mapping[str, Any]]
    """Slug -> what the cell asks (`digest`, `target`, `pipeline`, `workload`, `options`) and `effective` options."""
    measurements: Mapping[str, Mapping[str, Measurement]]
    """Slug -> metric -> measurement."""


def render(file: BaselineFile) -> str:
    """Write the file's text; the same measurements always give the same text."""
    cells = [_line(slug, file.cells[slug]) for slug in sorted(file.cells)]
    entries = {f"{slug} {name}": each for slug, several in file.measurements.items() for name, each in several.items()}
    lines = [_line(key, _entry(entries[key])) for key in sorted(entries)]
    head = [f"{_line('schema_version', SCHEMA_VERSION)},", *(f"{_line(name, getattr(file, name))}," for name in HEADER)]
    return "\n".join(["{", *head, '"cells": {', ",\n".join(cells), "},", '"measurements": {', ",\n".join(lines), "}", "}", ""])


def parse(text: str, path: str) -> BaselineFile:
    """Read a file's text. Raises HarnessError naming file, line and value for anything broken, unknown or newer."""
    data = _decode(text, path)
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        known = f"this voxgate reads up to {SCHEMA_VERSION}; upgrade voxgate, or accept a run again"
        raise HarnessError(f"{path}:{_line_of(text, 'schema_version')}: baseline has schema {version!r}, {known}")
    wrong = sorted(set(data) ^ {"schema_version", "cells", "measurements", *HEADER})
    if wrong:
        raise HarnessError(f"{path}:{_line_of(text, wrong[0])}: missing or unknown key {wrong[0]!r}; accept a run again")
    for table in ("cells", "measurements", "environment", "toolchain"):
        if not isinstance(data[table], dict):
            raise HarnessError(f"{path}:{_line_of(text, table)}: {table} is {data[table]!r}, not a table; accept a run again")
    for slug, identity in data["cells"].items():
        if not isinstance(identity, dict) or "digest" not in identity:
            raise HarnessError(f"{path}:{_line_of(text, slug)}: cell {slug!r} has no digest; accept a run again")
    header = {name: data[name] for name in HEADER}
    return BaselineFile(path=path, **header, cells=data["cells"], measurements=_measurements(data, text, path))


def _decode(text: str, path: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise HarnessError(f"{path}:{_line_of(text, twice)}: {twice!r} stands there twice; keep one of them")
        return dict(pairs)

    try:
        data = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        line = text.split("\n")[error.lineno - 1][:60]
        what = f"not valid JSON ({error.msg}) at {line!r}"
        raise HarnessError(f"{path}:{error.lineno}: {what}; restore it or accept a run again") from error
    if not isinstance(data, dict):
        raise HarnessError(f"{path}:1: a baseline is a JSON object, not {type(data).__name__}; accept a run again")
    return data


def _measurements(data: Mapping[str, Any], text: str, path: str) -> dict[str, dict[str, Measurement]]:
    found: dict[str, dict[str, Measurement]] = {}
    for key, entry in data["measurements"].items():
        slug, _, metric = key.partition(" ")
        where = f"{path}:{_line_of(text, key)}"
        if slug not in data["cells"]:
            raise HarnessError(f"{where}: cell {slug!r} is not among this file's cells; remove the line or accept a run again")
        if not is_known(metric):
            version = f" (version {entry['version']})" if isinstance(entry, dict) and "version" in entry else ""
            advice = "install the package that has it, remove the line or accept a run again"
            raise HarnessError(f"{where}: there is no metric {metric!r}{version}; {advice}")
        found.setdefault(slug, {})[metric] = _measurement(metric, entry, where)
    return found


def _entry(measurement: Measurement) -> dict[str, object]:
    repeats = sorted({each.repeat for each in measurement.values})
    return {
        "value": value_to_json(_rounded(measurement.summary)),
        "low": _bound(measurement.low),
        "high": _bound(measurement.high),
        "unit": measurement.unit,
        "better": measurement.better,
        "version": measurement.version,
        "n": len(measurement.values),
        "values": [_process([each for each in measurement.values if each.repeat == repeat]) for repeat in repeats],
    }


def _process(values: Sequence[UtteranceValue]) -> dict[str, list[Any]]:
    answer: dict[str, list[Any]] = {}
    for each in values:
        answer.setdefault(each.id, []).append(value_to_json(_rounded(each.value)))
    return answer


def _measurement(metric: str, entry: object, where: str) -> Measurement:
    """Turn an entry into a measurement, letting the measurement's own reader check every value."""
    if not isinstance(entry, dict) or set(entry) != set(ENTRY):
        wrong = sorted(set(entry) ^ set(ENTRY)) if isinstance(entry, dict) else [repr(entry)]
        raise HarnessError(f"{where}: {metric}: missing or unknown: {', '.join(wrong)}; accept a run again")
    try:
        values = [
            {"id": name, "value": value, "repeat": repeat}
            for repeat, process in enumerate(entry["values"])
            for name, several in process.items()
            for value in several
        ]
        fields = {name: entry[name] for name in ("unit", "better", "version", "low", "high")}
        measurement = checked({"metric": metric, **fields, "values": values, "summary": entry["value"]})
    except (AttributeError, TypeError, ValueError) as error:
        raise HarnessError(f"{where}: {metric}: {error}; accept a run again") from error
    if len(values) != entry["n"]:
        raise HarnessError(f"{where}: {metric}: n is {entry['n']!r} but there are {len(values)} values; accept a run again")
    return measurement


def _rounded(value: Value) -> Value:
    return value if isinstance(value, Missing) else float(f"{value:.{DIGITS}g}")


def _bound(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _line(key: str, value: object) -> str:
    return f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}"


def _line_of(text: str, key: str) -> int:
    """Give the number of the first line that has this key; 1 where none has."""
    quoted = f"{json.dumps(key)}:"
    return next((number for number, line in enumerate(text.splitlines(), start=1) if quoted in line.replace(" :", ":")), 1)
