"""
`voxgate ab BASE HEAD SUITE`: is HEAD slower or worse than BASE? Both are measured in turns on this
machine and judged in pairs.

    runs/0007/base/, head/              ordinary run folders; round i of one belongs to round i of
                                        the other
              confirm/base/, head/      fresh rounds of the cells that looked slower
              baselines/<suite>/golden/ BASE's reference audio, which both are held against
              job.json                  what it was begun for, so that it can be continued
              index.html                the page

It needs no stored speed baseline. Policy and suite are BASE's, so that a change cannot loosen its
own gate. Here stands the order of the stages; what happens inside each is the stage's own business.
"""

import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.analysis.aggregate import aggregate
from harness.analysis.grouping import Measurements
from harness.analysis.metric_rules import is_speed
from harness.errors import HarnessError
from harness.judging.amend import (
    add_unshared_cells,
    block_on_gaps,
    fail_where_base_failed,
    invalidate_speed,
    is_gap,
)
from harness.judging.baseline import golden_dir, of_run, write_golden
from harness.judging.confirm import confirmed, suspects, undecided
from harness.judging.judge import judge
from harness.judging.policy import DEFAULT as DEFAULT_POLICY
from harness.judging.policy import Policy, read_policy
from harness.machine.clock import now_utc_iso
from harness.machine.git import NOW, Revision, resolve
from harness.machine.identity import changed_tools, environment
from harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from harness.machine.profiles import Profile
from harness.metrics.registry import check_selection
from harness.records.cell import Cell
from harness.records.run import Run
from harness.records.verdict import (
    RunVerdict,
    judgement_to_dict,
)
from harness.report.contents import Report, all_differences
from harness.revisions.checkout import Checkout, WorktreeManager, workshop
from harness.revisions.environments import Log
from harness.revisions.paired_run import (
    Control,
    PairedRuns,
    PairPlan,
    TimeBudget,
    examine,
    extra_rounds_until,
    is_measured,
    load_sides,
    measure_pair,
    split_workload,
    without_control,
)
from harness.revisions.suite_diff import SuiteDiff, overlap
from harness.runner import run_folder
from harness.runner.progress import Progress
from harness.runner.resume import SessionSpec, begin, continued_by, job_folder
from harness.runner.run_header import RunHeader
from harness.runner.runner import TIMEOUT_S
from harness.scoring.provenance import keep_scores, records_digest, stamp_of
from harness.scoring.score_run import score_run
from harness.scoring.transcription import check_engine
from harness.targets.registry import package_of
from harness.workflow import (
    CONFIRM,
    CONFIRM_ROUNDS,
    RUNS,
    ScoreProgress,
    ready_profile,
    short,
    shown_metrics,
    write_page,
)

ROUNDS = 4
"""Fewer leave Student's t too few degrees of freedom to prove anything."""
BUDGET_S = 300.0
FIRST_SHARE = 0.6
"""Of the budget, for the first look; the rest is for measuring suspects again."""
SAME_TOOLS = ("commit", "branch", "dirty_files", "changes", "no_commit", "voxgate")
"""Facts of a toolchain that differ between revisions and change no environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ABPlan:
    """What to compare, as a person asked for it."""

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
    """Two revisions, ready to be measured, and what both can be asked."""

    base: Checkout
    head: Checkout
    overlap: SuiteDiff
    policy: Policy
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a comparison of two revisions ended."""

    folder: Path
    base: Revision
    head: Revision
    contents: Report
    """HEAD's run and the judgement."""
    before: Measurements
    """BASE's measurements."""
    control: Control
    notes: tuple[str, ...]
    page: Path


def compare_revisions(
    plan: ABPlan,
    progress: Progress | None = None,
    scoring: ScoreProgress | None = None,
    tell: Log = lambda line: None,
) -> Result:
    """
    Prepare both revisions, measure them in turns until decided, confirm what looks slower, judge,
    and write the page.

    Raises HarnessError for anything that cannot be meant, before any measurement, and StoppedError
    if a person interrupts it.
    """
    project = Path.cwd()
    base, head = resolve(project, plan.base), resolve(project, plan.head)
    facts = facts_of("ab", plan, base, head)
    folder = job_folder(RUNS, plan.out, facts, resume=plan.resume)
    with workshop(project, tell) as shop:
        match = prepare(shop, base, head, plan)
        for note in notes_of(match):
            tell(note)
        with continued_by(continuing(plan, "ab", facts, folder)):
            begin(folder, facts)
            contest(match, plan, folder, TimeBudget(plan.budget_s), progress)
            return judged(match, short(folder), scoring)


