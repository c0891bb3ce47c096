"""
One run as a person asked for it: measure it, and the command line that repeats or continues it.
"""

import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.errors import RUNS
from voxgate.harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from voxgate.harness.machine.readiness import ready_profile
from voxgate.harness.runner.progress import Progress
from voxgate.harness.runner.run_folder import latest_run_folder, next_run_folder
from voxgate.harness.runner.runner import TIMEOUT_S, Outcome, run_suite
from voxgate.harness.suite.selection import select_cells
from voxgate.harness.suite.suite import Suite

BUDGET_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What to measure, and how. None leaves a number to the suite, or the folder to voxgate."""

    suite: str
    profile: str = DEFAULT_PROFILE
    out: Path | None = None
    repeats: int | None = None
    iterations: int | None = None
    only: tuple[str, ...] = ()
    """Patterns of slugs; the reference cell is always measured too. Empty means all cells."""
    resume: bool = False
    timeout_s: float = TIMEOUT_S
    budget_s: float = BUDGET_S
    """Seconds for undecided cells after the planned rounds, and as many again for suspects."""


def measure(
    plan: RunPlan,
    suite: Suite,
    verb: str,
    more: Callable[[Path], Collection[str]] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """
    Measure a plan's cells into its run folder; `more` is asked after the planned rounds which cells
    need another one.

    Raises HarnessError for patterns that match no cell, for a machine that is unfit for
    the profile, and as `run_suite` does.
    """
    folder = _folder(plan)
    return run_suite(
        suite,
        select_cells(suite.expand(), plan.only),
        ready_profile(plan.profile),
        folder,
        repeats=plan.repeats,
        iterations=plan.iterations,
        timeout_s=plan.timeout_s,
        resume=plan.resume,
        progress=progress,
        command=command_line(plan, verb),
        more=None if more is None else lambda rounds: more(folder),
    )


def _folder(plan: RunPlan) -> Path:
    if plan.out is not None:
        return plan.out
    return latest_run_folder(RUNS) if plan.resume else next_run_folder(RUNS)


def command_line(plan: RunPlan, verb: str, folder: Path | None = None) -> str:
    """Return the command line of a plan; with a folder, the one that continues the run there."""
    words = ["voxgate", verb, plan.suite, "--profile", plan.profile]
    for option, number in (("--repeats", plan.repeats), ("--iterations", plan.iterations)):
        words += [] if number is None else [option, str(number)]
    for pattern in plan.only:
        words += ["--only", pattern]
    words += [] if plan.timeout_s == TIMEOUT_S else ["--timeout", f"{plan.timeout_s:g}"]
    words += [] if plan.budget_s == BUDGET_S else ["--budget", f"{plan.budget_s:g}"]
    return shlex.join([*words, *([] if folder is None else ["--resume", "--out", str(folder)])])
