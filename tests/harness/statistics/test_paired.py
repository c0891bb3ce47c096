"""
Paired comparisons, p-values and what a run can see: each against plain loops, and its invariances.
"""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from voxgate.harness import statistics as stats

MEDIAN = stats.at_percentile(50.0)
times = st.floats(min_value=0.01, max_value=10.0)
few = settings(max_examples=25, deadline=None)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[list[float]], list[list[float]]]:
    rounds, size = draw(st.integers(2, 6)), draw(st.integers(1, 5))
    side = st.lists(st.lists(times, min_size=size, max_size=size), min_size=rounds, max_size=rounds)
    return draw(side), draw(side)


def slow_ratios(before: list[list[float]], now: list[list[float]]) -> list[float]:
    return [
        statistics.median(math.log(b) - math.log(a) for a, b in zip(old, new, strict=True))
        for old, new in zip(before, now, strict=True)
    ]


@given(pairs())
@few
def test_matched_shift_agrees_with_the_paired_t_test_in_plain_loops(
    sides: tuple[list[list[float]], list[list[float]]],
) -> None:
    ratios = slow_ratios(*sides)
    found = stats.paired_shift(*sides, None)
    assert math.log1p(found.point) == pytest.approx(statistics.mean(ratios), abs=1e-9)
    error = statistics.stdev(ratios) / math.sqrt(len(ratios))
    assert found.error == pytest.approx(error, abs=1e-9)
    assert found.freedom == len(ratios) - 1
    reach = float(scipy_stats.t.ppf(0.95, len(ratios) - 1)) * error
    assert found.at_least is not None
    assert found.at_least <= math.expm1(statistics.mean(ratios) - reach) + 1e-9


@given(pairs())
@few
def test_swapping_the_sides_turns_the_ratio_over(
    sides: tuple[list[list[float]], list[list[float]]],
) -> None:
    there, back = stats.paired_shift(*sides, None), stats.paired_shift(sides[1], sides[0], None)
    assert (1 + there.point) * (1 + back.point) == pytest.approx(1.0)
    assert there.error == pytest.approx(back.error)


@given(pairs(), st.floats(min_value=0.01, max_value=100.0))
@few
def test_a_common_factor_of_a_round_leaves_the_ratio_alone(
    sides: tuple[list[list[float]], list[list[float]]], factor: float
) -> None:
    """That is what pairing is for: a round on a slow machine is a round."""
    loaded = [
        [
            [value * factor if index == 0 else value for value in group]
            for index, group in enumerate(side)
        ]
        for side in sides
    ]
    for statistic in (None, MEDIAN):
        plain, disturbed = (
            stats.paired_shift(*sides, statistic),
            stats.paired_shift(*loaded, statistic),
        )
        assert disturbed.point == pytest.approx(plain.point)
        assert disturbed.error == pytest.approx(plain.error, abs=1e-9)


@given(pairs(), st.floats(min_value=0.5, max_value=2.0))
@few
def test_a_slow_down_by_k_multiplies_the_ratio_by_k(
    sides: tuple[list[list[float]], list[list[float]]], k: float
) -> None:
    slower = [[value * k for value in group] for group in sides[1]]
    for statistic in (None, MEDIAN):
        plain, moved = (
            stats.paired_shift(*sides, statistic),
            stats.paired_shift(sides[0], slower, statistic),
        )
        assert 1 + moved.point == pytest.approx((1 + plain.point) * k)
        assert moved.error == pytest.approx(plain.error, abs=1e-9)


def test_pairing_sees_through_drift_that_hides_the_change_from_unpaired_processes() -> None:
    """
    Rounds that differ by up to 30 %, and 5 % between the sides: pairs see it to a tenth of a
    percent, processes do not.
    """
    rng = np.random.default_rng(3)
    drift = np.exp(rng.uniform(0, 0.3, 8))
    before = [0.1 * each * np.exp(rng.normal(0, 0.002, 10)) for each in drift]
    now = [0.105 * each * np.exp(rng.normal(0, 0.002, 10)) for each in drift]
    paired, unpaired = stats.paired_shift(before, now, MEDIAN), stats.shift(before, now, MEDIAN)
    assert paired.low is not None
    assert paired.high is not None
    assert unpaired.low is not None
    assert 0.048 < paired.low < 0.05 < paired.high < 0.052
    assert unpaired.low < 0.0


def test_rates_are_paired_by_their_statistic() -> None:
    rows = [np.array([[0.1, 2.0], [0.3, 1.0]])] * 3
    slower = [np.array([[0.11, 2.0], [0.33, 1.0]])] * 3
    found = stats.paired_shift(rows, slower, stats.rate)
    assert found.point == pytest.approx(0.1)
    assert found.at_least == pytest.approx(0.1)


def test_one_round_has_no_bounds_and_unlike_sides_are_refused() -> None:
    alone = stats.paired_shift([[1.0]], [[1.1]], None)
    assert (round(alone.point, 6), alone.low, alone.error) == (0.1, None, None)
    with pytest.raises(ValueError, match="as many rounds"):
        stats.paired_shift([[1.0]], [[1.0], [1.0]], None)
    with pytest.raises(ValueError, match="as many"):
        stats.paired_shift([[1.0]] * 2, [[1.0, 2.0]] * 2, None)


