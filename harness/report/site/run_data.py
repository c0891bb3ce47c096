"""
The data files of the run and comparison pages: every run whole, many runs a file, and a list of all
runs.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from typing import Any

import numpy as np

from voxgate.harness.analysis.speed import BUDGET
from voxgate.harness.history.records import CellRow, RunRow
from voxgate.harness.judging.causes import short_name
from voxgate.harness.records.measurement import SNR_CEILING_DB
from voxgate.harness.report.badges import MEANINGS
from voxgate.harness.report.format import FIXED, fact_text, flat_facts, shown_scale, shown_unit
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.folder import Folder
from voxgate.harness.report.site.history_view import (
    Book,
    RunAxis,
)
from voxgate.harness.report.site.judged_again import is_absolute
from voxgate.harness.report.site.urls import data_script
from voxgate.harness.report.tables import BUDGETED, COLUMNS, OF_LIVE, OF_REELS, OF_WATERMARKS

CHUNK = 64
"""
Runs a file: some hundred kilobytes, read at once to show one of them; thousands of small files are
slow to copy.
"""
OF_SOME_RUNS = {column.metric: BUDGET for column in BUDGETED}
"""Columns that stand only beside another metric: what cold start costs where there is a budget."""
MOVED = ("REGRESSED", "IMPROVED", "FAILED")
"""Verdicts on metrics whose shift a page shows."""
MAIN = {
    column.metric: [rank, column.title, column.interval, OF_SOME_RUNS.get(column.metric)]
    for rank, column in enumerate(
        (*COLUMNS[:1], *BUDGETED, *COLUMNS[1:], *OF_LIVE, *OF_REELS, *OF_WATERMARKS)
    )
}
"""
The main table's columns: metric -> place, title, whether with intervals, and the metric that a run
must also have.
"""


def run_scripts(book: Book) -> Iterator[tuple[str, bytes]]:
    """Return every file of whole runs, by name."""
    pools = _pools(book)
    rows = _Rows.of(book, pools)
    before: dict[int, int] = {}
    for place in book.places:
        before |= {now.id: was.id for was, now in pairwise(place.runs)}
    paged = {(place.suite, cell) for place in book.places for cell in place.lines}
    runs = sorted(book.runs, key=lambda run: run.id)
    for number, chunk in groupby(runs, key=lambda run: run.id // CHUNK):
        content = {
            run.id: {
                **_run(book, run, paged),
                "before": before.get(run.id),
                "points": rows.of_run(run.id),
            }
            for run in chunk
        }
        yield f"runs-{number}", data_script(f"runs-{number}", {**pools.shared, "runs": content})


def list_script(book: Book) -> tuple[str, bytes]:
    """Return the file that lists all runs by suite and machine, oldest first."""
    places = [_place(place) for place in book.places]
    return "runs", data_script("runs", places)


def _place(place: RunAxis) -> dict[str, object]:
    return {
        "name": f"{place.suite} · {place.name}",
        "ids": [run.id for run in place.runs],
        "times": place.times,
        "heads": [run.head for run in place.runs],
    }


def _check(check: Mapping[str, object]) -> dict[str, object]:
    """Return a check as text; a fact that nobody asked for has no `asked`."""
    return {
        name: value if name == "holds" else "" if value is None else fact_text(value)
        for name, value in check.items()
    }


def metric_facts(metric: str, unit: str) -> dict[str, object]:
    """Return the facts a script needs to show a metric's values as `format.py` does."""
    percent = shown_unit(metric, unit) == "%"
    return {
        "metric": metric,
        "title": metric,
        "unit": shown_unit(metric, unit),
        "scale": shown_scale(metric, unit),
        "fixed": 1 if percent else FIXED.get(metric),
        "exact": SNR_CEILING_DB if unit == "dB" else None,
        "column": MAIN.get(metric),
        "is_share_of_budget": metric == BUDGET,
        "name": short_name(metric),
        "absolute": is_absolute(metric),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pools:
    """What the points of all runs name by number: metrics, cells, verdicts."""

    shared: Mapping[str, object]
    metric_of: np.ndarray
    cell_of: np.ndarray


def _pools(book: Book) -> _Pools:
    keys = dict.fromkeys((series.metric, series.unit) for series in book.series)
    metrics = {key: number for number, key in enumerate(keys)}
    slugs = dict.fromkeys(series.cell for series in book.series)
    cells = {cell: number for number, cell in enumerate(slugs)}
    return _Pools(
        shared={
            "metrics": [metric_facts(*key) for key in metrics],
            "cells": list(cells),
            "words": book.words,
        },
        metric_of=np.array([metrics[s.metric, s.unit] for s in book.series], dtype=np.int32),
        cell_of=np.array([cells[s.cell] for s in book.series], dtype=np.int32),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The points sorted by run."""

    runs: np.ndarray
    columns: Mapping[str, np.ndarray]
    missing: Mapping[int, str]
    shifts: Mapping[int, float]
    """Of what got better or worse, by row."""

    @classmethod
    def of(cls, book: Book, pools: _Pools) -> "_Rows":
        points = book.points
        order = np.argsort(points.run, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        numbers = {
            name: getattr(points, name)[order].astype(np.float32)
            for name in ("value", "low", "high")
        }
        names = {
            "cell": pools.cell_of[points.series][order],
            "metric": pools.metric_of[points.series][order],
        }
        moved = np.array([word in MOVED for word in book.words])[points.verdict[order]]
        shift = points.shift[order]
        rows = np.flatnonzero(moved & ~np.isnan(shift)).tolist()
        return cls(
            runs=points.run[order],
            columns={**names, **numbers, "verdict": points.verdict[order]},
            missing={int(place[row]): reason for row, reason in points.missing.items()},
            shifts={row: float(f"{shift[row]:.4g}") for row in rows},
        )

    def of_run(self, run: int) -> dict[str, Any]:
        """Return the points of one run."""
        first, end = np.searchsorted(self.runs, [run, run + 1]).tolist()
        missing = {
            row - first: self.missing[row] for row in range(first, end) if row in self.missing
        }
        return {
            **{name: column[first:end] for name, column in self.columns.items()},
            "missing": missing,
            "shift": {
                row - first: self.shifts[row] for row in range(first, end) if row in self.shifts
            },
        }


def _run(book: Book, run: RunRow, paged: Collection[tuple[str, str]]) -> dict[str, object]:
    names = (
        "id",
        "source",
        "suite",
        "profile",
        "machine",
        "head",
        "created",
        "verdict",
        "line",
        "baseline",
        "folder",
        "question",
    )
    return {
        **{name: getattr(run, name) for name in names},
        "question": run.question,
        "complete": run.complete,
        "environment": flat_facts(run.environment),
        "cells": [
            _cell(cell, run.suite, (run.suite, cell.cell) in paged) for cell in book.cells[run.id]
        ],
    }


def _cell(cell: CellRow, suite: str, has_page: bool) -> dict[str, object]:
    return {
        "cell": cell.cell,
        "label": cell.label,
        "page": urls.cell_page(suite, cell.cell) if has_page else None,
        "verdict": cell.verdict,
        "reason": cell.reason,
        "config": {name: fact_text(value) for name, value in cell.config.items()},
        "effective": {name: fact_text(value) for name, value in cell.effective.items()},
        "effects": [_check(check) for check in cell.effects],
    }


def write_scripted(folder: Folder, book: Book) -> None:
    """
    Write run.html and compare.html, and the data files that they read; nothing where there is no
    run.
    """
    if not book.runs:
        return
    for name, script in chain(run_scripts(book), [list_script(book)]):
        folder.data(name, script)
    carried = {
        "chunk": CHUNK,
        "chunks": sorted({run.id // CHUNK for run in book.runs}),
        "meaning": dict(MEANINGS),
    }
    folder.page("run.html", "any_run.html", carried=carried)
    folder.page("compare.html", "compare.html", carried=carried)
