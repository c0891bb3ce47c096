"""Percentiles and real-time factors by hand."""

import math

import pytest

from voxgate.harness.analysis.speed import latency_percentile, rtf, rtf_median, rtfx
from voxgate.harness.records.measurement import Missing


def test_percentiles_interpolate_linearly():
    assert latency_percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.5
    assert latency_percentile([4.0, 1.0, 3.0, 2.0], 95) == pytest.approx(3.85)


def test_rtf_is_sum_over_sum_and_not_the_mean_of_ratios():
    assert rtf([1.0, 1.0], [1.0, 3.0]) == 0.5


def test_rtf_median_is_of_the_ratios():
    assert rtf_median([1.0, 1.0, 50.0], [2.0, 1.0, 1.0]) == 1.0


def test_twice_as_fast_as_speech_is_rtf_one_half_and_rtfx_two():
    assert (rtf([1.0], [2.0]), rtfx([1.0], [2.0])) == (0.5, 2.0)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_latency_is_missing_not_averaged(wrong: float):
    for value in (
        latency_percentile([1.0, wrong], 50),
        rtf([1.0, wrong], [1.0, 1.0]),
        rtfx([1.0, 1.0], [1.0, wrong]),
    ):
        assert isinstance(value, Missing)


def test_no_latencies_and_unequal_lists_are_missing():
    assert latency_percentile([], 50) == Missing("no latencies")
    assert rtf([1.0], [1.0, 2.0]) == Missing("1 latencies but 2 audio durations")
