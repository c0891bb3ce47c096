"""
The recordings of a page: those of a run of the history, of an earlier one, and the golden ones.

The only file here that reads the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.records import RunRow
from voxgate.harness.judging.baseline import golden_dir, load_baseline
from voxgate.harness.judging.baseline_file import BaselineFile
from voxgate.harness.judging.causes import WORSE
from voxgate.harness.judging.replace_folder import ROOM
from voxgate.harness.records.files import PLAIN_NAME
from voxgate.harness.records.measurement import Missing
from voxgate.harness.runner.recordings import Recordings, open_recordings


class Runs(Protocol):
    """What is needed of a history."""

    def runs(self, suite: str | None = None, limit: int | None = None) -> Sequence[RunRow]:
        """Return the runs of a suite, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """
    The run that another is compared with: the one before it, or, where `passed_by` runs have been
    worse for as long as it, the last good one.
    """

    run: RunRow
    passed_by: int

    @property
    def name(self) -> str:
        """Its name on the pages, as an adjective."""
        return "last good" if self.passed_by else "previous"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecordings:
    """The recordings of a run, of an earlier one, and of the accepted run of its suite."""

    run: RunRow
    earlier: EarlierRun | None
    accepted: BaselineFile | None
    recordings: Recordings


def load_recordings(
    history: Runs, run: RunRow, baselines: Path, worse_since: str = ""
) -> RunRecordings | Missing:
    """
    Open the recordings of a run, or return why there are none.

    The earlier run is of the same suite, profile and machine, and its folder still exists;
    `worse_since` is the first day of what is worse now. Raises HarnessError for a damaged baseline.
    """
    if run.source != "voxgate":
        return Missing(f"run {run.id} was measured by {run.source}, which keeps no audio")
    if not _is_there(run):
        return Missing(f"the folder of run {run.id} is gone: {run.folder or 'none was kept'}")
    before = earlier_run(history, run, worse_since)
    plain = PLAIN_NAME.fullmatch(run.suite) is not None  # nothing is ever accepted for another one
    accepted = load_baseline(baselines, run.suite, run.machine).quality if plain else None
    try:
        folder = None if before is None else Path(before.run.folder)
        golden = golden_dir(baselines, run.suite) if plain else baselines / ROOM
        recordings = open_recordings(Path(run.folder), folder, golden)
    except HarnessError as error:
        return Missing(str(error))
    return RunRecordings(run=run, earlier=before, accepted=accepted, recordings=recordings)


def earlier_run(history: Runs, run: RunRow, worse_since: str = "") -> EarlierRun | None:
    """
    Find the run to compare with; None where there is none whose folder is still there.

    What got worse some nights ago sounds like the night before: the run is then the last before
    `worse_since`, or the last that did not regress itself. Where none is kept, the one before it.
    """
    same = (run.suite, run.profile, run.machine)
    earlier = [
        row
        for row in history.runs(run.suite)
        if (row.suite, row.profile, row.machine) == same
        and row.created < run.created
        and row.folder != run.folder
        and _is_there(row)
    ]
    good = [place for place, row in enumerate(earlier) if _is_good(row, run, worse_since)]
    if not earlier:
        return None
    place = good[-1] if good else len(earlier) - 1
    return EarlierRun(run=earlier[place], passed_by=len(earlier) - 1 - place)


def _is_good(row: RunRow, run: RunRow, worse_since: str) -> bool:
    """Return whether an earlier run is from before a run got worse, if it did."""
    if worse_since:
        return row.created[:10] < worse_since
    return run.verdict not in WORSE or row.verdict not in WORSE


def _is_there(run: RunRow) -> bool:
    return bool(run.folder) and (Path(run.folder) / "run.json").is_file()


def minute(created: str) -> str:
    """Shorten an ISO time in UTC: `2026-11-21 10:44 UTC`."""
    return f"{created[:16].replace('T', ' ')} UTC"
