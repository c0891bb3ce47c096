import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.harness.selftest.trials import clopper_pearson, rate_of


@pytest.mark.parametrize(
    ("count", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (0, 300, 0.0, 0.0122),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_is_clopper_and_pearsons(
    count: int, trials: int, low: float, high: float
) -> None:
    """Figures as in R's binom.test; 300 without an event exclude 1.22 %."""
    assert clopper_pearson(count, trials) == pytest.approx((low, high), abs=1e-4)


def test_dependent_comparisons_count_as_few_as_share_nothing() -> None:
    dependent = rate_of([False] * 60, 10.0)
    assert (dependent.share, dependent.total) == (0.0, 60)
    assert dependent.high == pytest.approx(0.3085, abs=1e-4)
    assert rate_of([False] * 60, 60.0).high < 0.06


@given(st.lists(st.booleans(), max_size=60), st.floats(0.0, 1.0))
def test_shares_and_bounds_are_shares_in_order(happened: list[bool], part: float) -> None:
    rate = rate_of(happened, part * len(happened))
    assert 0.0 <= rate.low <= rate.share + 1e-12 if happened else rate.low == 0.0
    assert rate.share - 1e-12 <= rate.high <= 1.0


def test_nothing_compared_says_nothing() -> None:
    rate = rate_of([], 0.0)
    assert (rate.share, rate.low, rate.high) == (0.0, 0.0, 1.0)


def test_more_disjoint_comparisons_than_there_are_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="of 2 comparisons, 3 cannot be disjoint"):
        rate_of([True, False], 3.0)
