"""
Summaries and shifts of grouped values, with their 95 % intervals.

The unit of analysis is the process. Most of the noise of a shared machine stays with a process for
life (where its memory landed), and iterations are nested in it. Testing pooled iterations is the
commonest mistake of performance gates.

Every interval of grouped values is the union of two:

* the hierarchical bootstrap: draw processes, then iterations within each (Davison & Hinkley 1997,
  section 3.8; Kalibera & Jones 2013 on repeating at the highest level that varies). It follows any
  statistic, but with 2-5 processes it is too narrow: its spread is short by sqrt((k-1)/k) and it
  uses the normal's tails (Hesterberg 2015, section 3.2);
* Student's t on the logarithms of the per-process statistics (Welch 1947 for two sides), honest for
  few processes. The variance between processes may be learned from many cells of one machine, by
  empirical Bayes (`prior_of`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma, stdtrit

from voxgate.harness.statistics.summary import LEVEL, Array, Group, Statistic

DRAWS = 2000
"""
Bootstrap draws: the Monte Carlo error of a 2.5 % quantile is then about 0.35 % of probability
(Davison & Hinkley 1997).
"""
SEED = 20261121


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """
    The variance between processes as many cells estimate it; worth `freedom` further processes.
    """

    variance: float
    freedom: float


NO_PRIOR = Prior(variance=0.0, freedom=0.0)


def prior_of(cells: Sequence[Array]) -> Prior:
    """
    Estimate from many cells how much processes differ, by empirical Bayes.

    `cells` hold one logarithm per process (or per round), shape (k,) each. Returns the variance
    and its weight in degrees of freedom. The variances of few processes scatter wildly; those
    of many cells on one machine scatter around a common value. The tighter they do, the more a
    cell leans on it: not at all where cells really differ, wholly where the scatter is no more
    than chance (Smyth 2004, section 6.2; there for genes). NO_PRIOR with fewer than three
    cells, or without any spread.
    """
    estimates = [(float(logs.var(ddof=1)), logs.size - 1) for logs in cells if logs.size > 1]
    usable = [(variance, freedom) for variance, freedom in estimates if variance > 0.0]
    if len(usable) < 3:
        return NO_PRIOR
    variances, freedoms = np.array([v for v, _ in usable]), np.array([float(f) for _, f in usable])
    centred = np.log(variances) - digamma(freedoms / 2) + np.log(freedoms / 2)
    excess = float(centred.var(ddof=1) - polygamma(1, freedoms / 2).mean())
    if excess <= 0.0:
        return Prior(variance=math.exp(float(centred.mean())), freedom=float(freedoms.sum()))
    half = _inverse_trigamma(excess)
    variance = math.exp(float(centred.mean()) + float(digamma(half)) - math.log(half))
    return Prior(variance=variance, freedom=min(2 * half, float(freedoms.sum())))


def _inverse_trigamma(value: float) -> float:
    """
    Solve trigamma(x) = value for x > 0 by Newton's method on 1 / trigamma, which is convex (Smyth
    2004, appendix).
    """
    x = 0.5 + 1.0 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1.0 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """
    A summary and its two-sided interval.

    Without bounds where the data cannot provide any: a single process or utterance.
    """

    point: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """
    The distance of the current values above the baseline's: a ratio minus one, or a difference.

    `low`, `high`: two-sided interval at LEVEL, for people. `at_least`, `at_most`: the two
    one-sided bounds at LEVEL, for verdicts. `error`, `freedom`: standard error of the point (of
    the logarithm of the ratio) and its degrees of freedom. All are None where the data cannot
    provide bounds.
    """

    point: float
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    error: float | None = None
    freedom: float | None = None


def interval(
    groups: Sequence[Group],
    statistic: Statistic,
    *,
    prior: Prior = NO_PRIOR,
    level: float = LEVEL,
    seed: int = SEED,
) -> Interval:
    """
    Summarise positive values, one group per process, with a two-sided interval.

    `prior` moderates the variance (`prior_of`). Raises ValueError without any value.
    """
    arrays = _arrays(groups)
    point = float(statistic(np.concatenate(arrays)))
    tail = (1.0 - level) / 2.0
    if len(arrays) < 2:
        return Interval(point=point, low=None, high=None)
    spread = _reach(*_welch([log_statistics(arrays, statistic)], [prior]), tail)
    drawn = statistic(_resample(arrays, np.random.default_rng(seed)))
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    reach = math.exp(spread)
    return Interval(
        point=point, low=min(float(low), point / reach), high=max(float(high), point * reach)
    )


def mean_interval(
    values: Array, prior: Prior = NO_PRIOR, level: float = LEVEL
) -> tuple[float, float]:
    """
    Return the two-sided interval of the mean of values of any sign, by Student's t; `prior`
    moderates their variance. Raises ValueError for fewer than two.

    >>> low, high = mean_interval(np.array([-1.0, 0.0, 1.0]))
    >>> round(low, 2), round(high, 2)
    (-2.48, 2.48)
    """
    if values.size < 2:
        raise ValueError(f"an interval needs at least two values, not {values.size}")
    reach = _reach(*_welch([values], [prior]), (1.0 - level) / 2.0)
    return float(values.mean()) - reach, float(values.mean()) + reach


def shift(
    baseline: Sequence[Group],
    current: Sequence[Group],
    statistic: Statistic,
    *,
    priors: tuple[Prior, Prior] = (NO_PRIOR, NO_PRIOR),
    seed: int = SEED,
) -> Shift:
    """
    Compare two independent sets of processes by the ratio of their statistics, minus one.

    All values are positive. The bounds are those of the bootstrap of the log-ratio and of
    Welch's t on the processes' log-statistics, the wider on either side. `priors` moderate the
    variance of either side (`prior_of`). A side with one process yields no bounds: the spread
    between processes is then unknown. Raises ValueError without any value.
    """
    before, now = _arrays(baseline), _arrays(current)
    point = float(
        np.log(statistic(np.concatenate(now))) - np.log(statistic(np.concatenate(before)))
    )
    if min(len(before), len(now)) < 2:
        return Shift(point=math.expm1(point))
    rng = np.random.default_rng(seed)
    drawn = np.log(statistic(_resample(now, rng))) - np.log(statistic(_resample(before, rng)))
    logs = (log_statistics(before, statistic), log_statistics(now, statistic))
    error, freedom = _welch(logs, priors)
    return _ratio(
        point, bounds_of(point, drawn, lambda tail: _reach(error, freedom, tail)), error, freedom
    )


def paired_shift(
    baseline: Sequence[Group],
    current: Sequence[Group],
    statistic: Statistic | None,
    *,
    prior: Prior = NO_PRIOR,
    seed: int = SEED,
) -> Shift:
    """
    Compare two engines that were measured side by side: group i of both is one round.

    Every round yields one log-ratio, in which the round's load, clock frequency and temperature
    cancel. The log-ratio is that of `statistic`. With None it is the median of the log-ratios
    of values at the same index (same request, neighbours in time), which needs groups of equal
    length.

    Over rounds: mean, Student's t with k - 1 degrees of freedom, and the bootstrap of the
    rounds, the wider on either side. `prior` moderates the variance (`prior_of`). A single
    round yields no bounds. Raises ValueError for no or unequal rounds.
    """
    ratios = log_ratios(baseline, current, statistic)
    point = float(ratios.mean())
    if ratios.size < 2:
        return Shift(point=math.expm1(point))
    error, freedom = _welch([ratios], [prior])
    drawn = ratios[_picks(ratios.size, seed)].mean(axis=-1)
    return _ratio(
        point, bounds_of(point, drawn, lambda tail: _reach(error, freedom, tail)), error, freedom
    )


def log_ratios(
    baseline: Sequence[Group], current: Sequence[Group], statistic: Statistic | None
) -> Array:
    """Return the log-ratio of every round, shape (k,), as `paired_shift` uses them."""
    if not baseline or len(baseline) != len(current):
        raise ValueError(
            f"pairs need as many rounds on both sides, and at least one, not {len(baseline)} and "
            f"{len(current)}"
        )
    pairs = zip(_arrays(baseline), _arrays(current), strict=True)
    return np.array([_log_ratio(before, now, statistic) for before, now in pairs])


def log_statistics(groups: Sequence[Group], statistic: Statistic) -> Array:
    """Return the logarithm of every process's statistic, shape (k,)."""
    return np.log([float(statistic(group)) for group in _arrays(groups)])


