"""
Measures a suite: rounds of fresh child processes, whose measured iterations take turns. One engine,
or several side by side.

One round per repeat. In each, every cell gets a new process: load, first synthesis, warm-up until
nothing compiles any more, a look at what is in effect. Then the measured iterations of all live
processes take turns (`round.py`), strictly one at a time, while this process waits in the kernel.
In the first round the processes also start one at a time, so that cold starts are true. A cell that
fails is not started again in this run, and stops no other cell.

Everything is on disk before the next command; Ctrl-C, a killed worker or a full disk cost the
iteration under way, and a resumed run continues each interrupted process with a fresh one, in
rounds that were added as well. Only what the engine itself said is final; a full disk, a kill, a
time-out, a worker that died without an answer are tried again. If this process is killed, its
workers are (`machine/process_guard.py`). Knows no torch and no statistics.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import now_utc_iso
from voxgate.harness.machine.identity import load_snapshot
from voxgate.harness.machine.power_meter import unmetered_cells
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.run import Failure
from voxgate.harness.runner import process_files, run_folder
from voxgate.harness.runner.make_header import make_header
from voxgate.harness.runner.progress import MEASURING, Progress, Silent
from voxgate.harness.runner.resume import check_same, put_torn_rounds_away, remainder, take_stock
from voxgate.harness.runner.round import DiskFullError, Round, Variant, batches
from voxgate.harness.runner.work_queue import CellKey, WorkQueue
from voxgate.harness.runner.worker_pool import WorkerPool, live_limit
from voxgate.harness.suite.suite import Suite

TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    Result of measuring. Failures are by slug; an interrupted run is not complete and can be
    resumed.
    """

    folder: Path
    complete: bool
    interrupted: bool
    failures: Mapping[str, Failure]


ExtraRounds = Callable[[int], Collection[str]]
"""
Called when the planned rounds are done, with the number of rounds so far: which cells need another?
None ends the run.
"""


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
    more: ExtraRounds | None = None,
    energy: bool = True,
    stages: bool = True,
    phase: str = MEASURING,
    spans: bool = False,
) -> Outcome:
    """
    Measure `cells` (all of the suite's, or some) into `folder`; with `resume`, what is still
    missing there. `energy` and `stages` say whether the processes of the planned rounds add these
    passes; `phase` names them to `progress`; `spans` keeps when iterations and their stages ran.

    Raises HarnessError for options that the target does not know, a folder that is in use or
    belongs to another run, and a full disk.
    """
    header = make_header(
        suite,
        cells,
        profile,
        repeats=repeats,
        iterations=iterations,
        command=command,
        spans=spans,
    )
    if resume and not run_folder.is_unbegun(folder):
        check_same(folder, run_folder.load_header(folder), header)
    else:
        run_folder.create_run(folder, header)
    return Runner(
        [Variant(header=header, folder=folder)],
        profile,
        timeout_s,
        progress or Silent(),
        more,
        [cell.slug for cell in cells] if energy else [],
        stage_rounds=header.repeats if stages else 0,
        phase=phase,
    ).run()[0]


def run_sides(
    sides: Sequence[Variant],
    profile: Profile,
    *,
    timeout_s: float = TIMEOUT_S,
    progress: Progress | None = None,
    more: ExtraRounds | None = None,
    energy: Collection[str] = (),
    stage_rounds: int = 0,
) -> tuple[Outcome, ...]:
    """
    Measure the same cells of several engines, in turns: in every round a fresh process per side and
    cell, all sides of a cell alive together. All headers must name the same cells, repeats and
    iterations; `energy` names the cells whose energy is measured, too. In the first `stage_rounds`
    rounds each process adds a pass over its stages.

    What was interrupted in the same folders is continued: a round is kept where it is whole on all
    sides, and measured anew where it is not; what is complete on all sides is left as it is. Raises
    HarnessError as `run_suite` does.
    """
    for side in sides:
        if (side.folder / "run.json").exists():
            check_same(side.folder, run_folder.load_header(side.folder), side.header)
        else:
            run_folder.create_run(side.folder, side.header)
    if all((side.folder / "complete").exists() for side in sides):
        return tuple(map(_kept, sides))
    put_torn_rounds_away([side.folder for side in sides], sides[0].header)
    return Runner(
        sides, profile, timeout_s, progress or Silent(), more, energy, stage_rounds=stage_rounds
    ).run()


def _kept(side: Variant) -> Outcome:
    """Return the outcome of a side that was measured to its end before."""
    processes = run_folder.load_run(side.folder).processes
    failures = {
        process.cell: process.failure for process in processes if process.failure is not None
    }
    return Outcome(folder=side.folder, complete=True, interrupted=False, failures=failures)


