"""
Read a results folder of asv (airspeed velocity), format 2: `benchmarks.json`, and a folder per
machine with a file per commit and environment. Each benchmark of such a file is a run, since asv
adds benchmarks to a file, and measures single ones again.

A benchmark is a suite, its combinations of parameters are the cells, its kind (`time`,
`peakmemory`, `track` ...) is the metric. A run's date is its commit's, as in asv's own graphs, so
that history that was measured in one night is drawn over the years that it is about. asv's interval
is one of 99 %, so `low` and `high` stay empty. asv does not know the better direction of `track`;
nor do we.
"""

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.importers.common import (
    FAULTS,
    FileError,
    ImportFault,
    label_of,
    line,
    mapping,
    name,
    once,
    read_json,
    slug_of,
    value_of,
)
from voxgate.harness.history.records import EntryCell, EntryValue, HistoryEntry, digest_of
from voxgate.harness.records.measurement import Missing, Value

SOURCE = "asv"
FORMAT = 2
MOST = 2**31
"""Repeats that a database's integer can count."""
BENCHMARKS, MACHINE = "benchmarks.json", "machine.json"
PREFIXES = {
    "time": "time",
    "timeraw": "time",
    "mem": "memory",
    "peakmem": "peakmemory",
    "track": "track",
}
"""The kind of a benchmark by its name, where `benchmarks.json` no longer has it."""
UNITS = {"seconds": "s", "second": "s"}
LOWER = ("time", "memory", "peakmemory")


def is_asv(folder: Path) -> bool:
    """Return whether this is a results folder."""
    return (folder / BENCHMARKS).is_file()


def entries(folder: Path, machine: str | None) -> Iterator[HistoryEntry | ImportFault]:
    """
    Yield the runs of a results folder; `machine` replaces the name in the files.

    A damaged file costs that file only, a damaged benchmark that benchmark. Raises HarnessError for
    a damaged `benchmarks.json`.
    """
    benchmarks = mapping(read_json(folder / BENCHMARKS))
    for path in sorted(folder.glob("*/*.json")):
        if path.name != MACHINE:
            yield from _entries(path, benchmarks, machine)


def _entries(
    path: Path, benchmarks: Mapping[str, Any], machine: str | None
) -> Iterator[HistoryEntry | ImportFault]:
    try:
        data = mapping(read_json(path))
        if data.get("version") != FORMAT:
            raise HarnessError(
                f"has format {data.get('version')!r} of asv, this reads {FORMAT}; run `asv update` "
                "first"
            )
        columns, results = list(data["result_columns"]), list(data["results"].items())
    except (HarnessError, *FAULTS) as error:
        yield _fault(path, "", error)
        return
    for benchmark, row in results:
        try:
            result = dict(zip(columns, row, strict=False))  # asv drops what is empty at the end
            yield _entry(data, str(benchmark), result, mapping(benchmarks.get(benchmark)), machine)
        except (HarnessError, *FAULTS) as error:
            yield _fault(path, f" (benchmark {line(benchmark)})", error)


def _fault(path: Path, part: str, error: Exception) -> ImportFault:
    if isinstance(error, FileError):
        reason = error.fault
    else:
        known = isinstance(error, HarnessError)
        reason = str(error) if known else f"is damaged ({error!r}); measure again"
    return ImportFault(where=f"{path}{part}", reason=reason, file=path)


def _entry(
    data: Mapping[str, Any],
    benchmark: str,
    result: Mapping[str, Any],
    benchmark_info: Mapping[str, Any],
    machine: str | None,
) -> HistoryEntry:
    where, commit = mapping(data["params"]), str(data["commit_hash"])
    cells = _cells(benchmark, result, benchmark_info)
    return HistoryEntry(
        digest=digest_of(SOURCE, where.get("machine"), commit, data["env_name"], benchmark, result),
        source=SOURCE,
        suite=name(benchmark),
        profile=name(data["env_name"]),
        machine=name(machine or where.get("machine")),
        head=line(commit[:7]),
        created=datetime.fromtimestamp(data["date"] / 1000, timezone.utc).isoformat(
            timespec="seconds"
        ),
        verdict=None,
        exit_code=None,
        line=f"{len(cells)} results of asv",
        baseline="none",
        folder="",
        question=line(benchmark_info.get("pretty_name") or benchmark),
        environment={
            "machine": dict(where),
            "toolchain": {
                "commit": commit,
                "python": data.get("python"),
                **mapping(data.get("requirements")),
            },
        },
        complete=True,
        cells=cells,
    )


def _cells(
    benchmark: str, result: Mapping[str, Any], benchmark_info: Mapping[str, Any]
) -> tuple[EntryCell, ...]:
    axes: Sequence[Sequence[object]] = result.get("params") or []
    combinations = list(itertools.product(*map(_bare, axes)))
    once((json.dumps(combination) for combination in combinations), "the combination of parameters")
    names = [str(parameter) for parameter in benchmark_info.get("param_names") or ()] or [
        f"param{number + 1}" for number in range(len(axes))
    ]
    # nothing at all: the benchmark could not be built
    values = result["result"] or [None] * len(combinations)
    counts = result.get("stats_repeat") or [None] * len(combinations)
    return tuple(
        _cell(
            dict(zip(names, combination, strict=True)),
            _value(benchmark, benchmark_info, value, count, str(result.get("version") or "")),
        )
        for combination, value, count in zip(combinations, values, counts, strict=True)
    )


def _bare(axis: Sequence[object]) -> list[str]:
    """
    Return an axis' values without the quotes of their repr, unless two of them differ by nothing
    else.
    """
    whole = [str(value) for value in axis]
    bare = [value.strip("'\"") for value in whole]
    return bare if len(set(bare)) == len(set(whole)) else whole


def _cell(options: Mapping[str, object], value: EntryValue) -> EntryCell:
    return EntryCell(
        cell=slug_of(options),
        label=label_of(options),
        config=options,
        effective={},
        effects=(),
        verdict=None,
        reason="",
        notes="",
        values=(value,),
    )


def _value(
    benchmark: str, benchmark_info: Mapping[str, Any], raw: object, count: object, version: str
) -> EntryValue:
    prefix = benchmark.rpartition(".")[2].partition("_")[0].lower()
    kind = str(benchmark_info.get("type") or PREFIXES.get(prefix, prefix))
    unit = str(benchmark_info.get("unit") or {"time": "s", "track": ""}.get(kind, "bytes"))
    return EntryValue(
        metric=name(kind),
        unit=name(UNITS.get(unit, unit), ""),
        better="lower" if kind in LOWER else "neither",
        version=name(version, SOURCE),
        value=_number(raw),
        n=int(count) if isinstance(count, int | float) and 0 <= count < MOST else 1,
    )


def _number(raw: object) -> Value:
    """
    Return the value of a result; asv writes null for one that failed, NaN for one that was left
    out.
    """
    if raw is None:
        return Missing("asv recorded a failure")
    if isinstance(raw, float) and math.isnan(raw):
        return Missing(
            "left out by asv: the benchmark raised NotImplementedError, or was not selected"
        )
    return value_of(raw, SOURCE)