def facts_of(verb: str, plan: ABPlan, base: Revision, head: Revision) -> dict[str, object]:
    """Say what makes a comparison the one that it is: another one cannot continue it."""
    names = {
        name: NOW[0] if each.is_now else each.commit
        for name, each in (("base", base), ("head", head))
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
    Check both revisions out, find what both can be asked, and see that their own code will answer.
    """
    profile = ready_profile(plan.profile)
    trees = shop.tree(base), shop.tree(head)
    shared = overlap(plan.suite, *trees, plan.only)
    check_selection(shared.suite.metrics, shared.suite.conditions)
    check_engine(shared.suite.judge)
    packages = sorted({package(cell.target) for cell in (*shared.cells, *shared.new, *shared.lost)})
    sides = [_ready(shop, *side, packages) for side in (("BASE", base), ("HEAD", head))]
    return Match(
        base=sides[0], head=sides[1], overlap=shared, policy=policy_of(trees[0]), profile=profile
    )


def _ready(
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


def notes_of(match: Match) -> tuple[str, ...]:
    """
    Say what a reader should know before the figures: sides that are the same, environments that are
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
    tools = [
        {name: each for name, each in side.toolchain.items() if name not in SAME_TOOLS}
        for side in (base, head)
    ]
    differ = changed_tools(*tools)
    return (*notes, *([f"toolchain: {'; '.join(differ)}"] if differ else []))


def contest(
    match: Match,
    plan: ABPlan,
    folder: Path,
    watch: TimeBudget,
    progress: Progress | None = None,
    *,
    energy: bool = True,
) -> None:
    """
    Measure until decided or the time is up, and measure what looks slower again; what the folder
    holds is not measured again.

    Raises KeyboardInterrupt if a person interrupts it.
    """
    wanted = _undecided(match.policy)
    pair = pair_of(match, plan, match.overlap.cells, plan.rounds, energy=energy, stages=True)
    measure_pair(pair, folder, extra_rounds_until(wanted, folder, watch, FIRST_SHARE), progress)
    suspicious = suspects(judge_speed(load_sides(folder), match.policy))
    if suspicious:
        watch.lap()
        again = pair_of(
            match,
            plan,
            [cell for cell in match.overlap.cells if cell.slug in suspicious],
            CONFIRM_ROUNDS,
        )
        measure_pair(
            again, folder / CONFIRM, extra_rounds_until(wanted, folder / CONFIRM, watch), progress
        )


def pair_of(
    match: Match,
    plan: ABPlan,
    cells: Sequence[Cell],
    rounds: int,
    *,
    energy: bool = False,
    stages: bool = False,
) -> PairPlan:
    """Give the pair to measure."""
    shared = match.overlap
    whole = RunHeader(
        suite=shared.suite.name,
        question=shared.suite.question,
        reference=shared.reference,
        cells=tuple(cells),
        excluded=shared.excluded,
        profile=match.profile.name,
        environment=environment(),
        created=now_utc_iso(),
        repeats=rounds,
        iterations=shared.suite.iterations if plan.iterations is None else plan.iterations,
        min_time_s=shared.suite.min_time_s,
        metrics=None if shared.suite.metrics is None else tuple(shared.suite.metrics),
        conditions=tuple(shared.suite.conditions),
        judge=shared.suite.judge,
        command=command(plan, "ab"),
    )
    header = split_workload(whole, rounds)
    return PairPlan(
        base=match.base,
        head=match.head,
        header=header,
        profile=match.profile,
        timeout_s=plan.timeout_s,
        energy=energy,
        stages=stages,
    )


def judge_speed(sides: PairedRuns, policy: Policy) -> RunVerdict:
    """Judge what can be judged without listening."""
    base, head = without_control(sides.base), without_control(sides.head)
    return judge(
        head,
        aggregate(head, {}),
        of_run(base, aggregate(base, {})),
        policy,
        head.cells,
        paired=True,
    )


def judged(match: Match, folder: Path, scoring: ScoreProgress | None = None) -> Result:
    """Score and judge what was measured in a folder, and write the page."""
    sides = load_sides(folder)
    base, head = without_control(sides.base), without_control(sides.head)
    golden = golden_dir(folder / "baselines", head.suite)
    write_golden(base, golden)
    before, now = scored(base, Path("none"), scoring), scored(head, golden, scoring)
    for side, measured, against in ((sides.base, before, Path("none")), (sides.head, now, golden)):
        where = Path(side.folder)
        keep_scores(where, measured, stamp_of(side, against, records_digest(where)))
    base, head = (
        replace(run, heard=run_folder.load_transcripts(Path(run.folder))) for run in (base, head)
    )
    judgement = judge(
        head, now, of_run(base, before), match.policy, head.cells, paired=True, base=base
    )
    judgement = block_on_gaps(judgement, match.policy, str(folder))
    if is_measured(folder / CONFIRM):
        judgement = confirmed(
            judgement, judge_speed(load_sides(folder / CONFIRM), match.policy), str(folder)
        )
    control = _control(folder, match.policy)
    if control.trouble:
        judgement = invalidate_speed(judgement, control.trouble, str(folder))
    judgement = fail_where_base_failed(judgement, base, head)
    shared = match.overlap
    judgement = add_unshared_cells(
        judgement,
        added=shared.new,
        removed=shared.lost,
        changed=shared.changed,
        labels=shared.labels,
    )
    contents = Report(run=head, measurements=now, judgement=judgement)
    page = write_page(contents, folder / "index.html", folder / "baselines")
    return Result(
        folder=folder,
        base=match.base.revision,
        head=match.head.revision,
        contents=contents,
        before=before,
        control=control,
        notes=notes_of(match),
        page=page,
    )


def scored(run: Run, golden: Path, progress: ScoreProgress | None) -> Measurements:
    """
    Measure a run with its audio scored, against its own reference cell's and the golden audio; keep
    what was heard.
    """
    scores = score_run(run, golden, progress=progress)
    run_folder.save_transcripts(Path(run.folder), scores.heard)
    return aggregate(run, scores.values, versions=scores.versions)


def result_to_dict(result: Result) -> dict[str, Any]:
    """Give the judgement as plain JSON values, with what only a comparison of revisions has."""
    sides = {
        name: {"commit": each.commit, "label": each.label}
        for name, each in (("base", result.base), ("head", result.head))
    }
    control = {"shift": result.control.shift, "trouble": result.control.trouble}
    more = {
        "folder": str(result.folder),
        "revisions": sides,
        "control": control,
        "notes": list(result.notes),
    }
    in_effect = all_differences(result.contents.run)
    return {**judgement_to_dict(result.contents.judgement), **more, "in_effect": in_effect}


def command(plan: ABPlan, verb: str, more: Sequence[str] = ()) -> str:
    """Give the command line of a plan, with further words at its end."""
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


def continuing(
    plan: ABPlan, verb: str, facts: SessionSpec, folder: Path, more: Sequence[str] = ()
) -> str:
    """
    Give the command line that continues a job: with the commits, since names of revisions move on.
    """
    same = replace(plan, base=str(facts["base"]), head=str(facts["head"]))
    return command(same, verb, [*more, "--resume", "--out", str(short(folder))])


def _control(folder: Path, policy: Policy) -> Control:
    """Examine the control of the first look and of the second; the first trouble counts."""
    looks = [each for each in (folder, folder / CONFIRM) if (each / "head" / "run.json").exists()]
    found = [examine(sides.base, sides.head, policy) for sides in map(load_sides, looks)]
    return next((each for each in found if each.trouble), found[0])


def _undecided(policy: Policy) -> Callable[[PairedRuns], Collection[str]]:
    """
    Give a function that names the cells that more rounds could decide, those without any times
    among them.
    """

    def wanted(sides: PairedRuns) -> Collection[str]:
        judgement = judge_speed(sides, policy)
        gaps = [
            (cell.cell, each)
            for cell in judgement.cells
            for each in cell.metrics
            if policy[each.metric].blocking
        ]
        untimed = {slug for slug, each in gaps if is_speed(each.metric) and is_gap(each)}
        return undecided(judgement) | untimed

    return wanted


def package(target: str) -> str:
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
