"""
Every comparison that the recorded rounds allow, with the verdict of the gate.

A comparison begins at every FIRST_ROUNDS-th round and goes on from the first when the rounds run
out, so that none is cut short and none is left out for its length. Comparisons that share processes
are not independent; `independent` counts how many are. The interval of a rate uses that number:
"found in 46 of 48" is not 48 independent looks.

Pure; knows nothing of sides, cells or verdicts.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from voxgate.harness.runner.round import rotated
from voxgate.harness.selftest.simulated_gate import FIRST_ROUNDS, Gate, GateOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One comparison; `size` is the slow-down that HEAD had (0.0: none)."""

    size: float
    answer: GateOutcome


def all_trials(gate: Gate, sides: Mapping[str, float]) -> list[Trial]:
    """
    Make every comparison of the cells that have enough rounds for a verdict and its confirmation.
    """
    rounds = {slug: gate.complete_rounds(slug) for slug in gate.slugs}
    enough = {slug: numbers for slug, numbers in rounds.items() if len(numbers) >= 2 * FIRST_ROUNDS}
    trials = []
    for start in range(
        0, min(map(len, enough.values()), default=0) - FIRST_ROUNDS + 1, FIRST_ROUNDS
    ):
        turned = {slug: rotated(numbers, start) for slug, numbers in enough.items()}
        for base, head in pairs(sides):
            outcomes = gate.ask(base, head, turned)
            trials += [Trial(size=sides[head], answer=outcome) for outcome in outcomes]
    return trials


def pairs(sides: Mapping[str, float]) -> list[tuple[str, str]]:
    """Pair each two equal sides, and each equal side with each slower one."""
    equal = [name for name, size in sides.items() if not size]
    slower = [name for name, size in sides.items() if size]
    return [*itertools.combinations(equal, 2), *itertools.product(equal, slower)]


def independent(trials: Sequence[Trial], rounds: Mapping[str, int], equals: int) -> float:
    """
    Count the comparisons of one size that share no process: the rounds of a cell by the rounds that
    a comparison takes, for each pair that shares no side. Of slower ones there is one side per
    size, so one pair; of equal ones every second.
    """
    total = 0.0
    for slug in dict.fromkeys(trial.answer.cell for trial in trials):
        used = [len(trial.answer.rounds) for trial in trials if trial.answer.cell == slug]
        apart = equals // 2 if not trials[0].size else 1
        total += min(len(used), apart * rounds[slug] / float(np.mean(used)))
    return total


LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """
    How often something happened in `total` comparisons, as if only `disjoint` of them had been
    independent.

    `low`, `high`: two-sided 95 % interval. Both are shares, 0 to 1.
    """

    count: int
    total: int
    disjoint: float
    low: float
    high: float

    @property
    def share(self) -> float:
        """The observed share; 0.0 where nothing was compared (the interval is then 0 to 1)."""
        return self.count / self.total if self.total else 0.0


def rate_of(happened: Sequence[bool], disjoint: float) -> Rate:
    """
    Return the rate over all comparisons with the interval that `disjoint` independent ones allow.

    Clopper & Pearson 1934 on the effective sample size, as Korn & Graubard 1998 do for surveys: the
    share is that of all comparisons, the trials are only the disjoint ones. Raises ValueError for
    more disjoint ones than there are.
    """
    total = len(happened)
    if not 0 <= disjoint <= total:
        raise ValueError(f"of {total} comparisons, {disjoint:g} cannot be disjoint")
    count = sum(happened)
    low, high = clopper_pearson(disjoint * count / total if total else 0.0, disjoint)
    return Rate(count=count, total=total, disjoint=disjoint, low=low, high=high)


def clopper_pearson(count: float, trials: float, level: float = LEVEL) -> tuple[float, float]:
    """
    Return the exact two-sided interval of a binomial share (Clopper & Pearson 1934), by quantiles
    of the beta distribution.

    Both numbers may be fractions. No trials leave 0 to 1.
    """
    tail = (1.0 - level) / 2.0
    low = 0.0 if count <= 0.0 else float(betaincinv(count, trials - count + 1.0, tail))
    high = 1.0 if count >= trials else float(betaincinv(count + 1.0, trials - count, 1.0 - tail))
    return low, high
