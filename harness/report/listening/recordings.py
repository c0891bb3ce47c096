"""
The recordings of a page: those of a run of the history, of the run before it, and the golden ones.

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
from voxgate.harness.judging.replace_folder import ROOM
from voxgate.harness.records.files import PLAIN_NAME
from voxgate.harness.records.measurement import Missing
from voxgate.harness.runner.recordings import Recordings, open_recordings


class Runs(Protocol):
    """What is needed of a history."""

    def runs(self, suite: str | None = None, limit: int | None = None) -> Sequence[RunRow]:
        """Return the runs of a suite, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecordings:
    """The recordings of a run, of the run before it, and of the accepted run of its suite."""

    run: RunRow
    previous: RunRow | None
    accepted: BaselineFile | None
    recordings: Recordings


def load_recordings(history: Runs, run: RunRow, baselines: Path) -> RunRecordings | Missing:
    """
    Open the recordings of a run, or return why there are none.

    The run before it is the last of the same suite, profile and machine whose folder still exists.
    Raises HarnessError for a damaged baseline.
    """
    if run.source != "voxgate":
        return Missing(f"run {run.id} was measured by {run.source}, which keeps no audio")
    if not _is_there(run):
        return Missing(f"the folder of run {run.id} is gone: {run.folder or 'none was kept'}")
    before = previous(history, run)
    plain = PLAIN_NAME.fullmatch(run.suite) is not None  # nothing is ever accepted for another one
    accepted = load_baseline(baselines, run.suite, run.machine).quality if plain else None
    try:
        folder = None if before is None else Path(before.folder)
        golden = golden_dir(baselines, run.suite) if plain else baselines / ROOM
        recordings = open_recordings(Path(run.folder), folder, golden)
    except HarnessError as error:
        return Missing(str(error))
    return RunRecordings(run=run, previous=before, accepted=accepted, recordings=recordings)


def previous(history: Runs, run: RunRow) -> RunRow | None:
    """Find the run before it; None where there is none whose folder is still there."""
    same = (run.suite, run.profile, run.machine)
    earlier = [
        row
        for row in history.runs(run.suite)
        if (row.suite, row.profile, row.machine) == same
        and row.created < run.created
        and row.folder != run.folder
    ]
    return next((row for row in reversed(earlier) if _is_there(row)), None)


def _is_there(run: RunRow) -> bool:
    return bool(run.folder) and (Path(run.folder) / "run.json").is_file()


def minute(created: str) -> str:
    """Shorten an ISO time in UTC: `2026-11-21 10:44 UTC`."""
    return f"{created[:16].replace('T', ' ')} UTC"
