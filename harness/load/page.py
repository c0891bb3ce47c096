"""
The page of a load test: the curve of every cell over its levels, and the figures of the terminal as
tables; and the summary that is kept in its folder.
"""

import json
from pathlib import Path

from voxgate.harness.load.plan import level_load
from voxgate.harness.load.records import REPORT
from voxgate.harness.load.report import (
    MIB,
    TITLES,
    CellReport,
    LoadReport,
    cold_lines,
    failure_lines,
    notes,
    report_of,
    report_to_dict,
    row_texts,
)
from voxgate.harness.load.summary import ALL, LoadRow, Memory
from voxgate.harness.records.files import write_file
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.pictures.load_curve import Figure, LoadLevel, load_curve
from voxgate.harness.report.verb_page import PagePart, PageTable, VerbPage, write_verb_page
from voxgate.harness.statistics import Interval

SHOWN = 5
"""Columns whose intervals stand in the table: all percentiles."""


def keep_report(folder: Path, *, interrupted: bool, html: Path | None) -> LoadReport:
    """Summarise the load in a folder, and write the summary there, and the page where asked for."""
    report = report_of(folder)
    document = {**report_to_dict(report), "interrupted": interrupted}
    write_file(
        folder / REPORT,
        json.dumps(document, indent=1, allow_nan=False),
        "make room, then ask again",
    )
    if html is not None:
        write_verb_page(load_page(report), html)
    return report


def load_page(report: LoadReport) -> VerbPage:
    """Return the page of a load test, from its folder alone."""
    fine = not report.troubles
    rows = [row for cell in report.cells for row in cell.rows if row.length == ALL]
    sent, answered = sum(row.sent for row in rows), sum(row.answered for row in rows)
    limit = () if report.limit_s is None else (("limit", f"{report.limit_s * 1e3:g} ms"),)
    return VerbPage(
        title=f"Load {report.suite}",
        crumb=f"load · {report.suite} · {report.machine}",
        mark=Badge(word="FINE" if fine else "FAILED", kind="good" if fine else "bad"),
        heading="Every request was answered."
        if fine
        else "Not every request was answered in time.",
        line=report.line,
        tiles=(
            (str(sent), "requests", ""),
            (str(sent - answered), "failed", "bad" if sent > answered else ""),
            *_fastest(rows),
        ),
        facts=(("machine", report.machine), *limit, ("folder", report.folder)),
        parts=tuple(_part(cell, number, report) for number, cell in enumerate(report.cells, 1)),
    )


def _fastest(rows: list[LoadRow]) -> tuple[tuple[str, str, str], ...]:
    if not rows:
        return ()
    if len(rows) == 1:
        return _of_one(rows[0])
    best = max(rows, key=lambda row: row.answers_per_s)
    return ((f"{best.answers_per_s:.3g}", f"answers per second at most, at {best.level}", ""),)


def _of_one(row: LoadRow) -> tuple[tuple[str, str, str], ...]:
    """Return the tiles of the only level: there is no curve that would show its latency."""
    latency = [
        (f"{row.latency_s[name].point * 1e3:.3g} ms", f"{name} of the latency", "")
        for name in ("p50", "p95")
        if name in row.latency_s
    ]
    in_time = row.in_time_share
    kept = () if in_time is None else ((f"{in_time * 100.0:.3g} %", "within the limit", ""),)
    return (
        *latency,
        (f"{row.answers_per_s:.3g}", f"answers per second at {row.level}", ""),
        *kept,
    )


def _part(cell: CellReport, number: int, report: LoadReport) -> PagePart:
    limit_ms = None if report.limit_s is None else report.limit_s * 1e3
    rows = [row for row in cell.rows if row.length == ALL]
    unit = level_load(rows[0].level)[1] if rows else ""
    drawn = load_curve([_level(row) for row in rows], unit, limit_ms)
    url = cell.loaded.server.get("url", "no server")
    return PagePart(
        name=f"cell-{number}",
        title=cell.slug,
        lines=(f"Server: {url}", *cold_lines(cell)),
        pictures=() if drawn is None else ((drawn.caption, drawn.panels),),
        tables=(_table(cell, rows, "Every level", skip=1),) if rows else (),
        folded=(*_by_length(cell), *_memory(cell)),
        remarks=(
            *notes(cell),
            *failure_lines(cell),
            *(drift if isinstance(drift, str) else drift.sentence for drift in cell.drifts),
            *((f"ended early: {cell.loaded.failure}",) if cell.loaded.failure else ()),
        ),
    )


def _level(row: LoadRow) -> LoadLevel:
    return LoadLevel(
        name=row.level,
        load=level_load(row.level)[0],
        answers_per_s=row.answers_per_s,
        latency_ms=tuple(
            _figure(name, row.latency_s[name]) for name in ("p50", "p95") if name in row.latency_s
        ),
        failed=row.sent - row.answered,
    )


def _figure(name: str, found: Interval) -> Figure:
    low, high = (None if bound is None else bound * 1e3 for bound in (found.low, found.high))
    return Figure(name, found.point * 1e3, low, high)


def _table(cell: CellReport, rows: list[LoadRow], what: str, skip: int = 0) -> PageTable:
    """Return the levels as a table; `skip` leaves out the class of length, where it is all."""
    has_goodput = any(row.in_time_per_s is not None for row in cell.rows)
    columns = len(TITLES) if has_goodput else len(TITLES) - 1
    shown = [TITLES, *(row_texts(row, SHOWN) for row in rows)]
    head, *grid = ((*texts[:1], *texts[1 + skip : columns]) for texts in shown)
    return PageTable(
        caption=f"{what} of {cell.slug}; brackets hold 95 % intervals",
        head=tuple(head),
        rows=tuple(map(tuple, grid)),
        words=2 - skip,
    )


def _by_length(cell: CellReport) -> tuple[PageTable, ...]:
    rows = [row for row in cell.rows if row.length != ALL]
    return (_table(cell, rows, "Levels by length of text"),) if rows else ()


def _memory(cell: CellReport) -> tuple[PageTable, ...]:
    rows = tuple(map(_memory_row, cell.memories))
    head = ("level", "before", "at most", "after", "for each request at once")
    caption = f"Memory of the server of {cell.slug}, MiB"
    return (PageTable(caption=caption, head=head, rows=rows),) if rows else ()


def _memory_row(each: Memory) -> tuple[str, ...]:
    sizes = (each.before_bytes, each.peak_bytes, each.after_bytes)
    each_one = f"{each.per_request_bytes / MIB:.1f} of {each.at_once}"
    return (each.level, *(f"{size / MIB:.0f}" for size in sizes), each_one)