def test_p_value_is_the_tail_of_students_t_and_its_line_is_the_one_sided_bound() -> None:
    rng = np.random.default_rng(5)
    before = [list(np.exp(rng.normal(0, 0.02, 9))) for _ in range(6)]
    now = [list(np.exp(rng.normal(0.05, 0.02, 9))) for _ in range(6)]
    found = stats.paired_shift(before, now, MEDIAN)
    ratios = [
        math.log(statistics.median(b)) - math.log(statistics.median(a))
        for a, b in zip(before, now, strict=True)
    ]
    expected = scipy_stats.ttest_1samp(ratios, math.log(1.01), alternative="greater").pvalue
    assert stats.p_beyond(found, 0.01) == pytest.approx(expected)


def test_p_value_where_nothing_is_known_and_where_nothing_varies() -> None:
    assert stats.p_beyond(stats.Shift(point=0.5), 0.01) == 1.0
    assert stats.p_beyond(stats.Shift(point=0.02, error=0.0, freedom=3.0), 0.01) == 0.0
    assert stats.p_beyond(stats.Shift(point=0.01, error=0.0, freedom=3.0), 0.01) == 1.0


@given(st.lists(st.floats(min_value=0, max_value=1), max_size=12))
@few
def test_benjamini_hochberg_agrees_with_scipys_adjusted_p_values(p_values: list[float]) -> None:
    expected = scipy_stats.false_discovery_control(p_values) <= 0.05 if p_values else []
    assert stats.benjamini_hochberg(p_values, 0.05) == list(expected)


def test_many_quiet_cells_do_not_hide_one_that_regressed() -> None:
    assert stats.benjamini_hochberg([0.001] + [0.5] * 20, 0.05) == [True] + [False] * 20


@pytest.mark.parametrize(("error", "rounds"), [(0.004, 4), (0.01, 8), (0.02, 12)])
def test_what_can_be_seen_is_seen_nine_times_in_ten(error: float, rounds: int) -> None:
    """Simulated: estimates stray by `error`, which is itself estimated from as many rounds."""
    line, bound = 0.035, 0.014
    true = stats.detectable(error, rounds - 1, line, bound)
    rng = np.random.default_rng(11)
    ratios = rng.normal(math.log1p(true), error * math.sqrt(rounds), (4000, rounds))
    mean, spread = ratios.mean(axis=1), ratios.std(axis=1, ddof=1) / math.sqrt(rounds)
    proven = mean - float(scipy_stats.t.ppf(0.95, rounds - 1)) * spread > math.log1p(bound)
    assert 0.86 <= float(np.mean((mean > math.log1p(line)) & proven)) <= 0.99


def test_more_noise_can_only_hide() -> None:
    seen = [stats.detectable(error, 7, 0.035, 0.014) for error in (0.0, 0.002, 0.01, 0.03)]
    assert seen[0] == pytest.approx(0.035)
    assert seen == sorted(seen)


def cells_of(rng: np.random.Generator, variances: np.ndarray, size: int) -> list[np.ndarray]:
    return [rng.normal(0.0, math.sqrt(variance), size) for variance in variances]


def test_a_prior_recovers_how_alike_the_cells_are() -> None:
    """
    Variances drawn around 0.0004 with ten degrees of freedom, each seen through four processes.
    """
    rng = np.random.default_rng(21)
    variances = 0.0004 * 10 / rng.chisquare(10, 4000)
    prior = stats.prior_of(cells_of(rng, variances, 4))
    assert prior.variance == pytest.approx(0.0004, rel=0.1)
    assert prior.freedom == pytest.approx(10, rel=0.3)


def test_cells_that_differ_widely_hardly_lean_on_each_other_and_equal_ones_wholly() -> None:
    rng = np.random.default_rng(22)
    unlike = stats.prior_of(cells_of(rng, np.exp(rng.normal(-8, 4, 60)), 4))
    alike = stats.prior_of(cells_of(rng, np.full(60, 0.0004), 4))
    assert unlike.freedom < 1.0
    assert alike.freedom > 60


def test_too_few_cells_or_no_spread_teach_nothing() -> None:
    rng = np.random.default_rng(23)
    assert stats.prior_of(cells_of(rng, np.full(2, 0.0004), 4)) == stats.NO_PRIOR
    assert stats.prior_of([np.zeros(4)] * 6) == stats.NO_PRIOR
    assert stats.prior_of([np.zeros(1)] * 6) == stats.NO_PRIOR


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_moderated_bounds_keep_their_level_and_are_narrower(spread: float) -> None:
    """
    Six cells, four rounds, nothing changed: a one-sided 95 % bound lies above zero in 5 % of
    comparisons, also where the cells' noise differs by a factor of e.
    """
    rng = np.random.default_rng(24)
    wrong, wrong_alone, width, width_alone, count = 0, 0, 0.0, 0.0, 0
    for _ in range(150):
        variances = 0.0004 * np.exp(rng.normal(0.0, spread, 6))
        cells = cells_of(rng, variances, 4)
        prior = stats.prior_of(cells)
        for cell in cells:
            ones = [[1.0]] * 4
            moderated = stats.paired_shift(
                ones, [[math.exp(value)] for value in cell], None, prior=prior
            )
            alone = stats.paired_shift(ones, [[math.exp(value)] for value in cell], None)
            assert moderated.at_least is not None
            assert alone.at_least is not None
            wrong, wrong_alone = (
                wrong + (moderated.at_least > 0.0),
                wrong_alone + (alone.at_least > 0.0),
            )
            width, width_alone = (
                width + moderated.point - moderated.at_least,
                width_alone + alone.point - alone.at_least,
            )
            count += 1
    assert wrong / count < 0.07
    assert wrong_alone / count < 0.07
    assert width < 0.9 * width_alone
