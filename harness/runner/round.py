"""
Run one round: start a worker per cell, interleave their measured iterations, end them one by one.

A failed worker is recorded and dropped. Gets pending work from `work_queue.py` and workers from
`worker_pool.py`.

The order stands in pure functions below, so that a test can read it as a script. Neighbours in time
share whatever disturbs the machine, so cells take turns iteration by iteration, and no cell always
goes first or always follows the same other: with two cells the order is AB BA BA AB, with three ABC
CBA BCA ACB CAB BAC.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from voxgate.harness.machine.clock import Clock, WallClock
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records.run import FailureKind
from voxgate.harness.records.traces import FACT
from voxgate.harness.runner import process_files
from voxgate.harness.runner.run_header import RunHeader
from voxgate.harness.runner.work_queue import CellKey, WorkQueue
from voxgate.harness.runner.worker_pool import WorkerPool, WorkerSpec
from voxgate.harness.runner.worker_process import CURRENT_ENV, PythonEnv, WorkerError, WorkerProcess

MOST_LAPS = 100
"""Through the workload, in one process: however quick the engine, a suite must end."""


class DiskFullError(Exception):
    """No room for another record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """
    One of the engines that are measured in turns: what is asked of it, its own run folder, where
    its code comes from.
    """

    header: RunHeader
    folder: Path
    launch: PythonEnv = CURRENT_ENV


class Round:
    """Takes some cells of some sides through a round."""

    def __init__(
        self,
        sides: Sequence[Variant],
        profile: Profile,
        crew: WorkerPool,
        ledger: WorkQueue,
        *,
        stage_rounds: int,
    ) -> None:
        self._sides = sides
        self._profile = profile
        self._crew = crew
        self._ledger = ledger
        self._plan = ledger.plan
        self._stage_rounds = stage_rounds
        self._clock: Clock = WallClock()
        self._lock = threading.Lock()

    def take(self, slots: Sequence[CellKey], repeat: int) -> None:
        """
        Measure what these cells still lack of a round. Raises DiskFullError if there is no room to
        record a failure.
        """
        live = self._prepare_all(
            [slot for slot in slots if not self._ledger.lost(slot.slug)], repeat
        )
        self._measure_all(live, repeat)
        for slot, child in live.items():
            if slot not in self._ledger.failures:
                self._finish(slot, repeat, child)

    def _prepare_all(self, slots: Sequence[CellKey], repeat: int) -> dict[CellKey, WorkerProcess]:
        """Start and warm up one process per slot; those that fail are left out."""
        alone = repeat == 0 and len(self._sides) == 1
        width = 1 if alone else max(1, min(self._profile.loading, len(slots)))
        with ThreadPoolExecutor(width) as pool:
            try:
                children = list(
                    pool.map(lambda slot: self._prepare(slot, repeat, alone=width == 1), slots)
                )
            except BaseException:
                self._crew.stop()  # else the pool would wait for them
                raise
        return {
            slot: child for slot, child in zip(slots, children, strict=True) if child is not None
        }

    def _prepare(self, slot: CellKey, repeat: int, *, alone: bool) -> WorkerProcess | None:
        start_s = self._clock.seconds()
        side = self._sides[slot.side]
        before = self._ledger.todo[slot, repeat].iterations
        post = WorkerSpec(
            cell=self._ledger.cells[slot],
            repeat=repeat,
            folder=side.folder,
            launch=side.launch,
            iterations_before=before,
            sampled=slot.slug in self._plan.takes,
            spans=FACT in self._plan.environment.toolchain.versions,
        )
        child = self._crew.start(post)
        if child is None:
            return None
        try:
            self._crew.prepare(child, post.cell, alone=alone)
        except WorkerError as error:
            self._fail(slot, repeat, child, error)
            return None
        with self._lock:
            self._ledger.step(
                "prepare", slot, f"{slot.slug} is ready", self._clock.seconds() - start_s
            )
        return child

    def _measure_all(self, live: Mapping[CellKey, WorkerProcess], repeat: int) -> None:
        requests = self._plan.spoken(self._plan.cells[0], repeat)
        missing = {slot: set(self._ledger.todo[slot, repeat].missing) for slot in live}
        measured_s = dict.fromkeys(live, 0.0)
        slugs = list(
            dict.fromkeys(slot.slug for slot in self._ledger.cells if slot in live)
        )  # the suite's order: `turns` does the turning
        for slug, request, lap, side in interleave(
            slugs, requests, self._plan.iterations, repeat, len(self._sides)
        ):
            slot = CellKey(side, slug)
            if not self._ledger.lost(slug) and (request, lap) in missing.get(slot, ()):
                start_s = self._clock.seconds()
                measured_s[slot] += self._measure(slot, repeat, live[slot], request)
                if not self._ledger.lost(slug):
                    self._ledger.step("measure", slot, slug, self._clock.seconds() - start_s)
        self._measure_longer(live, repeat, requests, measured_s)

    def _measure_longer(
        self,
        live: Mapping[CellKey, WorkerProcess],
        repeat: int,
        requests: Sequence[str],
        measured_s: dict[CellKey, float],
    ) -> None:
        """
        Add whole passes for the cells whose processes have measured for less than the least time,
        on all sides alike.
        """
        if not self._plan.min_time_s:
            return
        start_s, laps = self._clock.seconds(), self._plan.iterations
        while laps < MOST_LAPS and (short := self._short(live, measured_s)):
            for slug, request, _, side in interleave(
                short, requests, 1, repeat + laps, len(self._sides)
            ):
                slot = CellKey(side, slug)
                if slot in live and not self._ledger.lost(slug):
                    measured_s[slot] += self._measure(slot, repeat, live[slot], request)
            laps += 1
        for slot in live:
            if not self._ledger.lost(slot.slug):
                self._ledger.step(
                    "longer", slot, slot.slug, (self._clock.seconds() - start_s) / len(live)
                )

    def _short(
        self, live: Mapping[CellKey, WorkerProcess], measured_s: Mapping[CellKey, float]
    ) -> list[str]:
        """Name the cells whose sides have measured for less than the least time, on average."""
        slugs = dict.fromkeys(
            slot.slug
            for slot in self._ledger.cells
            if slot in live and not self._ledger.lost(slot.slug)
        )
        times_s = {slug: [measured_s[slot] for slot in live if slot.slug == slug] for slug in slugs}
        return [
            slug
            for slug, walls_s in times_s.items()
            if sum(walls_s) < len(walls_s) * self._plan.min_time_s
        ]

    def _measure(self, slot: CellKey, repeat: int, child: WorkerProcess, request: str) -> float:
        """Measure one iteration and give its seconds; none if it fails."""
        try:
            return self._crew.measure(child, request)
        except WorkerError as error:
            self._fail(slot, repeat, child, error)
            return 0.0

    def _finish(self, slot: CellKey, repeat: int, child: WorkerProcess) -> None:
        try:
            self._speak_takes(slot, repeat, child)
            if repeat < self._stage_rounds and not self._ledger.lost(slot.slug):
                self._crew.profile_stages(child, self._ledger.cells[slot])
            if self._ledger.is_weighed(slot, repeat) and not self._ledger.lost(slot.slug):
                self._weigh(slot, child)
            self._crew.finish(child)
        except WorkerError as error:
            self._fail(slot, repeat, child, error)

    def _speak_takes(self, slot: CellKey, repeat: int, child: WorkerProcess) -> None:
        """Speak the further takes, when nothing is timed any more. Raises WorkerError."""
        for request, take in self._ledger.todo[slot, repeat].takes:
            if self._ledger.lost(slot.slug):
                return
            start_s = self._clock.seconds()
            self._crew.speak_take(child, request, take)
            self._ledger.step("take", slot, slot.slug, self._clock.seconds() - start_s)

    def _weigh(self, slot: CellKey, child: WorkerProcess) -> None:
        start_s = self._clock.seconds()
        self._crew.measure_energy(child, self._ledger.cells[slot])
        self._ledger.step("power", slot, slot.slug, self._clock.seconds() - start_s)

    def _fail(self, slot: CellKey, repeat: int, child: WorkerProcess, error: WorkerError) -> None:
        """
        Record a failure, unless it is of our own making. Raises DiskFullError if there is no room
        to.
        """
        with self._lock:
            if self._crew.stopping:
                return
            self._crew.terminate(child)
            if error.failure.kind is FailureKind.DISK:
                raise DiskFullError from error
            if not error.recorded:
                process_files.append_failure(
                    self._sides[slot.side].folder, slot.slug, repeat, error.failure
                )
            self._ledger.fail(slot, error.failure)


