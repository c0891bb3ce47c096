"""
The results of a selftest of speed: the record, made from trials, and the rule that decides whether
this machine may gate.

Runs nothing and renders nothing; that is for `render_speed.py`.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from voxgate.harness import statistics
from voxgate.harness.judging.compare_speed import MATCHED
from voxgate.harness.judging.decide import EVIDENCE_SHARE
from voxgate.harness.records.constraints import Key, Unwritten
from voxgate.harness.records.verdict import LINE_SHARE, Verdict
from voxgate.harness.selftest.simulated_gate import FIRST_ROUNDS, MOST_ROUNDS, Gate
from voxgate.harness.selftest.speed_plan import Setup, round_s
from voxgate.harness.selftest.trials import Rate, Trial, independent, pairs, rate_of

CURVE = (4, 5, 6, 8, 10, 12, 16, 24)
"""Rounds of one look, for the curve of time against what can be seen."""
POWER = math.sqrt(0.9)
"""Of each of two looks, the first and its confirmation, so that both succeed nine times in ten."""
MOST_FALSE = 0.01
"""
The owner's line for a loaded machine: more than one false alarm in a hundred comparisons, and
nobody reads alarms.
"""
MUST_SEE = 2.0
"""A gate that cannot see twice its limit in the rounds it may take guards nothing."""
MUST_FIND = 0.9
"""Of the comparisons with such a slow-down."""
MOST_UNRESOLVED = 0.1
"""
Of the A/A comparisons: a gate that does not decide is safe and no use, and people learn to wave it
through.
"""
ENOUGH = 10
"""A/A comparisons; from fewer, even without an alarm, nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeResult:
    """The verdicts of the gate at one slow-down `size` (0.0: both sides the same)."""

    size: float
    real: float | None
    """
    What the slow-down came to, measured over all rounds of all pairs: a check of the injection.
    """
    flagged: Rate
    """REGRESSED, confirmed."""
    unresolved: Rate
    why_unresolved: str
    """The reason of one that was; empty if none was."""
    verdicts: Mapping[str, int]
    rounds: float
    """The mean number that a verdict took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellNoise:
    """
    How much one pair of processes of the same engine differs: standard deviation of the log-ratio.
    """

    cell: str
    rounds: int
    pair_sd: float
    weight: float
    """
    Degrees of freedom per round after the first: above 1 where the cells of the suite lend theirs
    to each other.
    """
    sees: float
    """The smallest slow-down that MOST_ROUNDS rounds find and confirm nine times in ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """
    A point of the curve: a number of rounds of all measured cells, their duration, and the smallest
    slow-down they find.
    """

    rounds: int
    duration_s: float
    sees_median: float
    """In the cell in the middle."""
    sees_worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether the machine may gate: `fit`, `not fit` or `undecided`, and why."""

    status: Annotated[str, Key("word")]
    reason: Annotated[str, Key("why")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The results of a selftest of speed."""

    setup: Setup
    machine: str
    head: str
    quiet: str
    sizes: tuple[SizeResult, ...]
    noise: tuple[CellNoise, ...]
    curve: tuple[Reach, ...]
    failures: Mapping[str, str]
    """Cells that failed or have too few rounds, with the reason."""
    fit: Fit
    limit: Annotated[float, Unwritten()] = 0.05
    """Of the policy: the slow-down that must not pass, as a share."""


def size_results(trials: Sequence[Trial], gate: Gate, setup: Setup) -> tuple[SizeResult, ...]:
    """Sum up the trials by size."""
    rounds = {slug: len(gate.complete_rounds(slug)) for slug in setup.costs}
    results = []
    for size in (0.0, *setup.sizes):
        some = [trial for trial in trials if trial.size == size]
        if some:
            disjoint = independent(some, rounds, setup.equals)
            results.append(_size_result(size, some, real_shift(gate, setup, size), disjoint))
    return tuple(results)


def real_shift(gate: Gate, setup: Setup, size: float) -> float | None:
    """
    Return the mean shift over all rounds, cells and pairs of one size; None without two rounds.
    """
    shifts: list[float] = []
    for base, head in pairs(setup.sides):
        if setup.sides[head] == size:
            compared = gate.shifts(base, head, MATCHED).values()
            shifts += [math.log1p(each.shift) for each in compared if each.shift is not None]
    return math.expm1(sum(shifts) / len(shifts)) if shifts else None


def noise_of(gate: Gate, setup: Setup, limit: float) -> tuple[CellNoise, ...]:
    """
    Return the spread of A/A pairs over all rounds, and the smallest slow-down visible above it.
    """
    same = [(base, head) for base, head in pairs(setup.sides) if not setup.sides[head]]
    shifts = [gate.shifts(base, head, MATCHED) for base, head in same]
    noise = []
    for slug in gate.slugs:
        errors = [(s[slug].error, s[slug].freedom) for s in shifts if slug in s]
        complete = [
            (error, freedom)
            for error, freedom in errors
            if error is not None and freedom is not None
        ]
        if complete:
            noise.append(_cell_noise(slug, len(gate.complete_rounds(slug)), complete, limit))
    return tuple(noise)


def _cell_noise(
    slug: str, rounds: int, errors: Sequence[tuple[float, float]], limit: float
) -> CellNoise:
    """
    Make the record from the standard error over all rounds, and its degrees of freedom, of every
    A/A pair.
    """
    spread = math.sqrt(sum(error**2 for error, _ in errors) / len(errors) * rounds)
    weight = sum(freedom for _, freedom in errors) / len(errors) / (rounds - 1)
    noise = CellNoise(cell=slug, rounds=rounds, pair_sd=spread, weight=weight, sees=0.0)
    return replace(noise, sees=sees(noise, MOST_ROUNDS, limit))


