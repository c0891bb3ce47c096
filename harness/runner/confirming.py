"""
Measure suspects again: the cells of a run that look slower, in fresh processes, into a run folder
of its own inside the run's.

    runs/0001/confirm/of.json       the cells, and the digest of the records that chose them
              confirm/...           a run folder

Decides nothing: which cells are suspects, and what follows from the fresh processes, is for
`judging/confirm.py`.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.profiles import get_profile
from voxgate.harness.records import documents
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.progress import Progress
from voxgate.harness.runner.run_plan import RunPlan, command_line
from voxgate.harness.runner.runner import Outcome, run_suite
from voxgate.harness.suite.suite import Suite

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
        suite,
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
