"""
A trend from its points to its state, and what people can say about it: acknowledgements, versions,
budgets, the policy.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.budget import (
    ALARM,
    STEP,
    Budget,
    Margin,
    margin_of,
    shift_of,
    shift_text,
)
from voxgate.harness.history.records import Acknowledgement, Array, Series
from voxgate.harness.history.trend import SeriesTrend, TrendState, load_rules, trend_of, trends

FIRST = np.datetime64("2026-09-07")
NO_FILES = Path("nowhere")
LATENCY = Series(
    id=3,
    suite="smoke",
    profile="cpu-gate",
    machine="epyc-2c",
    cell="nfe_steps-8",
    label="nfe_steps=8",
    metric="latency_p50",
    unit="s",
    better="lower",
    version="1",
)
SNR = replace(LATENCY, metric="snr", unit="dB", better="higher")
WER = replace(LATENCY, metric="wer", unit="1")
BUDGET = Budget(
    suite="smoke",
    cell="*",
    metric="latency_p50",
    machine="*",
    at_most=1.02,
    at_least=None,
    why="promised",
)


def noise(count: int, seed: int = 1) -> Array:
    return np.asarray(1.0 + 0.005 * np.random.default_rng(seed).normal(size=count))


def stepped(at: int, size: float, count: int = 60) -> Array:
    return np.asarray(noise(count) * np.where(np.arange(count) < at, 1.0, 1.0 + size))


def points(
    values: Sequence[float] | Array, series: int = 3, without: Sequence[int] = (), **columns: object
) -> pd.DataFrame:
    """
    A run every night at 02:00; NaN is a run without a value, `without` are nights without a run.
    """
    kept = [night for night in range(len(values)) if night not in without]
    table = {
        "series": np.full(len(values), series),
        "run": np.arange(len(values)) + 1,
        "created": np.array(
            [f"{FIRST + night}T02:00:00+00:00" for night in range(len(values))], dtype=object
        ),
        "value": np.asarray(values, dtype=float),
        "missing": np.array(
            [None if value == value else "timeout: 600 s" for value in values], dtype=object
        ),
        "version": np.full(len(values), "1", dtype=object),
    }
    return pd.DataFrame(table | columns).iloc[kept]


def day(night: int) -> str:
    return str(FIRST + night)


def acknowledged(night: int, **names: str) -> Acknowledgement:
    patterns = {"suite": "*", "cell": "*", "metric": "*", "machine": "*"} | names
    return Acknowledgement(
        id=1, since=day(night), why="more steps", by="ann", created=day(night), **patterns
    )


def read(
    table: pd.DataFrame,
    series: Series = LATENCY,
    *known: Acknowledgement,
    budgets: Sequence[Budget] = (),
    late: int = 0,
    nightly: bool = True,
) -> SeriesTrend:
    """Read the series on the day after its newest run and `late` days more."""
    rules = replace(load_rules(NO_FILES, known), budgets=budgets)
    today = str(np.datetime64(table["created"].iloc[-1][:10]) + 1 + late)
    return trend_of(series, table, rules, today, nightly=nightly)


def test_a_steady_series_says_so() -> None:
    trend = read(points(noise(40)))

    assert (trend.state, trend.since, trend.alarm, trend.changes, trend.no_data) == (
        TrendState.STEADY,
        day(0),
        None,
        (),
        (),
    )
    assert [(segment.start, segment.end) for segment in trend.segments] == [(0, 39)]
    assert trend.segments[0].level == pytest.approx(1.0, abs=0.003)
    assert re.fullmatch(rf"steady at (1|1\.00\d|0\.99\d\d) s since {day(0)}", trend.reason)


def test_a_regression_is_worse_since_the_night_of_its_step() -> None:
    values = stepped(50, 0.06)
    # the first night shows little of it: dated by the change point, or by the first night beyond
    values[50] = 1.02

    trend = read(points(values))

    assert trend.state is TrendState.WORSE
    assert trend.since in (day(50), day(51))
    assert [change.index for change in trend.changes] in ([50], [51])
    assert [(segment.start, segment.end) for segment in trend.segments] == [
        (0, trend.changes[0].index - 1),
        (trend.changes[0].index, 59),
    ]
    assert re.match(
        rf"\+(5\.[5-9]|6\.[0-5]) % since {trend.since}: 4 of the last 4 nights off \S+ s by more "
        rf"than 3.0 %",
        trend.reason,
    )
    assert (trend.latest, trend.latest_at) == (values[59], f"{day(59)}T02:00:00+00:00")


def test_an_improvement_is_better_and_says_what_to_do() -> None:
    trend = read(points(stepped(50, -0.06)))

    assert (trend.state, trend.since) == (TrendState.BETTER, day(50))
    assert trend.reason.endswith("acknowledge it to hold on to it")


@pytest.mark.parametrize(
    ("better", "state"),
    [("lower", TrendState.WORSE), ("higher", TrendState.BETTER), ("neither", TrendState.WORSE)],
)
def test_the_direction_that_is_better_decides_the_word(better: str, state: TrendState) -> None:
    assert read(points(stepped(50, 0.06)), replace(LATENCY, better=better)).state is state


def test_one_bad_night_is_neither_a_change_nor_an_alarm() -> None:
    for night in (5, 30, 38, 39):
        values = noise(40)
        values[night] *= 1.4
        trend = read(points(values))
        assert (trend.state, trend.changes) == (TrendState.STEADY, ()), night


def test_an_acknowledgement_starts_a_segment_and_silences_the_old_step() -> None:
    trend = read(points(stepped(50, 0.06)), LATENCY, acknowledged(50))

    assert (trend.state, trend.since, trend.changes) == (TrendState.TOO_FEW, day(50), ())
    assert [(segment.start, segment.end) for segment in trend.segments] == [(0, 49), (50, 59)]
    assert [(cut.index, cut.why) for cut in trend.cuts] == [(50, "acknowledged: more steps")]
    assert (
        trend.reason
        == f"10 of the 11 nights that an alarm needs after acknowledged: more steps ({day(50)})"
    )


def test_an_acknowledged_step_does_not_silence_the_next() -> None:
    values = stepped(50, 0.06, 90)
    values[85:] *= 1.06

    trend = read(points(values), LATENCY, acknowledged(50))

    assert (trend.state, trend.since) == (TrendState.WORSE, day(85))
    assert trend.alarm is not None and trend.alarm.level == pytest.approx(1.06, abs=0.01)


@pytest.mark.parametrize(
    "names",
    [{"suite": "precision"}, {"cell": "nfe_steps-4*"}, {"metric": "rtf"}, {"machine": "jetson-*"}],
)
def test_an_acknowledgement_silences_only_what_it_names(names: dict[str, str]) -> None:
    assert (
        read(points(stepped(50, 0.06)), LATENCY, acknowledged(50, **names)).state
        is TrendState.WORSE
    )
    assert (
        read(
            points(stepped(50, 0.06)), LATENCY, acknowledged(50, cell="nfe*", machine="epyc-*")
        ).state
        is TrendState.TOO_FEW
    )


def test_a_new_version_of_a_metric_starts_a_segment() -> None:
    versions = np.where(np.arange(60) < 45, "1; pesq 0.0.4", "2; pesq 0.0.4").astype(object)

    trend = read(points(stepped(45, 0.2), version=versions))

    assert (trend.state, trend.changes) == (TrendState.STEADY, ())
    assert [(cut.index, cut.why) for cut in trend.cuts] == [
        (45, "version 1; pesq 0.0.4 -> 2; pesq 0.0.4 of the metric")
    ]
    assert read(points(stepped(45, 0.2))).state is TrendState.WORSE


def test_a_missed_night_is_no_data_and_not_filled_in() -> None:
    trend = read(points(noise(40), without=(20, 21)), late=2)

    assert (trend.state, trend.since) == (TrendState.NO_DATA, day(40))
    assert [(each.night, each.why) for each in trend.no_data] == [
        (day(night), "no run") for night in (20, 21, 40, 41)
    ]
    assert trend.reason == f"no value for 2 nights, since {day(40)}: no run"
    assert trend.segments[-1].end == 37  # 38 points, and no more


def test_a_run_without_a_value_is_no_data_with_its_reason() -> None:
    values = noise(40)
    values[[10, 39]] = np.nan

    trend = read(points(values), nightly=False)

    assert (trend.state, trend.reason) == (
        TrendState.NO_DATA,
        f"no value for 1 night, since {day(39)}: timeout: 600 s",
    )
    assert [each.night for each in trend.no_data] == [day(10), day(39)]
    assert trend.latest == values[38]


def test_a_night_without_data_neither_raises_nor_ends_an_alarm() -> None:
    values = stepped(55, 0.06)
    values[56:58] = np.nan

    assert read(points(values)).state is TrendState.WORSE
    assert read(points(values[:59])).state is not TrendState.WORSE  # two bad nights so far
    silent = read(points(values), late=3)
    assert silent.state is TrendState.WORSE
    assert silent.reason.endswith(f"; no value for 3 nights, since {day(60)}: no run")


def test_where_nothing_is_nightly_a_day_without_a_run_is_no_matter() -> None:
    trend = read(points(noise(40), without=(20, 21)), late=300, nightly=False)

    assert (trend.state, trend.no_data) == (TrendState.STEADY, ())


def test_a_series_that_was_acknowledged_after_its_end_expects_nothing_more() -> None:
    trend = read(points(noise(40)), LATENCY, acknowledged(45), late=60)

    assert trend.state is TrendState.TOO_FEW
    assert (
        trend.reason
        == f"0 of the 11 nights that an alarm needs after acknowledged: more steps ({day(45)})"
    )


def test_a_series_without_a_single_value_has_no_data() -> None:
    trend = read(points([np.nan, np.nan]))

    assert (trend.state, trend.since, trend.latest, trend.segments) == (
        TrendState.NO_DATA,
        day(0),
        None,
        (),
    )


def test_a_series_without_a_point_is_read_too() -> None:
    trend = trend_of(LATENCY, points([]), load_rules(NO_FILES, ()), "2026-09-07", nightly=True)

    assert (trend.state, trend.since, trend.latest) == (TrendState.TOO_FEW, None, None)


def test_a_young_series_is_not_judged() -> None:
    trend = read(points([1.0, 1.0, 2.0, 2.0, 2.0]))

    assert (trend.state, trend.reason) == (
        TrendState.TOO_FEW,
        "5 of the 11 nights that an alarm needs",
    )


def test_a_broken_budget_is_a_line_of_its_own() -> None:
    steady = read(points(noise(40) * 1.03), budgets=[BUDGET])
    worse = read(points(stepped(50, 0.06)), budgets=[BUDGET])
    kept = read(points(noise(40)), budgets=[BUDGET])

    assert (steady.state, steady.since, steady.over_budget) == (
        TrendState.OVER_BUDGET,
        day(0),
        True,
    )
    assert steady.reason.endswith("s, the budget is at most 1.02: promised")
    assert (worse.state, worse.over_budget) == (TrendState.WORSE, True)
    assert re.search(r"; 1\.0\d+ s, the budget is at most 1\.02: promised$", worse.reason)
    assert (kept.state, kept.over_budget, kept.budget) == (TrendState.STEADY, False, BUDGET)


def test_an_acknowledgement_does_not_raise_a_budget() -> None:
    trend = read(points(stepped(50, 0.06)), LATENCY, acknowledged(50), budgets=[BUDGET])

    assert (trend.state, trend.since) == (TrendState.OVER_BUDGET, day(50))


def test_quality_goes_the_same_way() -> None:
    """
    Without noise of measuring, a step counts from the margin on: 0.6 dB alarms, 0.2 dB is dated;
    WER by its points.
    """
    flat = np.full(60, 17.0)
    flat[50:] -= 0.7
    assert (read(points(flat), SNR).state, read(points(flat), SNR).since) == (
        TrendState.WORSE,
        day(50),
    )
    assert not read(points(flat), SNR).counts, "SNR counts only with what somebody hears"
    flat[50:] = 16.7
    dated = read(points(flat), SNR)
    assert (dated.state, [change.index for change in dated.changes]) == (TrendState.STEADY, [50])
    assert dated.reason == f"steady at 16.7 dB since {day(50)} after a step of -0.3 dB"
    one_word = np.where(np.arange(60) < 50, 0.025, 0.028)
    assert read(points(one_word), WER).state is TrendState.STEADY
    assert read(points(one_word + 0.005 * (one_word > 0.026)), WER).state is TrendState.WORSE


def test_ratios_above_sixty_decibels_are_all_the_same() -> None:
    exact = np.where(np.arange(60) < 50, 120.0, 91.0)

    assert (read(points(exact), SNR).state, read(points(exact), SNR).changes) == (
        TrendState.STEADY,
        (),
    )


def test_the_margins_come_from_the_policy() -> None:
    policy = load_rules(NO_FILES, ()).policy

    def at(metric: str, unit: str, share: float, level: float) -> float:
        return float(margin_of(metric, unit, policy, share).of(np.array(level)))

    assert at("latency_p50", "s", ALARM, 2.0) == pytest.approx(0.06)
    assert at("latency_p50", "s", STEP, 2.0) == pytest.approx(0.02)
    assert (at("snr", "dB", ALARM, 17.0), at("snr", "dB", STEP, -3.0)) == (
        pytest.approx(0.6),
        pytest.approx(0.2),
    )
    assert (at("wer", "1", ALARM, 0.02), at("wer", "1", ALARM, 0.4)) == (
        pytest.approx(0.006),
        pytest.approx(0.012),
    )
    assert at("duration", "s", ALARM, 5.0) == pytest.approx(0.06)
    assert (at("mean", "s", ALARM, 1.0), at("mean", "dB", ALARM, 1.0)) == (
        pytest.approx(0.03),
        pytest.approx(0.6),
    )


def test_a_shift_is_a_share_where_there_is_something_to_take_it_of() -> None:
    assert shift_of(2.0, 2.1, Margin(relative=0.01)) == (pytest.approx(0.05), False)
    assert shift_of(-2.0, -2.1, Margin(relative=0.01)) == (pytest.approx(-0.05), False)
    assert shift_of(0.0, 0.4, Margin(relative=0.01)) == (0.4, True)
    assert shift_of(17.0, 16.5, Margin(absolute=0.2)) == (-0.5, True)
    assert (shift_text(0.0612, False, "s"), shift_text(-0.5, True, "dB")) == ("+6.1 %", "-0.5 dB")


@dataclass(frozen=True)
class Remembered:
    """A history of tables."""

    table: pd.DataFrame
    lines: tuple[Series, ...]
    known: tuple[Acknowledgement, ...] = ()

    def series(self) -> tuple[Series, ...]:
        return self.lines

    def points(self, *, words: bool) -> pd.DataFrame:
        return self.table if words else self.table.drop(columns="version")

    def acknowledgements(self) -> tuple[Acknowledgement, ...]:
        return self.known


def test_all_series_are_read_apart_and_in_the_order_of_the_history() -> None:
    """
    Points of all series are mixed by time; one series is nightly, one is measured now and then, one
    has none.
    """
    by_hand = points(
        noise(90), 5, [night for night in range(90) if night % 7 not in (1, 4) and night % 11 != 6]
    )
    table = pd.concat([points(stepped(80, 0.06, 90)), by_hand]).sort_values(
        "created", kind="stable"
    )
    lines = (replace(LATENCY, id=5), LATENCY, replace(LATENCY, id=9))

    found = trends(Remembered(table, lines), day(92), NO_FILES)

    assert [each.series.id for each in found] == [5, 3, 9]
    assert [each.nightly for each in found] == [False, True, False]
    assert [each.state for each in found] == [
        TrendState.STEADY,
        TrendState.WORSE,
        TrendState.TOO_FEW,
    ]
    assert [each.night for each in found[1].no_data] == [day(90), day(91)]


def test_rules_are_read_from_the_baselines(tmp_path: Path) -> None:
    budget = (
        'schema_version = 1\n[[budget]]\nsuite="smoke"\ncell="*"\nmetric="latency_p50"\n'
        'at_most=0.9\nwhy="promised"\n'
    )
    (tmp_path / "budgets.toml").write_text(budget)

    (found,) = trends(Remembered(points(noise(40)), (LATENCY,)), day(40), tmp_path)

    assert found.state is TrendState.OVER_BUDGET


def test_a_hundred_series_of_a_thousand_nights_take_well_under_a_second() -> None:
    """
    A thousand are to take less than 5 s on one core, and take half. Here four times that: tests
    share their machine.
    """
    count, nights = 100, 1000
    rng = np.random.default_rng(2)
    values = (1.0 + 0.01 * rng.normal(size=(nights, count))) * np.where(
        np.arange(nights) < 600, 1.0, 1.05
    )[:, None]
    one = points(values[:, 0])
    table = pd.DataFrame({name: np.repeat(one[name].to_numpy(), count) for name in one.columns})
    table["series"], table["value"] = np.tile(np.arange(count), nights), values.ravel()
    lines = tuple(replace(LATENCY, id=number) for number in range(count))

    begun = time.process_time()
    found = trends(Remembered(table, lines), day(nights), NO_FILES)
    spent_s = time.process_time() - begun

    assert {each.state for each in found} == {TrendState.WORSE}
    assert sum(any(abs(change.index - 600) <= 2 for change in each.changes) for each in found) >= 99
    assert spent_s < 4 * 0.5


def test_a_suites_own_policy_is_that_of_its_history(tmp_path: Path) -> None:
    line = 'against = "baseline", evidence = "processes"'
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "policy.toml").write_text(
        "schema_version = 1\n[metrics]\n"
        f"latency_p50 = {{ relative = 0.3, blocking = true, {line} }}"
    )
    other = replace(LATENCY, suite="options")
    stranger = replace(LATENCY, suite="../../bench/<x>")
    rules = load_rules(tmp_path, (), [LATENCY, other, stranger])
    table, today = points(stepped(50, 0.08)), day(60)

    own, usual, imported = (
        trend_of(series, table, rules, today, nightly=True) for series in (LATENCY, other, stranger)
    )

    assert (own.state, own.limit.relative) == (TrendState.STEADY, 0.3)
    assert (usual.state, usual.limit.relative) == (TrendState.WORSE, 0.05)
    assert imported.state is TrendState.WORSE
    assert usual.over_limit == pytest.approx(1.6, abs=0.15) and own.over_limit is None


def test_a_broken_policy_of_a_suite_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "policy.toml").write_text("schema_version = 1\n[metrics]\nlatncy = {}\n")
    with pytest.raises(HarnessError, match=r"smoke/policy\.toml: metrics\.latncy"):
        load_rules(tmp_path, (), [LATENCY])
