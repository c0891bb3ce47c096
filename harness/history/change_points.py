"""
Change points: the runs at which a metric stepped, found by energy distances in windows and tested
by Student's t.

The method of Hunter (Fleming et al., ICPE 2023, doi:10.1145/3578244.3583719), which Apache Otava
carries on: E-divisive (Matteson & James, JASA 2014, arXiv:1306.4933) in windows that overlap by
half, with a t-test in place of its permutations, so that the same series always gives the same
steps; then the weakest steps are merged until the remaining ones are strong enough. Implemented
here from the papers because apache-otava 0.8 pins numpy 2.2 and brings BigQuery, Slack and
PostgreSQL clients along; `docs/evidence/change-points.md` compares the two. Differences: a lone bad
night is put aside first, a segment has at least three nights, and a cut may prove itself on the two
parts that E-divisive found most unlike, not only on the whole window.

A step is news with a date and never an alarm: on noise alone this finds about one a year
(`alarm.py` raises alarms). Pure; knows no metric, no policy and no calendar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.ndimage import median_filter

from voxgate.harness.history.budget import Margin, shift_of
from voxgate.harness.history.records import Array, Texts, Whole

Flags = npt.NDArray[np.bool_]
Sums = tuple[Array, Array]
"""Running sums of the values and of their squares, from zero on."""

WINDOW = 50
"""Runs per window (Hunter's and Otava's default): in a longer one the past outweighs a step."""
STRIDE = WINDOW // 2
STRONG_P = 0.001
"""The p-value that a step needs in the end (Otava's default)."""
WEAK_P = 10 * STRONG_P
"""
The p-value of a candidate: two steps close together hide each other until both are known (Hunter,
Otava).
"""
ROUNDING = 1e-12
LEAST_SEGMENT = 3
"""
Runs that a segment must have. One or two runs are bad luck; three are the number that an alarm
needs too.
"""
NEAR = 5
"""
Runs among which a lone bad one is detected: the middle of five keeps a step sharp and drops
whatever lasts at most two.
"""
SPIKE_MADS = 8.0
"""
A run that is this many MADs (of all runs, each about its neighbours' median) from its neighbours'
median is put aside: about four standard deviations, where one run in 3,400 of normal noise lies
(Hampel's identifier: Davies & Gather, JASA 1993). Student's t would call one bad run among fifty a
step however far off it lies, once three runs make a segment.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """
    A step: the run at `index` is the first of the new level.

    `shift` is relative, + is larger; a difference in the metric's unit where `absolute` is set.
    `before` and `after` are the levels on both sides (means, lone bad runs aside), `at` is the time
    of the run.
    """

    index: int
    at: str
    before: float
    after: float
    shift: float
    absolute: bool
    p_value: float


def change_points(values: Array, times: Texts, margin: Margin) -> tuple[ChangePoint, ...]:
    """
    Find the steps larger than `margin` in a series without gaps, oldest run first; `times` are
    those of the runs.
    """
    if len(values) < 2 * LEAST_SEGMENT or np.ptp(values) <= margin.of(values).min():
        # too short for two levels, or even the extremes lie too close together for a step
        return ()
    calm = without_spikes(values)
    return _described(calm, times, steps(calm, margin), margin)


def without_spikes(values: Array) -> Array:
    """Replace every lone run that is far off by the median of its neighbours."""
    near = median_filter(values, NEAR, mode="mirror")
    off = np.abs(values - near)
    return np.asarray(np.where(off > SPIKE_MADS * np.median(off), near, values))


def steps(values: Array, margin: Margin) -> list[int]:
    """Return the indexes at which a series steps by more than `margin`."""
    return redated(values, merged(values, candidates(values), margin))


def candidates(values: Array) -> list[int]:
    """
    Return the indexes at which the windows are divided; after a division, the next window begins
    there.
    """
    sums = _running_sums(values)
    cuts: set[int] = set()
    grid = 0
    while grid < len(values):
        grid = _divide_windows(values, sums, grid, cuts)
    return sorted(cuts)


def merged(values: Array, cuts: Sequence[int], margin: Margin) -> list[int]:
    """
    Remove the weakest cut, and the next weakest of the remaining ones, until every cut is strong
    and large enough.
    """
    left = list(cuts)
    while left:
        means, p_values = _tests(values, left)
        doubts = np.where(
            p_values < STRONG_P, _beside_short(left, len(values)) * (1.0 + p_values), 2.0 + p_values
        )
        weakest = int(np.argmax(doubts))
        if doubts[weakest] == 0.0:
            beyond = np.abs(np.diff(means)) - margin.of(means[:-1])
            weakest = int(np.argmin(beyond))
            if beyond[weakest] > 0.0:
                break
        del left[weakest]
    return left


def redated(values: Array, cuts: Sequence[int]) -> list[int]:
    """
    Move every cut to where it parts its two segments best: a window may have ended, or begun, at an
    unlucky place.
    """
    edges = [0, *cuts, len(values)]
    for place in range(1, len(edges) - 1):
        start, stop = edges[place - 1], edges[place + 1]
        between = _between(_running_sums(values[start:stop]), np.zeros(1, dtype=int), stop - start)[
            0
        ]
        allowed = slice(LEAST_SEGMENT - 1, len(between) - LEAST_SEGMENT + 1)
        edges[place] = start + LEAST_SEGMENT + int(np.argmax(between[allowed]))
    return edges[1:-1]


def energy_split(values: Array) -> tuple[int, int]:
    """
    Return tau and kappa of E-divisive: they make values[:tau] and values[tau:kappa] most unlike.

    Unlike is m n / (m + n) x (2 E|X - Y| - E|X - X'| - E|Y - Y'|), Matteson & James' Q with
    exponent 1. A part may be a single value: where a step is at the end of a window, the first
    value behind it is enough. All sums of pairs are read off one table of sums over rectangles of
    the distances.
    """
    n = len(values)
    sums = np.zeros((n + 1, n + 1))
    sums[1:, 1:] = np.abs(values[:, None] - values[None, :]).cumsum(axis=0).cumsum(axis=1)
    within = np.diagonal(sums) / 2.0  # pairs among the first k
    of_sums, of_left, of_both, forbidden = _weights(n)
    unlike = of_sums * sums - of_left * within[:, None] - of_both * within + forbidden
    tau, kappa = np.unravel_index(np.argmax(unlike), unlike.shape)
    return int(tau), int(kappa)


def _divide_windows(values: Array, sums: Sums, grid: int, all_cuts: set[int]) -> int:
    """
    Divide window after window from `grid` on, adding to `all_cuts`, until a division shifts the
    grid; return the new one.
    """
    starts = np.arange(grid, len(values), STRIDE)
    whole = starts[starts + WINDOW <= len(values)]
    differing = _differ(sums, whole, WINDOW)
    suspects = np.flatnonzero(differing.any(axis=1))
    for which in [*suspects, *range(len(whole), len(starts))]:
        start = int(starts[which])
        results = differing[which] if which < len(whole) else None
        cuts = _divide(values, sums, start, min(start + WINDOW, len(values)), results)
        all_cuts.update(cuts)
        if cuts and cuts[-1] > start + STRIDE:
            return cuts[-1]
    return len(values)


def _divide(
    values: Array, sums: Sums, start: int, stop: int, differ: Flags | None = None
) -> list[int]:
    """
    Divide values[start:stop], and each part again, as long as the parts differ; `differ` is the
    result of `_differ` for it.
    """
    if stop - start <= 2:
        return []
    if differ is None:
        differ = _differ(sums, np.array([start]), stop - start)[0]
    if not differ.any():
        return []  # however it is cut: the dearer search is not worth while
    cut, end = energy_split(values[start:stop])
    # what lies behind `end` may be back at the old level, and hide a step from the whole window
    lasting = min(cut, end - cut) >= LEAST_SEGMENT
    if not differ[cut - 1] and not (lasting and _differ(sums, np.array([start]), end)[0][cut - 1]):
        return []
    middle = start + cut
    return [*_divide(values, sums, start, middle), middle, *_divide(values, sums, middle, stop)]


def _running_sums(values: Array) -> Sums:
    centred = values - values.mean()
    return np.concatenate(([0.0], centred.cumsum())), np.concatenate(([0.0], (centred**2).cumsum()))


def _differ(sums: Sums, starts: Whole, n: int) -> Flags:
    """
    Return, for windows of `n` values (rows) and all their cuts (columns), whether the two parts
    pass Student's t-test at WEAK_P.

    Squares that are left by rounding alone count as zero.
    """
    first, second = sums
    between = _between(sums, starts, n)
    whole = second[starts + n] - second[starts] - (first[starts + n] - first[starts]) ** 2 / n
    within = whole[:, None] - between
    return np.asarray(
        (between * (n - 2) >= _least_t_squared(n) * within) & (between > ROUNDING * second[-1])
    )


def _between(sums: Sums, starts: Whole, n: int) -> Array:
    """
    Return the squares between the two parts of windows of `n` values (rows), for all cuts
    (columns), off the running sums.
    """
    first, _ = sums
    left, factors = _cuts_of(n)
    begun = first[starts, None]
    apart = first[starts[:, None] + left] - begun - (first[starts + n, None] - begun) * (left / n)
    return np.asarray(apart**2 * factors)


def _beside_short(cuts: Sequence[int], n: int) -> Flags:
    """
    Return which cuts have a segment at their side that is too short: candidates of two windows may
    be neighbours.
    """
    short = np.diff(np.array([0, *cuts, n])) < LEAST_SEGMENT
    return short[:-1] | short[1:]


def _tests(values: Array, cuts: Sequence[int]) -> tuple[Array, Array]:
    """
    Return the mean of every segment, and for every cut the p-value of Student's t-test between its
    two segments.
    """
    edges = np.array([0, *cuts, len(values)])
    starts, counts = edges[:-1], np.diff(edges)
    means = np.add.reduceat(values, starts) / counts
    squares = np.add.reduceat((values - np.repeat(means, counts)) ** 2, starts)
    freedom = np.maximum(counts[:-1] + counts[1:] - 2.0, 1.0)
    pooled = (squares[:-1] + squares[1:]) / freedom
    error_squared = pooled * (1.0 / counts[:-1] + 1.0 / counts[1:])
    t_squared = np.diff(means) ** 2
    # two-sided p of t, as a function of t squared; equal constants have p = 1, unlike ones p = 0
    share = np.divide(
        freedom * error_squared,
        freedom * error_squared + t_squared,
        out=np.ones(len(cuts)),
        where=t_squared > 0.0,
    )
    return means, special.betainc(freedom / 2.0, 0.5, share)


@lru_cache(maxsize=4 * WINDOW)
def _cuts_of(n: int) -> tuple[Whole, Array]:
    """Return the cuts of n values, and the factor of the squared sum on their left."""
    left = np.arange(1, n)
    return left, n / (left * (n - left))


@lru_cache(maxsize=WINDOW)
def _least_t_squared(n: int) -> float:
    return float(special.stdtrit(n - 2, 1.0 - WEAK_P / 2.0) ** 2)


@lru_cache(maxsize=WINDOW)
def _weights(n: int) -> tuple[Array, Array, Array, Array]:
    """
    Return the weight of each sum of distances in Q, by tau (rows) and kappa; last, minus infinity
    where a part is empty.

    S is the sum over values[:tau] x values[:kappa], L and K are over the pairs among the first tau
    and the first kappa. Across the two parts the sum is then S - 2 L, and among the right ones K -
    L - (S - 2 L).
    """
    tau, kappa = np.arange(n + 1)[:, None], np.arange(n + 1)[None, :]
    left, right = np.maximum(tau, 1), np.maximum(kappa - tau, 1)
    both = left + right
    across = 2.0 / both
    # a single value has no pairs: their sum is 0, and any weight will do
    among_left = 2.0 * right / (both * np.maximum(left - 1, 1))
    among_right = 2.0 * left / (both * np.maximum(right - 1, 1))
    forbidden = np.where((tau >= 1) & (kappa > tau), 0.0, -np.inf)
    return across + among_right, 2.0 * across + among_left + among_right, among_right, forbidden


def _described(
    values: Array, times: Texts, cuts: Sequence[int], margin: Margin
) -> tuple[ChangePoint, ...]:
    means, p_values = _tests(values, cuts)
    return tuple(
        ChangePoint(
            index=cut,
            at=str(times[cut]),
            before=float(before),
            after=float(after),
            shift=shift_of(float(before), float(after), margin)[0],
            absolute=shift_of(float(before), float(after), margin)[1],
            p_value=float(p_value),
        )
        for cut, before, after, p_value in zip(cuts, means[:-1], means[1:], p_values, strict=True)
    )
