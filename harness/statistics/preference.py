"""
Strengths of systems from pairwise votes, by the model of Bradley and Terry (1952).

The chance that i is preferred to j is p_i / (p_i + p_j). Strengths are natural logarithms of p with
mean zero: a difference of 1 is a chance of 73 %. Fitted by the MM iteration (Hunter 2004), many
tables at once.
"""

from dataclasses import dataclass

import numpy as np

from voxgate.harness.statistics.intervals import DRAWS, SEED
from voxgate.harness.statistics.summary import LEVEL, Array

PSEUDO_VOTES = 0.5
"""
Added to either side of every pair that was compared, so that a system that won or lost every vote
has a finite strength.
"""
MOST_STEPS = 10_000
CLOSE = 1e-9
LEAST = 1e-6
"""Of a vote: marks a pair as compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strengths:
    """The strength of each system with its 95 % interval; without bounds from one group only."""

    points: tuple[float, ...]
    lows: tuple[float, ...] | None
    highs: tuple[float, ...] | None


def bradley_terry(wins: Array) -> Array:
    """
    Return the strengths, shape (..., k), of tables wins[..., i, j]: votes for i against j.

    Every system must be linked to every other one by comparisons.

    >>> weights = bradley_terry(np.array([[0.0, 30.0], [10.0, 0.0]]))
    >>> round(float(weights[0] - weights[1]), 2)
    1.07
    """
    votes = wins + np.swapaxes(wins, -1, -2)
    smooth = wins + PSEUDO_VOTES * (votes > 0.0)
    pairs = smooth + np.swapaxes(smooth, -1, -2)
    won = smooth.sum(axis=-1)
    power = np.ones_like(won)
    for _ in range(MOST_STEPS):
        sums = power[..., :, None] + power[..., None, :]
        fresh = won / np.maximum((pairs / sums).sum(axis=-1), 1e-300)
        fresh /= np.exp(np.log(fresh).mean(axis=-1, keepdims=True))
        done = bool(np.all(np.abs(np.log(fresh / power)) < CLOSE))
        power = fresh
        if done:
            break
    return np.asarray(np.log(power))


def strengths(groups: Array, *, seed: int = SEED) -> Strengths:
    """
    Return strengths from tables of wins, shape (m, k, k), one per group of votes that belong
    together; the bootstrap draws groups.
    """
    points = bradley_terry(groups.sum(axis=0))
    if len(groups) < 2:
        return Strengths(points=tuple(map(float, points)), lows=None, highs=None)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(groups), np.full(len(groups), 1.0 / len(groups)), size=DRAWS)
    total = groups.sum(axis=0)
    drawn = np.tensordot(counts.astype(np.float64), groups, axes=1)
    # a pair that was not drawn keeps its place in the table, with its pseudo-votes alone
    undrawn = (total + total.T > 0.0) & (drawn + np.swapaxes(drawn, -1, -2) == 0.0)
    drawn = np.where(undrawn, LEAST, drawn)
    tails = ((1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0)
    lows, highs = np.quantile(bradley_terry(drawn), tails, axis=0)
    return Strengths(
        points=tuple(map(float, points)),
        lows=tuple(map(float, lows)),
        highs=tuple(map(float, highs)),
    )
