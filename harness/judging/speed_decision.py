"""
The speeds of a run that grows: judged after each round, until they are decided.

Suite, policy and baseline are loaded once and shared with whoever judges the whole run.
"""

from functools import cached_property
from pathlib import Path

from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.metric_rules import is_helper, is_speed
from voxgate.harness.judging.baseline import Baseline, machine_id
from voxgate.harness.judging.confirm import undecided
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.nearest import baseline_of
from voxgate.harness.judging.policy import DEFAULT as DEFAULT_POLICY
from voxgate.harness.judging.policy import Policy, load_policy, read_policy
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.metrics.registry import known_metrics
from voxgate.harness.records.run import Run
from voxgate.harness.records.verdict import RunVerdict
from voxgate.harness.runner import run_folder
from voxgate.harness.scoring.provenance import records_digest
from voxgate.harness.suite.suite import Suite, load_suite

BASELINES = Path("baselines")


class CheckInputs:
    """Suite, policy and baseline of one check: each is loaded once, at its first use."""

    def __init__(
        self, suite: str = "", baselines: Path = BASELINES, policy: Path | None = None
    ) -> None:
        """Remember names and paths; nothing is read yet."""
        self._suite_name = suite
        self._baselines = baselines
        self._policy_file = policy
        self._stored: dict[tuple[str, str, str], Baseline] = {}

    @cached_property
    def suite(self) -> Suite:
        """Load the suite. Raises HarnessError as `load_suite` does."""
        return load_suite(self._suite_name)

    @cached_property
    def limits(self) -> Policy:
        """Load the policy. Raises HarnessError if a file of it cannot be read."""
        return limits_of(self._baselines, self._policy_file)

    def baseline(self, run: Run) -> Baseline:
        """Return the baseline of a run's suite, profile and machine."""
        key = (run.suite, run.profile, machine_id(run))
        if key not in self._stored:
            self._stored[key] = baseline_of(self._baselines, run)
        return self._stored[key]


class SpeedDecision:
    """Judge the speeds of a run that grows, until they are decided or the budget is spent."""

    def __init__(self, budget_s: float, inputs: CheckInputs) -> None:
        """Start no clock yet: the budget counts from the end of the planned rounds."""
        self._budget_s = budget_s
        self._inputs = inputs
        self._clock = WallClock()
        self._began_s: float | None = None
        self._latest: tuple[str, RunVerdict] | None = None

    def undecided(self, folder: Path) -> frozenset[str]:
        """Return the slugs that need another round; none once the budget is spent."""
        now_s = self._clock.seconds()
        if self._began_s is None:
            self._began_s = now_s
        if now_s - self._began_s >= self._budget_s:
            return frozenset()
        return undecided(self.verdict(folder))

    def verdict(self, folder: Path) -> RunVerdict:
        """Judge the speeds; again only where records were added."""
        records = records_digest(folder)
        if self._latest is None or self._latest[0] != records:
            self._latest = records, judge_speed(folder, self._inputs)
        return self._latest[1]


def judge_speed(folder: Path, inputs: CheckInputs) -> RunVerdict:
    """Judge the speeds of a run folder: everything that needs no score of its audio."""
    run = run_folder.load_run(folder)
    speeds = {name: limit for name, limit in inputs.limits.items() if is_speed(name)}
    return judge(run, aggregate(run, {}), inputs.baseline(run), speeds, run.cells)


def limits_of(baselines: Path, file: Path | None) -> Policy:
    """
    Load the policy beside the baselines, or a file over the default one.

    Raises HarnessError for a file that cannot be read, or a metric that nobody knows.
    """
    if file is None:
        return load_policy(baselines, shown_metrics())
    return {**read_policy(DEFAULT_POLICY, shown_metrics()), **read_policy(file, shown_metrics())}


def shown_metrics() -> tuple[str, ...]:
    """Return the names of the metrics that a policy may limit."""
    return tuple(metric.name for metric in known_metrics() if not is_helper(metric.name))
