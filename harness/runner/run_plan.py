"""
One run as a person asked for it: measure it, measure its suspects again, and the command line that
repeats or continues it.

Suspects are the cells that look slower; they are measured again in fresh processes, into a run
folder of its own inside the run's.

    runs/0001/confirm/of.json       the cells, and the digest of the records that chose them
              confirm/...           a run folder

Decides nothing: which cells are suspects, and what follows from the fresh processes, is for
`judging/amend.py`.
"""

import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.harness.errors import RUNS, HarnessError
from voxgate.harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from voxgate.harness.machine.profiles import get_profile
from voxgate.harness.machine.readiness import ready_profile
from voxgate.harness.records import documents
from voxgate.harness.runner import run_folder
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
    spans: bool = False
    """Whether to keep when iterations and their stages ran."""


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
        spans=plan.spans,
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
    words += ["--spans"] if plan.spans else []
    words += [] if plan.timeout_s == TIMEOUT_S else ["--timeout", f"{plan.timeout_s:g}"]
    words += [] if plan.budget_s == BUDGET_S else ["--budget", f"{plan.budget_s:g}"]
    return shlex.join([*words, *([] if folder is None else ["--resume", "--out", str(folder)])])


CONFIRM = "confirm"
"""In the run folder: the run of fresh processes of the cells that looked slower."""
CONFIRM_ROUNDS = 4
"""
Fewer leave Student's t too few degrees of freedom to prove anything; more rounds follow while the
budget lasts.
"""
CONFIRMS = "of.json"


def measure_again(
    plan: RunPlan,
    suite: Suite,
    folder: Path,
    slugs: Collection[str],
    undecided: Callable[[Path], Collection[str]],
    progress: Progress | None = None,
) -> Outcome:
    """
    Measure some cells of a run in fresh processes, into a folder of its own; what looked at other
    records is put away.

    `undecided` is asked after the planned rounds which cells of that folder need another one.
    """
    again = folder / CONFIRM
    if again.exists() and not ((again / "run.json").exists() and confirms(folder, again, slugs)):
        run_folder.put_folder_away(again)
    mark_confirming(folder, again, slugs)
    return run_suite(
        replace(suite, sampled=False, takes=None),  # its audio is not judged
        [cell for cell in suite.expand().cells if cell.slug in slugs],
        get_profile(plan.profile),
        again,
        repeats=CONFIRM_ROUNDS,
        iterations=plan.iterations,
        timeout_s=plan.timeout_s,
        resume=(again / "run.json").exists(),
        progress=progress,
        command=command_line(plan, "check", folder),
        more=lambda rounds: undecided(again),
        energy=False,  # nothing is judged by it
        stages=False,
        phase="confirming",
    )


def was_confirmed(folder: Path) -> bool:
    """Return whether the suspects of a run's current records were measured again, to the end."""
    again = folder / CONFIRM
    return (again / "complete").exists() and confirms(folder, again)


def mark_confirming(folder: Path, confirm: Path, slugs: Collection[str]) -> None:
    """
    Record the cells and records of `folder` that the rounds in `confirm` measure again.

    Raises HarnessError.
    """
    try:
        confirm.mkdir(parents=True, exist_ok=True)
        documents.write_json(
            confirm / CONFIRMS,
            {"cells": sorted(slugs), "records": run_folder.records_digest(folder, slugs)},
        )
    except OSError as error:
        raise HarnessError(
            f"cannot write to {confirm}: {error.strerror}; make room, then continue with --resume"
        ) from error


def confirms(folder: Path, confirm: Path, slugs: Collection[str] | None = None) -> bool:
    """
    Return whether `confirm` measured the current records again, and with `slugs` exactly these
    cells.
    """
    if not (confirm / CONFIRMS).exists():  # run folders older than this mark
        return slugs is None or {
            cell.slug for cell in run_folder.load_header(confirm).cells
        } == set(slugs)
    mark = documents.read_json(confirm / CONFIRMS, "")
    cells = mark.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, str) for cell in cells):
        raise HarnessError(
            f"{confirm / CONFIRMS} is damaged: cells must be a list of names; delete the folder "
            f"{confirm}"
        )
    return (slugs is None or set(cells) == set(slugs)) and mark.get(
        "records"
    ) == run_folder.records_digest(folder, cells)
