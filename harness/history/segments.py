"""
Segments: the stretches of a series at one level, ended by dated steps, by acknowledged changes and
by new versions of a metric.

A person's word and another way of computing cut a series whatever its values are, and no step is
looked for across such a cut: what lies before it is not comparable. Raises no alarm.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from harness.history.budget import Margin, shift_text
from harness.history.change_points import ChangePoint, change_points
from harness.history.records import Acknowledgement, Array, Series, Whole
from harness.history.series import SeriesPoints


class Segment(NamedTuple):
    """
    A stretch at one level: the places of its first and its last point, and the median of its
    values.
    """

    start: int
    end: int
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a segment begins for a reason from outside."""

    index: int
    """The place of the first point behind it; the number of points where none came yet."""
    at: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """
    A series in pieces. All places are among all points of the series, those without a value
    included.
    """

    cuts: tuple[Cut, ...]
    changes: tuple[ChangePoint, ...]
    pieces: tuple[Segment, ...]
    newest: Whole
    """The places of the values behind the last cut: those that are comparable with the next one."""

    def why(self, series: Series) -> str:
        """
        Say what began the newest piece, or the wait for it; nothing where it began with the first
        value.
        """
        cut = next(iter(self.cuts[-1:]), None)
        if len(self.newest):
            start = self.pieces[-1].start
            step = next((each for each in self.changes if each.index == start), None)
            if step is not None:
                return f"a step of {shift_text(step.shift, step.absolute, series.unit)}"
        return f"{cut.why} ({cut.at[:10]})" if cut else ""


def segments_of(
    series: Series,
    line: SeriesPoints,
    judged: Array,
    known: Sequence[Acknowledgement],
    margin: Margin,
) -> Segments:
    """Cut a series; `judged` are its values as they are to be compared, NaN where there is none."""
    cuts = _cuts(series, line, known)
    parts = np.split(line.known, np.searchsorted(line.known, [cut.index for cut in cuts]))
    found = [(part, _dated(line, judged, part, margin)) for part in parts]
    return Segments(
        cuts=cuts,
        changes=tuple(change for _, changes in found for change in changes),
        pieces=tuple(piece for part, changes in found for piece in _pieces(line, part, changes)),
        newest=parts[-1],
    )


def _cuts(series: Series, line: SeriesPoints, known: Sequence[Acknowledgement]) -> tuple[Cut, ...]:
    """Give the cuts, oldest first; one before the first point cuts nothing."""
    cuts = [
        Cut(
            index=bisect_left(line.created, each.since),
            at=each.since,
            why=f"acknowledged: {each.why}",
        )
        for each in known
        if _speaks_of(each, series)
    ]
    versions, rows = line.versions[line.known], line.known
    for one in np.flatnonzero(versions[1:] != versions[:-1]) + 1:
        why = f"version {versions[one - 1]} -> {versions[one]} of the metric"
        cuts.append(Cut(index=int(rows[one]), at=line.created[rows[one]], why=why))
    return tuple(sorted((cut for cut in cuts if cut.index), key=lambda cut: cut.index))


def _speaks_of(acknowledgement: Acknowledgement, series: Series) -> bool:
    names = ("suite", "cell", "metric", "machine")
    return all(fnmatchcase(getattr(series, name), getattr(acknowledgement, name)) for name in names)


def _dated(line: SeriesPoints, judged: Array, part: Whole, margin: Margin) -> list[ChangePoint]:
    changes = change_points(judged[part], line.created[part], margin)
    return [replace(change, index=int(part[change.index])) for change in changes]


def _pieces(line: SeriesPoints, part: Whole, changes: Sequence[ChangePoint]) -> list[Segment]:
    edges = [0, *np.searchsorted(part, [change.index for change in changes]).tolist(), len(part)]
    values = line.values[part]
    return [
        Segment(int(part[start]), int(part[stop - 1]), float(np.median(values[start:stop])))
        for start, stop in pairwise(edges)
        if stop > start
    ]