T = TypeVar("T")


class ScheduledIteration(NamedTuple):
    """
    One measured iteration to come: which cell, which request, in which pass through the workload,
    on which side.
    """

    cell: str
    request: str
    lap: int
    side: int = 0


def rotated(items: Sequence[T], by: int) -> tuple[T, ...]:
    """Begin with the item number `by`, modulo their count."""
    start = by % len(items) if items else 0
    return (*items[start:], *items[:start])


def batches(cells: Sequence[T], live: int, repeat: int) -> list[tuple[T, ...]]:
    """
    Cut the cells into groups of at most `live` that are measured together; other groups in every
    repeat.
    """
    assert live >= 1, f"at least one worker must be alive, not {live}"
    turned = rotated(cells, repeat)
    return [turned[start : start + live] for start in range(0, len(turned), live)]


def rotate(cells: Sequence[T], step: int) -> tuple[T, ...]:
    """
    Return the order of one step: forward, then backward, then both again beginning one further.
    """
    turned = rotated(cells, step // 2)
    return turned if step % 2 == 0 else turned[::-1]


def interleave(
    cells: Sequence[str], requests: Sequence[str], laps: int, repeat: int, sides: int = 1
) -> Iterator[ScheduledIteration]:
    """
    List all measured iterations of one group in one repeat: request by request, cells in turn, a
    cell's sides together.
    """
    step = repeat
    for lap in range(laps):
        for request in requests:
            for cell in rotate(cells, step):
                yield from (
                    ScheduledIteration(cell, request, lap, side)
                    for side in rotate(range(sides), step)
                )
            step += 1
