"""
Read a `performance_history.json`, the kind that a nightly script writes: entries with a time each,
as a list, as lines, below one key, or by date. The script's own names are kept; unit and direction
are derived from them.

    {"timestamp": "2025-09-30T12:22:00", "nfe": 8, "compile": "max-autotune", "device": "cuda",
     "stats": {"mean_rtf": 0.25, "min_rtf": 0.233, "mean_synthesis_time": 2.097}, "passed": true}

An option of such a script (CONFIG) makes the cell, and so does every field of a `config`. Every
other number is a metric, limits (LIMITS) apart, which join the environment with the other facts.
Lists are left out: one of results per sentence only has their number. Where no machine is named,
`voxgate history import --machine` names it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.importers.common import (
    FAULTS,
    ImportFault,
    label_of,
    line,
    mapping,
    name,
    parse_json,
    slug_of,
    value_of,
)
from voxgate.harness.history.records import EntryCell, EntryValue, HistoryEntry, digest_of, utc_iso
from voxgate.harness.records.measurement import Better

SOURCE = "performance-history"
MOST = 2**31
"""Runs that a database's integer can count."""
TIMES = ("timestamp", "datetime", "created", "date", "time")
SUITES = ("suite", "test", "test_name", "benchmark", "name")
MACHINES = ("machine", "hostname", "host", "device_name", "board")
PROFILES = ("profile", "device", "power_mode")
COMMITS = ("commit", "revision", "git_commit", "git_hash", "version")
CONFIG = re.compile(
    r"(default_)?(nfe(_steps?)?|steps|precision|dtype|compile(_mode)?|model|vocoder|solver|quantization|batch_size|threads|"
    r"workers|voice|speaker|backend|amp|fp16|tf32)"
)
OPTIONS = ("config", "configuration", "settings", "options", "parameters", "params")
NUMBERS = ("stats", "metrics", "summary", "performance", "results", "measurements")
FACTS = ("environment", "system", "hardware", "system_info", "machine", "device")
LIMITS = re.compile(r"baseline|allowed|threshold|target|limit")
TOLD = (*SUITES, *MACHINES, *PROFILES, *COMMITS, "passed", "num_runs", "runs")
OPTION, NUMBER, FACT = "option", "number", "fact"
LISTS = ("history", "runs", "entries", "records", "measurements", "results", "benchmarks")
HIGHER = re.compile(r"speedup|throughput|rtfx|snr|sdr|pesq|stoi|mos\b|utmos|similarity")
LOWER = re.compile(r"rtf|latency|time|duration_ms|ttfa|wer|cer|memory|_mb$|rss")
UNITS = (
    (r"rtf|speedup", "s/s"),
    (r"_ms$", "ms"),
    (r"_mb$|memory_mb", "MB"),
    (r"_gb$", "GB"),
    (r"_bytes$", "bytes"),
    (r"_(percent|pct)$", "%"),
    (r"_(c|celsius)$|temperature", "°C"),
    (r"_mhz$", "MHz"),
    (r"_(s|sec|seconds)$|time$|duration$|_latency$|^latency$", "s"),
    (r"snr|_db$", "dB"),
)


def parse(text: str) -> list[Mapping[str, Any]]:
    """
    Return the entries of a file. Raises HarnessError if it is neither JSON nor lines of it, or has
    no entry with a time.
    """
    try:
        data = parse_json(text)
    except HarnessError:
        raise
    except (ValueError, RecursionError):
        data = _lines(text)
    listed = _list(data)
    if not listed:
        raise HarnessError(f"no entries with a time ({', '.join(TIMES)}) in it")
    return listed


def entries(
    data: Sequence[Mapping[str, Any]], suite: str, machine: str | None
) -> Iterator[HistoryEntry | ImportFault]:
    """
    Return a run per entry, or why it is none; `suite` and `machine` apply where an entry has none.
    """
    for number, item in enumerate(data, start=1):
        try:
            yield _entry(item, suite, machine)
        except HarnessError as error:
            yield ImportFault(where=f"entry {number}", reason=str(error))
        except FAULTS as error:
            yield ImportFault(where=f"entry {number}", reason=f"is damaged ({error!r})")


def _lines(text: str) -> list[object]:
    try:
        return [parse_json(row) for row in text.splitlines() if row.strip()]
    except HarnessError:
        raise
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"neither JSON nor lines of it: {error}") from error


def _list(data: object) -> list[Mapping[str, Any]]:
    """Return the entries, wherever the script keeps them."""
    if isinstance(data, list):
        items = [item for item in data if isinstance(item, Mapping)]
        if any(_time(item) is None for item in items) or len(items) < len(data):
            raise HarnessError(f"not every entry has a time ({', '.join(TIMES)})")
        return items
    if not isinstance(data, Mapping):
        return []
    below = next((data[key] for key in LISTS if isinstance(data.get(key), list)), None)
    if _time(data) is not None and not (
        isinstance(below, list) and below and all(_time(item) for item in map(mapping, below))
    ):
        return [data]
    if below is not None:
        return _list(below)
    return [
        {TIMES[0]: key, **item}
        for key, item in data.items()
        if isinstance(item, Mapping) and _is_date(key)
    ]


