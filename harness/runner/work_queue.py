"""
Pending work, failures, and the progress of all of it. Starts nothing and writes no files.

Steps are counted by cell and side, so that the steps of a failed cell can be dropped, on all sides
at once.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from voxgate.harness.records.cell import Cell
from voxgate.harness.records.run import Failure
from voxgate.harness.runner.progress import Progress, TimeEstimate
from voxgate.harness.runner.resume import Remainder
from voxgate.harness.runner.run_header import RunHeader


class CellKey(NamedTuple):
    """One cell of one side."""

    side: int
    slug: str


class WorkQueue:
    """
    The account of one run, or of several side by side.

    cells: of all sides, in the order of the suite.
    plan: what all sides are asked to do.
    todo: what each round of a cell still lacks.
    failures: of the cells that are not started again.
    """

    def __init__(
        self,
        cells: Mapping[CellKey, Cell],
        plan: RunHeader,
        weighed: Collection[str],
        progress: Progress,
    ) -> None:
        self.cells = cells
        self.plan = plan
        self.todo: dict[tuple[CellKey, int], Remainder] = {}
        self.failures: dict[CellKey, Failure] = {}
        self._weighed = frozenset(weighed)
        self._progress = progress
        self._left = {slot: Counter[str]() for slot in cells}
        self._pace = TimeEstimate({})

    def add(self, todo: Mapping[tuple[CellKey, int], Remainder]) -> None:
        """Add work, and count its steps."""
        self.todo.update(todo)
        for (slot, repeat), pending in todo.items():
            longer = {"longer": 1} if self.plan.min_time_s > 0.0 else {}
            power = {"power": 1} if self.is_weighed(slot, repeat) else {}
            takes = {"take": len(pending.takes)} if pending.takes else {}
            self._left[slot].update(
                {"prepare": 1, "measure": len(pending.missing), **longer, **takes, **power}
            )

    def start(self, label: str) -> None:
        """Begin to show how much of a phase is done."""
        total = sum(self._left.values(), Counter())
        self._pace = TimeEstimate(total)
        self._progress.start(total.total(), label)

    def begin_round(self, label: str, repeat: int, rounds: int) -> None:
        """Show which round is measured: `measuring round 1 of 3`."""
        of = f" of {rounds}" if repeat < rounds else ", added"
        self._progress.phase(f"{label} round {repeat + 1}{of}")

    def end(self) -> None:
        """End the progress display."""
        self._progress.end()

    def is_weighed(self, slot: CellKey, repeat: int) -> bool:
        """
        Whether the process measures its energy: in planned rounds, of cells that are asked about
        and have a meter.
        """
        return slot.slug in self._weighed and repeat < self.plan.repeats

    def lost(self, slug: str) -> bool:
        """Whether the cell failed on any side: then there is nothing to hold the others against."""
        return any(slot.slug == slug for slot in self.failures)

    def step(self, kind: str, slot: CellKey, text: str, duration_s: float) -> None:
        """Count a step that was done."""
        self._left[slot][kind] -= 1
        self._pace.done(kind, duration_s)
        self._progress.step(text, self._pace.eta_s())

    def fail(self, slot: CellKey, failure: Failure) -> None:
        """Note a failure, and forget the steps of the cell and of its counterparts."""
        self.failures[slot] = failure
        for cell in self.cells:
            if cell.slug == slot.slug:
                for kind, count in self._left[cell].items():
                    self._pace.skip(kind, count)
                self._left[cell].clear()
