"""Sparklines, and what a verdict's kind is."""

import numpy as np

from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.badges import kind
from voxgate.harness.report.charts import SPARK_RUNS, sparkline


def test_every_verdict_is_good_open_or_bad() -> None:
    assert {verdict: kind(verdict) for verdict in Verdict} == {
        Verdict.PASS: "good",
        Verdict.IMPROVED: "good",
        Verdict.REGRESSED: "bad",
        Verdict.FAILED: "bad",
        Verdict.UNRESOLVED: "open",
        Verdict.NO_BASELINE: "open",
        Verdict.INCOMPARABLE: "open",
    }


def test_values_of_a_sparkline_run_from_left_to_right_and_larger_ones_stand_higher() -> None:
    spark = sparkline(np.array([1.0, 3.0, 2.0]), [1], "words")
    assert spark is not None
    assert spark.path == "M0.0 21.0L50.0 3.0L100.0 12.0"
    assert spark.changes == ("50.0",)


def test_gap_breaks_the_sparkline() -> None:
    spark = sparkline(np.array([1.0, np.nan, 1.0, 1.0]), [], "words")
    assert spark is not None
    assert spark.path.count("M") == 2


def test_only_the_last_runs_are_drawn_and_older_steps_are_left_out() -> None:
    spark = sparkline(np.arange(200.0), [10, 190], "words")
    assert spark is not None
    assert spark.path.count("L") == SPARK_RUNS - 1
    assert len(spark.changes) == 1


def test_single_value_is_no_line() -> None:
    assert sparkline(np.array([np.nan, 1.0]), [], "words") is None
