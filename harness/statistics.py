"""
Numbers in, summary or shift with its uncertainty out. Pure; knows no cells, no units, no files, and
decides nothing.

The unit of analysis is the process, because most of the noise of a shared machine stays with a
process for life (where its memory landed); iterations are nested in it. Testing pooled iterations
is the commonest mistake of performance gates.

Every interval of grouped values is the union of two:
* the hierarchical bootstrap: draw processes, then iterations within each (Davison & Hinkley 1997,
  section 3.8; Kalibera & Jones 2013 on repeating at the highest level that varies). Follows any
  statistic, but with 2-5 processes it is too narrow: its spread is short by sqrt((k-1)/k) and it
  uses the normal's tails (Hesterberg 2015, section 3.2);
* Student's t on the logarithms of the per-process statistics (Welch 1947 for two sides), honest for
  few processes.

A "statistic" maps an array (..., n) to (...), reading NaN as padding. Values of a rate are rows
(value, weight), (..., n, 2).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma, stdtr, stdtrit

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
Group = Sequence[float] | Array
"""The values of one process, (n,), or its (value, weight) rows, (n, 2)."""

DRAWS = 2000
"""
Bootstrap draws: the Monte Carlo error of a 2.5 % quantile is then about 0.35 % of probability
(Davison & Hinkley 1997).
"""
SEED = 20261121
LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """
    A summary and its two-sided interval; no bounds where the data cannot give any (a single process
    or utterance).
    """

    point: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """
    How far the current values lie above the baseline's: a ratio minus one, or a difference.

    `low`, `high`: two-sided interval at LEVEL, for people. `at_least`, `at_most`: the two one-sided
    bounds at LEVEL, for verdicts. `error`, `freedom`: standard error of the point (of the logarithm
    of the ratio) and its degrees of freedom. All None where the data cannot give bounds.
    """

    point: float
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    error: float | None = None
    freedom: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """
    What many cells together tell of the variance between processes of one: worth `freedom`
    processes more.
    """

    variance: float
    freedom: float


IGNORANCE = Prior(variance=0.0, freedom=0.0)


def percentile(values: Array | Sequence[float], q: float) -> Array:
    """
    Give the q-th percentile (0..100) over the last axis, by linear interpolation at q/100 (n - 1):
    numpy's default, definition 7 of Hyndman & Fan 1996. NaN is padding. Raises ValueError where
    there is no value at all.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=-1)
    count = np.sum(~np.isnan(ordered), axis=-1, keepdims=True)
    if ordered.shape[-1] == 0 or np.any(count == 0):
        raise ValueError("a percentile needs at least one value")
    place = (count - 1) * (q / 100.0)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, count - 1)
    low, high = (
        np.take_along_axis(ordered, below, axis=-1),
        np.take_along_axis(ordered, above, axis=-1),
    )
    answer: Array = (low + (high - low) * (place - below))[..., 0]
    return answer


def at_percentile(q: float) -> Statistic:
    """Give the statistic "q-th percentile"."""
    return lambda values: percentile(values, q)


def mean(values: Array) -> Array:
    """Give the mean over the last axis; NaN is padding."""
    return np.asarray(np.nanmean(values, axis=-1))


def rate(rows: Array) -> Array:
    """
    Give the weighted mean of (value, weight) rows, (..., n, 2) -> (...): sum over sum, as RTF and
    corpus WER are defined.
    """
    weights = np.nansum(rows[..., 1], axis=-1)
    answer: Array = np.nansum(rows[..., 0] * rows[..., 1], axis=-1) / weights
    return answer


def inverse_rate(rows: Array) -> Array:
    """Give the inverse of `rate`: RTFx from the rows of RTF."""
    answer: Array = 1.0 / rate(rows)
    return answer


def samples_needed(q: float, level: float = LEVEL) -> int:
    """
    Give the least number of samples whose maximum is an upper bound of the q-th percentile with
    confidence `level`.

    Distribution-free (order statistics): 1 - (q/100)^n >= level. 59 for p95 and 299 for p99 at 95
    %. With fewer, even the largest sample says nothing reliable of the tail.
    """
    return math.ceil(math.log(1.0 - level) / math.log(q / 100.0))


