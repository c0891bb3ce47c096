"""
A load test as a table for a terminal, as JSON, and as an exit code.

Made from the folder alone. Exit codes: 0 all requests succeeded, in time where a limit was set,
without drift in a soak; 1 otherwise.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from voxgate.harness.load.drift import Drift, DriftKind, drifts
from voxgate.harness.load.records import LoadPhase, LoadRecord, read_cell, read_header
from voxgate.harness.load.summary import (
    Cold,
    LoadRow,
    Memory,
    cold_start,
    lateness_s,
    memories,
    rows,
    too_few,
)
from voxgate.harness.report.format import plain_columns
from voxgate.harness.statistics import Interval

IN_TIME_SHARE = 0.95
"""Of the requests of a level that must succeed within the limit."""
LATE_S = 0.010
"""Least delay of the load itself behind its plan that is reported."""
MIB = 2**20
PERCENTILES = 5
"""Columns of percentiles: latency's three, then time to first audio's two."""
TITLES = (
    "level",
    "text",
    "sent",
    "failed",
    "req/s",
    "audio s/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "ttfa p50",
    "ttfa p95",
    "underruns/min",
    "goodput/s",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellReport:
    """One cell."""

    slug: str
    loaded: LoadRecord
    rows: tuple[LoadRow, ...]
    memories: tuple[Memory, ...]
    cold: Cold | None
    drifts: tuple[Drift | str, ...]
    late_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """All of a load test."""

    folder: str
    suite: str
    machine: str
    limit_s: float | None
    cells: tuple[CellReport, ...]

    @property
    def troubles(self) -> tuple[str, ...]:
        """Return the faults; empty: exit code 0."""
        troubles: list[str] = []
        for cell in self.cells:
            troubles += [f"{cell.slug}: {trouble}" for trouble in _troubles(cell)]
        return tuple(troubles)

    @property
    def line(self) -> str:
        """Return the last line."""
        rows = chain.from_iterable(cell.rows for cell in self.cells)
        sent = sum(row.sent for row in rows if row.length == "all")
        return (
            f"FAILED: {'; '.join(self.troubles)}"
            if self.troubles
            else f"fine: {sent} requests, all answered; {self.folder}"
        )


def report_of(folder: Path) -> LoadReport:
    """
    Summarise a folder, finished or not. Raises HarnessError if it is no folder of a load test.
    """
    header = read_header(folder)
    plan = header["plan"]
    cells = (
        read_cell(folder, slug) for slug in header["slugs"] if (folder / f"{slug}.jsonl").is_file()
    )
    machine = header["environment"].get("machine", {})
    return LoadReport(
        folder=str(folder),
        suite=plan["suite"],
        machine=str(machine.get("id", "unknown")),
        limit_s=plan["limit_s"],
        cells=tuple(_cell(loaded, plan["limit_s"], soak=bool(plan["soak"])) for loaded in cells),
    )


def lines(report: LoadReport, width: int) -> list[str]:
    """
    Format the report for a number of columns, without its last line. A narrow terminal loses
    intervals.
    """
    limit = "" if report.limit_s is None else f"   limit {report.limit_s * 1e3:g} ms"
    laid = [f"load {report.suite}   machine {report.machine}{limit}"]
    for cell in report.cells:
        laid += [
            "",
            f"{cell.slug}   {cell.loaded.server.get('url', 'no server')}",
            *cold_lines(cell),
        ]
        laid += _fitting(cell.rows, width)
        laid += [*notes(cell), *failure_lines(cell), *map(_memory_line, cell.memories)]
        laid += [drift if isinstance(drift, str) else drift.sentence for drift in cell.drifts]
        laid += [f"ended early: {cell.loaded.failure}"] if cell.loaded.failure else []
    return laid


def report_to_dict(report: LoadReport) -> dict[str, object]:
    """Return the report as plain JSON values."""
    return {
        "folder": report.folder,
        "suite": report.suite,
        "machine": report.machine,
        "limit_s": report.limit_s,
        "troubles": list(report.troubles),
        "cells": [_cell_to_dict(cell) for cell in report.cells],
    }


def _cell(loaded: LoadRecord, limit_s: float | None, *, soak: bool) -> CellReport:
    return CellReport(
        slug=loaded.slug,
        loaded=loaded,
        rows=rows(loaded, limit_s),
        memories=memories(loaded),
        cold=cold_start(loaded),
        drifts=drifts(loaded) if soak else (),
        late_s=lateness_s(
            [response for response in loaded.answers if response.phase is LoadPhase.LOADED]
        ),
    )


def _troubles(cell: CellReport) -> list[str]:
    troubles = [cell.loaded.failure] if cell.loaded.failure else []
    if not cell.rows and not troubles:
        troubles.append("no level was finished")
    for row in cell.rows:
        if row.length == "all" and row.sent > row.answered:
            troubles.append(f"{row.level}: {row.sent - row.answered} of {row.sent} requests failed")
        elif row.length == "all" and not row.sent:
            troubles.append(f"{row.level}: no request was sent; give it more time")
        if (
            row.length == "all"
            and row.in_time_share is not None
            and row.in_time_share < IN_TIME_SHARE
        ):
            troubles.append(
                f"{row.level}: {100 * row.in_time_share:.0f} % in time, {100 * IN_TIME_SHARE:.0f} "
                "% are wanted"
            )
    return troubles + [
        drift.sentence
        for drift in cell.drifts
        if isinstance(drift, Drift) and drift.trend is DriftKind.GROWS
    ]


def _fitting(rows: Sequence[LoadRow], width: int) -> list[str]:
    """Format the table, from the left with as many columns' intervals as fit."""
    laid: list[str] = []
    for intervals in range(PERCENTILES, -1, -1):
        laid = _table([row_texts(row, intervals) for row in rows]) if rows else []
        if max(map(len, laid), default=0) <= width:
            break
    return laid


