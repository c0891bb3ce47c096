"""
Read pytest-benchmark's JSON (`--benchmark-json`, or a file of its storage): one run per group of
benchmarks.

A benchmark is a cell, each number of its statistics a metric in seconds, and so are the numbers of
its `extra_info`, by the unit and direction of our registry where that has them. Its spread (stddev,
iqr) comes from iterations of one process and is no interval of ours, so `low` and `high` stay
empty.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.importers.common import line, mapping, name, once, slug, value_of
from voxgate.harness.history.records import (
    EntryCell,
    EntryValue,
    HistoryEntry,
    clean,
    digest_of,
    utc_iso,
)
from voxgate.harness.metrics import registry
from voxgate.harness.records.measurement import Better, Missing, Value
from voxgate.harness.records.verdict import Verdict

SOURCE = "pytest-benchmark"
MOST = 2**31
"""Rounds that a database's integer can count."""
STATISTICS: Mapping[str, Better] = {
    "min": "lower",
    "mean": "lower",
    "median": "lower",
    "max": "lower",
    "stddev": "neither",
    "iqr": "neither",
}
SPREADS = ("stddev", "iqr")
"""Statistics that may be 0; a time may not."""


def is_pytest_benchmark(data: object) -> bool:
    """Return whether this is such a file."""
    return (
        isinstance(data, Mapping)
        and isinstance(data.get("benchmarks"), list)
        and "machine_info" in data
    )


def entries(data: Mapping[str, Any], machine: str | None) -> tuple[HistoryEntry, ...]:
    """
    Return the runs of a file; `machine` replaces the name in it. Raises HarnessError if it has no
    date.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for benchmark in map(mapping, data["benchmarks"]):
        groups.setdefault(name(benchmark.get("group"), _project(data)), []).append(benchmark)
    return tuple(_entry(data, group, benchmarks, machine) for group, benchmarks in groups.items())


def _entry(
    data: Mapping[str, Any],
    group: str,
    benchmarks: Sequence[Mapping[str, Any]],
    machine: str | None,
) -> HistoryEntry:
    info, commit = mapping(data["machine_info"]), mapping(data.get("commit_info"))
    moment = data.get("datetime")
    if not isinstance(moment, str):
        raise HarnessError(
            "this file of pytest-benchmark has no `datetime`; save it again with pytest-benchmark "
            "3 or newer"
        )
    once((_name(benchmark) for benchmark in benchmarks), "the benchmark")
    cells = tuple(_cell(benchmark) for benchmark in benchmarks)
    return HistoryEntry(
        digest=digest_of(SOURCE, moment, info.get("node"), commit.get("id"), group, benchmarks),
        source=SOURCE,
        suite=group,
        profile=_profile(info),
        machine=name(machine or info.get("node")),
        head=line(str(commit.get("id") or "none")[:7])
        + (" + changes" if commit.get("dirty") else ""),
        created=utc_iso(moment),
        verdict=None,
        exit_code=None,
        line=f"{len(cells)} benchmarks of pytest-benchmark",
        baseline="none",
        folder="",
        question="",
        environment={
            "machine": dict(info),
            "toolchain": {"commit": dict(commit), "pytest-benchmark": data.get("version")},
        },
        complete=True,
        cells=cells,
    )


def _cell(benchmark: Mapping[str, Any]) -> EntryCell:
    extra, full_name = mapping(benchmark.get("extra_info")), _name(benchmark)
    verdict = extra.get("verdict")
    texts = {
        key: value for key, value in extra.items() if isinstance(value, str) and key != "verdict"
    }
    return EntryCell(
        cell=slug(full_name),
        label=line(full_name),
        config={**mapping(benchmark.get("params")), **texts},
        effective={},
        effects=(),
        verdict=verdict if isinstance(verdict, str) and verdict in set(Verdict) else None,
        reason="",
        notes="",
        values=(*_times(mapping(benchmark.get("stats"))), *_extras(extra)),
    )


def _name(benchmark: Mapping[str, Any]) -> str:
    return str(benchmark.get("fullname") or benchmark.get("name") or "unknown")


def _times(stats: Mapping[str, Any]) -> list[EntryValue]:
    rounds = stats.get("rounds")
    return [
        EntryValue(
            metric=f"time_{statistic}",
            unit="s",
            better=better,
            version=SOURCE,
            value=_time(stats.get(statistic), statistic),
            n=rounds if type(rounds) is int and 0 <= rounds < MOST else 0,
        )
        for statistic, better in STATISTICS.items()
    ]


def _time(raw: object, statistic: str) -> Value:
    """Return seconds; Missing for a negative time, and for a zero that is no spread."""
    value = value_of(raw, SOURCE)
    if isinstance(value, Missing) or value > 0 or (value == 0 and statistic in SPREADS):
        return value
    return Missing(f"{SOURCE} recorded {statistic} = {value:g} s, which is no time")


def _extras(extra: Mapping[str, Any]) -> list[EntryValue]:
    values = {
        name(key): value
        for key, raw in extra.items()
        if (value := _number_or_reason(raw)) is not None
    }
    return [_extra(key, value) for key, value in values.items()]


def _extra(key: str, value: Value) -> EntryValue:
    line = registry.entries().get(key)
    metric = None if line is None else line.metric
    if metric is None:
        return EntryValue(metric=key, unit="", better="neither", version=SOURCE, value=value)
    return EntryValue(
        metric=key, unit=metric.unit, better=metric.better, version=metric.version, value=value
    )


def _number_or_reason(raw: object) -> Value | None:
    """
    Return a number, or the reason that our own plugin writes in its place; None for anything else.
    """
    if isinstance(raw, Mapping) and isinstance(raw.get("missing"), str):
        return Missing(clean(raw["missing"]))
    return (
        value_of(raw, SOURCE)
        if isinstance(raw, int | float) and not isinstance(raw, bool)
        else None
    )


def _project(data: Mapping[str, Any]) -> str:
    return name(mapping(data.get("commit_info")).get("project"), SOURCE)


def _profile(info: Mapping[str, Any]) -> str:
    """Return the name of the platform as its own storage has it: `Linux-CPython-3.11`."""
    version = ".".join(str(info.get("python_version", "")).split(".")[:2])
    return name(
        "-".join(
            str(fact)
            for fact in (info.get("system"), info.get("python_implementation"), version)
            if fact
        )
    )
