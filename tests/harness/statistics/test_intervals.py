"""
Pure numbers: each fast method against a slow one in plain loops, invariances, and honesty with few
processes.
"""

import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.harness import statistics as stats

MEDIAN = stats.at_percentile(50.0)
times = st.floats(min_value=0.01, max_value=10.0)
groups = st.lists(st.lists(times, min_size=1, max_size=6), min_size=2, max_size=4)
few = settings(max_examples=25, deadline=None)


def slow_percentile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    place = (len(ordered) - 1) * q / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def slow_bootstrap(sides: list[list[list[float]]], statistic, draws: int) -> list[float]:
    """Log-ratio of the last side over the first (log of the only side), in plain loops."""
    rng = random.Random(1)
    answers = []
    for _ in range(draws):
        logs = []
        for side in sides:
            chosen = [rng.choice(side) for _ in side]
            logs.append(math.log(statistic([rng.choice(group) for group in chosen for _ in group])))
        answers.append(logs[-1] - (logs[0] if len(logs) == 2 else 0.0))
    return answers


def slow_welch(before: list[float], now: list[float], tail: float) -> float:
    parts = [statistics.variance(side) / len(side) for side in (before, now)]
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(side) - 1) for part, side in zip(parts, (before, now), strict=True)
    )
    from scipy import stats as scipy_stats

    return float(scipy_stats.t.ppf(1 - tail, freedom)) * math.sqrt(sum(parts))


@given(st.lists(times, min_size=1, max_size=30), st.floats(min_value=0, max_value=100))
@few
def test_percentile_agrees_with_the_slow_one_and_with_numpy(values: list[float], q: float) -> None:
    assert float(stats.percentile(values, q)) == pytest.approx(slow_percentile(values, q))
    assert float(stats.percentile(values, q)) == pytest.approx(float(np.percentile(values, q)))


def test_percentile_reads_nan_as_padding_and_refuses_nothing_but_nan() -> None:
    assert stats.percentile(np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 8.0]]), 50.0).tolist() == [
        1.5,
        4.0,
    ]
    with pytest.raises(ValueError, match="at least one value"):
        stats.percentile(np.array([np.nan]), 50.0)


def test_rate_is_sum_over_sum_and_its_inverse_inverts() -> None:
    rows = np.array([[0.5, 2.0], [0.1, 8.0], [np.nan, np.nan]])
    assert float(stats.rate(rows)) == pytest.approx((1.0 + 0.8) / 10.0)
    assert float(stats.inverse_rate(rows)) == pytest.approx(10.0 / 1.8)


def test_samples_needed_are_those_of_the_order_statistics() -> None:
    assert [stats.samples_needed(q) for q in (50.0, 95.0, 99.0)] == [5, 59, 299]
    assert stats.samples_needed(95.0, 0.99) == 90


def test_shift_agrees_with_plain_loops() -> None:
    """
    Bounds are the wider of a looped bootstrap and a looped Welch interval, within Monte Carlo
    error.
    """
    rng = np.random.default_rng(3)
    before, now = (
        [list(np.exp(rng.normal(m, 0.02) + rng.normal(0, 0.03, 8 + k))) for k in range(4)]
        for m in (0.0, 0.1)
    )
    found = stats.shift(before, now, MEDIAN)
    logs = slow_bootstrap([before, now], lambda v: slow_percentile(v, 50), 2000)
    pooled = [
        slow_percentile([value for group in side for value in group], 50) for side in (before, now)
    ]
    point = math.log(pooled[1] / pooled[0])
    medians = [[math.log(slow_percentile(g, 50)) for g in side] for side in (before, now)]
    reach = slow_welch(*medians, 0.025)
    assert found.point == pytest.approx(math.expm1(point))
    assert found.low == pytest.approx(
        math.expm1(min(slow_percentile(logs, 2.5), point - reach)), abs=0.004
    )
    assert found.high == pytest.approx(
        math.expm1(max(slow_percentile(logs, 97.5), point + reach)), abs=0.004
    )


def test_interval_agrees_with_plain_loops() -> None:
    rng = np.random.default_rng(4)
    sides = [list(np.exp(rng.normal(0, 0.02) + rng.normal(0, 0.03, 10))) for _ in range(12)]
    found = stats.interval(sides, MEDIAN)
    logs = slow_bootstrap([sides], lambda v: slow_percentile(v, 50), 2000)
    assert found.low is not None
    assert found.low <= math.exp(slow_percentile(logs, 2.5)) * 1.002
    assert found.low == pytest.approx(math.exp(slow_percentile(logs, 2.5)), abs=0.02)


