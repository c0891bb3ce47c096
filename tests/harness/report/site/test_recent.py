"""The last nights of a series against its level and limit, as pictures show them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.harness.history.test_trend import (
    LATENCY,
    NO_FILES,
    acknowledged,
    day,
    noise,
    points,
    stepped,
)
from voxgate.harness.history.records import Acknowledgement, Array, Series
from voxgate.harness.history.series import days_of
from voxgate.harness.history.trend import load_rules, trend_of
from voxgate.harness.report.site.nights import _codes, _style
from voxgate.harness.report.site.recent import (
    RecentNights,
    axis_of,
    limit_words,
    night_change,
    recent_nights,
)


def recent(
    values: Array,
    *known: Acknowledgement,
    series: Series = LATENCY,
    without: Sequence[int] = (),
    nightly: bool = True,
) -> RecentNights:
    """The nights of a series as of the day after the last one of `values`."""
    table = points(values, without=without)
    rules, today = load_rules(NO_FILES, known), day(len(values))
    trend = trend_of(series, table, rules, today, nightly=nightly)
    days = days_of(table["created"].tolist()).astype(np.int64)
    axis = axis_of([days], today, nightly=nightly)
    return recent_nights(axis, days, table["value"].to_numpy(), trend)


def styles(nights: RecentNights) -> list[str]:
    return [_style(code) if code else "" for code in _codes(nights)]


def test_a_step_is_held_against_the_level_before_it_and_the_limit() -> None:
    nights = recent(stepped(50, 0.09))
    assert nights.worse[:50].max() < 0.5 and nights.worse[50:].min() > 1.0
    assert set(styles(nights)[:50]) == {""}
    assert set(styles(nights)[50:]) <= {"night-worse-2", "night-worse-3"}


def test_faster_is_better_and_less_is_worse_where_more_is_better() -> None:
    assert styles(recent(stepped(50, -0.09)))[-1].startswith("night-better")
    pesq = replace(LATENCY, metric="pesq", unit="MOS-LQO", better="higher")
    values = np.where(np.arange(60) < 50, 3.5, 3.2)
    assert styles(recent(values, series=pesq))[-1] == "night-worse-3"


def test_an_acknowledged_change_begins_anew_and_is_marked() -> None:
    nights = recent(stepped(30, 0.2), acknowledged(30))
    assert set(styles(nights)) == {""}
    assert nights.cuts == ((30, "acknowledged: more steps", True),)


def test_nights_without_a_run_are_told_from_runs_without_a_value() -> None:
    values = noise(30)
    values[20] = np.nan
    nights = recent(values, without=[10, 11])
    assert nights.missed == (10, 11)
    assert styles(nights)[10:12] == ["night-gap"] * 2
    assert (styles(nights)[20], nights.lost[20].why) == ("night-lost", "timeout: 600 s")


def test_a_silent_machine_is_seen_up_to_yesterday() -> None:
    nights = recent(noise(40), without=range(35, 40))
    assert nights.missed == (35, 36, 37, 38, 39) and nights.axis.count == 40


def test_only_the_last_sixty_nights_are_in_the_picture_and_a_long_alarm_stays_red() -> None:
    nights = recent(stepped(60, 0.2, count=200))
    assert nights.axis.count == 60 and nights.axis.day(59) == day(199)
    assert set(styles(nights)) == {"night-worse-4"}, "its level is that from before the alarm"


def test_without_a_rhythm_a_run_lasts_until_the_next_one() -> None:
    values = stepped(8, 0.3, count=12)
    nights = recent(values, without=[2, 3, 5, 6, 7, 9, 10], nightly=False)
    assert nights.missed == ()
    assert styles(nights)[8:] == ["night-worse-4"] * 4


@pytest.mark.parametrize(
    ("metric", "unit", "values", "change", "limit"),
    [
        ("latency_p50", "s", (1.0, 1.081), "+8.1 %", "5 %"),
        ("pesq", "MOS-LQO", (3.5, 3.17), "-0.33 MOS-LQO", "0.15 MOS-LQO"),
        ("wer", "1", (0.02, 0.05), "+3 points", "1 point"),
    ],
)
def test_changes_and_limits_have_the_units_of_the_other_pages(
    metric: str, unit: str, values: tuple[float, float], change: str, limit: str
) -> None:
    series = replace(LATENCY, metric=metric, unit=unit)
    trend = trend_of(series, points(noise(20)), load_rules(NO_FILES, ()), day(20), nightly=True)
    assert night_change(trend, *values) == change
    assert limit_words(trend, values[0]) == limit
