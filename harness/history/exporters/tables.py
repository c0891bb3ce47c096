"""
What of a history is exported: the runs of some suites, profiles and machines, and their points as one long table.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from harness.errors import HarnessError
from harness.history.database import History
from harness.history.dates import left_out_line, untrue
from harness.history.records import RunRow
from harness.records.files import write_file

RUN_COLUMNS = ("digest", "source", "suite", "profile", "machine", "head")
SERIES_COLUMNS = ("cell", "label", "metric", "unit", "better")
TABLE = (
    "created",
    *RUN_COLUMNS,
    *SERIES_COLUMNS,
    *("version", "value", "missing", "low", "high", "n", "verdict", "reason", "shift"),
)
"""The columns of the long table: one row per value, oldest first. `value` is empty where `missing` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Patterns (`fnmatch`) of what is wanted."""

    suite: str = "*"
    profile: str = "*"
    machine: str = "*"
    today: str = "9999-12-31"
    """ISO, UTC: a run whose time cannot be true if it is today is in no export that goes by time."""

    def runs(self, history: History) -> list[RunRow]:
        """Give the chosen runs, oldest first. Raises HarnessError if there is none."""
        found = [run for run in history.runs() if self._wants(run)]
        if not found:
            raise HarnessError(f"no run of suite {self.suite}, profile {self.profile}, machine {self.machine} in this history")
        return found

    def believed(self, history: History) -> list[RunRow]:
        """Return the chosen runs whose time can be true, oldest first. Raises HarnessError if there is none."""
        runs = self.runs(history)
        found = [run for run in runs if not untrue(run.created, self.today)]
        if not found:
            raise HarnessError(f"none of the {len(runs)} runs has a time that can be true; {left_out_line(runs[0])}")
        return found

    def newest(self, history: History) -> list[RunRow]:
        """Return the newest complete run of each suite, profile and machine. Raises HarnessError if there is none."""
        runs = self.believed(history)
        found = {(run.suite, run.profile, run.machine): run for run in runs if run.complete}
        if not found:
            raise HarnessError(f"none of the {len(runs)} runs is complete; continue one with `voxgate check --resume`")
        return list(found.values())

    def table(self, history: History, runs: list[RunRow] | None = None) -> pd.DataFrame:
        """Give the points of the chosen runs with all that belongs to them: TABLE, and `run` and `series`."""
        chosen = self.runs(history) if runs is None else runs
        of_run = pd.DataFrame([{"run": run.id, **{name: getattr(run, name) for name in RUN_COLUMNS}} for run in chosen])
        lines = history.series()
        of_series = pd.DataFrame(
            [{"series": line.id, **{name: getattr(line, name) for name in SERIES_COLUMNS}} for line in lines],
            columns=["series", *SERIES_COLUMNS],
        )
        points = history.points(words=True)
        points = points[points["run"].isin(of_run["run"])]
        return points.merge(of_run, on="run").merge(of_series, on="series")[["run", "series", *TABLE]]

    def _wants(self, run: RunRow) -> bool:
        return all(fnmatchcase(getattr(run, name), getattr(self, name)) for name in ("suite", "profile", "machine"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises HarnessError if it cannot be written."""
    write_file(path, content, "name another --out", parents=True)
