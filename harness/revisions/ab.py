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

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.harness.errors import RUNS
from voxgate.harness.judging.amend import suspects
from voxgate.harness.machine.git import Revision, resolve
from voxgate.harness.records.files import short
from voxgate.harness.records.verdict import judgement_to_dict
from voxgate.harness.report.contents import Report, all_differences, build_report
from voxgate.harness.report.page import write_page
from voxgate.harness.revisions.ab_plan import (
    ABPlan,
    Match,
    match_notes,
    prepare,
    resume_command,
    session_spec,
)
from voxgate.harness.revisions.ab_verdict import judge_pair, judge_speed, undecided_cells
from voxgate.harness.revisions.checkout import workshop
from voxgate.harness.revisions.control import Control
from voxgate.harness.revisions.paired_run import (
    BASE,
    PairedRuns,
    TimeBudget,
    extra_rounds_until,
    load_sides,
    make_pair_plan,
    measure_pair,
)
from voxgate.harness.runner.progress import Log, Progress, ScoreProgress
from voxgate.harness.runner.resume import begin, continued_by, job_folder
from voxgate.harness.runner.run_plan import CONFIRM, CONFIRM_ROUNDS

FIRST_SHARE = 0.6
"""Share of the budget for the first look; the remainder is for measuring suspects again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of a comparison of two revisions."""

    folder: Path
    base: Revision
    head: Revision
    contents: Report
    """HEAD's run and the judgement."""
    control: Control
    notes: tuple[str, ...]
    page: Path


def compare_revisions(
    plan: ABPlan,
    progress: Progress | None = None,
    scoring: ScoreProgress | None = None,
    log: Log = lambda line: None,
) -> Result:
    """
    Prepare both revisions, measure them in turns until decided, confirm suspects, judge, and write
    the page.

    Raises HarnessError for an invalid plan, before any measurement, and StoppedError if a person
    interrupts it.
    """
    project = Path.cwd()
    base, head = resolve(project, plan.base), resolve(project, plan.head)
    spec = session_spec("ab", plan, base, head)
    folder = job_folder(RUNS, plan.out, spec, resume=plan.resume)
    with workshop(project, log) as worktrees:
        match = prepare(worktrees, base, head, plan)
        for note in match_notes(match):
            log(note)
        with continued_by(resume_command(plan, "ab", spec, folder)):
            begin(folder, spec)
            measure_match(match, plan, folder, TimeBudget(plan.budget_s), progress)
            return judge_match(match, short(folder), scoring)


def measure_match(
    match: Match,
    plan: ABPlan,
    folder: Path,
    budget: TimeBudget,
    progress: Progress | None = None,
    *,
    energy: bool = True,
) -> None:
    """
    Measure until decided or out of time, then measure the suspects again; rounds that the folder
    holds already are kept.

    Raises KeyboardInterrupt if a person interrupts it.
    """

    def undecided(sides: PairedRuns) -> Collection[str]:
        return undecided_cells(sides, match.policy)

    cells = match.suite_diff.cells
    pair = make_pair_plan(match, plan, cells, plan.rounds, energy=energy, stages=True)
    measure_pair(pair, folder, extra_rounds_until(undecided, folder, budget, FIRST_SHARE), progress)
    suspicious = suspects(judge_speed(load_sides(folder), match.policy).metrics)
    if suspicious:
        budget.lap()
        again = [cell for cell in cells if cell.slug in suspicious]
        pair = make_pair_plan(match, plan, again, CONFIRM_ROUNDS, takes=False)
        confirming = folder / CONFIRM
        extra = extra_rounds_until(undecided, confirming, budget)
        measure_pair(pair, confirming, extra, progress)


def judge_match(match: Match, folder: Path, scoring: ScoreProgress | None = None) -> Result:
    """Score and judge the runs of a folder, and write the page."""
    pair = judge_pair(folder, match.policy, match.suite_diff, scoring)
    contents = build_report(
        pair.head, pair.now, pair.judgement, before=pair.before, policy=match.policy
    )
    page = write_page(contents, folder / "index.html", folder / "baselines", folder / BASE)
    return Result(
        folder=folder,
        base=match.base.revision,
        head=match.head.revision,
        contents=contents,
        control=pair.control,
        notes=match_notes(match),
        page=page,
    )


def result_to_dict(result: Result) -> dict[str, Any]:
    """Return the judgement as plain JSON values, with the facts that only a comparison has."""
    sides = {
        name: {
            "commit": revision.commit,
            "label": revision.label,
            "changed_files": revision.changed_files,
        }
        for name, revision in (("base", result.base), ("head", result.head))
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
