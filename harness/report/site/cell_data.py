"""
What the charts of a cell's page read: on every machine its runs, and every metric through time with all that is drawn on it.
"""

from collections.abc import Sequence

import numpy as np

from harness.analysis.aggregate import STAGE
from harness.history.change_points import Change
from harness.history.margin import shift_text
from harness.history.trend import Trend
from harness.report.format import SECONDS, shown_scale
from harness.report.site.history_view import Book, Line, Place
from harness.report.site.run_data import metric_facts
from harness.report.site.state import QUIET
from harness.report.site.urls import run_page

MAIN = ("latency_p50", "latency_p95", "rtf", "snr", "pesq", "stoi", "wer")
"""Metrics that are always in sight, in their order; so is whatever is not steady. The others unfold."""
GOOD_SIGN = {"lower": -1.0, "higher": 1.0}

Trends = Sequence[tuple[Line, bool]]
"""Lines in the order in which they are shown, and whether each is in sight."""


def cell_content(book: Book, places: Sequence[Place], cell: str) -> dict[str, object]:
    """Give the content of a cell's data file."""
    return {
        "words": book.words,
        "pages": {place.runs[-1].id: run_page(place.runs[-1].id) for place in places},
        "places": [_place(book, place, cell) for place in places],
    }


def trends_of(book: Book, place: Place, cell: str) -> Trends:
    """Choose what is drawn of a cell, and in which order; where none of the usual metrics is there, all are in sight."""
    lines = [line for line in place.lines[cell] if not line.helps]
    usual = any(line.series.metric in MAIN for line in lines)
    seen = [(line, not usual or line.series.metric in MAIN or _is_loud(book.trend(line))) for line in lines]
    rank = {metric: index for index, metric in enumerate(MAIN)}
    return sorted(seen, key=lambda each: (not each[1], rank.get(each[0].series.metric, len(MAIN))))


def _is_loud(trend: Trend) -> bool:
    """Whether people want to see it unasked; not what never had a value."""
    return trend.state not in QUIET and trend.latest is not None


def stage_names(place: Place, cell: str) -> tuple[str, ...]:
    """Name the stages that were timed, in the order of the synthesis."""
    return tuple(line.series.metric.removeprefix(STAGE) for line in place.lines[cell] if line.is_stage)


def _place(book: Book, place: Place, cell: str) -> dict[str, object]:
    return {
        "name": place.name,
        "runs": [run.id for run in place.runs],
        "times": place.times,
        "heads": [run.head for run in place.runs],
        "trends": [_trend(line, book.trend(line), is_main) for line, is_main in trends_of(book, place, cell)],
        "stages": _stages(place, cell),
    }


def _trend(line: Line, trend: Trend, is_main: bool) -> dict[str, object]:
    series = line.series
    scale = shown_scale(series.metric, series.unit)
    facts = metric_facts(series.metric, series.unit)
    exact = facts["exact"]
    budget = trend.budget
    bound = None if budget is None else budget.at_most if budget.at_most is not None else budget.at_least
    whole = len(line.at) and line.at[-1] == len(line.at) - 1
    return {
        **facts,
        "scale": 1,
        "exact": exact,
        "main": is_main,
        "at": None if whole else line.at,
        **{name: (getattr(line, name) * scale).astype(np.float32) for name in ("value", "low", "high")},
        "verdicts": line.verdicts.astype(np.int32),
        "missing": line.missing,
        "reasons": line.reasons,
        "changes": [_change(line, change) for change in trend.changes],
        "segments": [[each.start, each.end, each.level * scale] for each in trend.segments],
        "budget": None if bound is None else bound * scale,
        "cuts": [{"at": cut.index, "why": cut.why} for cut in trend.cuts],
    }


def _change(line: Line, change: Change) -> dict[str, object]:
    return {"at": change.index, "kind": change_kind(line, change), "label": change_label(line, change)}


def change_kind(line: Line, change: Change) -> str:
    """Say whether a step is `good` or `bad`; `open` where neither direction is."""
    side = GOOD_SIGN.get(line.series.better, 0.0) * change.shift
    return "open" if side == 0.0 else "good" if side > 0.0 else "bad"


def change_label(line: Line, change: Change) -> str:
    """Write a step's size: `+6.1 %`."""
    return shift_text(change.shift, change.absolute, line.series.unit)


def _stages(place: Place, cell: str) -> dict[str, object] | None:
    """Give the milliseconds of every stage in every run, null where it was not timed."""
    lines = [line for line in place.lines[cell] if line.is_stage]
    if not lines:
        return None
    times = np.full((len(lines), len(place.runs)), np.nan, dtype=np.float32)
    for row, line in enumerate(lines):
        times[row, line.at] = line.value * SECONDS[0]
    return {"names": list(stage_names(place, cell)), "values": list(times)}
