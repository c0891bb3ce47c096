"""
Two revisions measured in turns on this machine: both sides of every cell alive together, round by round until it is decided.

    <folder>/base/    an ordinary run folder; round i of it belongs to round i of the other
             head/

Knows how to measure a pair, or the rest of an interrupted one, and to read it back; which cells, and what follows from them,
is up to `ab.py` and `bisect.py`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.machine.clock import Clock, WallClock
from harness.machine.profiles_table import Profile
from harness.records.cell import Cell
from harness.records.run import Run
from harness.revisions.checkout import Checkout
from harness.revisions.control import SLUG as CONTROL
from harness.revisions.control import control_cell
from harness.runner import run_folder
from harness.runner.progress import Progress
from harness.runner.round import Side
from harness.runner.run_folder import RunHeader
from harness.runner.runner import More, run_sides

BASE, HEAD = "base", "head"
PARTS = 2
"""Of the workload, one a round: a pair holds like against like, and many short rounds say more than few long ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
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
class Sides:
    """Both runs of a pair, read from their folders; the control is among their cells."""

    base: Run
    head: Run


class Stopwatch:
    """Tells whether there is time for another round."""

    def __init__(self, budget_s: float, clock: Clock | None = None) -> None:
        self._clock = clock or WallClock()
        self._began_s = self._clock.seconds()
        self._budget_s = budget_s
        self._lap_s = self._began_s

    def lap(self) -> None:
        """Begin to count the rounds of another measurement within the same budget."""
        self._lap_s = self._clock.seconds()

    def has_time(self, rounds: int, share: float = 1.0) -> bool:
        """Whether another round, as long as the mean of the `rounds` of this lap, ends within a share of the budget."""
        now_s = self._clock.seconds()
        return now_s + (now_s - self._lap_s) / max(1, rounds) - self._began_s <= share * self._budget_s


def measure_pair(pair: Pair, folder: Path, more: More | None = None, progress: Progress | None = None) -> None:
    """
    Measure both sides in turns, and the control with them; `more` names the cells that need another round. Where the folder
    holds a part of it already, only the rest.

    Raises KeyboardInterrupt if a person interrupted it, and HarnessError if a folder is another pair's, or there is no room.
    """
    sides = [
        Side(header=_header(pair, side, name), folder=folder / name, launch=side.launch)
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


def in_parts(whole: RunHeader, rounds: int) -> RunHeader:
    """Cut the workload, and the time that each process measures, so that `rounds` rounds speak all of it."""
    parts = min(PARTS, rounds, *(len(cell.workload.requests) for cell in whole.cells))
    return replace(whole, parts=parts, min_time_s=whole.min_time_s / parts)


def load_sides(folder: Path) -> Sides:
    """Read what was measured so far."""
    return Sides(base=run_folder.load_run(folder / BASE), head=run_folder.load_run(folder / HEAD))


def is_measured(folder: Path) -> bool:
    """Whether both sides were measured to the end."""
    return all((folder / name / "complete").exists() for name in (BASE, HEAD))


def until(
    undecided: Callable[[Sides], Collection[str]], folder: Path, watch: Stopwatch, share: float = 1.0
) -> Callable[[int], Collection[str]]:
    """Ask for more rounds of what is undecided, as long as they fit into a share of the time."""
    return lambda rounds: undecided(load_sides(folder)) if watch.has_time(rounds, share) else ()


def _with_control(more: More | None) -> More | None:
    """Measure the control in every round in which anything is."""
    if more is None:
        return None

    def wanted(rounds: int) -> Collection[str]:
        slugs = set(more(rounds))
        return slugs | {CONTROL} if slugs else ()

    return wanted


def _header(pair: Pair, side: Checkout, name: str) -> RunHeader:
    environment = {**pair.header.environment, "toolchain": side.toolchain, "side": f"{name}: {side.environment}"}
    return replace(pair.header, environment=environment, cells=(*pair.header.cells, *_control(pair.header.cells)))


def _control(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    return (control_cell(cells[0]),) if cells else ()
