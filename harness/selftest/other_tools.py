"""
The decision rules of other tools, as pure functions of the same samples: what would they have said?

Each rule gets the samples of both sides, pooled over processes as its tool pools them, and says
whether it reports the current side as slower. What is done in their favour: measuring in turns,
which none but asv does; fresh processes, which pytest-benchmark and criterion do not start; and
samples divided by what their request takes, so that a long sentence is no outlier. Knows no cell
and no verdict of ours.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc, stdtrit

Samples = NDArray[np.float64]
Rule = Callable[[Samples, Samples], bool]
"""(baseline, current) -> is the current side reported as slower?"""

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
