"""
Measures a suite: rounds of fresh child processes, whose measured iterations take turns. One engine, or several side by side.

One round per repeat. In each, every cell gets a new process: load, first synthesis, warm-up until nothing compiles any
more, a look at what is in effect. Then the measured iterations of all live processes take turns (`order.py`), strictly one
at a time, while this process waits in the kernel. In the first round the processes also start one at a time, so that cold
starts are true. A cell that fails is not started again in this run, and stops no other cell.

Everything is on disk before the next command; Ctrl-C, a killed worker or a full disk cost the iteration under way, and a
resumed run continues each interrupted process with a fresh one. Knows no torch and no statistics.
"""

import errno
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from harness import store
from harness.cell import Cell
from harness.child import HERE, Child, ChildError, Launch
from harness.clock import Clock, WallClock, now_utc_iso
from harness.crew import Crew, Post, live_limit
from harness.doctor.tree import here
from harness.energy import device_of, find_meter
from harness.environment import environment, load_snapshot
from harness.errors import HarnessError
from harness.measurement import Missing
from harness.order import batches, turns
from harness.profiles import Profile
from harness.progress import Pace, Progress, Silent
from harness.resume import Remainder, check_same, put_torn_rounds_away, remainder, take_stock
from harness.sample import Failure
from harness.store import RunHeader
from harness.suite import Suite
from harness.targets.registry import check_cells

TIMEOUT_S = 600.0
MOST_LAPS = 100
"""Through the workload, in one process: however quick the engine, a suite must end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How measuring ended. Failures are by slug; an interrupted run is not complete and can be resumed."""

    folder: Path
    complete: bool
    interrupted: bool
    failures: Mapping[str, Failure]


class DiskFullError(Exception):
    """No room for another record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the engines that are measured in turns: what is asked of it, its own run folder, where its code comes from."""

    header: RunHeader
    folder: Path
    launch: Launch = HERE


class Slot(NamedTuple):
    """One cell of one side."""

    side: int
    slug: str


More = Callable[[int], Collection[str]]
"""Called when the planned rounds are done, with the number of rounds so far: which cells need another? None ends the run."""


def run_suite(
    suite: Suite,
    cells: Sequence[Cell],
    profile: Profile,
    folder: Path,
    *,
    repeats: int | None = None,
    iterations: int | None = None,
    timeout_s: float = TIMEOUT_S,
    resume: bool = False,
    progress: Progress | None = None,
    command: str = "",
    more: More | None = None,
    energy: bool = True,
    stages: bool = True,
) -> Outcome:
    """
    Measure `cells` (all of the suite's, or some) into `folder`; with `resume`, what is still missing there. `energy` and
    `stages` say whether the processes of the planned rounds add these passes.

    Raises HarnessError for options that the target does not know, a folder that is in use or belongs to another run, and
    a full disk.
    """
    header = make_header(suite, cells, profile, repeats=repeats, iterations=iterations, command=command)
    if resume:
        check_same(folder, store.load_header(folder), header)
    else:
        store.create_run(folder, header)
    metered = [cell.slug for cell in cells] if energy else []
    sides = [Side(header=header, folder=folder)]
    rounds = header.repeats if stages else 0
    return Schedule(sides, profile, timeout_s, progress or Silent(), more, metered, stage_rounds=rounds).run()[0]


def run_sides(
    sides: Sequence[Side],
    profile: Profile,
    *,
    timeout_s: float = TIMEOUT_S,
    progress: Progress | None = None,
    more: More | None = None,
    energy: Collection[str] = (),
    stage_rounds: int = 0,
) -> tuple[Outcome, ...]:
    """
    Measure the same cells of several engines, in turns: in every round a fresh process per side and cell, all sides of a cell
    alive together. All headers must name the same cells, repeats and iterations; `energy` names the cells whose energy is
    measured, too. In the first `stage_rounds` rounds each process adds a pass over its stages.

    What was interrupted in the same folders is continued: a round is kept where it is whole on all sides, and measured anew
    where it is not; what is complete on all sides is left as it is. Raises HarnessError as `run_suite` does.
    """
    for side in sides:
        if (side.folder / "run.json").exists():
            check_same(side.folder, store.load_header(side.folder), side.header)
        else:
            store.create_run(side.folder, side.header)
    if all((side.folder / "complete").exists() for side in sides):
        return tuple(map(_kept, sides))
    put_torn_rounds_away([side.folder for side in sides], sides[0].header)
    return Schedule(sides, profile, timeout_s, progress or Silent(), more, energy, stage_rounds=stage_rounds).run()


