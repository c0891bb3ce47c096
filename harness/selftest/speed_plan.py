"""
The plan of a selftest of speed: cells, sides, and the extra work that makes each slow-down.

It is fixed before the first round and kept on disk, so that an interrupted selftest continues with
the same work.

One process per cell is measured before the first round: the cost of the cell, the stage to slow
down, and the time of a unit of extra work. That time is measured inside the stage of the running
engine, where caches and clocks are those of the real work.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from voxgate.harness.errors import RUNS, HarnessError
from voxgate.harness.machine.profiles import Profile, get_profile
from voxgate.harness.records import documents
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.run import Phase, ProcessRecord
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.make_header import make_header
from voxgate.harness.runner.progress import Progress
from voxgate.harness.runner.round import Variant
from voxgate.harness.runner.runner import TIMEOUT_S, Runner
from voxgate.harness.runner.worker_process import PythonEnv
from voxgate.harness.selftest.cpu_load import neighbour
from voxgate.harness.suite.selection import matching_cells
from voxgate.harness.suite.suite import Suite, load_suite
from voxgate.harness.targets.slowdown import APART, WHOLE, SlowDown

SCHEMA_VERSION = 1
"""Of `selftest.json`. History: 1, 2026-11, first."""
FILE = "selftest.json"
SIZES = (0.03, 0.05, 0.075, 0.10, 0.20)
"""Around the limit of 5 %: below it, on it, and what must never slip through."""
EQUALS = 4
"""
Sides that run the engine as it is: six A/A pairs of which two share no process, and four A/B pairs
for every size.
"""
ENOUGH_ROUNDS = 12
"""
Rounds that a cell should get: the gate wants four to eight for a verdict, and as many fresh ones
for its confirmation.
"""
FOLDER = RUNS / "selftest"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestPlan:
    """
    A selftest as a person requested it. `minutes` are for measuring; without a folder, the next
    free one is used.
    """

    suite: str
    profile: str
    minutes: float
    only: tuple[str, ...] = ()
    sizes: tuple[float, ...] = ()
    """Slow-downs as shares; empty means SIZES."""
    stage: str | None = None
    """Where to add work; None: where most of the time goes."""
    equals: int = EQUALS
    loaded: bool = False
    recordings: Path | None = None
    """
    Real speech that faults are planted into as well; like the picture, of a selftest of quality
    only.
    """
    picture: Path | None = None
    """The file to draw what was found."""
    greatest: bool = False
    """Whether to plant each fault at its greatest strength only."""
    blocking: bool = False
    """Whether to score only what blocks."""
    resume: bool = False
    out: Path | None = None


def folder_of(question: SelftestPlan) -> Path:
    """Name the selftest's folder. Raises HarnessError if there is none to resume."""
    if question.out is not None:
        return question.out
    return latest(FOLDER) if question.resume else run_folder.next_run_folder(FOLDER)