def row_texts(row: LoadRow, intervals: int) -> list[str]:
    """Return the columns of TITLES, the first `intervals` percentiles with their intervals."""
    few = too_few(row)
    percentiles = [(row.latency_s, name) for name in ("p50", "p95", "p99")] + [
        (row.first_audio_s, name) for name in ("p50", "p95")
    ]
    cells = [
        _ms(interval.get(name), interval=index < intervals, mark="*" if name in few else "")
        for index, (interval, name) in enumerate(percentiles)
    ]
    goodput = "-" if row.in_time_per_s is None else f"{row.in_time_per_s:.2f}"
    counts = [
        str(row.sent),
        str(row.sent - row.answered),
        f"{row.answers_per_s:.2f}",
        f"{row.audio_per_s:.2f}",
    ]
    dry = "-" if row.underruns_per_min is None else f"{row.underruns_per_min:.2f}"
    return [row.level, row.length, *counts, *cells, dry, goodput]


def _ms(spread: Interval | None, *, interval: bool, mark: str) -> str:
    if spread is None:
        return "-"
    point = f"{spread.point * 1e3:.0f}{mark}"
    if not interval or spread.low is None or spread.high is None:
        return point
    return f"{point} [{spread.low * 1e3:.0f} {spread.high * 1e3:.0f}]"


def _table(grid: Sequence[Sequence[str]]) -> list[str]:
    """
    Align text to the left and numbers to the right; leave the goodput out where no limit was set.
    """
    has_goodput = any(row[-1] != "-" for row in grid)
    columns = len(TITLES) if has_goodput else len(TITLES) - 1
    table = [row[:columns] for row in (TITLES, *grid)]
    return plain_columns(table, left=(0, 1))


def cold_lines(cell: CellReport) -> list[str]:
    """Return how the server started and how long its first request took, if it is known."""
    if cell.cold is None:
        return []
    first, again = cell.cold.first, cell.cold.again
    ready = (
        "server was running before"
        if cell.cold.ready_s is None
        else f"listened after {cell.cold.ready_s:.1f} s"
    )
    facts = (
        f"{ready}; first request ({first.request}, {first.length}) {first.latency_s * 1e3:.0f} ms"
    )
    return [
        f"cold: {facts}"
        + (f", the same again {again.latency_s * 1e3:.0f} ms" if again is not None else "")
    ]


def notes(cell: CellReport) -> list[str]:
    """Return what a reader of the percentiles must know."""
    starred = any(too_few(row) for row in cell.rows if row.answered)
    late = cell.late_s > LATE_S
    return [
        *(
            [
                "* fewer answers than this percentile needs (59 for p95, 299 for p99): the tail "
                "may be longer"
            ]
            if starred
            else []
        ),
        *(
            [
                f"the load itself fell behind its plan by up to {cell.late_s * 1e3:.0f} ms; "
                "latency counts that in"
            ]
            if late
            else []
        ),
    ]


def failure_lines(cell: CellReport) -> list[str]:
    """Return the failures by kind, with one reason of each."""
    failed = [
        answer
        for answer in cell.loaded.answers
        if answer.failure and answer.phase is LoadPhase.LOADED
    ]
    counts = Counter((answer.level, answer.failure) for answer in failed)
    reasons = {(answer.level, answer.failure): answer.reason for answer in reversed(failed)}
    return [
        f"{level}: {count} x {kind}: {reasons[level, kind]}"
        for (level, kind), count in counts.items()
    ]


def _memory_line(memory: Memory) -> str:
    before, peak, after = (
        f"{size / MIB:.0f}" for size in (memory.before_bytes, memory.peak_bytes, memory.after_bytes)
    )
    text = f"{memory.per_request_bytes / MIB:.1f} MiB for each of {memory.at_once} at once"
    return f"memory {memory.level}: {before} MiB before, {peak} at most, {after} after; {text}"


def _cell_to_dict(cell: CellReport) -> Mapping[str, object]:
    memories_told = [
        {**asdict(memory), "per_request_bytes": memory.per_request_bytes}
        for memory in cell.memories
    ]
    return {
        "cell": cell.slug,
        "server": dict(cell.loaded.server),
        "cold": None if cell.cold is None else asdict(cell.cold),
        "rows": [{**asdict(row), "too_few_for": list(too_few(row))} for row in cell.rows],
        "memory": memories_told,
        "drift": [
            drift if isinstance(drift, str) else {**asdict(drift), "sentence": drift.sentence}
            for drift in cell.drifts
        ],
        "load_late_s": cell.late_s,
        "failure": cell.loaded.failure,
    }