def test_rate_difference_agrees_with_plain_loops() -> None:
    rng = random.Random(5)
    words = [float(rng.randint(3, 12)) for _ in range(40)]
    before = [rng.randint(0, 2) / count for count in words]
    now = [
        value + rng.choice((0, 0, 1)) / count for value, count in zip(before, words, strict=True)
    ]
    found = stats.paired_rate_difference(before, now, words)
    extra = [(b - a) * w for a, b, w in zip(before, now, words, strict=True)]
    drawn = []
    for _ in range(2000):
        picks = [rng.randrange(len(words)) for _ in words]
        drawn.append(sum(extra[i] for i in picks) / sum(words[i] for i in picks))
    assert found.point == pytest.approx(sum(extra) / sum(words))
    assert found.low == pytest.approx(slow_percentile(drawn, 2.5), abs=0.004)
    assert found.high == pytest.approx(slow_percentile(drawn, 97.5), abs=0.004)


@given(groups, groups, st.floats(min_value=0.1, max_value=10))
@few
def test_scaling_all_times_leaves_the_ratio(before: list, now: list, k: float) -> None:
    plain = stats.shift(before, now, MEDIAN)
    scaled = stats.shift(
        [[k * v for v in g] for g in before], [[k * v for v in g] for g in now], MEDIAN
    )
    assert scaled.point == pytest.approx(plain.point)
    assert scaled.low == pytest.approx(plain.low)
    assert scaled.at_most == pytest.approx(plain.at_most)


@given(groups, groups)
@few
def test_swapping_the_sides_inverts_the_ratio(before: list, now: list) -> None:
    one, other = stats.shift(before, now, MEDIAN), stats.shift(now, before, MEDIAN)
    assert math.log1p(one.point) == pytest.approx(-math.log1p(other.point))


@given(st.lists(st.floats(min_value=-5, max_value=5), min_size=2, max_size=12))
@few
def test_swapping_a_pair_flips_the_sign(differences: list[float]) -> None:
    one, other = (
        stats.paired_bootstrap(differences),
        stats.paired_bootstrap([-d for d in differences]),
    )
    assert one.point == pytest.approx(-other.point)
    assert one.low == pytest.approx(-(other.high or 0.0), abs=1e-9)


@given(groups, groups)
@few
def test_bounds_hold_the_point_and_one_sided_bounds_lie_inside(before: list, now: list) -> None:
    found = stats.shift(before, now, MEDIAN)
    assert found.low <= found.at_least <= found.point + 1e-12
    assert found.point - 1e-12 <= found.at_most <= found.high


def test_the_same_numbers_give_the_same_bounds() -> None:
    assert stats.shift([[1, 2], [2, 3]], [[1, 2], [2, 4]], MEDIAN) == stats.shift(
        [[1, 2], [2, 3]], [[1, 2], [2, 4]], MEDIAN
    )


def test_one_process_has_a_point_and_no_bounds() -> None:
    assert stats.interval([[1.0, 2.0, 3.0]], MEDIAN) == stats.Interval(
        point=2.0, low=None, high=None
    )
    assert stats.shift([[1.0]], [[1.1], [1.1]], MEDIAN).at_least is None
    assert stats.paired_bootstrap([0.3]) == stats.Shift(point=0.3)


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_intervals_of_few_processes_cover_the_truth_in_at_least_93_percent(processes: int) -> None:
    """
    The bootstrap alone covers 70 % with two processes and 83 % with three (measured with these
    seeds).
    """
    rng = np.random.default_rng(processes)
    held = 0
    for _ in range(200):
        before, now = (
            [np.exp(rng.normal(0, 0.02) + rng.normal(0, 0.005, 10)) for _ in range(processes)]
            for _ in range(2)
        )
        found = stats.shift(before, now, MEDIAN)
        held += found.low <= 0.0 <= found.high
    assert held >= 0.93 * 200


def test_nothing_to_summarise_is_refused() -> None:
    with pytest.raises(ValueError, match="no value"):
        stats.interval([[]], MEDIAN)
    with pytest.raises(ValueError, match="no pair"):
        stats.paired_bootstrap([])
    with pytest.raises(ValueError, match="at least one word"):
        stats.paired_rate_difference([0.0], [0.0], [0.0])