def interval(
    groups: Sequence[Group],
    statistic: Statistic,
    *,
    prior: Prior = IGNORANCE,
    level: float = LEVEL,
    seed: int = SEED,
) -> Interval:
    """
    Summarise positive values, one group per process, with a two-sided interval; `prior` moderates
    the variance (`prior_of`).

    Raises ValueError without any value.
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


def shift(
    baseline: Sequence[Group],
    current: Sequence[Group],
    statistic: Statistic,
    *,
    priors: tuple[Prior, Prior] = (IGNORANCE, IGNORANCE),
    seed: int = SEED,
) -> Shift:
    """
    Compare two independent sets of processes by the ratio of their statistics, minus one; all
    values positive.

    Bootstrap of the log-ratio and Welch's t on the processes' log-statistics, the wider on either
    side; `priors` moderate the variance of either side (`prior_of`). No bounds where a side has one
    process only: nothing is then known of the spread between processes. Raises ValueError without
    any value.
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
        point, _bounds(point, drawn, lambda tail: _reach(error, freedom, tail)), error, freedom
    )


def paired_shift(
    baseline: Sequence[Group],
    current: Sequence[Group],
    statistic: Statistic | None,
    *,
    prior: Prior = IGNORANCE,
    seed: int = SEED,
) -> Shift:
    """
    Compare two engines that were measured side by side: group i of both is one round, and gives one
    log-ratio.

    Whatever a round had in common (load, clock frequency, temperature) cancels. A round's log-ratio
    is that of `statistic`; with None it is the median of the log-ratios of the values that stand in
    the same place (same request, neighbours in time), which needs groups of equal length. Over
    rounds: mean, Student's t with k - 1 degrees of freedom, and the bootstrap of the rounds, the
    wider on either side; `prior` moderates the variance (`prior_of`). No bounds from a single
    round. Raises ValueError for no or unequal rounds.
    """
    ratios = log_ratios(baseline, current, statistic)
    point = float(ratios.mean())
    if ratios.size < 2:
        return Shift(point=math.expm1(point))
    error, freedom = _welch([ratios], [prior])
    drawn = ratios[_picks(ratios.size, seed)].mean(axis=-1)
    return _ratio(
        point, _bounds(point, drawn, lambda tail: _reach(error, freedom, tail)), error, freedom
    )


def log_ratios(
    baseline: Sequence[Group], current: Sequence[Group], statistic: Statistic | None
) -> Array:
    """Give the log-ratio of every round, (k,), as `paired_shift` uses them."""
    if not baseline or len(baseline) != len(current):
        raise ValueError(
            f"pairs need as many rounds on both sides, and at least one, not {len(baseline)} and "
            f"{len(current)}"
        )
    pairs = zip(_arrays(baseline), _arrays(current), strict=True)
    return np.array([_log_ratio(before, now, statistic) for before, now in pairs])


def log_statistics(groups: Sequence[Group], statistic: Statistic) -> Array:
    """Give the logarithm of every process's statistic, (k,)."""
    return np.log([float(statistic(group)) for group in _arrays(groups)])


def prior_of(cells: Sequence[Array]) -> Prior:
    """
    Learn from many cells how much processes differ: variance and its weight in degrees of freedom,
    by empirical Bayes.

    `cells` hold one logarithm per process (or per round), (k,) each. The variances of few processes
    scatter wildly; those of many cells on one machine scatter around a common value. How tightly
    they do decides how much a cell leans on it: not at all where cells really differ, wholly where
    the scatter is no more than chance gives (Smyth 2004, section 6.2; there for genes). IGNORANCE
    with fewer than three cells, or without any spread.
    """
    known = [(float(each.var(ddof=1)), each.size - 1) for each in cells if each.size > 1]
    usable = [(variance, freedom) for variance, freedom in known if variance > 0.0]
    if len(usable) < 3:
        return IGNORANCE
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


def p_beyond(shift: Shift, threshold: float) -> float:
    """
    Give the one-sided p-value of "the true ratio is no more than 1 + threshold", by Student's t on
    the log-ratio.

    1.0 where nothing is known of the error; without any spread, 0.0 or 1.0.
    """
    if shift.error is None or shift.freedom is None:
        return 1.0
    distance = math.log1p(shift.point) - math.log1p(threshold)
    if shift.error <= 0.0:
        return 0.0 if distance > 0.0 else 1.0
    return float(stdtr(shift.freedom, -distance / shift.error))


