"""
What faults are planted into: the audio of an engine, measured by fresh processes, or recordings.

Measures and reads; plants nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.machine.profiles_table import Profile
from harness.records.cell import Cell
from harness.records.run import Run
from harness.runner import run_folder
from harness.runner.progress import Progress
from harness.runner.runner import run_suite
from harness.selftest.recordings import recordings_run
from harness.selftest.specimens import Engine, Sounds, sounds_of
from harness.selftest.speed import matching
from harness.suite.suite import Expansion, Suite
from harness.workflow import chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A run without faults, the cell of it that gets them, the folder for them, and what says things otherwise, if any."""

    audio: str
    """In words."""
    run: Run
    cell: Cell
    folder: Path
    clean: Mapping[str, Sounds]
    """The clean repeats: how each was made -> its audio."""
    engine: Engine | None = None

    @property
    def reference(self) -> Cell:
        """The reference cell."""
        (found,) = (cell for cell in self.run.cells if cell.slug == self.run.reference)
        return found

    @property
    def settings(self) -> list[Cell]:
        """The cells beside these two."""
        return [cell for cell in self.run.cells if cell.slug not in (self.run.reference, self.cell.slug)]


def measured_ground(suite: Suite, only: Sequence[str], profile: Profile, folder: Path, progress: Progress) -> Ground:
    """Measure the suite's cells, and the first two again in fresh processes. Raises HarnessError if a cell fails."""
    cells = cells_of(suite.expand(), only)
    run = _measured(suite, cells, profile, folder / "measured", progress)
    again = _measured(suite, cells[:2], profile, folder / "again", progress)
    cell = cells[1]
    return Ground(
        audio=f"{cell.target} {cell.label}",
        run=run,
        cell=cell,
        folder=folder / "faults",
        clean={"judged again": sounds_of(run, cell.slug), "measured again": sounds_of(again, cell.slug)},
        engine=Engine(suite=suite, profile=profile, cell=cell, folder=folder / "respoken", progress=progress),
    )


def recorded_ground(recordings: Path, like: Run, folder: Path) -> Ground:
    """Take a folder of recordings for what an engine said. Raises HarnessError as `recordings_run` does."""
    run = recordings_run(recordings, like, folder / "questions")
    cell = run.cells[-1]
    clean = {"judged again": sounds_of(run, cell.slug)}
    return Ground(audio="recordings", run=run, cell=cell, folder=folder / "recordings", clean=clean)


def cells_of(expansion: Expansion, only: Sequence[str]) -> list[Cell]:
    """Give the reference, the cell that gets the faults, and the settings. Raises HarnessError if there is no second cell."""
    others = [cell for cell in matching(chosen(expansion, only), only) if cell.slug != expansion.reference]
    if not others:
        raise HarnessError(f"faults are planted beside the reference cell {expansion.reference}; name another with --only")
    return [*(cell for cell in expansion.cells if cell.slug == expansion.reference), *others]


def _measured(suite: Suite, cells: Sequence[Cell], profile: Profile, folder: Path, progress: Progress) -> Run:
    """Measure the cells once. Raises HarnessError if one fails, and KeyboardInterrupt if a person stops it."""
    outcome = run_suite(
        suite,
        cells,
        profile,
        folder,
        repeats=1,
        iterations=1,
        progress=progress,
        command="selftest --quality",
        energy=False,
        stages=False,
    )
    if outcome.interrupted:
        raise KeyboardInterrupt
    for slug, failure in outcome.failures.items():
        raise HarnessError(f"cell {slug} cannot be measured: {failure.kind}: {failure.reason}")
    return run_folder.load_run(folder)
