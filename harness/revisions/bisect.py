"""
`voxgate bisect GOOD BAD SUITE`: which commit made it slower, which made it worse, and how is that
known?

First the ends are compared as `voxgate ab` does it; what is REGRESSED there is searched for, speed
and quality each on its own, since they need not have the same culprit. Every step is the same
paired comparison, GOOD against a commit in between, on one cell and one metric, decided by the same
rule. Last, the culprit is held against the commit before it: a change that only adds up over
several commits has no single culprit. Commits that cannot be built, that fail, or that stay
undecided are skipped, as git bisect does, and named.

    runs/0007/job.json     what was asked for, so that the search can be continued
              ends/        the comparison of GOOD and BAD
              steps/speed-01-b07e11a-3fa1c2e/base/, head/   the evidence of each step; what is
                                                            complete is not measured again
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from voxgate.harness.analysis.metric_rules import ENERGY
from voxgate.harness.errors import RUNS, HarnessError
from voxgate.harness.judging.policy import shown_metrics
from voxgate.harness.machine.git import Commit, Revision, between, describe, resolve
from voxgate.harness.records.files import short
from voxgate.harness.records.verdict import RunVerdict, Verdict
from voxgate.harness.revisions.ab import judge_match, measure_match
from voxgate.harness.revisions.ab_plan import (
    ABPlan,
    Match,
    checkout_for,
    prepare,
    resume_command,
    session_spec,
)
from voxgate.harness.revisions.bisect_result import (
    BisectReport,
    BisectTarget,
    CommitState,
    Culprit,
    Step,
    choose_targets,
    step_line,
    undecided_families,
)
from voxgate.harness.revisions.bisect_step import BisectSession, PairTest
from voxgate.harness.revisions.checkout import Checkout, WorktreeManager, workshop
from voxgate.harness.revisions.paired_run import (
    TimeBudget,
)
from voxgate.harness.runner.progress import Log, Progress, ScoreProgress
from voxgate.harness.runner.resume import begin, continued_by, job_folder

BUDGET_S = 300.0
"""Of each comparison. The ends are confirmed as well, so they may take as long again."""


def narrow(last: int, test: Callable[[int], CommitState]) -> tuple[int, int]:
    """
    Search positions 0 (good) to `last` (bad); return the last good and the first bad one.

    They are neighbours unless every position in between was skipped. A skipped position is replaced
    by the next one to the middle.
    """
    good, bad, skipped = 0, last, set[int]()
    while candidates := [position for position in range(good + 1, bad) if position not in skipped]:
        middle = (good + bad) / 2
        position = min(candidates, key=lambda candidate: abs(candidate - middle))
        state = test(position)
        if state is CommitState.SKIP:
            skipped.add(position)
        elif state is CommitState.BAD:
            bad = position
        else:
            good = position
    return good, bad


def bisect(
    plan: ABPlan,
    cell: str | None = None,
    metric: str | None = None,
    progress: Progress | None = None,
    scoring: ScoreProgress | None = None,
    log: Log = lambda line: None,
) -> BisectReport:
    """
    Find the commits that made BAD (`plan.head`) worse than GOOD (`plan.base`); `cell` and `metric`
    restrict the search.

    Raises HarnessError for unknown names, a BAD that does not come after GOOD, and a metric that is
    not judged; StoppedError if a person interrupts it.
    """
    project = Path.cwd()
    good, bad = _commits_of(project, plan)
    commits = [describe(project, commit) for commit in (good.commit, *between(project, good, bad))]
    if metric is not None and metric not in shown_metrics():
        raise HarnessError(f"there is no metric {metric!r}; known are {', '.join(shown_metrics())}")
    narrowed = {"cell": cell, "metric": metric}
    facts = {**session_spec("bisect", plan, good, bad), **narrowed}
    folder = job_folder(RUNS, plan.out, facts, resume=plan.resume)
    options: list[str] = []
    for name, value in narrowed.items():
        options += [] if value is None else [f"--{name}", value]
    again = resume_command(plan, "bisect", facts, folder, options)
    plan = replace(plan, only=plan.only if cell is None else (cell,))
    job = BisectSession(plan=plan, folder=folder, progress=progress, scoring=scoring, log=log)
    with workshop(project, log) as shop:
        match = prepare(shop, good, bad, plan)
        with continued_by(again):
            begin(folder, facts)
            return _search(job, shop, match, commits, cell, metric)


def _search(
    job: BisectSession,
    shop: WorktreeManager,
    match: Match,
    commits: Sequence[Commit],
    cell: str | None,
    metric: str | None,
) -> BisectReport:
    """Compare the ends, and search for each thing that is REGRESSED there."""
    ready = checkout_for(shop, match.suite_diff.cells)

    def checkout(commit: str) -> Checkout:
        return ready(Revision(name=commit, commit=commit))

    ends = _ends(match, job, energy=metric == ENERGY)
    aims = choose_targets(ends, cell, metric, match.suite_diff.reference)
    findings = [Bisection(job, commits, aim, match, checkout).run() for aim in aims]
    findings += undecided_families(ends, cell, metric, {aim.family for aim in aims})
    failed = [judged.reason for judged in ends.cells if judged.verdict is Verdict.FAILED]
    why = (
        ""
        if findings
        else "BAD is not shown to be worse than GOOD, so there is nothing to search for "
        f"({ends.line})"
    )
    if failed and not findings:
        why = f"GOOD and BAD could not be compared: {failed[0]}"
    return BisectReport(folder=str(short(job.folder)), ends=ends, findings=tuple(findings), why=why)


class Bisection:
    """One search under way, among `commits`, the first of which is good and the last bad."""

    def __init__(
        self,
        job: BisectSession,
        commits: Sequence[Commit],
        aim: BisectTarget,
        ends: Match,
        checkout: Callable[[str], Checkout],
    ) -> None:
        self._job = job
        self._commits = commits
        self._aim = aim
        self._ends = ends
        self._checkout = checkout
        self._test = PairTest(job, aim)
        self._steps: list[Step] = []

    def run(self) -> Culprit:
        """Narrow down, then hold the culprit against the commit before it."""
        good, bad = narrow(len(self._commits) - 1, lambda position: self._step(0, position).state)
        if bad - good > 1:
            candidates = tuple(self._commits[good + 1 : bad + 1])
            return self._finding(
                None, candidates, "the commits before the last of these could not be decided", ""
            )
        culprit = self._commits[bad]
        step = self._step(good, bad)
        if step.state is CommitState.BAD:
            return self._finding(
                culprit, (culprit,), f"{step.shift} against the commit before", step.stage
            )
        why = (
            "it takes the sum beyond the limit, but is not proven worse than the commit before "
            f"it: {step.reason}"
        )
        return self._finding(None, (culprit,), why, step.stage)

    def _finding(
        self, culprit: Commit | None, candidates: tuple[Commit, ...], why: str, stage: str
    ) -> Culprit:
        steps = tuple(self._steps)
        return Culprit(
            aim=self._aim, culprit=culprit, candidates=candidates, why=why, stage=stage, steps=steps
        )

    def _step(self, base: int, head: int) -> Step:
        """Compare two commits of the list; a comparison that fails is a step too."""
        before, now = self._commits[base], self._commits[head]
        name = f"{self._aim.family}-{len(self._steps) + 1:02}-{before.commit[:7]}-{now.commit[:7]}"
        try:
            match = replace(
                self._ends, base=self._checkout(before.commit), head=self._checkout(now.commit)
            )
            step = self._test.compare(match, self._job.folder / "steps" / name, before, now)
        except HarnessError as error:
            step = self._test.skipped(before, now, Verdict.FAILED, str(error))
        self._steps.append(step)
        self._job.log(step_line(step))
        return step


def _commits_of(project: Path, plan: ABPlan) -> tuple[Revision, Revision]:
    good, bad = resolve(project, plan.base), resolve(project, plan.head)
    if good.is_now or bad.is_now:
        raise HarnessError(
            "bisect looks for a commit; give two commits, and commit the working tree first"
        )
    if good.commit == bad.commit:
        raise HarnessError(
            f"GOOD and BAD are the same commit, {good.commit[:7]}; give the last good one and the "
            "first that is known to be bad"
        )
    return good, bad


def _ends(match: Match, job: BisectSession, *, energy: bool) -> RunVerdict:
    """Compare GOOD and BAD as `voxgate ab` does."""
    folder = job.folder / "ends"
    measure_match(
        match, job.plan, folder, TimeBudget(2 * job.plan.budget_s), job.progress, energy=energy
    )
    return judge_match(match, folder, job.scoring).contents.judgement
