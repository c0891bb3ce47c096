"""
Statistics of one group of values: percentile, mean, rate.

A "statistic" maps an array (..., n) to (...) and reads NaN as padding. Values of a rate are rows
(value, weight), (..., n, 2).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
Group = Sequence[float] | Array
"""The values of one process, (n,), or its (value, weight) rows, (n, 2)."""
LEVEL = 0.95


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
