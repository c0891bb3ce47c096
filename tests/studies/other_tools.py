"""
The decision rules of other tools, applied to the times that a selftest of speed recorded.

    voxgate selftest smoke --minutes 10 --out FOLDER
    python -m tests.studies.other_tools FOLDER

Prints the table of docs/evidence/trust.md as Markdown; measures nothing.

Each rule takes the times of both sides, pooled over processes as its tool pools them, and returns
whether it reports the current side as slower. Three things are done in their favour: both sides are
measured in turns, which only asv does; processes are fresh, which pytest-benchmark and criterion do
not start; and times are divided by the usual time of their request, so that a long sentence is no
outlier.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc, stdtrit

from voxgate.harness.judging.baseline import BASELINES
from voxgate.harness.judging.policy import Policy, load_policy, shown_metrics
from voxgate.harness.records.run import Phase, Run
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.round import rotated
from voxgate.harness.selftest.render_speed import Table, as_markdown, shown_rate
from voxgate.harness.selftest.simulated_gate import Gate, GateOutcome, Rounds
from voxgate.harness.selftest.speed_plan import Setup, load
from voxgate.harness.selftest.trials import Rate, Trial, all_trials, independent, rate_of

Samples = NDArray[np.float64]
Rule = Callable[[Samples, Samples], bool]
"""(baseline, current) -> is the current side reported as slower?"""
TimesByRound = Mapping[int, Sequence[tuple[str, float]]]
"""Round -> (request, seconds) of every measured iteration."""

ASV_P = 0.002
ASV_EXACT_UP_TO = 20
CRITERION_P = 0.05
CRITERION_NOISE = 0.01
CRITERION_LEVEL = 0.95
RESAMPLES = 2000
"""
criterion draws 100 000; with 2000 a p-value of 0.05 is known to 0.005, and a rule is asked
thousands of times here.
"""
SEED = 20261121


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A rule, how its tool states it, and where that stands."""

    rule: Rule
    says: str
    source: str


def pytest_benchmark(baseline: Samples, current: Samples, limit: float = 0.05) -> bool:
    """Compare medians, with no test: slower by more than `limit` (a share)."""
    return bool(np.median(current) / np.median(baseline) - 1.0 > limit)


def asv_continuous(baseline: Samples, current: Samples, factor: float = 1.1) -> bool:
    """
    Compare medians by a factor, if a two-sided Mann-Whitney test of the pooled samples gives p <
    0.002.

    Where no outcome of the test could be that small, asv asks whether the 99 % intervals of the
    medians are apart; with so few samples (less than 8) there are no such intervals, and it reports
    nothing.
    """
    if np.median(current) <= np.median(baseline) * factor:
        return False
    fewest = 1.0 / math.comb(len(baseline) + len(current), min(len(baseline), len(current)))
    return fewest < ASV_P and mann_whitney_p(baseline, current) < ASV_P


def pyperf(baseline: Samples, current: Samples) -> bool:
    """
    Compare means by Student's t test of the pooled samples, two-sided at 95 %; any size counts.
    """
    freedom = len(baseline) + len(current) - 2
    variance = (baseline.var() * len(baseline) + current.var() * len(current)) / freedom
    error = math.sqrt(variance * (1.0 / len(baseline) + 1.0 / len(current)))
    gap = float(current.mean() - baseline.mean())
    return gap > 0.0 and gap >= float(stdtrit(freedom, 0.975)) * error


def criterion(baseline: Samples, current: Samples) -> bool:
    """
    Compare means: bootstrapped t test with p < 0.05, and the bootstrap interval of the ratio wholly
    beyond 1 %.
    """
    rng = np.random.default_rng(SEED)
    seen = abs(_welch_t(current[None], baseline[None])[0])
    mixed = np.concatenate([baseline, current])
    drawn = _welch_t(_draws(mixed, len(current), rng), _draws(mixed, len(baseline), rng))
    if np.mean(np.abs(drawn) >= seen) >= CRITERION_P:
        return False
    means = [_draws(side, len(side), rng).mean(axis=-1) for side in (current, baseline)]
    low = float(np.quantile(means[0] / means[1] - 1.0, (1.0 - CRITERION_LEVEL) / 2.0))
    return low > CRITERION_NOISE


