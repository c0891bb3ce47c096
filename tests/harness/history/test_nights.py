"""Nights: what counts as one, which are expected, and that a missed one is never filled in."""

import numpy as np
import pytest

from voxgate.harness.history.records import Days
from voxgate.harness.history.series import (
    NO_RUN,
    NoData,
    days_of,
    is_nightly,
    missed_nights,
    nights_of,
    no_data_of,
)

MONDAY = np.datetime64("2026-09-07")


def daily(count: int, *without: int) -> Days:
    return np.delete(MONDAY + np.arange(count), without)


def weekly(weeks: int, *weekdays: int) -> Days:
    return np.array([MONDAY + 7 * week + day for week in range(weeks) for day in weekdays])


def texts(days: Days) -> list[str]:
    return [str(day) for day in days]


def test_a_day_counts_once_by_the_median_of_its_runs() -> None:
    days = days_of(
        [
            "2026-11-18T02:00:00+00:00",
            *["2026-11-19T02:00:00+00:00"] * 3,
            "2026-11-20T23:59:59+00:00",
        ]
    )

    nights = nights_of(days, np.array([1.0, 5.0, 2.0, 3.0, 4.0]))

    assert texts(nights.days) == ["2026-11-18", "2026-11-19", "2026-11-20"]
    assert nights.values.tolist() == [1.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("days", "nightly"),
    [
        (daily(7), True),
        (daily(6), False),
        (daily(40, 3, 9, 17, 30), True),
        (np.delete(daily(100), np.s_[30:60]), True),  # dead for a month: still expected
        (weekly(6, 0, 1, 2, 3, 4), True),
        (weekly(8, 6), True),
        # by hand, when somebody felt like it
        (MONDAY + np.cumsum([0, 1, 4, 2, 9, 1, 5, 3, 2, 6]), False),
        (np.repeat(daily(3), 10), False),
        (days_of([]), False),
    ],
)
def test_a_rhythm_is_every_day_or_the_same_days_of_every_week(days: Days, nightly: bool) -> None:
    assert is_nightly(days) is nightly


def test_missed_nights_are_the_expected_ones_until_yesterday() -> None:
    days = daily(10, 4)

    assert texts(missed_nights(days, "2026-09-17")) == ["2026-09-11"]
    assert texts(missed_nights(days, "2026-09-18")) == ["2026-09-11", "2026-09-17"]
    assert texts(missed_nights(days, "2026-09-16")) == ["2026-09-11"]  # it ran already today
    assert texts(missed_nights(days_of([]), "2026-09-18")) == []


def test_weekends_are_expected_only_where_they_run() -> None:
    """
    The Wednesday of the third week is missed, no Saturday is; whoever runs on Saturdays misses
    them.
    """
    weekdays = np.delete(weekly(4, 0, 1, 2, 3, 4), 12)

    assert texts(missed_nights(weekdays, "2026-10-05")) == ["2026-09-23"]
    assert "2026-09-12" in texts(missed_nights(np.append(weekdays, MONDAY + 26), "2026-10-05"))


def test_in_the_first_two_weeks_every_day_is_expected() -> None:
    assert texts(missed_nights(weekly(1, 0, 1, 2, 3, 4), "2026-09-14")) == [
        "2026-09-12",
        "2026-09-13",
    ]


def test_no_data_says_why() -> None:
    days = daily(5, 1)
    values = np.array([1.0, np.nan, 1.0, np.nan])
    missing = np.array([None, "timeout: 600 s", None, "no CUDA device"], dtype=object)

    expected = [
        ("2026-09-08", NO_RUN, False),
        ("2026-09-09", "timeout: 600 s", True),
        ("2026-09-11", "no CUDA device", True),
    ]

    found = no_data_of(days, values, missing, "2026-09-12", nightly=True)
    assert found == tuple(
        NoData(night=night, why=why, had_run=had_run) for night, why, had_run in expected
    )
    assert [
        each.night for each in no_data_of(days, values, missing, "2026-09-12", nightly=False)
    ] == [
        "2026-09-09",
        "2026-09-11",
    ]


def test_a_night_with_a_failed_run_and_a_good_one_has_data() -> None:
    days, values = np.repeat(daily(3), 2), np.array([1.0, 1.0, np.nan, 1.0, 1.0, np.nan])

    assert (
        no_data_of(days, values, np.full(6, "broken", dtype=object), "2026-09-10", nightly=True)
        == ()
    )
