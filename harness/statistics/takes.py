"""
Two samples of takes: how far two sets of takes of the same texts lie apart, and how far sets of one
engine lie apart by chance.

Texts stand for all texts, and takes are nested in them. Two questions follow, and a difference
counts only if it answers both.

* Over all texts: the bootstrap draws texts, then takes within each on both sides (Davison & Hinkley
  1997, section 3.8), and the interval is the wider of that and Student's t over the texts.
* Of these texts: the chance of the draw alone. The takes of a text differ by a variance that is
  known from themselves; the difference of two sets then has a standard error, with degrees of
  freedom after Satterthwaite (1946), so that a few texts that vary wildly make it uncertain.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.harness.statistics.intervals import (
    DRAWS,
    SEED,
    Shift,
    bounds_of,
    student_quantile,
)
from voxgate.harness.statistics.summary import Array

CHANCE = 1e-4
"""
How often, at most, two sets of takes of one engine may lie farther apart than their spread: a suite
has some 40 metrics, and 300 comparisons must not raise an alarm.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakesShift:
    """The difference of two sets of takes, and how far two sets of one engine differ by chance."""

    shift: Shift
    spread: float
    """Not known where no side has two takes of any text: infinite."""


def takes_shift(
    baseline: Sequence[Array],
    current: Sequence[Array],
    weights: Sequence[float] | None = None,
    *,
    bounded: bool = True,
    seed: int = SEED,
) -> TakesShift:
    """
    Compare takes of the same texts: `baseline` and `current` hold one array per text, its takes.

    The difference is that of the means over texts of the means over takes; `weights`, such as
    words, make it that of two corpus rates. Without `bounded` the shift has no interval, which
    costs most of the time. Raises ValueError for no text, and for sides of unlike length.
    """
    if not baseline or len(baseline) != len(current):
        raise ValueError(f"{len(baseline)} and {len(current)} texts cannot be compared")
    shares = np.ones(len(baseline)) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.sum() <= 0.0:
        raise ValueError("a rate needs at least one word")
    differences = np.array([n.mean() - b.mean() for b, n in zip(baseline, current, strict=True)])
    point = float(differences @ shares / shares.sum())
    spread = _spread(baseline, current, shares / shares.sum())
    if differences.size == 1 or not bounded:
        return TakesShift(shift=Shift(point=point), spread=spread)
    drawn = _drawn(baseline, current, shares, np.random.default_rng(seed))
    error = 0.0 if weights is not None else float(differences.std(ddof=1)) / differences.size**0.5
    bounds = bounds_of(
        point, drawn, lambda tail: student_quantile(differences.size - 1, tail) * error
    )
    return TakesShift(shift=Shift(point=point, **bounds), spread=spread)


def _spread(baseline: Sequence[Array], current: Sequence[Array], shares: Array) -> float:
    """
    Return how far the weighted mean of the differences lies from zero once in 1 / CHANCE, if both
    sides are takes of one engine.
    """
    parts: list[tuple[float, int]] = []
    for before, now, share in zip(baseline, current, shares, strict=True):
        freedom = before.size + now.size - 2
        if freedom > 0:
            squares = float(((before - before.mean()) ** 2).sum() + ((now - now.mean()) ** 2).sum())
            part = float(share) ** 2 * squares / freedom * (1 / before.size + 1 / now.size)
            parts.append((part, freedom))
    if not parts:
        return float("inf")
    variance = sum(part for part, _ in parts) * shares.size / len(parts)
    if variance <= 0.0:
        return 0.0
    degrees = sum(part for part, _ in parts) ** 2 / sum(part**2 / f for part, f in parts)
    return student_quantile(degrees, CHANCE / 2) * math.sqrt(variance)


def _drawn(
    baseline: Sequence[Array], current: Sequence[Array], shares: Array, rng: np.random.Generator
) -> Array:
    """Draw texts, then takes within each; return the differences, shape (DRAWS,)."""
    picks = rng.integers(len(baseline), size=(DRAWS, len(baseline)))
    extra = _drawn_means(current, picks, rng) - _drawn_means(baseline, picks, rng)
    totals = shares[picks].sum(axis=-1)
    drawn: Array = (extra * shares[picks]).sum(axis=-1)[totals > 0.0] / totals[totals > 0.0]
    return drawn


def _drawn_means(takes: Sequence[Array], picks: np.ndarray, rng: np.random.Generator) -> Array:
    """Return the means of takes drawn with replacement from the picked texts, shaped as these."""
    sizes = np.array([each.size for each in takes])
    slots = np.arange(sizes.max())
    padded = np.zeros((len(takes), slots.size))
    for row, each in zip(padded, takes, strict=True):
        row[: each.size] = each
    count = sizes[picks][..., None]
    chosen = np.floor(rng.random((*picks.shape, slots.size)) * count).astype(np.intp)
    values = np.where(slots < count, padded[picks[..., None], chosen], 0.0)
    means: Array = values.sum(axis=-1) / sizes[picks]
    return means
