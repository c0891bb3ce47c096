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
    Return the q-th percentile (0..100) over the last axis, by linear interpolation at q/100 (n
    - 1).

    numpy's default, definition 7 of Hyndman & Fan 1996. NaN is padding. Raises ValueError
    without any value.

    >>> float(percentile([1.0, 2.0, 4.0], 75.0))
    3.0
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
    """Return the statistic "q-th percentile"."""
    return lambda values: percentile(values, q)


def mean(values: Array) -> Array:
    """Return the mean over the last axis; NaN is padding."""
    return np.asarray(np.nanmean(values, axis=-1))


def rate(rows: Array) -> Array:
    """
    Return the weighted mean of (value, weight) rows, (..., n, 2) -> (...).

    Sum over sum, as RTF and corpus WER are defined.

    >>> float(rate(np.array([[0.5, 1.0], [0.1, 3.0]])))
    0.2
    """
    weights = np.nansum(rows[..., 1], axis=-1)
    answer: Array = np.nansum(rows[..., 0] * rows[..., 1], axis=-1) / weights
    return answer


def inverse_rate(rows: Array) -> Array:
    """Return the inverse of `rate`: RTFx from the rows of RTF."""
    answer: Array = 1.0 / rate(rows)
    return answer


def samples_needed(q: float, level: float = LEVEL) -> int:
    """
    Return the number of samples whose maximum bounds the q-th percentile with confidence
    `level`.

    Distribution-free (order statistics): the least n with 1 - (q/100)^n >= level. With fewer,
    even the largest sample is no reliable bound of the tail.

    >>> samples_needed(95.0), samples_needed(99.0)
    (59, 299)
    """
    return math.ceil(math.log(1.0 - level) / math.log(q / 100.0))