def sees(noise: CellNoise, rounds: int, limit: float) -> float:
    """
    Return the smallest slow-down that `rounds` rounds, and as many to confirm it, find nine times
    in ten.
    """
    line, freedom = LINE_SHARE * limit, noise.weight * (rounds - 1)
    return statistics.detectable(
        noise.pair_sd / math.sqrt(rounds), freedom, line, line / EVIDENCE_SHARE, POWER
    )


def curve_of(
    noise: Sequence[CellNoise], setup: Setup, limit: float, loading: int
) -> tuple[Reach, ...]:
    """
    Return time against detectable effect, for an A/B of all measured cells without confirmation.
    """
    if not noise:
        return ()
    each_s = sum(round_s(cost, 2, loading) for cost in setup.costs.values())
    visible = {count: _seen_sizes(noise, count, limit) for count in CURVE}
    return tuple(
        Reach(
            rounds=n, duration_s=n * each_s, sees_median=some[len(some) // 2], sees_worst=some[-1]
        )
        for n, some in visible.items()
    )


def _seen_sizes(noise: Sequence[CellNoise], rounds: int, limit: float) -> list[float]:
    return sorted(sees(cell, rounds, limit) for cell in noise)


def fitness_to_gate(sizes: Sequence[SizeResult], noise: Sequence[CellNoise], limit: float) -> Fit:
    """
    Apply the rule: not fit where more than MOST_FALSE of the A/A comparisons were alarms, where
    more than MOST_UNRESOLVED were not decided, where a cell's noise hides MUST_SEE limits, or where
    such a slow-down was found in less than MUST_FIND; undecided with fewer than ENOUGH A/A
    comparisons, or where the alarms may still be bad luck.
    """
    same = next((size_result for size_result in sizes if not size_result.size), None)
    if same is None or same.flagged.total < ENOUGH:
        count = 0 if same is None else same.flagged.total
        return Fit(
            status="undecided",
            reason=f"{count} A/A comparisons, {ENOUGH} are needed; give it more --minutes",
        )
    most = f"(95 %: at most {same.flagged.high * 100:.1f} %)"
    alarms = f"{same.flagged.count} false alarms in {same.flagged.total} A/A comparisons {most}"
    worst = max(noise, key=lambda cell: cell.sees)
    reason = _unfit(
        same,
        worst,
        [size_result for size_result in sizes if size_result.size >= MUST_SEE * limit],
        limit,
    )
    if reason:
        return Fit(status="not fit", reason=f"{alarms}; {reason}")
    if same.flagged.share > MOST_FALSE:
        return Fit(
            status="undecided", reason=f"{alarms}, which may be bad luck; give it more --minutes"
        )
    return Fit(
        status="fit",
        reason=f"{alarms}; sees {worst.sees * 100:.1f} % in {MOST_ROUNDS} rounds of every cell",
    )


def _unfit(same: SizeResult, worst: CellNoise, large: Sequence[SizeResult], limit: float) -> str:
    """
    Return the first reason why a machine must not gate; empty if there is none. `large` slow-downs
    must be found.
    """
    if same.flagged.low > MOST_FALSE:
        return f"more than {MOST_FALSE * 100:g} %"
    if same.unresolved.share > MOST_UNRESOLVED:
        return (
            f"{same.unresolved.share * 100:.1f} % of them UNRESOLVED, no more than "
            f"{MOST_UNRESOLVED * 100:g} % may be"
        )
    if worst.sees > MUST_SEE * limit:
        seen = f"{worst.cell} sees no less than {worst.sees * 100:.1f} % in {MOST_ROUNDS} rounds"
        return f"{seen}, {MUST_SEE * limit * 100:g} % are needed"
    missed = [result for result in large if result.flagged.share < MUST_FIND]
    if missed:
        return (
            f"{missed[0].size * 100:g} % found in {missed[0].flagged.share * 100:.0f} %, not in "
            f"{MUST_FIND * 100:g} %"
        )
    return ""


def too_few(gate: Gate, setup: Setup) -> dict[str, str]:
    """Return the cells with too few rounds for a single comparison, with the reason."""
    need = 2 * FIRST_ROUNDS
    counts = {slug: len(gate.complete_rounds(slug)) for slug in setup.costs}
    return {
        slug: f"{count} whole rounds, {need} are needed; give it more --minutes, with --resume"
        for slug, count in counts.items()
        if count < need
    }


def _size_result(
    size: float, trials: Sequence[Trial], real: float | None, disjoint: float
) -> SizeResult:
    verdicts = Counter(trial.answer.verdict.value for trial in trials)
    return SizeResult(
        size=size,
        real=real,
        flagged=rate_of([_alarm(trial) for trial in trials], disjoint),
        unresolved=rate_of(
            [trial.answer.verdict is Verdict.UNRESOLVED for trial in trials], disjoint
        ),
        why_unresolved=next(
            (t.answer.reason for t in trials if t.answer.verdict is Verdict.UNRESOLVED), ""
        ),
        verdicts=dict(verdicts),
        rounds=sum(len(trial.answer.rounds) for trial in trials) / len(trials),
    )


def _alarm(trial: Trial) -> bool:
    return trial.answer.verdict is Verdict.REGRESSED
