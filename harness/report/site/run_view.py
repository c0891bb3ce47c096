"""
One run of the history as measurements and verdicts again, so that the site shows, draws and chooses with the same functions
as the page of a single run.
"""

from collections.abc import Sequence

from harness.history.records import CellRow
from harness.judging.policy import Policy
from harness.records.measurement import Measurement
from harness.records.verdict import CellVerdict, Judgement, MetricVerdict, Verdict
from harness.report.site.history_view import Book, Place
from harness.report.site.marks import VERDICTS


def measurements(place: Place, position: int) -> dict[str, tuple[Measurement, ...]]:
    """Give what was measured in the run at a position of the place's axis, by slug."""
    found = {
        cell: tuple(line.measurement(index) for line in lines if (index := line.index_of(position)) is not None)
        for cell, lines in place.lines.items()
    }
    return {cell: several for cell, several in found.items() if several}


def judgement(book: Book, place: Place, position: int, policy: Policy) -> Judgement:
    """Give the verdicts of a run, and by the policy's floors which of its cells are fit to ship."""
    run = place.runs[position]
    named = measurements(place, position)
    return Judgement(
        suite=run.suite,
        profile=run.profile,
        machine=run.machine,
        head=run.head,
        baseline=run.baseline,
        cells=tuple(_cell(cell, named.get(cell.cell, ()), policy) for cell in book.cells[run.id]),
        counts={},
        verdict=_verdict(run.verdict),
        exit_code=run.exit_code or 0,
        line=run.line,
    )


def _cell(cell: CellRow, named: Sequence[Measurement], policy: Policy) -> CellVerdict:
    return CellVerdict(
        cell=cell.cell,
        label=cell.label,
        verdict=_verdict(cell.verdict),
        reason=cell.reason,
        metrics=tuple(_metric(each, policy) for each in named if each.metric in policy),
        notes=cell.notes,
    )


def _verdict(word: str | None) -> Verdict:
    """Give the verdict of that word; what nobody here judged has no baseline."""
    return Verdict(word) if word in VERDICTS else Verdict.NO_BASELINE


def _metric(measurement: Measurement, policy: Policy) -> MetricVerdict:
    """Only the floor is held against the value: what the run's verdict was, is not decided again."""
    floor, value = policy[measurement.metric].floor, measurement.summary
    enough = floor is None or (
        isinstance(value, float) and (value <= floor if measurement.better == "lower" else value >= floor)
    )
    return MetricVerdict(
        metric=measurement.metric, verdict=Verdict.PASS, reason="", comparison=None, blocking=False, good_enough=enough
    )
