"""
The points of one series as arrays, oldest first: what every reading of a trend starts from.

Cuts the history's table of points into lines, once for all series, since a history may hold a million points. Judges none.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.history.arrays import Array, Days, Texts, Whole
from harness.history.nights import days_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The points of one series; a value is NaN where `missing` says why. `versions` are empty where they were not read."""

    created: Texts
    days: Days
    values: Array
    missing: Texts
    versions: Texts

    @property
    def known(self) -> Whole:
        """Give the places of the points with a value."""
        return np.flatnonzero(~np.isnan(self.values))


NONE = np.zeros(0, dtype=object)
EMPTY = Line(created=NONE, days=days_of(()), values=np.zeros(0), missing=NONE, versions=NONE)


def lines_of(points: "pd.DataFrame") -> dict[int, Line]:
    """Cut a table of points, as `History.points` gives it, into lines by the id of their series."""
    order = np.argsort(points["series"].to_numpy(), kind="stable")
    columns = {name: points[name].to_numpy()[order] for name in points.columns}
    columns.setdefault("version", np.full(len(order), "", dtype=object))
    columns["days"] = _days(columns["run"], columns["created"])
    ids, starts = np.unique(columns["series"], return_index=True)
    stops = np.append(starts[1:], len(order))[: len(ids)].tolist()
    return {
        int(each): Line(
            created=columns["created"][start:stop],
            days=columns["days"][start:stop],
            values=columns["value"][start:stop].astype(np.float64),
            missing=columns["missing"][start:stop],
            versions=columns["version"][start:stop],
        )
        for each, start, stop in zip(ids, starts.tolist(), stops, strict=True)
    }


def _days(runs: Whole, created: Texts) -> Days:
    """Give each point's day; a run has one time, so only one of its points is read."""
    _, first, place = np.unique(runs, return_index=True, return_inverse=True)
    return days_of([created[one] for one in first])[place]
