"""
The variance between processes, learned from many cells of one machine by empirical Bayes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma

from voxgate.harness.statistics.summary import Array


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
