"""
The plan of a comparison, and both revisions made ready to be measured.

Decides nothing and measures nothing.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import HarnessError
from harness.judging.policy import DEFAULT as DEFAULT_POLICY
from harness.judging.policy import Policy, read_policy
from harness.judging.speed_decision import shown_metrics
from harness.machine.git import NOW, Revision
from harness.machine.identity import changed_tools
from harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from harness.machine.profiles import Profile
from harness.metrics.registry import check_selection
from harness.records.cell import Cell
from harness.records.command_line import CommandLine
from harness.revisions.checkout import Checkout, WorktreeManager
from harness.revisions.suite_diff import SuiteDiff, diff_suites
from harness.runner.resume import SessionSpec
from harness.runner.runner import TIMEOUT_S
from harness.scoring.transcription import check_engine
from harness.targets.command.files import named_files
from harness.targets.registry import package_of
from harness.workflow import ready_profile, short

ROUNDS = 4
"""Fewer leave Student's t too few degrees of freedom to prove anything."""


BUDGET_S = 300.0


SAME_TOOLS = ("commit", "branch", "dirty_files", "changes", "no_commit", "voxgate")
"""Facts of a toolchain that differ between revisions and change no environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ABPlan:
    """A comparison as a person requested it."""

    base: str
    head: str
    suite: str
    profile: str = DEFAULT_PROFILE
    out: Path | None = None
    resume: bool = False
    """Continue what was begun in `out`, or in the youngest folder."""
    rounds: int = ROUNDS
    """Before more are added; in each, every cell gets a fresh process per side."""
    iterations: int | None = None
    only: tuple[str, ...] = ()
    timeout_s: float = TIMEOUT_S
    budget_s: float = BUDGET_S
    """
    Seconds of measuring in all. The planned rounds, and the confirming ones, are measured even if
    they take longer.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two revisions, ready to be measured, and the part of the suite that both have."""

    base: Checkout
    head: Checkout
    suite_diff: SuiteDiff
    policy: Policy
    profile: Profile
    programs: tuple[str, ...] = ()
    """The programs that command lines find on each side, in words."""


def session_spec(verb: str, plan: ABPlan, base: Revision, head: Revision) -> dict[str, object]:
    """Return the facts that identify a comparison: only the same one can continue it."""
    names = {
        name: NOW[0] if revision.is_now else revision.commit
        for name, revision in (("base", base), ("head", head))
    }
    asked = {
        "suite": plan.suite,
        "profile": plan.profile,
        "rounds": plan.rounds,
        "iterations": plan.iterations,
    }
    return {"verb": verb, **names, **asked, "only": list(plan.only)}


def prepare(shop: WorktreeManager, base: Revision, head: Revision, plan: ABPlan) -> Match:
    """
    Check both revisions out, find the cells that both have, and check that their own code will
    answer.

    Raises HarnessError for a revision, suite, metric or recogniser that cannot be used.
    """
    profile = ready_profile(plan.profile)
    trees = shop.tree(base), shop.tree(head)
    shared = diff_suites(plan.suite, *trees, plan.only)
    check_selection(shared.suite.metrics, shared.suite.conditions)
    check_engine(shared.suite.judge)
    cells = (*shared.cells, *shared.added, *shared.removed)
    packages = measured_packages(cells)
    sides = [_checkout_side(shop, *side, packages) for side in (("BASE", base), ("HEAD", head))]
    return Match(
        base=sides[0],
        head=sides[1],
        suite_diff=shared,
        policy=policy_of(trees[0]),
        profile=profile,
        programs=programs_of(shared.cells, *sides),
    )


def _checkout_side(
    shop: WorktreeManager, name: str, revision: Revision, packages: Sequence[str]
) -> Checkout:
    """Make a side ready. Raises HarnessError that names the side."""
    try:
        return shop.checkout(revision, packages)
    except HarnessError as error:
        raise HarnessError(f"{name} cannot be measured: {error}") from error


def policy_of(tree: Path) -> Policy:
    """
    Read the policy of a tree: its harness's own, if it has one, and baselines/policy.toml over it.
    """
    own, override = tree / "harness" / DEFAULT_POLICY.name, tree / "baselines" / "policy.toml"
    policy = read_policy(own if own.is_file() else DEFAULT_POLICY, shown_metrics())
    return {**policy, **read_policy(override, shown_metrics())} if override.exists() else policy


def match_notes(match: Match) -> tuple[str, ...]:
    """
    Return the notes that stand above the figures: sides that are the same, environments that are
    not.
    """
    base, head = match.base, match.head
    notes = []
    if base.revision.commit == head.revision.commit and not (
        base.revision.changed_files or head.revision.changed_files
    ):
        notes.append(
            f"BASE and HEAD are the same, {base.revision.label}: this measures how well the "
            "machine can tell"
        )
    for name, side in (("BASE", base), ("HEAD", head)):
        if side.environment != head.environment or side.environment != base.environment:
            notes.append(f"environment of {name}: {side.environment}")
    for name, side in (("BASE", base), ("HEAD", head)):
        if side.shared:
            notes.append(
                f"{name} takes {', '.join(side.shared)} from the working tree, as [tool.voxgate] "
                "shared says"
            )
    notes += match.programs
    differ = changed_tools(_tools(base), _tools(head))
    return (*notes, *([f"toolchain: {'; '.join(differ)}"] if differ else []))


def _tools(side: Checkout) -> dict[str, object]:
    return {tool: version for tool, version in side.toolchain.items() if tool not in SAME_TOOLS}


def command_line(plan: ABPlan, verb: str, more: Sequence[str] = ()) -> str:
    """Return the command line of a plan, with further words at its end."""
    words = [
        "voxgate",
        verb,
        plan.base,
        plan.head,
        plan.suite,
        "--profile",
        plan.profile,
        "--rounds",
        str(plan.rounds),
    ]
    words += [] if plan.iterations is None else ["--iterations", str(plan.iterations)]
    for pattern in plan.only:
        words += ["--only", pattern]
    words += [] if plan.timeout_s == TIMEOUT_S else ["--timeout", f"{plan.timeout_s:g}"]
    return shlex.join([*words, "--budget", f"{plan.budget_s:g}", *more])


def resume_command(
    plan: ABPlan, verb: str, facts: SessionSpec, folder: Path, more: Sequence[str] = ()
) -> str:
    """
    Return the command line that continues a session: with commits, since names of revisions move
    on.
    """
    same = replace(plan, base=str(facts["base"]), head=str(facts["head"]))
    return command_line(same, verb, [*more, "--resume", "--out", str(short(folder))])


def measured_packages(cells: Sequence[Cell]) -> list[str]:
    """Name the packages that cells measure; a command line measures none, but files."""
    return sorted({measured_package(cell.target) for cell in cells if cell.command is None})


def programs_of(cells: Sequence[Cell], base: Checkout, head: Checkout) -> tuple[str, ...]:
    """
    Describe the files that the command lines of cells find on both sides.

    Raises HarnessError for a program that is missing on a side, and for a command line that names
    no file of the revision: two revisions cannot differ in it.
    """
    notes = []
    for command in {str(cell.command): cell.command for cell in cells if cell.command}.values():
        files = [side_files(command, side) for side in (base, head)]
        texts = [", ".join(shown) for shown in files]
        notes.append(
            f"both sides run {texts[0]}: the same, so that they can differ only in other files"
            if texts[0] == texts[1]
            else f"BASE runs {texts[0]}; HEAD runs {texts[1]}"
        )
    return tuple(notes)


def side_files(command: CommandLine, side: Checkout) -> tuple[str, ...]:
    """
    Return the files of a command line on a side, in words. Raises HarnessError where none of them
    is the revision's own.
    """
    env = {**os.environ, **side.launch.env}
    try:
        files = named_files(command.words, side.tree, env.get("PATH"))
    except HarnessError as error:
        raise HarnessError(f"{side.revision.label}: {error}") from error
    own = [root.resolve() for root in (side.tree, *_own_environment(side))]
    inside = [file for file in files if any(file.path.is_relative_to(root) for root in own)]
    module = _module(command, side.tree)
    if not inside and module is None:
        raise HarnessError(
            f"the command {command} runs {files[0].path} on {side.revision.label}, which is no "
            "file of that revision, so two revisions cannot differ in it; name a program or a "
            "script by a path relative to the project (./mytts), a package of it (python -m "
            "mytts), or let [tool.voxgate] install= put the program into the environment of each "
            "side"
        )
    return (*(file.shown(side.tree) for file in files), *([f"-m {module}"] if module else []))


def _own_environment(side: Checkout) -> list[Path]:
    """Return the environment that was made for a side; empty where it shares voxgate's."""
    folder = Path(side.launch.python).parents[1]
    return [] if side.launch.python == sys.executable else [folder]


def _module(command: CommandLine, tree: Path) -> str | None:
    """Return the module of the revision that `-m` names; None where there is none."""
    for before, word in zip(command.words[1:], command.words[2:], strict=False):
        top = word.partition(".")[0]
        places = [root / name for root in (tree / "src", tree) for name in (top, f"{top}.py")]
        if before == "-m" and top.isidentifier() and any(map(Path.exists, places)):
            return word
    return None


def measured_package(target: str) -> str:
    """
    Name the package that a target measures. Raises HarnessError if that is no code of a repository.
    """
    name = package_of(target)
    if name is None:
        raise HarnessError(
            f"target {target} measures no code of a repository, so two revisions cannot differ in "
            "it"
        )
    return name
