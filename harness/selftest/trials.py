"""
Every comparison that the recorded rounds allow: the gate's answer, and what the rivals say to the
same samples.

A comparison begins at every FIRST_ROUNDS-th round and goes on from the first when the rounds run
out, so that none is cut short and none is left out for taking long. Those that share processes are
not independent; `independent` says how many are.

A share of comparisons with an honest interval: "found in 46 of 48" is not 48 independent looks when
they share processes.

Pure; knows nothing of sides, cells or verdicts.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from harness.records.run import Phase, Run
from harness.runner.interleaving import rotated
from harness.selftest.other_tools import RIVALS, same_scale
from harness.selftest.simulated_gate import FIRST_ROUNDS, Gate, GateOutcome, Rounds

IN_TURNS, STORED = "in turns", "stored"
"""
How a rival's samples were taken: both sides in the same rounds, or the baseline in rounds that the
other was not in.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """
    One comparison: `size` is the slow-down that HEAD had (0.0: none); `flagged` is what rivals
    said, by (name, layout).
    """

    size: float
    answer: GateOutcome
    flagged: Mapping[tuple[str, str], bool]


def all_trials(gate: Gate, runs: Mapping[str, Run], sides: Mapping[str, float]) -> list[Trial]:
    """
    Make every comparison of the cells that have enough rounds for a verdict and its confirmation.
    """
    rounds = {slug: gate.complete_rounds(slug) for slug in gate.slugs}
    enough = {slug: several for slug, several in rounds.items() if len(several) >= 2 * FIRST_ROUNDS}
    samples = {(side, slug): samples_of(run, slug) for side, run in runs.items() for slug in enough}
    trials = []
    for start in range(
        0, min(map(len, enough.values()), default=0) - FIRST_ROUNDS + 1, FIRST_ROUNDS
    ):
        turned = {slug: rotated(several, start) for slug, several in enough.items()}
        for base, head in pairs(sides):
            for answer in gate.ask(base, head, turned):
                some = (samples[base, answer.cell], samples[head, answer.cell])
                flagged = ask_rivals(*some, answer.rounds, turned[answer.cell])
                trials.append(Trial(size=sides[head], answer=answer, flagged=flagged))
    return trials


def pairs(sides: Mapping[str, float]) -> list[tuple[str, str]]:
    """Pair each two equal sides, and each equal side with each slower one."""
    equal, slower = (
        [name for name, size in sides.items() if bool(size) is wanted] for wanted in (False, True)
    )
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


def samples_of(run: Run, slug: str) -> dict[int, list[tuple[str, float]]]:
    """Give the measured iterations of a cell, (request, seconds), by round."""
    return {
        process.repeat: [
            (sample.request, sample.wall_s)
            for sample in process.samples
            if sample.phase is Phase.MEASURED
        ]
        for process in run.processes
        if process.cell == slug
    }


def ask_rivals(
    base: Mapping[int, list[tuple[str, float]]],
    head: Mapping[int, list[tuple[str, float]]],
    used: Rounds,
    rounds: Rounds,
) -> dict[tuple[str, str], bool]:
    """
    Ask each rival about the rounds that the gate used, and with a baseline of as many other rounds,
    if there are as many.

    `rounds` are all, beginning with those that the gate used.
    """
    layouts = {IN_TURNS: used, STORED: rounds[len(used) : 2 * len(used)]}
    flagged = {}
    for layout, before in layouts.items():
        if len(before) < len(used):
            continue
        sides = same_scale(
            *(
                list(itertools.chain(*(side[r] for r in which)))
                for side, which in ((base, before), (head, used))
            )
        )
        flagged.update({(name, layout): rival.rule(*sides) for name, rival in RIVALS.items()})
    return flagged


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
        """
        Give the share that was seen; 0.0 where nothing was compared (the interval then says:
        anything).
        """
        return self.count / self.total if self.total else 0.0


def rate_of(happened: Sequence[bool], disjoint: float) -> Rate:
    """
    Give the rate over all comparisons with the interval that `disjoint` independent ones can give.

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
    Give the exact two-sided interval of a binomial share (Clopper & Pearson 1934), by quantiles of
    the beta distribution.

    Both numbers may be fractions. No trials leave 0 to 1.
    """
    tail = (1.0 - level) / 2.0
    low = 0.0 if count <= 0.0 else float(betaincinv(count, trials - count + 1.0, tail))
    high = 1.0 if count >= trials else float(betaincinv(count + 1.0, trials - count, 1.0 - tail))
    return low, high