def benjamini_hochberg(p_values: Sequence[float], share: float) -> list[bool]:
    """
    Say which of several findings stand so that at most `share` of those standing are false
    (Benjamini & Hochberg 1995).
    """
    ordered = sorted(p_values)
    passing = [p for rank, p in enumerate(ordered, start=1) if p <= share * rank / len(ordered)]
    worst = passing[-1] if passing else -1.0
    return [p <= worst for p in p_values]


def detectable(
    error: float, freedom: float, line: float, bound: float, power: float = 0.9
) -> float:
    """
    Give the smallest true shift (a ratio minus one) that is found with probability `power`.

    Found means: estimate above `line`, and one-sided bound at LEVEL above `bound`. Both must hold,
    and the estimate strays by `error` (of the logarithm): the usual sum of two quantiles (Lachin
    1981), with Student's t for the few degrees of freedom.
    """
    luck, doubt = _student(freedom, 1.0 - power), _student(freedom, 1.0 - LEVEL)
    return math.expm1(
        max(math.log1p(line) + luck * error, math.log1p(bound) + (doubt + luck) * error)
    )


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
    """Make a shift of what was computed on logarithms."""
    return Shift(
        point=math.expm1(point),
        **{name: math.expm1(v) for name, v in bounds.items()},
        error=error,
        freedom=freedom,
    )


def paired_bootstrap(differences: Sequence[float], *, seed: int = SEED) -> Shift:
    """
    Give the mean of per-utterance differences with its bounds: bootstrap over utterances, and
    Student's t, the wider.

    The utterances stand for all texts, so this is the uncertainty of "how much worse over all
    texts", not of the measurement. No bounds with one utterance. Raises ValueError for none.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.size == 0:
        raise ValueError("there is no pair to compare")
    if values.size == 1:
        return Shift(point=float(values[0]))
    drawn = values[_picks(values.size, seed)].mean(axis=-1)
    point, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(values.size)
    bounds = _bounds(point, drawn, lambda tail: _student(values.size - 1, tail) * error)
    return Shift(point=point, **bounds)


def paired_rate_difference(
    baseline: Sequence[float],
    current: Sequence[float],
    weights: Sequence[float],
    *,
    seed: int = SEED,
) -> Shift:
    """
    Compare two corpus rates over the same utterances, e.g. WER: sum of errors over sum of words,
    current minus baseline.

    `baseline` and `current` hold each utterance's rate, `weights` its words. Paired bootstrap over
    utterances (Bisani & Ney 2004): one draw picks utterances, both systems are scored on the same
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
    return Shift(point=point, **_bounds(point, drawn, lambda tail: 0.0))


def _bounds(point: float, drawn: Array, spread: Callable[[float], float]) -> dict[str, float]:
    """
    Give the four bounds of a Shift: on each side the farther of the bootstrap's quantile and point
    -+ spread(tail).
    """

    def side(tail: float) -> tuple[float, float]:
        reach = spread(tail)
        low, high = np.quantile(drawn, [tail, 1.0 - tail])
        return min(float(low), point - reach), max(float(high), point + reach)

    (low, high), (at_least, at_most) = side((1.0 - LEVEL) / 2.0), side(1.0 - LEVEL)
    return {"low": low, "high": high, "at_least": at_least, "at_most": at_most}


def _welch(sides: Sequence[Array], priors: Sequence[Prior]) -> tuple[float, float]:
    """
    Give the standard error of the (difference of) means and its degrees of freedom (Welch 1947),
    each side's variance drawn towards its prior in proportion to their degrees of freedom (Smyth
    2004). (k,) logarithms per side.
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
    return _student(freedom, tail) * error


def _student(freedom: float, tail: float) -> float:
    return float(stdtrit(freedom, 1.0 - tail))


def _picks(count: int, seed: int) -> NDArray[np.intp]:
    """Draw utterances with replacement: (DRAWS, count) indexes."""
    return np.random.default_rng(seed).integers(count, size=(DRAWS, count))


def _resample(groups: Sequence[Array], rng: np.random.Generator) -> Array:
    """
    Draw processes, then as many iterations within each as it has: (DRAWS, k * longest[, 2]), padded
    with NaN.
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