def _entry(data: Mapping[str, Any], suite: str, machine: str | None) -> HistoryEntry:
    fields, verdict = _sort(data), _verdict(data)
    values = tuple(_value(key, number, _count(data)) for key, number in fields[NUMBER].items())
    if not values:
        raise HarnessError(f"no number in it: {line(json.dumps(data, default=str))[:160]}")
    complaints = _complaints(data)
    cell = EntryCell(
        cell=slug_of(fields[OPTION]),
        label=label_of(fields[OPTION]),
        config=fields[OPTION],
        effective={},
        effects=(),
        verdict=verdict,
        reason=complaints,
        notes="",
        values=values,
    )
    return HistoryEntry(
        digest=digest_of(SOURCE, data),
        source=SOURCE,
        suite=name(_first(data, SUITES), suite),
        profile=name(_first(data, PROFILES)),
        machine=name(machine or _first(data, MACHINES)),
        head=line(_first(data, COMMITS) or "none"),
        created=utc_iso(str(_time(data))),
        verdict=verdict,
        exit_code=None,
        line=complaints or verdict or f"{len(values)} values of {SOURCE}",
        baseline="none",
        folder="",
        question="",
        environment={"machine": {}, "toolchain": {}, **fields[FACT]},
        complete=True,
        cells=(cell,),
    )


def _sort(data: Mapping[str, Any]) -> dict[str, dict[str, object]]:
    """Return the fields of an entry by their kind."""
    fields: dict[str, dict[str, object]] = {OPTION: {}, NUMBER: {}, FACT: {}}
    for kind, key, value in _flat(data):
        group = fields[kind or _kind(key, value)]
        if key in group and group is fields[NUMBER] and group[key] != value:
            raise HarnessError(
                f"{line(key)!r} stands there twice, as {group[key]!r} and as {value!r}; keep one"
            )
        group[key] = value
    fields[OPTION] = {key: value for key, value in fields[OPTION].items() if value is not None}
    return fields


def _flat(data: Mapping[str, Any]) -> Iterator[tuple[str, str, object]]:
    """
    Yield (kind, if its place determines it; name; value) of every field and of those one level
    below.
    """
    used = {*TOLD, next((key for key in TIMES if key in data), "")}
    for key, value in data.items():
        if isinstance(value, list) or (key in used and not isinstance(value, Mapping)):
            continue
        if not isinstance(value, Mapping):
            yield "", key, value
        elif key in FACTS:
            yield FACT, key, value
        else:
            kind, prefix = (
                OPTION if key in OPTIONS else "",
                "" if key in (*OPTIONS, *NUMBERS) else f"{key}.",
            )
            yield from (
                (kind, f"{prefix}{item}", nested)
                for item, nested in value.items()
                if not isinstance(nested, list)
            )


def _kind(key: str, value: object) -> str:
    if CONFIG.fullmatch(key):
        return OPTION
    is_number = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    return NUMBER if is_number and not LIMITS.search(key) else FACT


def _count(data: Mapping[str, Any]) -> int:
    """Return the number of measurements that an entry summarises, as far as it has one."""
    stated = data.get("num_runs", data.get("runs"))
    if isinstance(data.get("results"), list):
        return len(data["results"])
    return stated if type(stated) is int and 0 <= stated < MOST else 1


def _value(key: str, raw: object, count: int) -> EntryValue:
    plain = key.lower()
    better: Better = (
        "higher" if HIGHER.search(plain) else "lower" if LOWER.search(plain) else "neither"
    )
    return EntryValue(
        metric=name(key),
        unit=next((unit for pattern, unit in UNITS if re.search(pattern, plain)), ""),
        better="neither" if plain.startswith(("std", "variance")) or "audio" in plain else better,
        version=SOURCE,
        value=value_of(raw, "the script"),
        n=count,
    )


def _verdict(data: Mapping[str, Any]) -> str | None:
    """Return the script's own result as a verdict; None where it has none."""
    if isinstance(data.get("passed"), bool):
        return "PASS" if data["passed"] else "REGRESSED"
    if isinstance(data.get("regressions"), list):
        return "REGRESSED" if data["regressions"] else "PASS"
    return None


def _complaints(data: Mapping[str, Any]) -> str:
    causes: list[object] = []
    for key in ("issues", "regressions"):
        causes += data[key] if isinstance(data.get(key), list) else []
    return "; ".join(line(cause, "") for cause in causes)


def _first(data: Mapping[str, Any], keys: Sequence[str]) -> object:
    return next(
        (data[key] for key in keys if isinstance(data.get(key), str | int) and data[key] != ""),
        None,
    )


def _time(data: Mapping[str, Any]) -> str | None:
    """Return an entry's time as ISO 8601; seconds since 1970 become one."""
    stated = next((data[key] for key in TIMES if key in data), None)
    if isinstance(stated, int | float) and not isinstance(stated, bool):
        try:
            return datetime.fromtimestamp(stated, timezone.utc).isoformat()
        except (OverflowError, ValueError, OSError):
            return None
    return stated if isinstance(stated, str) and _is_date(stated) else None


def _is_date(text: str) -> bool:
    try:
        utc_iso(text)
    except HarnessError:
        return False
    return True
