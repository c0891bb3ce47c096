"""
Numbers in, summary or shift with its uncertainty out. Pure; knows no cells, no units, no files, and decides nothing.

The unit of analysis is the process, because most of the noise of a shared machine stays with a process for life (where its
memory landed); iterations are nested in it. Testing pooled iterations is the commonest mistake of performance gates.

Every interval of grouped values is the union of two:
* the hierarchical bootstrap: draw processes, then iterations within each (Davison & Hinkley 1997, section 3.8; Kalibera &
  Jones 2013 on repeating at the highest level that varies). Follows any statistic, but with 2-5 processes it is too
  narrow: its spread is short by sqrt((k-1)/k) and it uses the normal's tails (Hesterberg 2015, section 3.2);
* Student's t on the logarithms of the per-process statistics (Welch 1947 for two sides), honest for few processes.

A "statistic" maps an array (..., n) to (...), reading NaN as padding. Values of a rate are rows (value, weight), (..., n, 2).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
Group = Sequence[float] | Array
"""The values of one process, (n,), or its (value, weight) rows, (n, 2)."""

DRAWS = 2000
"""Bootstrap draws: the Monte Carlo error of a 2.5 % quantile is then about 0.35 % of probability (Davison & Hinkley 1997)."""
SEED = 20261121
LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A summary and its two-sided interval; no bounds where the data cannot give any (a single process or utterance)."""

    point: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """
    How far the current values lie above the baseline's: a ratio minus one, or a difference.

    `low`, `high`: two-sided interval at LEVEL, for people. `at_least`, `at_most`: the two one-sided bounds at LEVEL, for
    verdicts. All None where the data cannot give bounds.
    """

    point: float
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None


def percentile(values: Array | Sequence[float], q: float) -> Array:
    """
    Give the q-th percentile (0..100) over the last axis, by linear interpolation at q/100 (n - 1): numpy's default,
    definition 7 of Hyndman & Fan 1996. NaN is padding. Raises ValueError where there is no value at all.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=-1)
    count = np.sum(~np.isnan(ordered), axis=-1, keepdims=True)
    if ordered.shape[-1] == 0 or np.any(count == 0):
        raise ValueError("a percentile needs at least one value")
    place = (count - 1) * (q / 100.0)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, count - 1)
    low, high = np.take_along_axis(ordered, below, axis=-1), np.take_along_axis(ordered, above, axis=-1)
    answer: Array = (low + (high - low) * (place - below))[..., 0]
    return answer


def at_percentile(q: float) -> Statistic:
    """Give the statistic "q-th percentile"."""
    return lambda values: percentile(values, q)


def mean(values: Array) -> Array:
    """Give the mean over the last axis; NaN is padding."""
    return np.asarray(np.nanmean(values, axis=-1))


def rate(rows: Array) -> Array:
    """Give the weighted mean of (value, weight) rows, (..., n, 2) -> (...): sum over sum, as RTF and corpus WER are defined."""
    weights = np.nansum(rows[..., 1], axis=-1)
    answer: Array = np.nansum(rows[..., 0] * rows[..., 1], axis=-1) / weights
    return answer


def inverse_rate(rows: Array) -> Array:
    """Give the inverse of `rate`: RTFx from the rows of RTF."""
    answer: Array = 1.0 / rate(rows)
    return answer


def samples_needed(q: float, level: float = LEVEL) -> int:
    """
    Give the least number of samples whose maximum is an upper bound of the q-th percentile with confidence `level`.

    Distribution-free (order statistics): 1 - (q/100)^n >= level. 59 for p95 and 299 for p99 at 95 %. With fewer, even
    the largest sample says nothing reliable of the tail.
    """
    return math.ceil(math.log(1.0 - level) / math.log(q / 100.0))


def interval(groups: Sequence[Group], statistic: Statistic, *, level: float = LEVEL, seed: int = SEED) -> Interval:
    """Summarise positive values, one group per process, with a two-sided interval. Raises ValueError without any value."""
    arrays = _arrays(groups)
    point = float(statistic(np.concatenate(arrays)))
    tail = (1.0 - level) / 2.0
    spread = _log_spread([arrays], statistic, tail)
    if spread is None:
        return Interval(point=point, low=None, high=None)
    drawn = statistic(_resample(arrays, np.random.default_rng(seed)))
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    reach = math.exp(spread)
    return Interval(point=point, low=min(float(low), point / reach), high=max(float(high), point * reach))


def shift(baseline: Sequence[Group], current: Sequence[Group], statistic: Statistic, *, seed: int = SEED) -> Shift:
    """
    Compare two independent sets of processes by the ratio of their statistics, minus one; all values positive.

    Bootstrap of the log-ratio and Welch's t on the processes' log-statistics, the wider on either side. No bounds where a
    side has one process only: nothing is then known of the spread between processes. Raises ValueError without any value.
    """
    before, now = _arrays(baseline), _arrays(current)
    point = float(np.log(statistic(np.concatenate(now))) - np.log(statistic(np.concatenate(before))))
    if min(len(before), len(now)) < 2:
        return Shift(point=math.expm1(point))
    rng = np.random.default_rng(seed)
    drawn = np.log(statistic(_resample(now, rng))) - np.log(statistic(_resample(before, rng)))
    bounds = _bounds(point, drawn, lambda tail: _log_spread([before, now], statistic, tail))
    return Shift(point=math.expm1(point), **{name: math.expm1(value) for name, value in bounds.items()})


def paired_bootstrap(differences: Sequence[float], *, seed: int = SEED) -> Shift:
    """
    Give the mean of per-utterance differences with its bounds: bootstrap over utterances, and Student's t, the wider.

    The utterances stand for all texts, so this is the uncertainty of "how much worse over all texts", not of the
    measurement. No bounds with one utterance. Raises ValueError for none.
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
    baseline: Sequence[float], current: Sequence[float], weights: Sequence[float], *, seed: int = SEED
) -> Shift:
    """
    Compare two corpus rates over the same utterances, e.g. WER: sum of errors over sum of words, current minus baseline.

    `baseline` and `current` hold each utterance's rate, `weights` its words. Paired bootstrap over utterances (Bisani & Ney
    2004): one draw picks utterances, both systems are scored on the same ones. Raises ValueError without weight.
    """
    counts = np.asarray(weights, dtype=np.float64)
    if counts.size == 0 or counts.sum() <= 0.0:
        raise ValueError("a rate needs at least one word")
    extra = (np.asarray(current, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)) * counts
    point = float(extra.sum() / counts.sum())
    if counts.size == 1:
        return Shift(point=point)
    picks = _picks(counts.size, seed)
    totals = counts[picks].sum(axis=-1)
    drawn = extra[picks].sum(axis=-1)[totals > 0.0] / totals[totals > 0.0]
    return Shift(point=point, **_bounds(point, drawn, lambda tail: 0.0))


