"""
One run of the history as the judged run that it was: its measurements, the verdicts it had, and the
shifts they rest on. Nothing is decided again.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.history.records import CellRow
from voxgate.harness.judging.causes import WORSE
from voxgate.harness.judging.compare_quality import RATIOS
from voxgate.harness.judging.decide import margin_of
from voxgate.harness.judging.policy import Policy
from voxgate.harness.judging.shift import empty_comparison
from voxgate.harness.metrics.registry import base_name
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.verdict import (
    CellVerdict,
    Comparison,
    Limit,
    MetricVerdict,
    RunVerdict,
    Verdict,
)
from voxgate.harness.report.badges import VERDICTS
from voxgate.harness.report.findings import Finding
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis
from voxgate.harness.report.site.recent import acknowledged


def measurements(place: RunAxis, position: int) -> dict[str, tuple[Measurement, ...]]:
    """Return the measurements of the run at a position of the place's axis, by slug."""
    by_cell = {cell: _measured_at(lines, position) for cell, lines in place.lines.items()}
    return {cell: measured for cell, measured in by_cell.items() if measured}


def _measured_at(lines: Sequence[MetricSeries], position: int) -> tuple[Measurement, ...]:
    indices = ((line, line.index_of(position)) for line in lines)
    return tuple(line.measurement(index) for line, index in indices if index is not None)


def judgement(book: Book, place: RunAxis, position: int, policy: Policy) -> RunVerdict:
    """
    Return the verdicts of a run, and by the policy's floors which of its cells are fit to ship.
    """
    run = place.runs[position]
    return RunVerdict(
        suite=run.suite,
        profile=run.profile,
        machine=run.machine,
        head=run.head,
        baseline=run.baseline,
        cells=tuple(_cell(book, place, position, cell, policy) for cell in book.cells[run.id]),
        counts={},
        verdict=_verdict(run.verdict),
        exit_code=run.exit_code or 0,
        line=run.line,
    )


def _cell(book: Book, place: RunAxis, position: int, cell: CellRow, policy: Policy) -> CellVerdict:
    verdict = _verdict(cell.verdict)
    points = [(line, line.index_of(position)) for line in place.lines.get(cell.cell, ())]
    return CellVerdict(
        cell=cell.cell,
        label=cell.label,
        verdict=verdict,
        reason=cell.reason,
        metrics=tuple(
            _metric(book, line, index, verdict, policy[line.series.metric])
            for line, index in points
            if index is not None and line.series.metric in policy
        ),
        notes=cell.notes,
    )


def _verdict(word: str | None) -> Verdict:
    """Return the verdict of that name; NO_BASELINE for a cell that was not judged here."""
    return Verdict(word) if word in VERDICTS else Verdict.NO_BASELINE


def _metric(
    book: Book, line: MetricSeries, index: int, cell: Verdict, limit: Limit
) -> MetricVerdict:
    """
    Return the verdict that the run had on a metric, with its shift, and whether the value keeps
    today's floor; nothing is decided again. What is worse in a cell that is not only informed.
    """
    measurement, word = line.measurement(index), book.words[line.verdicts[index]]
    verdict = _verdict(word) if word else Verdict.PASS
    comparison = _comparison(line, index, measurement)
    floor, value = limit.min_acceptable, measurement.summary
    enough = floor is None or (
        isinstance(value, float)
        and (value <= floor if measurement.better == "lower" else value >= floor)
    )
    return MetricVerdict(
        metric=measurement.metric,
        verdict=verdict,
        reason=line.reasons.get(index, ""),
        comparison=comparison,
        blocking=limit.blocking and (verdict not in WORSE or cell in WORSE),
        limit=None if comparison is None else margin_of(comparison, limit),
        good_enough=enough,
    )


def _comparison(line: MetricSeries, index: int, now: Measurement) -> Comparison | None:
    """Return what the run was compared with, from its shift; None where there was none."""
    shift, value = float(line.shift[index]), now.summary
    absolute = is_absolute(now.metric)
    if not isinstance(value, float) or math.isnan(shift) or (shift <= -1.0 and not absolute):
        return None
    before = value - shift if absolute else value / (1.0 + shift)
    empty = empty_comparison(line.series.cell, now, before, value, 0, 0)
    return replace(empty, shift=shift, absolute=absolute)


def is_absolute(metric: str) -> bool:
    """Whether the shift of a metric is a difference in its own unit, and no share."""
    return not is_speed(metric) and base_name(metric) not in RATIOS


def with_since(book: Book, place: RunAxis, cause: Finding) -> Finding:
    """Return a cause with the first of the runs in a row that had it."""
    lines = place.lines.get(cause.slugs[0], ())
    line = next((each for each in lines if each.series.metric == cause.metric), None)
    if line is None:
        return cause
    bad = [book.words[word] in WORSE for word in line.verdicts.tolist()]
    first = len(bad) - next((at for at, each in enumerate(reversed(bad)) if not each), len(bad))
    if first >= len(bad):
        return cause
    created = place.runs[int(line.at[first])].created
    trend = book.trends.get(line.series.id)
    known = acknowledged(trend, created[:10]) if trend is not None else ""
    since = f"since {created[:10]}, {len(bad) - first} runs in a row{f'; {known}' if known else ''}"
    return replace(cause, since=since)
