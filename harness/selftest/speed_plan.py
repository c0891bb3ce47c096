"""
What a selftest of speed measures: which cells, on which sides, and how much extra work makes which slow-down.

Fixed before the first round and kept on disk, so that an interrupted selftest goes on with the same work. Measures nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.runner import run_folder
from harness.targets.slowdown import SlowDown

SCHEMA_VERSION = 1
"""Of `selftest.json`. History: 1, 2026-11, first."""
FILE = "selftest.json"
SIZES = (0.03, 0.05, 0.075, 0.10, 0.20)
"""Around the limit of 5 %: below it, on it, and what must never slip through."""
EQUALS = 4
"""Sides that run the engine as it is: six A/A pairs of which two share no process, and four A/B pairs for every size."""
ENOUGH_ROUNDS = 12
"""Rounds that a cell should get: the gate wants four to eight for a verdict, and as many fresh ones for its confirmation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process of a cell takes, and what one synthesis of each request does."""

    prepare_s: float
    measure_s: float
    request_s: Mapping[str, float]
    unit_s: float
    """Of the extra work, in this cell's processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """See the module. `left_out` holds the cells of the suite that are not measured, with the reason."""

    suite: str
    profile: str
    stage: str
    sizes: tuple[float, ...]
    equals: int
    loaded: bool
    costs: Mapping[str, Cost]
    """By slug, in the suite's order; these cells are measured."""
    left_out: Mapping[str, str]

    @property
    def sides(self) -> dict[str, float]:
        """Name all sides with their slow-downs: `equal-1` ... with 0.0, `slower-7.5` with 0.075."""
        same = {f"equal-{number}": 0.0 for number in range(1, self.equals + 1)}
        return same | {f"slower-{size * 100:g}": size for size in self.sizes}

    def slow_down(self, size: float) -> SlowDown:
        """Give the work that makes every request of every cell slower by the share `size`."""
        units = {
            slug: {request: round(size * seconds / cost.unit_s) for request, seconds in cost.request_s.items()}
            for slug, cost in self.costs.items()
        }
        return SlowDown(stage=self.stage, units=units)


def affordable(costs: Mapping[str, Cost], sides: int, loading: int, budget_s: float) -> tuple[str, ...]:
    """Choose the cells that get ENOUGH_ROUNDS in the time: the quickest first, at least one; in the given order."""
    chosen: list[str] = []
    left_s = budget_s
    for slug in sorted(costs, key=lambda slug: round_s(costs[slug], sides, loading)):
        left_s -= ENOUGH_ROUNDS * round_s(costs[slug], sides, loading)
        if chosen and left_s < 0.0:
            break
        chosen.append(slug)
    return tuple(slug for slug in costs if slug in chosen)


def round_s(cost: Cost, sides: int, loading: int) -> float:
    """Foretell what one round of one cell takes on so many sides, of which `loading` prepare at the same time."""
    return sides * (cost.prepare_s / min(loading, sides) + cost.measure_s)


def save(folder: Path, setup: Setup) -> None:
    """Write it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    run_folder.write_json(folder / FILE, {"schema_version": SCHEMA_VERSION, **asdict(setup)})


def load(folder: Path) -> Setup:
    """Read what `save` wrote. Raises HarnessError if there is no selftest, or one of another schema."""
    data = run_folder.read_json(folder / FILE, f"{folder} holds no selftest; begin one without --resume")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise HarnessError(
            f"{folder / FILE} has schema {data.get('schema_version')!r}, this voxgate reads {SCHEMA_VERSION}; begin a new one"
        )
    return _from_json({name: value for name, value in data.items() if name != "schema_version"})


def latest(root: Path) -> Path:
    """Name the youngest selftest below `root`. Raises HarnessError if there is none."""
    folders = [path for path in root.glob("[0-9]*") if path.name.isdigit() and (path / FILE).is_file()]
    if not folders:
        raise HarnessError(f"no selftest below {root}; begin one without --resume")
    return max(folders, key=lambda path: int(path.name))


def same_question(old: Setup, asked: Mapping[str, object]) -> Sequence[str]:
    """Say how what is asked now differs from what was begun; empty if it does not."""
    return [f"{name} {getattr(old, name)} against {value}" for name, value in asked.items() if getattr(old, name) != value]


def _from_json(data: Mapping[str, Any]) -> Setup:
    costs = {slug: Cost(**cost) for slug, cost in data["costs"].items()}
    return Setup(**{**data, "costs": costs, "sizes": tuple(data["sizes"])})
