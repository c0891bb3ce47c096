"""
The plan of a comparison, and both revisions made ready to be measured.

Decides nothing and measures nothing.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.policy import DEFAULT as DEFAULT_POLICY
from voxgate.harness.judging.policy import Policy, overrides, read_policy, shown_metrics
from voxgate.harness.machine.git import NOW, Revision
from voxgate.harness.machine.identity import changed_tools
from voxgate.harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.machine.readiness import ready_profile
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.files import short
from voxgate.harness.revisions.checkout import Checkout, WorktreeManager
from voxgate.harness.revisions.engine_environments import engine_need
from voxgate.harness.revisions.measured_code import measured_packages, programs_of
from voxgate.harness.revisions.suite_diff import SuiteDiff, diff_suites
from voxgate.harness.runner.resume import SessionSpec
from voxgate.harness.runner.runner import TIMEOUT_S
from voxgate.harness.scoring.score_run import check_scoring

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
    check_scoring(shared.suite)
    cells = (*shared.cells, *shared.added, *shared.removed)
    ready = checkout_for(shop, shared.cells, cells)
    sides = [_checkout_side(ready, *side) for side in (("BASE", base), ("HEAD", head))]
    return Match(
        base=sides[0],
        head=sides[1],
        suite_diff=shared,
        policy=policy_of(trees[0], shared.suite.name),
        profile=profile,
        programs=programs_of(shared.cells, *sides),
    )


def checkout_for(
    shop: WorktreeManager, cells: Sequence[Cell], named: Sequence[Cell] = ()
) -> Callable[[Revision], Checkout]:
    """
    Return a function that makes a revision ready to measure cells. Raises HarnessError for a target
    that measures no code of a repository, of `named` cells as well.
    """
    packages, engine = measured_packages((*cells, *named)), engine_need(cells)
    return lambda revision: shop.checkout(revision, packages, engine)


def _checkout_side(
    ready: Callable[[Revision], Checkout], name: str, revision: Revision
) -> Checkout:
    """Make a side ready. Raises HarnessError that names the side."""
    try:
        return ready(revision)
    except HarnessError as error:
        raise HarnessError(f"{name} cannot be measured: {error}") from error


def policy_of(tree: Path, suite: str = "") -> Policy:
    """
    Read the policy of a tree: its harness's own, if it has one, and over it those of its baselines
    and of the suite there.
    """
    own = tree / "harness" / DEFAULT_POLICY.name
    policy = read_policy(own if own.is_file() else DEFAULT_POLICY, shown_metrics())
    for override in overrides(tree / "baselines", suite):
        policy |= read_policy(override, shown_metrics())
    return policy


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
