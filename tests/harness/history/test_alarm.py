"""The nightly alarm: what raises it, what ends it, which way is bad; and how often it is wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.history import simulate_nights as simulation
from tests.harness.history.against_otava import stepped
from voxgate.harness.history.alarm import (
    ENOUGH,
    MADS,
    NEEDED,
    OF,
    REFERENCE,
    Alarm,
    alarm_of,
    watches,
)
from voxgate.harness.history.budget import Margin
from voxgate.harness.history.records import Array
from voxgate.harness.history.series import Nights
from voxgate.harness.records.measurement import Better

THREE_PERCENT = Margin(relative=0.03)
FIRST = np.datetime64("2026-09-01")


def alarm(values: Array, better: Better = "lower", margin: Margin = THREE_PERCENT) -> Alarm | None:
    return alarm_of(Nights(days=FIRST + np.arange(len(values)), values=values), margin, better)


def quiet(count: int) -> Array:
    """A level of 1 with less noise than any margin."""
    return np.asarray(1.0 + 0.002 * np.sin(np.arange(count) * 2.4))


def then(*late: float, before: int = 30) -> Array:
    return np.append(quiet(before), late)


def test_three_of_four_nights_raise_an_alarm_with_its_dates_and_its_size() -> None:
    found = alarm(then(1.06, 1.0, 1.06, 1.05))

    assert found is not None
    assert (found.side, found.since, found.raised, found.beyond) == (
        "worse",
        "2026-10-01",
        "2026-10-04",
        3,
    )
    assert (found.level, found.threshold) == (
        pytest.approx(1.0, abs=0.002),
        pytest.approx(0.03, abs=0.0001),
    )
    assert found.shift == pytest.approx(0.055, abs=0.002)


@pytest.mark.parametrize(
    "late",
    [
        (1.06,),
        (1.06, 1.06),
        (1.06, 1.06, 1.0),
        (1.06, 1.0, 1.0, 1.06, 1.06),
        (3.0,),
        (1.06, 0.94, 1.06),
    ],
)
def test_fewer_nights_or_nights_on_both_sides_raise_none(late: tuple[float, ...]) -> None:
    assert alarm(then(*late)) is None


@pytest.mark.parametrize(
    ("better", "late", "side"),
    [
        ("lower", 1.05, "worse"),
        ("lower", 0.95, "better"),
        ("higher", 1.05, "better"),
        ("higher", 0.95, "worse"),
        ("neither", 1.05, "worse"),
        ("neither", 0.95, "worse"),
    ],
)
def test_both_sides_are_seen_and_named(better: Better, late: float, side: str) -> None:
    found = alarm(then(late, late, late), better)

    assert found is not None and found.side == side


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_turning_round_what_is_better_turns_the_alarm_and_changes_nothing_else(seed: int) -> None:
    values, _ = stepped(seed, 0.03)

    lower, higher = alarm(values, "lower"), alarm(values, "higher")

    assert (lower is None) == (higher is None)
    if lower and higher:
        assert {lower.side, higher.side} == {"worse", "better"}
        assert (lower.since, lower.level, lower.shift) == (higher.since, higher.level, higher.shift)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.sampled_from([1e-9, 0.5, 3e8]))
def test_another_unit_gives_the_same_alarms(seed: int, factor: float) -> None:
    values, _ = stepped(seed, 0.03)

    assert [
        (watch.first, watch.raised, watch.back) for watch in watches(values, THREE_PERCENT)
    ] == [
        (watch.first, watch.raised, watch.back) for watch in watches(values * factor, THREE_PERCENT)
    ]


def test_an_alarm_stands_as_long_as_the_change_does() -> None:
    """
    The level is that from before: a regression does not become what is usual, however long it
    lasts.
    """
    found = alarm(then(*[1.05] * 200))

    assert found is not None
    assert (found.since, found.level) == ("2026-10-01", pytest.approx(1.0, abs=0.002))


def test_one_good_night_ends_no_alarm_and_three_of_four_do() -> None:
    assert alarm(then(1.06, 1.06, 1.06, 1.0)) is not None
    assert alarm(then(1.06, 1.06, 1.06, 1.0, 1.0)) is not None
    assert alarm(then(1.06, 1.06, 1.06, 1.0, 1.0, 1.0)) is None


def test_the_nights_of_an_alarm_that_is_over_belong_to_no_later_level() -> None:
    """Thirty bad nights, repaired: what comes back is not news, and the next regression is one."""
    repaired = then(*[1.06] * 30, *[1.0] * 4)

    assert alarm(repaired) is None
    again = alarm(np.append(repaired, [1.05] * 3))
    assert again is not None and again.side == "worse"


def test_an_improvement_moves_no_level() -> None:
    """
    Ten percent faster, not acknowledged, then back: the old level still counts, and nothing is
    worse than it.
    """
    faster = then(*[0.9] * 40)
    found = alarm(faster)

    assert found is not None
    assert (found.side, found.level) == ("better", pytest.approx(1.0, abs=0.002))
    assert alarm(np.append(faster, [1.0] * 4)) is None


def test_a_noisy_metric_needs_more() -> None:
    """Noise of 3 %: 5 % more is no alarm, 20 % more is."""
    noisy = 1.0 + 0.03 * np.random.default_rng(3).normal(size=40)
    mad = float(np.median(np.abs(noisy[-REFERENCE:] - np.median(noisy[-REFERENCE:]))))

    found = alarm(np.append(noisy, [1.2] * 3))

    assert alarm(np.append(noisy, [1.05] * 3)) is None
    assert found is not None and found.threshold > 0.03
    assert found.threshold == pytest.approx(MADS * mad, rel=0.5)


def test_a_constant_metric_alarms_at_the_margin_and_not_below() -> None:
    assert alarm(np.append(np.full(30, 3.6), [3.6 * 1.0299] * 4)) is None
    assert alarm(np.append(np.full(30, 3.6), [3.6 * 1.0301] * 4)) is not None
    assert alarm(np.zeros(30)) is None


def test_a_difference_is_what_counts_for_decibels() -> None:
    values = np.append(np.full(30, 17.0), [16.3] * 3)

    found = alarm(values, "higher", Margin(absolute=0.6))

    assert found is not None and found.absolute
    assert (found.side, found.shift) == ("worse", pytest.approx(-0.7))


def test_without_enough_nights_nothing_is_judged() -> None:
    short = np.append(quiet(ENOUGH - OF - 1), [2.0] * OF)

    assert alarm(short) is None
    assert alarm(np.append(quiet(ENOUGH - OF), [2.0] * OF)) is not None
    assert alarm(np.zeros(0)) is None


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_looking_at_all_nights_at_once_is_looking_at_them_one_by_one(seed: int) -> None:
    """The quick way against one that follows the words of the rule; 300 nights are three blocks."""
    rng = np.random.default_rng(seed)
    values = np.exp(0.01 * rng.normal(size=300) + np.repeat(rng.choice([0.0, 0.04], size=30), 10))

    assert [
        (watch.first, watch.raised, watch.back) for watch in watches(values, THREE_PERCENT)
    ] == slow_watches(values)


def slow_watches(values: Array) -> list[tuple[int, int, int | None]]:
    found: list[tuple[int, int, int | None]] = []
    calm: list[int] = []
    level = threshold = sign = 0.0
    for night in range(len(values)):
        if found and found[-1][2] is None:
            back = [
                index
                for index in range(night - OF + 1, night + 1)
                if not sign * (values[index] - level) > threshold
            ]
            if len(back) < NEEDED:
                continue
            found[-1] = (*found[-1][:2], back[0])
            calm = [
                index
                for index in range(night)
                if not any(first <= index < (end or 0) for first, _, end in found)
            ]
        calm.append(night)
        if len(calm) < ENOUGH:
            continue
        before = values[calm[:-OF][-REFERENCE:]]
        level = float(np.median(before))
        threshold = max(0.03 * abs(level), MADS * float(np.median(np.abs(before - level))))
        for sign in (1.0, -1.0):
            off = [each for each in calm[-OF:] if sign * (values[each] - level) > threshold]
            if len(off) >= NEEDED:
                found.append((off[0], night, None))
                break
    return found


def test_the_error_rates_are_those_of_the_page() -> None:
    """
    docs/how-trends-are-read.md; there with more trials:
    `python -m tests.harness.history.simulate_nights`.
    """
    rng = np.random.default_rng(11)

    assert simulation.false_per_year(rng, simulation.ours, 0.01, years=300) < 0.1
    assert simulation.false_per_year(rng, simulation.last_night, 0.01, years=50) > 5.0
    late = simulation.found_after(rng, 0.05, 0.01, trials=300)
    assert np.median(late) == 3
    assert np.mean(late <= 4) > 0.9
    assert np.mean(late <= 14) > 0.98
