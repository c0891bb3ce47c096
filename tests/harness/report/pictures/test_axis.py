"""Axes of pictures: what lies where, and which values are written beside them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.harness.report.pictures.axis import Scale, scale_of

FINITE = st.floats(min_value=-1e9, max_value=1e9, allow_subnormal=False)


def test_a_value_lies_where_its_share_of_the_range_is() -> None:
    scale = Scale(low=0.0, high=10.0, start=100.0, end=0.0)
    assert [scale.at(value) for value in (0.0, 2.5, 10.0, 99.0)] == [100.0, 75.0, 0.0, 0.0]


def test_equal_factors_are_equal_distances_on_a_logarithmic_axis() -> None:
    scale = Scale(low=0.1, high=10.0, start=0.0, end=200.0, is_log=True)
    assert [scale.at(value) for value in (0.1, 1.0, 10.0)] == [0.0, 100.0, 200.0]
    assert scale.ticks(7) == (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    assert scale.ticks(4) == (0.1, 1.0, 10.0)


@given(st.lists(FINITE, min_size=1, max_size=9))
def test_ticks_are_few_rising_and_on_the_axis(values: list[float]) -> None:
    scale = scale_of(values, 0.0, 100.0)
    ticks = scale.ticks(6)
    assert len(ticks) <= 8
    assert list(ticks) == sorted(set(ticks))
    width = scale.high - scale.low
    assert all(scale.low - width * 1e-6 <= tick <= scale.high + width * 1e-6 for tick in ticks)
    assert all(0.0 <= scale.at(value) <= 100.0 for value in values)


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf]])
def test_no_axis_is_made_of_nothing(values: list[float]) -> None:
    with pytest.raises(ValueError, match="no axis"):
        scale_of(values, 0.0, 1.0)


def test_a_logarithmic_axis_takes_no_zero() -> None:
    with pytest.raises(ValueError, match="no axis"):
        scale_of([0.0, 1.0], 0.0, 1.0, is_log=True)
