"""
Segments: the parts of a series at one level, ended by dated steps, by acknowledged changes and by
new versions of a metric.

An acknowledgement and another version cut a series whatever its values are, and no step is searched
for across such a cut: the values before it are not comparable. Raises no alarm.

Renamed machines: where settings became part of a machine's name, its series begin anew, and the old
ones lack every night from then on. That it is the same machine cannot be proven, so a person
declares it, by an acknowledgement.
"""

import shlex
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from voxgate.harness.history.budget import Margin, shift_text
from voxgate.harness.history.change_points import ChangePoint, change_points
from voxgate.harness.history.records import Acknowledgement, Array, RunRow, Series, Whole
from voxgate.harness.history.series import SeriesPoints


class Segment(NamedTuple):
    """
    A part at one level: the indexes of its first and its last point, and the median of its values.
    """

    start: int
    end: int
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The begin of a segment for a reason from outside the values."""

    index: int
    """The index of the first point behind it; the number of points where there is none yet."""
    at: str
    label: str
    """`acknowledged`, or the versions of the metric before and behind."""
    detail: str = ""
    """The reason that a person gave."""
    is_acknowledged: bool = False

    @property
    def why(self) -> str:
        """Return the reason in words: `acknowledged: more steps`."""
        return f"{self.label}: {self.detail}" if self.detail else self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """
    The segments of a series. All indexes are among all points of the series, those without a value
    included.
    """

    cuts: tuple[Cut, ...]
    changes: tuple[ChangePoint, ...]
    pieces: tuple[Segment, ...]
    newest: Whole
    """
    The indexes of the values behind the last cut: those that are comparable with the next one.
    """

    def why(self, series: Series) -> str:
        """
        Return the cause of the newest segment, or of the wait for it; empty where it began with the
        first value.
        """
        cut = next(iter(self.cuts[-1:]), None)
        if len(self.newest):
            start = self.pieces[-1].start
            step = next((change for change in self.changes if change.index == start), None)
            if step is not None:
                return f"a step of {shift_text(step.shift, step.absolute, series.unit)}"
        return f"{cut.why} ({cut.at[:10]})" if cut else ""


def segments_of(
    series: Series,
    points: SeriesPoints,
    judged: Array,
    acknowledgements: Sequence[Acknowledgement],
    margin: Margin,
) -> Segments:
    """
    Return the segments of a series; `judged` are its values in the form in which they are compared,
    NaN where there is none.
    """
    cuts = _cuts(series, points, acknowledgements)
    parts = np.split(points.known, np.searchsorted(points.known, [cut.index for cut in cuts]))
    changes: list[ChangePoint] = []
    pieces: list[Segment] = []
    for part in parts:
        dated = _dated(points, judged, part, margin)
        changes += dated
        pieces += _pieces(points, part, dated)
    return Segments(cuts=cuts, changes=tuple(changes), pieces=tuple(pieces), newest=parts[-1])


def _cuts(
    series: Series, points: SeriesPoints, acknowledgements: Sequence[Acknowledgement]
) -> tuple[Cut, ...]:
    """Return the cuts, oldest first; one before the first point cuts nothing."""
    cuts = [
        Cut(
            index=bisect_left(points.created, acknowledgement.since),
            at=acknowledgement.since,
            label="acknowledged",
            detail=acknowledgement.why,
            is_acknowledged=True,
        )
        for acknowledgement in acknowledgements
        if concerns(acknowledgement, series)
    ]
    versions, rows = points.versions[points.known], points.known
    for index in np.flatnonzero(versions[1:] != versions[:-1]) + 1:
        label = f"version {versions[index - 1]} -> {versions[index]} of the metric"
        cuts.append(Cut(index=int(rows[index]), at=points.created[rows[index]], label=label))
    return tuple(sorted((cut for cut in cuts if cut.index), key=lambda cut: cut.index))


def concerns(acknowledgement: Acknowledgement, series: Series) -> bool:
    """Check whether the patterns of an acknowledgement match a series."""
    names = ("suite", "cell", "metric", "machine")
    return all(fnmatchcase(getattr(series, name), getattr(acknowledgement, name)) for name in names)


def _dated(points: SeriesPoints, judged: Array, part: Whole, margin: Margin) -> list[ChangePoint]:
    changes = change_points(judged[part], points.created[part], margin)
    return [replace(change, index=int(part[change.index])) for change in changes]


def _pieces(points: SeriesPoints, part: Whole, changes: Sequence[ChangePoint]) -> list[Segment]:
    edges = [0, *np.searchsorted(part, [change.index for change in changes]).tolist(), len(part)]
    values = points.values[part]
    return [
        Segment(int(part[start]), int(part[stop - 1]), float(np.median(values[start:stop])))
        for start, stop in pairwise(edges)
        if stop > start
    ]


def renamed(runs: Sequence[RunRow], silent: Iterable[Series]) -> tuple[str, ...]:
    """
    Return, a line for each suite, how to continue series that lack data because their machine has
    another name now.
    """
    first: dict[tuple[str, str], RunRow] = {}
    for run in runs:
        machine = run.environment.get("machine")
        former = machine.get("former_id") if isinstance(machine, Mapping) else None
        if isinstance(former, str):
            first.setdefault((run.suite, former), run)
    places = dict.fromkeys((trend.suite, trend.machine) for trend in silent)
    return tuple(
        _told(suite, machine, first[suite, machine])
        for suite, machine in places
        if (suite, machine) in first
    )


def _told(suite: str, machine: str, run: RunRow) -> str:
    since = run.created[:10]
    command = (
        f"voxgate history acknowledge {shlex.quote(suite)} --machine {shlex.quote(machine)} "
        f"--since {since}"
    )
    return (
        f"{machine} is called {run.machine} since {since} ({suite}): what is set on it is part of "
        "its name. "
        f'If it is the same, end the old lines: {command} --why "..."'
    )