RIVALS: Mapping[str, Rival] = MappingProxyType(
    {
        "pytest-benchmark": Rival(
            rule=pytest_benchmark,
            says="--benchmark-compare-fail=median:5%",
            source="pytest_benchmark/utils.py: PercentageRegressionCheck, parse_compare_fail",
        ),
        "asv, factor 1.1": Rival(
            rule=asv_continuous,
            says="asv continuous: Mann-Whitney p < 0.002 and ratio > 1.1 (its default)",
            source="asv/_stats.py: is_different; asv/commands/compare.py",
        ),
        "asv, factor 1.05": Rival(
            rule=lambda baseline, current: asv_continuous(baseline, current, 1.05),
            says="asv continuous --factor 1.05",
            source="asv/_stats.py: is_different; asv/commands/compare.py",
        ),
        "pyperf": Rival(
            rule=pyperf,
            says="pyperf compare_to: pooled Student t, two-sided 95 %",
            source="pyperf/_utils.py: is_significant; pyperf/_compare.py",
        ),
        "criterion": Rival(
            rule=criterion,
            says="cargo bench: bootstrap t p < 0.05 and interval of the mean beyond 1 %",
            source="criterion.rs src/analysis/compare.rs, src/report.rs: compare_to_threshold",
        ),
    }
)


def mann_whitney_p(a: Samples, b: Samples) -> float:
    """
    Give the two-sided p-value of Mann & Whitney 1947: exact up to 20 samples a side, as asv does,
    else by the normal curve.

    Ties count half, which asv resolves against significance; measured seconds have none.
    """
    ordered = np.sort(b)
    below, upto = np.searchsorted(ordered, a, "left"), np.searchsorted(ordered, a, "right")
    u = float(np.sum(below + upto)) / 2.0
    least = min(u, len(a) * len(b) - u)
    if max(len(a), len(b)) > ASV_EXACT_UP_TO:
        spread = math.sqrt(len(a) * len(b) * (len(a) + len(b) + 1) / 12.0)
        return float(erfc((len(a) * len(b) / 2.0 - least) / spread / math.sqrt(2.0)))
    counts = _rank_sums(len(a), len(b))
    return min(1.0, 2.0 * float(counts[: math.floor(least) + 1].sum() / counts.sum()))


def same_scale(
    baseline: Sequence[tuple[str, float]], current: Sequence[tuple[str, float]]
) -> tuple[Samples, Samples]:
    """
    Divide each (request, seconds) by what that request takes, the geometric mean of both sides'
    medians.

    Samples of unlike requests are then comparable. Requests that one side lacks are left out.
    """
    shared = {name for name, _ in baseline} & {name for name, _ in current}
    usual = {
        name: math.sqrt(
            math.prod(
                float(np.median([s for n, s in side if n == name])) for side in (baseline, current)
            )
        )
        for name in shared
    }
    before, now = (
        [s / usual[name] for name, s in side if name in usual] for side in (baseline, current)
    )
    return np.array(before), np.array(now)


def _rank_sums(m: int, n: int) -> Samples:
    """
    Count the orderings for each value of U: the coefficients of the Gaussian binomial (m + n over
    m).
    """
    counts = np.ones(1)
    for i in range(1, m + 1):
        raised = np.zeros(len(counts) + n + i)
        raised[: len(counts)] += counts
        raised[n + i :] -= counts  # times (1 - q^(n + i))
        for place in range(i, len(raised)):
            raised[place] += raised[place - i]  # over (1 - q^i)
        counts = raised[: i * n + 1]
    return counts


def _draws(samples: Samples, count: int, rng: np.random.Generator) -> Samples:
    return np.asarray(rng.choice(samples, size=(RESAMPLES, count)))


def _welch_t(a: Samples, b: Samples) -> Samples:
    """Give the t statistic over the last axis, as criterion's Sample::t: unequal variances."""
    error = np.sqrt(a.var(axis=-1, ddof=1) / a.shape[-1] + b.var(axis=-1, ddof=1) / b.shape[-1])
    gap = a.mean(axis=-1) - b.mean(axis=-1)
    # no spread at all: any gap is one
    certain = np.where(gap == 0.0, 0.0, np.copysign(math.inf, gap))
    return np.asarray(np.divide(gap, error, out=certain, where=error > 0.0))


IN_TURNS, STORED = "in turns", "stored"
"""
How the baseline's times were taken: in the same rounds as the current side's, or in earlier rounds.
"""
OURS = "voxgate"
Rates = Mapping[tuple[str, str], Mapping[float, Rate]]
"""(rule, layout) -> size of the slow-down -> share of comparisons that the rule flags."""


