"""
Two revisions measured in turns on this machine: both sides of every cell alive together, round by
round until it is decided.

    <folder>/base/    an ordinary run folder; round i of it belongs to round i of the other
             head/

A pair is measured, continued after an interruption, and read back here; `ab.py` and `bisect.py`
decide how long, and draw the conclusions. The control cell (`control.py`) is measured with them.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.harness.machine.clock import Clock, WallClock
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.environment import environment_from_json, facts_of
from voxgate.harness.records.run import Run
from voxgate.harness.revisions.ab_plan import (
    ABPlan,
    Match,
    command_line,
)
from voxgate.harness.revisions.checkout import Checkout
from voxgate.harness.revisions.control import SLUG, control_cell
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.make_header import header_of_suite
from voxgate.harness.runner.progress import Progress
from voxgate.harness.runner.round import Variant
from voxgate.harness.runner.run_header import RunHeader
from voxgate.harness.runner.runner import ExtraRounds, run_sides

BASE, HEAD = "base", "head"
PARTS = 2
"""
Of the workload, one a round: a pair holds like against like, and many short rounds say more than
few long ones.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """What is measured in turns: two checkouts, and how."""

    base: Checkout
    head: Checkout
    header: RunHeader
    """Of both sides, but for the toolchain; it names the cells without the control."""
    profile: Profile
    timeout_s: float
    energy: bool = False
    """Whether energy is measured, too."""
    stages: bool = False
    """Whether the first round looks at the stages, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRuns:
    """Both runs of a pair, read from their folders; the control is among their cells."""

    base: Run
    head: Run


class TimeBudget:
    """Decides whether there is time for another round."""

    def __init__(self, budget_s: float, clock: Clock | None = None) -> None:
        self._clock = clock or WallClock()
        self._began_s = self._clock.seconds()
        self._budget_s = budget_s
        self._lap_s = self._began_s

    def lap(self) -> None:
        """Begin to count the rounds of another measurement within the same budget."""
        self._lap_s = self._clock.seconds()

    def has_time(self, rounds: int, share: float = 1.0) -> bool:
        """
        Whether another round, as long as the mean of the `rounds` of this lap, ends within a share
        of the budget.
        """
        now_s = self._clock.seconds()
        return (
            now_s + (now_s - self._lap_s) / max(1, rounds) - self._began_s <= share * self._budget_s
        )


def measure_pair(
    pair: PairPlan, folder: Path, more: ExtraRounds | None = None, progress: Progress | None = None
) -> None:
    """
    Measure both sides in turns, and the control with them; `more` names the cells that need another
    round. Where the folder holds a part of it already, only the rest.

    Raises KeyboardInterrupt if a person interrupted it, and HarnessError if a folder is another
    pair's, or there is no room.
    """
    sides = [
        Variant(header=_header(pair, side, name), folder=folder / name, launch=side.launch)
        for name, side in ((BASE, pair.base), (HEAD, pair.head))
    ]
    energy = [cell.slug for cell in pair.header.cells] if pair.energy else []
    outcomes = run_sides(
        sides,
        pair.profile,
        timeout_s=pair.timeout_s,
        progress=progress,
        more=_with_control(more),
        energy=energy,
        stage_rounds=1 if pair.stages else 0,
    )
    if any(outcome.interrupted for outcome in outcomes):
        raise KeyboardInterrupt


def split_workload(whole: RunHeader, rounds: int) -> RunHeader:
    """
    Cut the workload, and the time that each process measures, so that `rounds` rounds speak all of
    it.
    """
    parts = min(PARTS, rounds, *(len(cell.workload.requests) for cell in whole.cells))
    return replace(whole, parts=parts, min_time_s=whole.min_time_s / parts)


def load_sides(folder: Path) -> PairedRuns:
    """Load both runs, as far as they are measured."""
    return PairedRuns(
        base=run_folder.load_run(folder / BASE), head=run_folder.load_run(folder / HEAD)
    )


def is_measured(folder: Path) -> bool:
    """Whether both sides were measured to the end."""
    return all((folder / name / "complete").exists() for name in (BASE, HEAD))


def extra_rounds_until(
    undecided: Callable[[PairedRuns], Collection[str]],
    folder: Path,
    watch: TimeBudget,
    share: float = 1.0,
) -> Callable[[int], Collection[str]]:
    """
    Return a function that requests more rounds of undecided cells, as long as they fit into a share
    of the time.
    """
    return lambda rounds: undecided(load_sides(folder)) if watch.has_time(rounds, share) else ()


def _with_control(more: ExtraRounds | None) -> ExtraRounds | None:
    """Measure the control in every round in which anything is."""
    if more is None:
        return None

    def wanted(rounds: int) -> Collection[str]:
        slugs = set(more(rounds))
        return slugs | {SLUG} if slugs else ()

    return wanted


def _header(pair: PairPlan, side: Checkout, name: str) -> RunHeader:
    environment = environment_from_json(
        {
            **facts_of(pair.header.environment),
            "toolchain": side.toolchain,
            "side": f"{name}: {side.environment}",
        }
    )
    return replace(
        pair.header,
        environment=environment,
        cells=(*pair.header.cells, *_control(pair.header.cells)),
    )


def _control(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    return (control_cell(cells[0]),) if cells else ()


def make_pair_plan(
    match: Match,
    plan: ABPlan,
    cells: Sequence[Cell],
    rounds: int,
    *,
    energy: bool = False,
    stages: bool = False,
    takes: bool = True,
) -> PairPlan:
    """
    Return the plan that measures some cells of both sides in turns, for so many rounds. Without
    `takes`, cells that sample are measured for their speed alone.
    """
    shared = match.suite_diff
    whole = header_of_suite(
        shared.suite,
        cells,
        reference=shared.reference,
        excluded=shared.excluded,
        profile=match.profile.name,
        repeats=rounds,
        iterations=plan.iterations,
        command=command_line(plan, "ab"),
    )
    return PairPlan(
        base=match.base,
        head=match.head,
        header=split_workload(whole if takes else replace(whole, takes={}), rounds),
        profile=match.profile,
        timeout_s=plan.timeout_s,
        energy=energy,
        stages=stages,
    )
