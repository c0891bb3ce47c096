"""
Judge a run folder: its speeds while it grows, until they are decided, and then the whole, once.

Suite, policy and baseline are loaded once, and speeds are judged once for the same records, however
many look at them. Reads nothing but data: everything needed of the suite stands in the run folder,
so that a stranger's run can be judged.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import Measurements
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.amend import confirmed, undecided
from voxgate.harness.judging.baseline import BASELINES, Baseline, golden_dir, machine_id
from voxgate.harness.judging.judge import JudgedSpeeds, incomplete, judge, judge_speeds
from voxgate.harness.judging.nearest import baseline_of
from voxgate.harness.judging.policy import Policy, limits_of
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.records.run import Run
from voxgate.harness.records.verdict import MetricVerdicts, RunVerdict
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.progress import ScoreProgress
from voxgate.harness.runner.run_plan import CONFIRM, was_confirmed
from voxgate.harness.scoring.kept_scores import load_scored, load_whole, score_folder
from voxgate.harness.suite.suite import Suite, load_suite


class CheckInputs:
    """
    Suite, policy and baseline of one check, each loaded at its first use, and the speeds that were
    judged by them.
    """

    def __init__(
        self, suite: str = "", baselines: Path = BASELINES, policy: Path | None = None
    ) -> None:
        """Remember names and paths; nothing is read yet."""
        self._suite_name = suite
        self.baselines = baselines
        self._policy_file = policy
        self._limits: dict[str, Policy] = {}
        self._stored: dict[tuple[str, str, str], Baseline] = {}
        self._speeds: dict[str, JudgedSpeeds] = {}

    @cached_property
    def suite(self) -> Suite:
        """Load the suite. Raises HarnessError as `load_suite` does."""
        return load_suite(self._suite_name)

    def limits(self, suite: str) -> Policy:
        """Return the policy for a suite. Raises HarnessError if a file of it cannot be read."""
        if suite not in self._limits:
            self._limits[suite] = limits_of(self.baselines, self._policy_file, suite)
        return self._limits[suite]

    def baseline(self, run: Run) -> Baseline:
        """Return the baseline of a run's suite, profile and machine."""
        key = (run.suite, run.profile, machine_id(run))
        if key not in self._stored:
            self._stored[key] = baseline_of(self.baselines, run)
        return self._stored[key]

    def known_speeds(self, folder: Path) -> JudgedSpeeds | None:
        """Return the speeds of a run folder that were judged before; None if they were not."""
        return self._speeds.get(run_folder.records_digest(folder)) if self._speeds else None

    def speeds(self, folder: Path) -> JudgedSpeeds:
        """Judge the speeds of a run folder; again only where records were added."""
        records = run_folder.records_digest(folder)
        if records not in self._speeds:
            run = run_folder.load_run(folder)
            self._speeds[records] = judge_speeds(
                run, aggregate(run, {}), self.baseline(run), self.limits(run.suite)
            )
        return self._speeds[records]


class SpeedDecision:
    """Judge the speeds of a run that grows, until they are decided or the budget is spent."""

    def __init__(self, budget_s: float, inputs: CheckInputs) -> None:
        """Start no clock yet: the budget counts from the end of the planned rounds."""
        self._budget_s = budget_s
        self._inputs = inputs
        self._clock = WallClock()
        self._began_s: float | None = None

    def undecided(self, folder: Path) -> frozenset[str]:
        """Return the slugs that need another round; none once the budget is spent."""
        now_s = self._clock.seconds()
        if self._began_s is None:
            self._began_s = now_s
        if now_s - self._began_s >= self._budget_s:
            return frozenset()
        return undecided(self.verdicts(folder))

    def verdicts(self, folder: Path) -> MetricVerdicts:
        """Return the verdicts on the speeds so far."""
        return self._inputs.speeds(folder).verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun:
    """A scored run, its measurements, and the verdict on it."""

    run: Run
    measurements: Measurements
    judgement: RunVerdict


def judge_folder(
    folder: Path, inputs: CheckInputs, progress: ScoreProgress | None = None
) -> JudgedRun:
    """
    Judge a run against its baseline; score it first where needed.

    Raises HarnessError as `score_folder` does, and for a confirmation of something else.
    """
    whole = load_whole(folder)
    limits, baseline = inputs.limits(whole.suite), inputs.baseline(whole)
    run, measurements = scored_run(folder, inputs.baselines, progress)
    judgement = judge(run, measurements, baseline, limits, speeds=inputs.known_speeds(folder))
    if was_confirmed(folder):
        _check_confirms(run, run_folder.load_run(folder / CONFIRM))
        fresh = inputs.speeds(folder / CONFIRM).verdicts
        judgement = confirmed(judgement, fresh, str(folder))
    if not run.complete:
        judgement = incomplete(judgement)
    return JudgedRun(run=run, measurements=measurements, judgement=judgement)


def suite_of(folder: Path) -> str:
    """Return the name of the suite of a run folder. Raises HarnessError as `load_header` does."""
    return run_folder.load_header(folder).suite


def scored_run(
    folder: Path, baselines: Path, progress: ScoreProgress | None = None
) -> tuple[Run, Measurements]:
    """Return a run and its measurements; score it first where needed. Raises as `score_folder`."""
    score_folder(folder, golden_dir(baselines, load_whole(folder).suite), progress)
    return load_scored(folder)


def _check_confirms(run: Run, again: Run) -> None:
    """
    Raise HarnessError unless a run measured cells of another one again: same suite, profile and
    machine.
    """
    known = {cell.slug: cell.digest() for cell in run.cells}
    same = all(getattr(run, name) == getattr(again, name) for name in ("suite", "profile"))
    cells = all(known.get(cell.slug) == cell.digest() for cell in again.cells)
    if not (same and cells and machine_id(run) == machine_id(again)):
        raise HarnessError(f"{again.folder} measured something else than {run.folder}; remove it")
