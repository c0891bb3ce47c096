"""
The selftest of speed from end to end: choose cells, calibrate, measure, judge, summarise.

One line per stage, no arithmetic.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.errors import RUNS, HarnessError
from voxgate.harness.judging.baseline import BASELINES, machine_id, revision
from voxgate.harness.judging.compare_speed import MATCHED
from voxgate.harness.judging.policy import Policy, limits_of
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.machine.profiles import get_profile
from voxgate.harness.machine.quietness import fitness
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.progress import Progress
from voxgate.harness.runner.runner import TIMEOUT_S
from voxgate.harness.selftest import speed_plan as setups
from voxgate.harness.selftest.cpu_load import neighbour
from voxgate.harness.selftest.simulated_gate import Gate
from voxgate.harness.selftest.speed_plan import (
    ENOUGH_ROUNDS,
    Setup,
    affordable,
    calibrate,
    longest_stage,
)
from voxgate.harness.selftest.speed_result import (
    Trust,
    curve_of,
    fitness_to_gate,
    noise_of,
    size_results,
    too_few,
)
from voxgate.harness.selftest.speed_run import Recorded, measure_sides
from voxgate.harness.selftest.trials import all_trials
from voxgate.harness.suite.selection import matching_cells
from voxgate.harness.suite.suite import load_suite

FOLDER = RUNS / "selftest"
LIMIT = 0.05
"""Assumed where the policy gives latency no relative limit."""


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
    equals: int = setups.EQUALS
    loaded: bool = False
    recordings: Path | None = None
    """
    Real speech that faults are planted into as well; like the picture, of a selftest of quality
    only.
    """
    picture: Path | None = None
    """The file to draw what was found."""
    resume: bool = False
    out: Path | None = None


def speed_selftest(
    question: SelftestPlan, progress: Progress, baselines: Path = BASELINES
) -> Trust | None:
    """
    Run or continue a selftest of speed; None if a person interrupted it.

    Raises HarnessError for anything that cannot be meant, and as `run_suite` does.
    """
    clock = WallClock()
    began_s, budget_s = clock.seconds(), question.minutes * 60.0
    policy = limits_of(baselines)
    folder = folder_of(question)
    setup = _setup(question, folder, budget_s, progress)
    if setup is None:
        return None
    recorded = measure_sides(
        folder, setup, max(0.0, budget_s - (clock.seconds() - began_s)), progress
    )
    return None if recorded.interrupted else trust_of(recorded, setup, policy)


def trust_of(recorded: Recorded, setup: Setup, policy: Policy) -> Trust:
    """Ask the gate about everything that was recorded. Needs no engine and no clock."""
    runs, limit = recorded.runs, policy[MATCHED].relative or LIMIT
    gate = Gate(runs, policy)
    trials = all_trials(gate, setup.sides)
    sizes, noise = size_results(trials, gate, setup), noise_of(gate, setup, limit)
    some = next(iter(runs.values()))
    state = fitness(some.environment)
    return Trust(
        setup=setup,
        machine=machine_id(some),
        head=revision(some),
        quiet=f"{state.status}: {state.detail}",
        sizes=sizes,
        noise=noise,
        curve=curve_of(noise, setup, limit, get_profile(setup.profile).loading),
        failures={**_failures(recorded), **too_few(gate, setup)},
        fit=fitness_to_gate(sizes, noise, limit),
    )


def folder_of(question: SelftestPlan) -> Path:
    """Name the selftest's folder. Raises HarnessError if there is none to resume."""
    if question.out is not None:
        return question.out
    return setups.latest(FOLDER) if question.resume else run_folder.next_run_folder(FOLDER)


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


def _setup(
    question: SelftestPlan, folder: Path, budget_s: float, progress: Progress
) -> Setup | None:
    """
    Load the setup of a selftest that goes on, or make that of a new one; None if a person
    interrupted it.
    """
    if question.resume and (folder / setups.FILE).exists():
        old = setups.load(folder)
        names = (
            "suite",
            "profile",
            "loaded",
            *(name for name in ("sizes", "stage") if getattr(question, name)),
        )
        asked = {name: getattr(question, name) for name in names}
        reasons = [*setups.same_question(old, asked), *(["--only"] if question.only else [])]
        if reasons:
            raise HarnessError(
                f"{folder} was begun otherwise ({'; '.join(reasons)}); begin a new one without "
                "--resume"
            )
        return old
    if (folder / setups.FILE).exists():
        raise HarnessError(
            f"{folder} holds a selftest; continue it with --resume, or choose another --out"
        )
    setup = _new_setup(question, folder, budget_s, progress)
    if setup is not None:
        setups.save(folder, setup)
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
    sizes = question.sizes or setups.SIZES
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


def _failures(recorded: Recorded) -> dict[str, str]:
    """Name the cells that failed on a side, with the reason."""
    failures: dict[str, str] = {}
    for side, run in recorded.runs.items():
        for process in run.processes:
            if process.failure is not None:
                kind, reason = process.failure.kind, process.failure.reason
                failures[process.cell] = f"{side}: {kind}: {reason}"
    return failures
