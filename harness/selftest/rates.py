"""
A share of comparisons with an honest interval: "found in 46 of 48" is not 48 independent looks when they share processes.

Pure; knows nothing of sides, cells or verdicts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import betaincinv

LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """
    How often something happened in `total` comparisons, as if only `disjoint` of them had been independent.

    `low`, `high`: two-sided 95 % interval. Both are shares, 0 to 1.
    """

    count: int
    total: int
    disjoint: float
    low: float
    high: float

    @property
    def share(self) -> float:
        """Give the share that was seen; 0.0 where nothing was compared (the interval then says: anything)."""
        return self.count / self.total if self.total else 0.0


def rate_of(happened: Sequence[bool], disjoint: float) -> Rate:
    """
    Give the rate over all comparisons with the interval that `disjoint` independent ones can give.

    Clopper & Pearson 1934 on the effective sample size, as Korn & Graubard 1998 do for surveys: the share is that of all
    comparisons, the trials are only the disjoint ones. Raises ValueError for more disjoint ones than there are.
    """
    total = len(happened)
    if not 0 <= disjoint <= total:
        raise ValueError(f"of {total} comparisons, {disjoint:g} cannot be disjoint")
    count = sum(happened)
    low, high = clopper_pearson(disjoint * count / total if total else 0.0, disjoint)
    return Rate(count=count, total=total, disjoint=disjoint, low=low, high=high)


def clopper_pearson(count: float, trials: float, level: float = LEVEL) -> tuple[float, float]:
    """
    Give the exact two-sided interval of a binomial share (Clopper & Pearson 1934), by quantiles of the beta distribution.

    Both numbers may be fractions. No trials leave 0 to 1.
    """
    tail = (1.0 - level) / 2.0
    low = 0.0 if count <= 0.0 else float(betaincinv(count, trials - count + 1.0, tail))
    high = 1.0 if count >= trials else float(betaincinv(count + 1.0, trials - count, 1.0 - tail))
    return low, high