def _bounds(point: float, drawn: Array, spread: Callable[[float], float | None]) -> dict[str, float]:
    """Give the four bounds of a Shift: on each side the farther of the bootstrap's quantile and point -+ spread(tail)."""

    def side(tail: float) -> tuple[float, float]:
        reach = spread(tail) or 0.0
        low, high = np.quantile(drawn, [tail, 1.0 - tail])
        return min(float(low), point - reach), max(float(high), point + reach)

    (low, high), (at_least, at_most) = side((1.0 - LEVEL) / 2.0), side(1.0 - LEVEL)
    return {"low": low, "high": high, "at_least": at_least, "at_most": at_most}


def _log_spread(sides: Sequence[Sequence[Array]], statistic: Statistic, tail: float) -> float | None:
    """Give t times the standard error of the (difference of) mean log-statistics, after Welch; None for one process."""
    if min(len(side) for side in sides) < 2:
        return None
    logs = [np.log([float(statistic(group)) for group in side]) for side in sides]
    parts = [float(each.var(ddof=1)) / each.size for each in logs]
    total = sum(parts)
    if total <= 0.0:
        return 0.0
    freedom = total**2 / sum(part**2 / (each.size - 1) for part, each in zip(parts, logs, strict=True))
    return _student(freedom, tail) * math.sqrt(total)


def _student(freedom: float, tail: float) -> float:
    return float(stdtrit(freedom, 1.0 - tail))


def _picks(count: int, seed: int) -> NDArray[np.intp]:
    """Draw utterances with replacement: (DRAWS, count) indexes."""
    return np.random.default_rng(seed).integers(count, size=(DRAWS, count))


def _resample(groups: Sequence[Array], rng: np.random.Generator) -> Array:
    """Draw processes, then as many iterations within each as it has: (DRAWS, k * longest[, 2]), padded with NaN."""
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
