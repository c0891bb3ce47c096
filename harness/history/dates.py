"""
Implausible times: of a board whose clock nobody set, at 1970 or 2098.

A run with such a time is left out of everything that goes by time, and reported. A run of the year
2098 would otherwise be the newest night of its series for ever, and hide that measuring has
stopped. Knows no clock: the caller passes the day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Protocol

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.records import Acknowledgement, RunRow, Series

if TYPE_CHECKING:
    import pandas as pd

EARLIEST = "2000-01-01"
"""
The day before which nothing was measured: clocks without a battery begin in 1970, some in 1980.
"""
AHEAD = timedelta(days=1)
"""How far a clock may be ahead of ours, time zones included, and still be plausible."""


class Timed(Protocol):
    """The queries that a trend makes of a history."""

    def runs(self) -> Sequence[RunRow]:
        """Return all runs, oldest first."""

    def series(self) -> Sequence[Series]:
        """Return all series."""

    def points(self, *, words: bool) -> "pd.DataFrame":
        """Return all points, oldest first."""

    def acknowledgements(self) -> Sequence[Acknowledgement]:
        """Return all acknowledgements."""


@dataclass(frozen=True, slots=True)
class Believed:
    """A history without implausible times; it answers the queries of trends."""

    history: Timed
    today: str
    """ISO, UTC."""

    def runs(self) -> tuple[RunRow, ...]:
        """Return the runs with a plausible time, oldest first."""
        return tuple(run for run in self.history.runs() if not untrue(run.created, self.today))

    def left_out(self) -> tuple[RunRow, ...]:
        """Return the other runs."""
        return tuple(run for run in self.history.runs() if untrue(run.created, self.today))

    def series(self) -> Sequence[Series]:
        """Return all series."""
        return self.history.series()

    def points(self, *, words: bool) -> "pd.DataFrame":
        """Return the points of the plausible runs, oldest first."""
        return believed_points(self.history.points(words=words), self.today)

    def acknowledgements(self) -> Sequence[Acknowledgement]:
        """Return all acknowledgements."""
        return self.history.acknowledgements()


def untrue(created: str, today: str) -> bool:
    """Whether nothing can have been measured at that time, if it is `today` (both ISO, UTC)."""
    return created < EARLIEST or created[:10] > _latest(today)


def check_time(created: str, today: str) -> None:
    """Raise HarnessError for an implausible time."""
    if untrue(created, today):
        raise HarnessError(
            f"it is dated {created}, and today is {today[:10]}: {_why(created)}; measure it again"
        )


def left_out_line(run: RunRow) -> str:
    """Return one line that names a run that is left out, and why."""
    where = f"run {run.id} ({run.suite} on {run.machine})"
    return f"{where} is dated {run.created[:10]} and is left out: {_why(run.created)}"


def believed_points(points: "pd.DataFrame", today: str) -> "pd.DataFrame":
    """Return a table of points, oldest first, without those with an implausible time."""
    created = points["created"]
    # "U" is behind "T"
    first, last = (created.searchsorted(bound) for bound in (EARLIEST, _latest(today) + "U"))
    return (
        points
        if (first, last) == (0, len(points))
        else points.iloc[first:last].reset_index(drop=True)
    )


def _latest(today: str) -> str:
    try:
        return (date.fromisoformat(today[:10]) + AHEAD).isoformat()
    except OverflowError:
        return date.max.isoformat()


def _why(created: str) -> str:
    return (
        f"the clock of its machine was {'never set' if created < EARLIEST else 'ahead'} (voxgate "
        "doctor looks at it)"
    )