def rule_rates(runs: Mapping[str, Run], setup: Setup, policy: Policy) -> Rates:
    """Return the share that every rule flags at every size, voxgate's first, on the same times."""
    gate = Gate(runs, policy)
    trials = all_trials(gate, setup.sides)
    rounds = {slug: gate.complete_rounds(slug) for slug in gate.slugs}
    times = {(side, slug): times_of(run, slug) for side, run in runs.items() for slug in gate.slugs}
    flags = [
        {(OURS, IN_TURNS): trial.answer.verdict is Verdict.REGRESSED}
        | _other_flags(trial.answer, times, rounds[trial.answer.cell])
        for trial in trials
    ]
    order = [(OURS, IN_TURNS), *itertools.product(RIVALS, (IN_TURNS,)), *_stored_rules()]
    counts = {slug: len(several) for slug, several in rounds.items()}
    return {
        key: rates
        for key in order
        if (rates := _rates_by_size(key, list(zip(trials, flags, strict=True)), counts, setup))
    }


def _stored_rules() -> Iterable[tuple[str, str]]:
    return itertools.product(RIVALS, (STORED,))


def _rates_by_size(
    key: tuple[str, str],
    flagged: Sequence[tuple[Trial, Mapping[tuple[str, str], bool]]],
    rounds: Mapping[str, int],
    setup: Setup,
) -> dict[float, Rate]:
    rates = {}
    for size in (0.0, *setup.sizes):
        some = [(trial, flags) for trial, flags in flagged if trial.size == size and key in flags]
        if some:
            disjoint = independent([trial for trial, _ in some], rounds, setup.equals)
            rates[size] = rate_of([flags[key] for _, flags in some], disjoint)
    return rates


def _other_flags(
    answer: GateOutcome, times: Mapping[tuple[str, str], TimesByRound], rounds: Rounds
) -> dict[tuple[str, str], bool]:
    turned = rotated(rounds, rounds.index(answer.rounds[0]))
    base, head = times[answer.base, answer.cell], times[answer.head, answer.cell]
    return ask_rivals(base, head, answer.rounds, turned)


def times_of(run: Run, slug: str) -> TimesByRound:
    """Return the measured iterations of a cell as (request, seconds), by round."""
    return {
        process.repeat: [
            (iteration.request, iteration.wall_s)
            for iteration in process.iterations
            if iteration.phase is Phase.MEASURED
        ]
        for process in run.processes
        if process.cell == slug
    }


def ask_rivals(
    base: TimesByRound, head: TimesByRound, used: Rounds, rounds: Rounds
) -> dict[tuple[str, str], bool]:
    """
    Apply every rule to the rounds that the gate used, and with a baseline of as many other rounds
    if there are as many.

    `rounds` are all rounds, beginning with those that the gate used.
    """
    layouts = {IN_TURNS: used, STORED: rounds[len(used) : 2 * len(used)]}
    flagged = {}
    for layout, before in layouts.items():
        if len(before) < len(used):
            continue
        sides = same_scale(_pooled(base, before), _pooled(head, used))
        flagged.update({(name, layout): rival.rule(*sides) for name, rival in RIVALS.items()})
    return flagged


def _pooled(side: TimesByRound, rounds: Rounds) -> list[tuple[str, float]]:
    return [time for number in rounds for time in side[number]]


def as_table(rates: Rates, sizes: Sequence[float]) -> Table:
    """Lay the rates out: a row per rule and layout, a column per size."""
    head = ("rule", "samples", *("A/A" if not size else f"{size * 100:g} %" for size in sizes))
    rows = tuple(
        (name, layout, *(shown_rate(by_size[s]) if s in by_size else "" for s in sizes))
        for (name, layout), by_size in rates.items()
    )
    title = "Other tools' rules on the same samples: share reported as slower"
    return Table(title=title, head=head, rows=rows)


def main(arguments: Sequence[str]) -> int:
    """Print the table of one selftest folder. Raises HarnessError if it holds no selftest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("folder", type=Path, help="of a finished `voxgate selftest`")
    folder: Path = parser.parse_args(arguments).folder
    setup = load(folder)
    runs = {name: run_folder.load_run(folder / name) for name in setup.sides}
    rates = rule_rates(runs, setup, load_policy(BASELINES, shown_metrics()))
    print(as_markdown(as_table(rates, (0.0, *setup.sizes))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
