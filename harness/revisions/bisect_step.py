"""
One step of a bisection: two commits measured in turns until the target, one metric of one cell, is
decided.
"""

from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.analysis.metric_rules import ENERGY
from voxgate.harness.analysis.stages import moved_stage, pair_stages
from voxgate.harness.judging import phrases
from voxgate.harness.judging.policy import Policy
from voxgate.harness.machine.git import Commit
from voxgate.harness.records.run import failure_of
from voxgate.harness.records.verdict import Comparison, MetricVerdict, Verdict
from voxgate.harness.revisions.ab_plan import (
    ABPlan,
    Match,
)
from voxgate.harness.revisions.ab_verdict import judge_pair_metric, score_pair
from voxgate.harness.revisions.bisect_result import (
    BisectTarget,
    CommitState,
    Step,
)
from voxgate.harness.revisions.control import examine, without_control
from voxgate.harness.revisions.paired_run import (
    PairedRuns,
    TimeBudget,
    extra_rounds_until,
    load_sides,
    make_pair_plan,
    measure_pair,
)
from voxgate.harness.runner.progress import Log, Progress, ScoreProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectSession:
    """
    Everything that all searches of one bisection share: the plan, the folder, the progress and the
    log.
    """

    plan: ABPlan
    folder: Path
    progress: Progress | None
    scoring: ScoreProgress | None
    log: Log


class PairTest:
    """Compares pairs of commits on one target of a bisection."""

    def __init__(self, job: BisectSession, aim: BisectTarget) -> None:
        self._job = job
        self._aim = aim
        self._is_speed = aim.family == "speed"

    def compare(self, match: Match, folder: Path, before: Commit, now: Commit) -> Step:
        """Measure a pair until the aim is decided, and decide."""
        sides = self._taken(match, folder)
        base, head = without_control(sides.base), without_control(sides.head)
        failure = failure_of(self._aim.cell, head) or failure_of(self._aim.cell, base)
        if failure is not None:
            return self.skipped(before, now, Verdict.FAILED, failure)
        trouble = examine(sides.base, sides.head, match.policy).trouble if self._is_speed else ""
        if trouble:
            return self.skipped(before, now, Verdict.UNRESOLVED, trouble)
        scores = None if self._is_speed else score_pair(base, head, folder, self._job.scoring)
        verdict = judge_pair_metric(
            base, head, self._aim.cell, self._aim.metric, match.policy, scores
        )
        return self._judged(
            verdict, before, now, moved_stage(pair_stages(base, head, self._aim.cell))
        )

    def _taken(self, match: Match, folder: Path) -> PairedRuns:
        """
        Measure for the target: rounds until decided, or one round, with the reference cell that
        scores refer to.
        """
        plan = self._job.plan
        more = extra_rounds_until(
            lambda sides: self._open(sides, match.policy), folder, TimeBudget(plan.budget_s)
        )
        needed = (
            (self._aim.cell,) if self._is_speed else (self._aim.cell, match.suite_diff.reference)
        )
        cells = [cell for cell in match.suite_diff.cells if cell.slug in needed]
        energy = self._aim.metric == ENERGY
        rounds, takes = (plan.rounds, False) if self._is_speed else (1, True)
        pair = make_pair_plan(match, plan, cells, rounds, energy=energy, takes=takes)
        measure_pair(pair, folder, more if self._is_speed else None, self._job.progress)
        return load_sides(folder)

    def _open(self, sides: PairedRuns, policy: Policy) -> tuple[str, ...]:
        """Name the cell while it is undecided."""
        base, head = without_control(sides.base), without_control(sides.head)
        verdict = judge_pair_metric(base, head, self._aim.cell, self._aim.metric, policy)
        return (self._aim.cell,) if verdict.verdict is Verdict.UNRESOLVED else ()

    def _judged(self, verdict: MetricVerdict, before: Commit, now: Commit, stage: str) -> Step:
        states = {
            Verdict.REGRESSED: CommitState.BAD,
            Verdict.PASS: CommitState.GOOD,
            Verdict.IMPROVED: CommitState.GOOD,
        }
        state = states.get(verdict.verdict, CommitState.SKIP)
        shift = _shift(verdict.comparison)
        return self._made(
            before,
            now,
            state,
            verdict.verdict,
            shift,
            verdict.reason,
            stage if state is CommitState.BAD else "",
        )

    def skipped(self, before: Commit, now: Commit, verdict: Verdict, reason: str) -> Step:
        """Return the step of a pair on which nothing could be decided."""
        return self._made(before, now, CommitState.SKIP, verdict, "", reason)

    def _made(
        self,
        before: Commit,
        now: Commit,
        state: CommitState,
        verdict: Verdict,
        shift: str,
        reason: str,
        stage: str = "",
    ) -> Step:
        return Step(
            aim=self._aim,
            base=before.commit,
            commit=now,
            state=state,
            verdict=verdict.value,
            shift=shift,
            reason=reason,
            stage=stage if self._is_speed else "",
        )


def _shift(comparison: Comparison | None) -> str:
    return (
        ""
        if comparison is None or comparison.shift is None
        else f"{comparison.metric} {phrases.size(comparison)}"
    )
