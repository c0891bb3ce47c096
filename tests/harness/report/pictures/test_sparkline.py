"""Lines as big as a word: against the limit, with gaps, on one scale."""

import numpy as np
import pytest

from voxgate.harness.report.pictures.sparkline import Spark, extent_of, sparkline


def drawn(*over: float, missed: tuple[int, ...] = (), extent: float = 2.0) -> Spark:
    line = np.array(over)
    spark = sparkline(line, line, missed, [1], extent, "words")
    assert spark is not None
    return spark


def test_nights_run_from_left_to_right_and_a_value_at_its_level_stands_in_the_middle() -> None:
    spark = drawn(0.0, 1.0, -1.0, 0.0)
    assert spark.path == "M12.5 11.0 37.5 6.0 62.5 16.0 87.5 11.0"
    assert (spark.top, spark.height) == ("6.0", "10.0"), "the band reaches to the limit"
    assert spark.changes == ("37.5",)


def test_what_is_beyond_the_limit_is_drawn_again() -> None:
    assert drawn(0.0, 0.9, 1.5, 1.6).beyond == "M62.5 3.5 87.5 3.0"
    assert drawn(0.0, 0.9, 0.8, 1.6).beyond == "M87.1 3.0h.8"
    assert drawn(0.0, 0.9, -1.5, -1.6).beyond == "", "better is not worse"


def test_missed_night_is_a_gap_and_a_tick_on_the_floor_and_another_run_is_neither() -> None:
    spark = drawn(0.0, np.nan, 0.0, 0.0, missed=(1,))
    assert spark.path.count("M") == 2 and spark.floor == "M37.5 24v-3"
    spark = drawn(0.0, np.nan, 0.0, 0.0)
    assert spark.path.count("M") == 1 and spark.floor == ""


def test_single_night_is_no_line() -> None:
    assert sparkline(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), [], [], 2.0, "") is None


@pytest.mark.parametrize(
    ("lines", "extent"),
    [([[0.1, -0.2]], 1.25), ([[0.1], [-3.0, np.nan]], 3.0), ([[40.0]], 5.0), ([[np.nan]], 1.25)],
)
def test_lines_of_a_metric_share_a_scale_that_holds_the_limit(
    lines: list[list[float]], extent: float
) -> None:
    assert extent_of(map(np.array, lines)) == extent
