"""
Measure the sides of a selftest in turns, round after round, until the time is up.

Everything measured is a run folder:

    <folder>/selftest.json     the setup
             calibration/      the run folder of the calibration
             equal-1/ ...      one run folder per side, which a resumed selftest goes on filling

Decides nothing.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import Clock, WallClock
from voxgate.harness.machine.profiles import get_profile
from voxgate.harness.records.run import Run
from voxgate.harness.revisions.paired_run import PARTS, split_workload
from voxgate.harness.runner import process_files, run_folder
from voxgate.harness.runner.make_header import make_header
from voxgate.harness.runner.progress import Progress
from voxgate.harness.runner.resume import check_same
from voxgate.harness.runner.round import Variant
from voxgate.harness.runner.runner import TIMEOUT_S, Runner
from voxgate.harness.runner.worker_process import CURRENT_ENV, PythonEnv
from voxgate.harness.selftest.cpu_load import neighbour
from voxgate.harness.selftest.speed_plan import Setup
from voxgate.harness.suite.suite import load_suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """
    What the sides left: their runs by name, and whether a person stopped it before the time was up.
    """

    runs: dict[str, Run]
    interrupted: bool


def measure_sides(folder: Path, setup: Setup, budget_s: float, progress: Progress) -> Recorded:
    """
    Measure rounds of all sides for `budget_s` seconds, at least one round in a new folder; then
    read all there is.

    Raises HarnessError if a folder belongs to another selftest, and as `run_suite` does.
    """
    sides = make_sides(folder, setup)
    old = [side for side in sides if (side.folder / "run.json").exists()]
    for side in sides:
        if side in old:
            check_same(side.folder, run_folder.load_header(side.folder), side.header)
        else:
            run_folder.create_run(side.folder, side.header)
    interrupted = False
    if budget_s > 0.0 or len(old) < len(sides):
        more = until(
            budget_s,
            lambda: min(process_files.rounds(side.folder) for side in sides),
            setup.costs,
            WallClock(),
        )
        with neighbour(setup.loaded):
            outcomes = Runner(sides, get_profile(setup.profile), TIMEOUT_S, progress, more).run()
        interrupted = any(outcome.interrupted for outcome in outcomes)
    return Recorded(
        runs={side.folder.name: run_folder.load_run(side.folder) for side in sides},
        interrupted=interrupted,
    )


def make_sides(folder: Path, setup: Setup) -> list[Variant]:
    """
    Return the sides: the same cells and code; slower ones have extra work in their environment.
    """
    suite = load_suite(setup.suite)
    cells = [cell for cell in suite.expand().cells if cell.slug in setup.costs]
    if len(cells) < len(setup.costs):
        raise HarnessError(
            f"the suite {setup.suite} has other cells than when this selftest was begun; begin a "
            "new one"
        )
    whole = make_header(
        suite,
        cells,
        get_profile(setup.profile),
        repeats=1,
        iterations=None,
        command=f"selftest {setup.suite}",
    )
    header = split_workload(whole, PARTS)  # as `ab` measures
    launches = {
        name: CURRENT_ENV if not size else PythonEnv(env=setup.slow_down(size).env())
        for name, size in setup.sides.items()
    }
    return [
        Variant(header=header, folder=folder / name, launch=launch)
        for name, launch in launches.items()
    ]


def until(
    budget_s: float, begun: Callable[[], int], slugs: Collection[str], clock: Clock
) -> Callable[[int], Collection[str]]:
    """
    Return a function that requests another round of all cells while one more is likely to fit into
    the time.

    Rounds that an earlier part of the selftest began (`begun` counts them) are requested too, so
    that they are finished.
    """
    start_s, before = clock.seconds(), begun()

    def more(rounds: int) -> Collection[str]:
        if rounds < before:
            return slugs
        spent_s = clock.seconds() - start_s
        own = max(1, rounds - before)
        return slugs if spent_s * (own + 1) / own <= budget_s else ()

    return more