class Runner:
    """One run under way, or several side by side."""

    def __init__(
        self,
        sides: Sequence[Variant],
        profile: Profile,
        timeout_s: float,
        progress: Progress,
        more: ExtraRounds | None = None,
        energy: Collection[str] = (),
        *,
        stage_rounds: int = 0,
        phase: str = MEASURING,
    ) -> None:
        self._phase = phase
        self._sides = [replace(side, folder=side.folder.absolute()) for side in sides]
        self._profile = profile
        self._more = more
        self._plan = sides[0].header
        self._cells = {
            CellKey(n, cell.slug): cell
            for n, side in enumerate(sides)
            for cell in side.header.cells
        }
        self._unmetered = unmetered_cells(
            [cell for cell in self._plan.cells if cell.slug in energy], profile
        )
        self._crew = WorkerPool(profile, timeout_s)
        self._ledger = WorkQueue(
            self._cells, self._plan, set(energy) - set(self._unmetered), progress
        )
        self._live = Round(
            self._sides, profile, self._crew, self._ledger, stage_rounds=stage_rounds
        )

    def run(self) -> tuple[Outcome, ...]:
        """
        Measure everything that is pending; one outcome per side. Raises HarnessError if the disk is
        full.
        """
        interrupted = False
        try:
            self._load_pending()
            with self._crew.parent_kept_off():
                for repeat in range(self._rounds()):
                    self._round(repeat)
                self._run_extra_rounds()
            for side in self._sides:
                run_folder.mark_complete(
                    side.folder,
                    {"after": load_snapshot(), "finished": now_utc_iso(), **self._why_no_power()},
                )
        except KeyboardInterrupt:
            interrupted = True
        except (OSError, DiskFullError) as error:
            if isinstance(error, OSError) and not process_files.has_no_room(error):
                raise
            where = self._sides[0].folder
            raise HarnessError(
                f"no space left for run {where}; make room, then continue with --resume"
            ) from error
        finally:
            self._close()
        return tuple(self._outcome(number, interrupted) for number in range(len(self._sides)))

    def _outcome(self, number: int, interrupted: bool) -> Outcome:
        failures = {
            slot.slug: failure
            for slot, failure in self._ledger.failures.items()
            if slot.side == number
        }
        folder = self._sides[number].folder
        return Outcome(
            folder=folder, complete=not interrupted, interrupted=interrupted, failures=failures
        )

    def _load_pending(self) -> None:
        for number, side in enumerate(self._sides):
            run_folder.unmark_complete(side.folder)
            stock = take_stock(side.folder, side.header)
            self._ledger.failures.update(
                {CellKey(number, slug): failure for slug, failure in stock.failures.items()}
            )
            self._ledger.add(
                {
                    (CellKey(number, slug), repeat): remainder_
                    for (slug, repeat), remainder_ in stock.todo.items()
                }
            )
        self._ledger.start(self._phase)

    def _rounds(self) -> int:
        """
        Count the planned rounds, and those that were added before an interruption and are not
        whole.
        """
        return max([self._plan.repeats, *(repeat + 1 for _, repeat in self._ledger.todo)])

    def _run_extra_rounds(self) -> None:
        """Measure more rounds of the cells that are not decided yet."""
        rounds = self._plan.repeats
        while self._more is not None and (undecided := set(self._more(rounds))):
            slots = [
                slot
                for slot in self._cells
                if slot.slug in undecided and not self._ledger.lost(slot.slug)
            ]
            if not slots:
                return
            rests = [
                remainder(self._sides[s.side].folder, self._cells[s], rounds, self._plan)
                for s in slots
            ]
            self._ledger.add(
                {
                    (slot, rounds): pending
                    for slot, pending in zip(slots, rests, strict=True)
                    if pending is not None
                }
            )
            self._ledger.start(self._phase)
            self._round(rounds)
            rounds += 1

    def _round(self, repeat: int) -> None:
        self._ledger.begin_round(self._phase, repeat, self._plan.repeats)
        slugs = list(
            dict.fromkeys(slot.slug for slot in self._cells if (slot, repeat) in self._ledger.todo)
        )
        for group in batches(slugs, max(1, live_limit(self._profile) // len(self._sides)), repeat):
            slots = [
                slot
                for slug in group
                for slot in self._cells
                if slot.slug == slug and (slot, repeat) in self._ledger.todo
            ]
            self._live.take(slots, repeat)

    def _why_no_power(self) -> dict[str, str]:
        return (
            {"power": "; ".join(dict.fromkeys(self._unmetered.values()))} if self._unmetered else {}
        )

    def _close(self) -> None:
        self._crew.close()
        self._ledger.end()