def _kept(side: Side) -> Outcome:
    """Give the outcome of a side that was measured to its end before."""
    processes = store.load_run(side.folder).processes
    failures = {each.cell: each.failure for each in processes if each.failure is not None}
    return Outcome(folder=side.folder, complete=True, interrupted=False, failures=failures)


def make_header(
    suite: Suite, cells: Sequence[Cell], profile: Profile, *, repeats: int | None, iterations: int | None, command: str
) -> RunHeader:
    """Say what is to be measured. Raises HarnessError for options that the target does not know."""
    check_cells(cells)
    expansion = suite.expand()
    return RunHeader(
        suite=suite.name,
        question=suite.question,
        reference=expansion.reference,
        cells=tuple(cells),
        excluded=expansion.excluded,
        profile=profile.name,
        environment=environment(),
        created=now_utc_iso(),
        repeats=suite.repeats if repeats is None else repeats,
        iterations=suite.iterations if iterations is None else iterations,
        min_time_s=suite.min_time_s,
        command=command,
        metrics=None if suite.metrics is None else tuple(suite.metrics),
        conditions=tuple(suite.conditions),
        judge=suite.judge,
    )


class Schedule:
    """One run under way, or several side by side."""

    def __init__(
        self,
        sides: Sequence[Side],
        profile: Profile,
        timeout_s: float,
        progress: Progress,
        more: More | None = None,
        energy: Collection[str] = (),
        *,
        stage_rounds: int = 0,
    ) -> None:
        self._sides = [replace(side, folder=side.folder.absolute()) for side in sides]
        self._profile = profile
        self._progress = progress
        self._more = more
        self._clock: Clock = WallClock()
        self._plan = sides[0].header
        self._cells = {Slot(n, cell.slug): cell for n, side in enumerate(sides) for cell in side.header.cells}
        self._energy = frozenset(energy)
        self._stage_rounds = stage_rounds
        self._unmetered = _unmetered([cell for cell in self._plan.cells if cell.slug in self._energy], profile)
        self._crew = Crew(profile, timeout_s)
        self._failures: dict[Slot, Failure] = {}
        self._todo: dict[tuple[Slot, int], Remainder] = {}
        self._left = {slot: Counter[str]() for slot in self._cells}
        self._lock = threading.Lock()
        self._pace = Pace({})

    def run(self) -> tuple[Outcome, ...]:
        """Measure whatever is missing; one outcome per side. Raises HarnessError if the disk is full."""
        interrupted = False
        try:
            self._take_stock()
            with self._crew.parent_kept_off():
                for repeat in range(self._plan.repeats):
                    self._round(repeat)
                self._go_on()
            for side in self._sides:
                store.mark_complete(side.folder, {"after": load_snapshot(), "finished": now_utc_iso(), **self._why_no_power()})
        except KeyboardInterrupt:
            interrupted = True
        except (OSError, DiskFullError) as error:
            if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            where = self._sides[0].folder
            raise HarnessError(f"no space left for run {where}; make room, then continue with --resume") from error
        finally:
            self._close()
        return tuple(self._outcome(number, interrupted) for number in range(len(self._sides)))

    def _outcome(self, number: int, interrupted: bool) -> Outcome:
        failures = {slot.slug: failure for slot, failure in self._failures.items() if slot.side == number}
        folder = self._sides[number].folder
        return Outcome(folder=folder, complete=not interrupted, interrupted=interrupted, failures=failures)

    def _take_stock(self) -> None:
        for number, side in enumerate(self._sides):
            store.unmark_complete(side.folder)
            stock = take_stock(side.folder, side.header)
            self._failures.update({Slot(number, slug): failure for slug, failure in stock.failures.items()})
            self._plan_work({(Slot(number, slug), repeat): rest for (slug, repeat), rest in stock.todo.items()})
        self._start_pace()

    def _plan_work(self, todo: Mapping[tuple[Slot, int], Remainder]) -> None:
        self._todo.update(todo)
        for (slot, repeat), rest in todo.items():
            longer = {"longer": 1} if self._plan.min_time_s > 0.0 else {}
            power = {"power": 1} if self._is_weighed(slot, repeat) else {}
            self._left[slot].update({"prepare": 1, "measure": len(rest.missing), **longer, **power})

    def _start_pace(self) -> None:
        total = sum(self._left.values(), Counter())
        self._pace = Pace(total)
        self._progress.start(total.total())

    def _go_on(self) -> None:
        """Measure more rounds of the cells that are not decided yet."""
        rounds = self._plan.repeats
        while self._more is not None and (wanted := set(self._more(rounds))):
            slots = [slot for slot in self._cells if slot.slug in wanted and not self._lost(slot.slug)]
            if not slots:
                return
            rests = [remainder(self._sides[s.side].folder, self._cells[s], rounds, self._plan) for s in slots]
            self._plan_work({(slot, rounds): rest for slot, rest in zip(slots, rests, strict=True) if rest is not None})
            self._start_pace()
            self._round(rounds)
            rounds += 1

    def _lost(self, slug: str) -> bool:
        """Whether the cell failed on any side: then there is nothing to hold the others against."""
        return any(slot.slug == slug for slot in self._failures)

    def _round(self, repeat: int) -> None:
        slugs = list(dict.fromkeys(slot.slug for slot in self._cells if (slot, repeat) in self._todo))
        for group in batches(slugs, max(1, live_limit(self._profile) // len(self._sides)), repeat):
            slots = [slot for slug in group for slot in self._cells if slot.slug == slug and (slot, repeat) in self._todo]
            live = self._prepare_all([slot for slot in slots if not self._lost(slot.slug)], repeat)
            self._measure_all(live, repeat)
            for slot, child in live.items():
                if slot not in self._failures:
                    self._finish(slot, repeat, child)

    def _prepare_all(self, slots: Sequence[Slot], repeat: int) -> dict[Slot, Child]:
        """Start and warm up one process per slot; those that fail are left out."""
        alone = repeat == 0 and len(self._sides) == 1
        width = 1 if alone else max(1, min(self._profile.loading, len(slots)))
        with ThreadPoolExecutor(width) as pool:
            try:
                children = list(pool.map(lambda slot: self._prepare(slot, repeat, alone=width == 1), slots))
            except BaseException:
                self._crew.stop()  # else the pool would wait for them
                raise
        return {slot: child for slot, child in zip(slots, children, strict=True) if child is not None}

    def _prepare(self, slot: Slot, repeat: int, *, alone: bool) -> Child | None:
        start_s = self._clock.seconds()
        side = self._sides[slot.side]
        before = self._todo[slot, repeat].samples
        post = Post(cell=self._cells[slot], repeat=repeat, folder=side.folder, launch=side.launch, samples_before=before)
        child = self._crew.start(post)
        if child is None:
            return None
        try:
            self._crew.prepare(child, post.cell, alone=alone)
        except ChildError as error:
            self._fail(slot, repeat, child, error)
            return None
        with self._lock:
            self._step("prepare", slot, f"{slot.slug} is ready", self._clock.seconds() - start_s)
        return child

    def _measure_all(self, live: Mapping[Slot, Child], repeat: int) -> None:
        requests = self._plan.spoken(self._plan.cells[0], repeat)
        missing = {slot: set(self._todo[slot, repeat].missing) for slot in live}
        measured_s = dict.fromkeys(live, 0.0)
        slugs = list(
            dict.fromkeys(slot.slug for slot in self._cells if slot in live)
        )  # the suite's order: `turns` does the turning
        for slug, request, lap, side in turns(slugs, requests, self._plan.iterations, repeat, len(self._sides)):
            slot = Slot(side, slug)
            if not self._lost(slug) and (request, lap) in missing.get(slot, ()):
                start_s = self._clock.seconds()
                measured_s[slot] += self._measure(slot, repeat, live[slot], request)
                if not self._lost(slug):
                    self._step("measure", slot, slug, self._clock.seconds() - start_s)
        self._measure_longer(live, repeat, requests, measured_s)

    def _measure_longer(
        self, live: Mapping[Slot, Child], repeat: int, requests: Sequence[str], measured_s: dict[Slot, float]
    ) -> None:
        """Add whole passes for the cells whose processes have measured for less than the least time, on all sides alike."""
        if not self._plan.min_time_s:
            return
        start_s, laps = self._clock.seconds(), self._plan.iterations
        while laps < MOST_LAPS and (short := self._short(live, measured_s)):
            for slug, request, _, side in turns(short, requests, 1, repeat + laps, len(self._sides)):
                slot = Slot(side, slug)
                if slot in live and not self._lost(slug):
                    measured_s[slot] += self._measure(slot, repeat, live[slot], request)
            laps += 1
        for slot in live:
            if not self._lost(slot.slug):
                self._step("longer", slot, slot.slug, (self._clock.seconds() - start_s) / len(live))

    def _short(self, live: Mapping[Slot, Child], measured_s: Mapping[Slot, float]) -> list[str]:
        """Name the cells whose sides have measured for less than the least time, on average."""
        slugs = dict.fromkeys(slot.slug for slot in self._cells if slot in live and not self._lost(slot.slug))
        times_s = {slug: [measured_s[slot] for slot in live if slot.slug == slug] for slug in slugs}
        return [slug for slug, several in times_s.items() if sum(several) < len(several) * self._plan.min_time_s]

    def _measure(self, slot: Slot, repeat: int, child: Child, request: str) -> float:
        """Measure one iteration and give its seconds; none if it fails."""
        try:
            return self._crew.measure(child, request)
        except ChildError as error:
            self._fail(slot, repeat, child, error)
            return 0.0

    def _finish(self, slot: Slot, repeat: int, child: Child) -> None:
        try:
            if repeat < self._stage_rounds and not self._lost(slot.slug):
                self._crew.look_at_stages(child, self._cells[slot])
            if self._is_weighed(slot, repeat) and not self._lost(slot.slug):
                self._weigh(slot, child)
            self._crew.finish(child)
        except ChildError as error:
            self._fail(slot, repeat, child, error)

    def _weigh(self, slot: Slot, child: Child) -> None:
        start_s = self._clock.seconds()
        self._crew.weigh(child, self._cells[slot])
        self._step("power", slot, slot.slug, self._clock.seconds() - start_s)

    def _is_weighed(self, slot: Slot, repeat: int) -> bool:
        """Whether the process measures its energy: in planned rounds, of cells that are asked about and have a meter."""
        return slot.slug in self._energy and slot.slug not in self._unmetered and repeat < self._plan.repeats

    def _why_no_power(self) -> dict[str, str]:
        return {"power": "; ".join(dict.fromkeys(self._unmetered.values()))} if self._unmetered else {}

    def _fail(self, slot: Slot, repeat: int, child: Child, error: ChildError) -> None:
        """Record a failure, unless it is of our own making. Raises DiskFullError if there is no room to."""
        with self._lock:
            if self._crew.stopping:
                return
            self._crew.dismiss(child)
            if error.failure.kind == "disk":
                raise DiskFullError from error
            if not error.recorded:
                store.append_failure(self._sides[slot.side].folder, slot.slug, repeat, error.failure)
            self._failures[slot] = error.failure
            self._skip(slot)

    def _step(self, kind: str, slot: Slot, text: str, duration_s: float) -> None:
        self._left[slot][kind] -= 1
        self._pace.done(kind, duration_s)
        self._progress.step(text, self._pace.eta_s())

    def _skip(self, slot: Slot) -> None:
        """Forget the steps of a cell that failed, and of its counterparts."""
        for each in self._cells:
            if each.slug == slot.slug:
                for kind, count in self._left[each].items():
                    self._pace.skip(kind, count)
                self._left[each].clear()

    def _close(self) -> None:
        self._crew.close()
        self._progress.end()


def _unmetered(cells: Sequence[Cell], profile: Profile) -> dict[str, str]:
    """Say of which cells this machine cannot tell the energy (slug -> why)."""
    devices = {cell.slug: device_of(cell, profile.defaults) for cell in cells}
    meters = {device: find_meter(here(), device) for device in set(devices.values())}
    return {slug: meter.reason for slug, device in devices.items() if isinstance(meter := meters[device], Missing)}
