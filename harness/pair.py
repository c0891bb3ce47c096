"""
Two revisions measured in turns on this machine: both sides of every cell alive together, round by round until it is decided.

    <folder>/base/    an ordinary run folder; round i of it belongs to round i of the other
             head/

Knows how to measure a pair and to read it back; which cells, and what follows from them, is up to `ab.py` and `bisect.py`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import store
from harness.cell import Cell
from harness.checkout import Checkout
from harness.clock import Clock, WallClock, now_utc_iso
from harness.control import SLUG as CONTROL
from harness.control import control_cell
from harness.environment import environment
from harness.profiles import Profile
from harness.progress import Progress
from harness.sample import Run
from harness.schedule import More, Side, run_sides
from harness.store import RunHeader

BASE, HEAD = "base", "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What is measured in turns: two checkouts, the cells of both, and how."""

    base: Checkout
    head: Checkout
    suite: str
    question: str
    reference: str
    cells: tuple[Cell, ...]
    excluded: Mapping[str, str]
    profile: Profile
    rounds: int
    iterations: int
    timeout_s: float
    command: str


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


def measure_pair(pair: Pair, folder: Path, more: More | None = None, progress: Progress | None = None) -> bool:
    """
    Measure both sides in turns, and the control with them; `more` names the cells that need another round.

    False if a person interrupted it. Raises HarnessError if a folder is in use, or there is no room.
    """
    sides = [
        Side(header=_header(pair, side, name), folder=folder / name, launch=side.launch)
        for name, side in ((BASE, pair.base), (HEAD, pair.head))
    ]
    if not pair.cells:  # nothing that both can be asked for, and so nothing that takes time
        for side in sides:
            store.create_run(side.folder, side.header)
        return True
    outcomes = run_sides(sides, pair.profile, timeout_s=pair.timeout_s, progress=progress, more=_with_control(more))
    return all(outcome.complete for outcome in outcomes)


def load_sides(folder: Path) -> Sides:
    """Read what was measured so far."""
    return Sides(base=store.load_run(folder / BASE), head=store.load_run(folder / HEAD))


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
    return RunHeader(
        suite=pair.suite,
        question=pair.question,
        reference=pair.reference,
        cells=(*pair.cells, *_control(pair.cells)),
        excluded=pair.excluded,
        profile=pair.profile.name,
        environment={**environment(), "toolchain": side.toolchain, "side": f"{name}: {side.environment}"},
        created=now_utc_iso(),
        repeats=pair.rounds,
        iterations=pair.iterations,
        command=pair.command,
    )


def _control(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    return (control_cell(cells[0]),) if cells else ()
