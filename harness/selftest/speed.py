"""
The selftest of speed from end to end: plan, measure, judge, summarise.

One line per stage, no arithmetic.
"""

from pathlib import Path

from voxgate.harness.judging.baseline import BASELINES, machine_id, revision
from voxgate.harness.judging.compare_speed import MATCHED
from voxgate.harness.judging.policy import Policy, limits_of
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.machine.profiles import get_profile
from voxgate.harness.machine.quietness import fitness
from voxgate.harness.runner.progress import Progress
from voxgate.harness.selftest.simulated_gate import Gate
from voxgate.harness.selftest.speed_plan import (
    SelftestPlan,
    Setup,
    folder_of,
    prepare_setup,
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

LIMIT = 0.05
"""Assumed where the policy gives latency no relative limit."""


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
    setup = prepare_setup(question, folder, budget_s, progress)
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
        limit=limit,
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
