"""
One run as a person asked for it, and the command line that repeats or continues it.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from voxgate.harness.runner.runner import TIMEOUT_S

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