def _log_ratio(before: Array, now: Array, statistic: Statistic | None) -> float:
    if statistic is not None:
        return float(np.log(statistic(now)) - np.log(statistic(before)))
    if before.shape != now.shape:
        raise ValueError(
            f"values can be matched only where both sides have as many, not {len(before)} and "
            f"{len(now)}"
        )
    return float(np.median(np.log(now) - np.log(before)))


def _ratio(point: float, bounds: Mapping[str, float], error: float, freedom: float) -> Shift:
    """Return the shift as a ratio from point, bounds and error of its logarithm."""
    return Shift(
        point=math.expm1(point),
        **{name: math.expm1(v) for name, v in bounds.items()},
        error=error,
        freedom=freedom,
    )


def paired_bootstrap(differences: Sequence[float], *, seed: int = SEED) -> Shift:
    """
    Return the mean of per-utterance differences with its bounds.

    The bounds are the wider of the bootstrap over utterances and Student's t. The utterances
    stand for all texts, so this is the uncertainty of "how much worse over all texts", not of
    the measurement. One utterance yields no bounds. Raises ValueError for none.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.size == 0:
        raise ValueError("there is no pair to compare")
    if values.size == 1:
        return Shift(point=float(values[0]))
    drawn = values[_picks(values.size, seed)].mean(axis=-1)
    point, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(values.size)
    bounds = bounds_of(point, drawn, lambda tail: student_quantile(values.size - 1, tail) * error)
    return Shift(point=point, **bounds)


def paired_rate_difference(
    baseline: Sequence[float],
    current: Sequence[float],
    weights: Sequence[float],
    *,
    seed: int = SEED,
) -> Shift:
    """
    Compare two corpus rates over the same utterances: current minus baseline.

    A corpus rate such as WER is the sum of errors over the sum of words. `baseline` and
    `current` hold each utterance's rate, `weights` its words. Paired bootstrap over utterances
    (Bisani & Ney 2004): one draw picks utterances, and both systems are scored on the same
    ones. Raises ValueError without weight.
    """
    counts = np.asarray(weights, dtype=np.float64)
    if counts.size == 0 or counts.sum() <= 0.0:
        raise ValueError("a rate needs at least one word")
    extra = (
        np.asarray(current, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    ) * counts
    point = float(extra.sum() / counts.sum())
    if counts.size == 1:
        return Shift(point=point)
    picks = _picks(counts.size, seed)
    totals = counts[picks].sum(axis=-1)
    drawn = extra[picks].sum(axis=-1)[totals > 0.0] / totals[totals > 0.0]
    return Shift(point=point, **bounds_of(point, drawn, lambda tail: 0.0))


def bounds_of(point: float, drawn: Array, spread: Callable[[float], float]) -> dict[str, float]:
    """
    Return the four bounds of a Shift.

    Each is the farther of the bootstrap's quantile and point -+ spread(tail).
    """

    def side(tail: float) -> tuple[float, float]:
        reach = spread(tail)
        low, high = np.quantile(drawn, [tail, 1.0 - tail])
        return min(float(low), point - reach), max(float(high), point + reach)

    (low, high), (at_least, at_most) = side((1.0 - LEVEL) / 2.0), side(1.0 - LEVEL)
    return {"low": low, "high": high, "at_least": at_least, "at_most": at_most}


def _welch(sides: Sequence[Array], priors: Sequence[Prior]) -> tuple[float, float]:
    """
    Return the standard error of the (difference of) means and its degrees of freedom (Welch
    1947).

    Each side's variance is drawn towards its prior in proportion to their degrees of freedom
    (Smyth 2004). `sides` hold (k,) logarithms each.
    """
    parts = []
    for side, prior in zip(sides, priors, strict=True):
        freedom = side.size - 1 + prior.freedom
        variance = (
            (side.size - 1) * float(side.var(ddof=1)) + prior.freedom * prior.variance
        ) / freedom
        parts.append((variance / side.size, freedom))
    total = sum(part for part, _ in parts)
    if total <= 0.0:
        return 0.0, sum(freedom for _, freedom in parts)
    return math.sqrt(total), total**2 / sum(part**2 / freedom for part, freedom in parts)


def _reach(error: float, freedom: float, tail: float) -> float:
    return student_quantile(freedom, tail) * error


def student_quantile(freedom: float, tail: float) -> float:
    """
    Return the quantile of Student's t beyond which the share `tail` lies.

    >>> round(student_quantile(4.0, 0.025), 3)
    2.776
    """
    return float(stdtrit(freedom, 1.0 - tail))


def _picks(count: int, seed: int) -> NDArray[np.intp]:
    """Draw utterances with replacement; return their indices, shape (DRAWS, count)."""
    return np.random.default_rng(seed).integers(count, size=(DRAWS, count))


def _resample(groups: Sequence[Array], rng: np.random.Generator) -> Array:
    """
    Draw processes, then as many iterations within each as it has.

    Returns shape (DRAWS, k * longest[, 2]), padded with NaN.
    """
    pool = np.concatenate([*groups, np.full_like(groups[0][:1], np.nan)])
    sizes = np.array([len(group) for group in groups])
    starts = np.cumsum(sizes) - sizes
    chosen = rng.integers(len(groups), size=(DRAWS, len(groups)))[..., None]
    slots = np.arange(sizes.max())
    within = np.floor(rng.random((DRAWS, len(groups), slots.size)) * sizes[chosen]).astype(np.intp)
    index = np.where(slots < sizes[chosen], starts[chosen] + within, len(pool) - 1)
    drawn: Array = pool[index.reshape(DRAWS, -1)]
    return drawn


def _arrays(groups: Sequence[Group]) -> list[Array]:
    arrays = [np.asarray(group, dtype=np.float64) for group in groups if len(group) > 0]
    if not arrays:
        raise ValueError("there is no value to summarise")
    return arrays