def command(question: SelftestPlan) -> str:
    """
    Return the command line that continues a selftest in its folder, which holds cells and sizes.
    """
    words = [
        "voxgate",
        "selftest",
        question.suite,
        "--profile",
        question.profile,
        "--minutes",
        f"{question.minutes:g}",
    ]
    return shlex.join(
        [*words, *(["--loaded"] if question.loaded else []), "--resume", "--out", str(question.out)]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The time that one process of a cell takes, and one synthesis of each request."""

    prepare_s: float
    measure_s: float
    request_s: Mapping[str, float]
    unit_s: float
    """Of the extra work, in this cell's processes."""

    def units(self, size: float) -> dict[str, int]:
        """Return the units of extra work that slow each request down by the share `size`."""
        return {
            request: round(size * seconds / self.unit_s)
            for request, seconds in self.request_s.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """
    See the module. `left_out` holds the cells of the suite that are not measured, with the reason.
    """

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
        """
        Return the extra work that makes every request of every cell slower by the share `size`.
        """
        units = {slug: cost.units(size) for slug, cost in self.costs.items()}
        return SlowDown(stage=self.stage, units=units)


def affordable(
    costs: Mapping[str, Cost], sides: int, loading: int, budget_s: float
) -> tuple[str, ...]:
    """
    Choose the cells that get ENOUGH_ROUNDS in the time: the quickest first, at least one; in the
    given order.
    """
    chosen: list[str] = []
    left_s = budget_s
    for slug in sorted(costs, key=lambda slug: round_s(costs[slug], sides, loading)):
        left_s -= ENOUGH_ROUNDS * round_s(costs[slug], sides, loading)
        if chosen and left_s < 0.0:
            break
        chosen.append(slug)
    return tuple(slug for slug in costs if slug in chosen)


def round_s(cost: Cost, sides: int, loading: int) -> float:
    """
    Estimate the seconds of one round of one cell on so many sides, of which `loading` prepare at
    the same time.
    """
    return sides * (cost.prepare_s / min(loading, sides) + cost.measure_s)


def save(folder: Path, setup: Setup) -> None:
    """Write it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    documents.write_json(folder / FILE, {"schema_version": SCHEMA_VERSION, **to_json(setup)})


def load(folder: Path) -> Setup:
    """Load a setup. Raises HarnessError if there is no selftest, or one of another schema."""
    data = documents.read_json(
        folder / FILE, f"{folder} holds no selftest; begin one without --resume"
    )
    if data.get("schema_version") != SCHEMA_VERSION:
        raise HarnessError(
            f"{folder / FILE} has schema {data.get('schema_version')!r}, this voxgate reads "
            f"{SCHEMA_VERSION}; begin a new one"
        )
    held = {name: value for name, value in data.items() if name != "schema_version"}
    return from_json(Setup, held, str(folder / FILE))


def latest(root: Path) -> Path:
    """Name the youngest selftest below `root`. Raises HarnessError if there is none."""
    folders = [
        path for path in root.glob("[0-9]*") if path.name.isdecimal() and (path / FILE).is_file()
    ]
    if not folders:
        raise HarnessError(f"no selftest below {root}; begin one without --resume")
    return max(folders, key=lambda path: int(path.name))


def same_question(old: Setup, asked: Mapping[str, object]) -> Sequence[str]:
    """Return how a plan differs from the one that was begun; empty if it does not."""
    return [
        f"{name} {getattr(old, name)} against {value}"
        for name, value in asked.items()
        if getattr(old, name) != value
    ]


UNITS = 200
"""
About 10 ms: long enough to be timed to a per cent, short beside the synthesis that it must not
disturb.
"""
SYNTHESES = 4
"""
What a process does before it is measured: first, twice warm-up, and once observed, which is not
recorded.
"""


def calibrate(
    suite: Suite,
    cells: Sequence[Cell],
    profile: Profile,
    folder: Path,
    stage: str,
    timeout_s: float,
    progress: Progress,
) -> tuple[dict[str, Cost], dict[str, str]] | None:
    """
    Measure each cell once, with extra work that is timed apart; None if a person interrupted it.

    Returns the costs by slug, and why the cells without one failed. Raises HarnessError if no cell
    works.
    """
    units = {cell.slug: _units(cell) for cell in cells}
    order = SlowDown(stage=stage, units=units, apart=True)
    header = make_header(
        suite,
        cells,
        profile,
        repeats=1,
        iterations=None,
        command=f"selftest {suite.name}: calibration",
    )
    side = Variant(header=header, folder=folder, launch=PythonEnv(env=order.env()))
    run_folder.create_run(folder, header)
    (outcome,) = Runner([side], profile, timeout_s, progress).run()
    if outcome.interrupted:
        return None
    failures = {
        slug: f"{failure.kind}: {failure.reason}" for slug, failure in outcome.failures.items()
    }
    if len(failures) == len(cells):
        raise HarnessError(
            f"no cell can be measured; {next(iter(failures))}: {next(iter(failures.values()))}"
        )
    records = run_folder.load_run(folder).processes
    return {
        record.cell: cost_of(record) for record in records if record.cell not in failures
    }, failures


def _units(cell: Cell) -> dict[str, int]:
    return {request.id: UNITS for request in cell.workload.requests}


def longest_stage(
    suite: Suite, cell: Cell, profile: Profile, folder: Path, timeout_s: float, progress: Progress
) -> str | None:
    """
    Measure a cell once and name the stage that takes most of its time, WHOLE where the target tells
    of none; None if a person interrupted it. Raises HarnessError if the cell fails.
    """
    header = make_header(
        suite, [cell], profile, repeats=1, iterations=1, command=f"selftest {suite.name}: stages"
    )
    run_folder.create_run(folder, header)
    (outcome,) = Runner(
        [Variant(header=header, folder=folder, launch=PythonEnv())], profile, timeout_s, progress
    ).run()
    if outcome.interrupted:
        return None
    for slug, failure in outcome.failures.items():
        raise HarnessError(f"no cell can be measured; {slug}: {failure.kind}: {failure.reason}")
    records = run_folder.load_run(folder).processes
    iterations = chain.from_iterable(record.iterations for record in records)
    measured = [iteration for iteration in iterations if iteration.phase is Phase.MEASURED]
    seconds: dict[str, float] = {}
    for iteration in measured:
        for stage, stage_s in iteration.stages_s.items():
            seconds[stage] = seconds.get(stage, 0.0) + stage_s
    return max(seconds, key=seconds.__getitem__, default=WHOLE)


def cost_of(record: ProcessRecord) -> Cost:
    """Read the costs off one process whose extra work was timed apart."""
    assert record.cold is not None, "the only process of a cell starts alone"
    measured = [each for each in record.iterations if each.phase is Phase.MEASURED]
    plain = [(each.request, each.wall_s - each.stages_s[APART]) for each in measured]
    seconds_of: dict[str, list[float]] = {}
    for request, seconds in plain:
        seconds_of.setdefault(request, []).append(seconds)
    per_request = {request: float(np.median(times)) for request, times in seconds_of.items()}
    return Cost(
        prepare_s=record.cold.import_s
        + record.cold.load_s
        + SYNTHESES * float(np.mean(list(per_request.values()))),
        measure_s=sum(seconds for _, seconds in plain),
        request_s=per_request,
        unit_s=float(np.median([each.stages_s[APART] / UNITS for each in measured])),
    )


def prepare_setup(
    question: SelftestPlan, folder: Path, budget_s: float, progress: Progress
) -> Setup | None:
    """
    Load the setup of a selftest that goes on, or make that of a new one; None if a person
    interrupted it.
    """
    if question.resume and (folder / FILE).exists():
        old = load(folder)
        names = (
            "suite",
            "profile",
            "loaded",
            *(name for name in ("sizes", "stage") if getattr(question, name)),
        )
        asked = {name: getattr(question, name) for name in names}
        reasons = [*same_question(old, asked), *(["--only"] if question.only else [])]
        if reasons:
            raise HarnessError(
                f"{folder} was begun otherwise ({'; '.join(reasons)}); begin a new one without "
                "--resume"
            )
        return old
    if (folder / FILE).exists():
        raise HarnessError(
            f"{folder} holds a selftest; continue it with --resume, or choose another --out"
        )
    setup = _new_setup(question, folder, budget_s, progress)
    if setup is not None:
        save(folder, setup)
    return setup


def _new_setup(
    question: SelftestPlan, folder: Path, budget_s: float, progress: Progress
) -> Setup | None:
    suite, profile = load_suite(question.suite), get_profile(question.profile)
    cells = matching_cells(suite.expand().cells, question.only)

    def place() -> Path:
        # an interrupted one is not continued
        return run_folder.next_run_folder(folder / "calibration")

    with neighbour(question.loaded):
        stage = question.stage or longest_stage(
            suite, cells[0], profile, place(), TIMEOUT_S, progress
        )
        calibration = (
            None
            if stage is None
            else calibrate(suite, cells, profile, place(), stage, TIMEOUT_S, progress)
        )
    if stage is None or calibration is None:
        return None
    costs, failures = calibration
    sizes = question.sizes or SIZES
    count = question.equals + len(sizes)
    kept = affordable(costs, count, profile.loading, budget_s)
    late = f"{ENOUGH_ROUNDS} rounds of it do not fit into {question.minutes:g} minutes"
    return Setup(
        suite=question.suite,
        profile=question.profile,
        stage=stage,
        sizes=sizes,
        equals=question.equals,
        loaded=question.loaded,
        costs={slug: cost for slug, cost in costs.items() if slug in kept},
        left_out={**failures, **{slug: late for slug in costs if slug not in kept}},
    )
