"""
Trends: a series over time, analysed. Its segments and dated steps, its alarm, its budget, its
nights without data, and a state.

`_read` holds the order of the analysis, from top to bottom. Combines the results of the modules
beside it; takes no decision on a single run (`judging/` does), draws nothing, and reads no clock.

A state is one word, the day since when, and one line for people. All findings are listed, the
gravest first; the word is that of the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from voxgate.harness.analysis.metric_rules import is_known
from voxgate.harness.history.alarm import ENOUGH, OF, Alarm, alarm_of
from voxgate.harness.history.budget import (
    ALARM,
    NO_MARGIN,
    STEP,
    WHOLE,
    Broken,
    Budget,
    Margin,
    broken_by,
    load_budgets,
    margin_of,
    shift_text,
    unmatched,
    usual_limit,
)
from voxgate.harness.history.change_points import ChangePoint
from voxgate.harness.history.dates import believed_points
from voxgate.harness.history.records import Acknowledgement, Series
from voxgate.harness.history.segments import Cut, Segment, Segments, segments_of
from voxgate.harness.history.series import (
    EMPTY,
    Nights,
    NoData,
    SeriesPoints,
    is_nightly,
    nights_of,
    no_data_of,
    points_by_series,
)
from voxgate.harness.judging.compare_quality import INAUDIBLE_DB
from voxgate.harness.judging.policy import Policy, load_imported, load_policy, suite_policies
from voxgate.harness.metrics.registry import known_metrics
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.verdict import Limit

if TYPE_CHECKING:
    import pandas as pd


class TrendState(StrEnum):
    """The six words, the gravest first."""

    WORSE = "worse"
    OVER_BUDGET = "over budget"
    NO_DATA = "no data"
    BETTER = "better"
    TOO_FEW = "too few"
    STEADY = "steady"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReason:
    """One finding, since a UTC day (None: there never was a day), in words for people."""

    state: TrendState
    since: str | None
    text: str


def of_alarm(series: Series, alarm: Alarm | None, since: str | None) -> list[StateReason]:
    """
    Return the standing alarm as a finding, if any; `since` is the day to which the step is dated.
    """
    if alarm is None:
        return []
    by = alarm.threshold if alarm.absolute else alarm.threshold / abs(alarm.level)
    text = (
        f"{shift_text(alarm.shift, alarm.absolute, series.unit)} since {since}: {alarm.beyond} of "
        f"the last {OF} nights off {value_text(alarm.level, series.unit)} by more than "
        f"{shift_text(by, alarm.absolute, series.unit).lstrip('+')}"
    )
    if alarm.side == "worse":
        return [StateReason(state=TrendState.WORSE, since=since, text=text)]
    return [
        StateReason(
            state=TrendState.BETTER, since=since, text=f"{text}; acknowledge it to hold on to it"
        )
    ]


def of_budget(series: Series, broken: Broken | None) -> list[StateReason]:
    """Return the broken budget as a finding, if any."""
    if broken is None:
        return []
    text = (
        f"{value_text(broken.value, series.unit)}, the budget is {broken.budget.bound}: "
        f"{broken.budget.why}"
    )
    return [StateReason(state=TrendState.OVER_BUDGET, since=broken.since, text=text)]


def of_silence(silent: Sequence[NoData]) -> list[StateReason]:
    """
    Return the finding that the newest nights have no value, if so, and why the last of them has
    none.
    """
    if not silent:
        return []
    count = f"{len(silent)} night{'' if len(silent) == 1 else 's'}"
    text = f"no value for {count}, since {silent[0].night}: {silent[-1].why}"
    return [StateReason(state=TrendState.NO_DATA, since=silent[0].night, text=text)]


def of_rest(
    series: Series, nights: int, level: float | None, since: str | None, why: str
) -> StateReason:
    """
    Return the finding where nothing is wrong: too few nights in this segment, which began `since`
    for `why`; or steady.
    """
    after = f" after {why}" if why else ""
    if nights < ENOUGH or level is None:
        return StateReason(
            state=TrendState.TOO_FEW,
            since=since,
            text=f"{nights} of the {ENOUGH} nights that an alarm needs{after}",
        )
    return StateReason(
        state=TrendState.STEADY,
        since=since,
        text=f"steady at {value_text(level, series.unit)} since {since}{after}",
    )


def value_text(value: float, unit: str) -> str:
    """Format a value in its base unit; ratios bare."""
    return f"{value:.4g}" if unit in ("1", "s/s") else f"{value:.4g} {unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTrend:
    """
    One series, analysed. All indexes are among the series' points, those without a value included.
    """

    series: Series
    segments: tuple[Segment, ...]
    changes: tuple[ChangePoint, ...]
    cuts: tuple[Cut, ...]
    alarm: Alarm | None
    budget: Budget | None
    """The broken budget, else the first that applies to the series; None if there is none."""
    over_budget: bool
    no_data: tuple[NoData, ...]
    """All nights without a value, oldest first."""
    nightly: bool
    """Whether a night without a run is one without data."""
    latest: float | None
    """The newest value, in the metric's unit; None before the first."""
    latest_at: str | None
    says: tuple[StateReason, ...]
    """All findings, the gravest first; there is always one."""
    blocking: bool
    """Whether the policy blocks on the metric; else the trend only informs."""
    limit: Margin = NO_MARGIN
    """The policy's limit of the metric, the suite's own line first."""

    @property
    def counts(self) -> bool:
        """
        Whether it speaks against the engine: the one definition, for the exit code and for every
        page.
        """
        return self.over_budget or (self.blocking and self.state is TrendState.WORSE)

    @property
    def is_advisory(self) -> bool:
        """Whether it only informs."""
        return not (self.blocking or self.over_budget)

    @property
    def state(self) -> TrendState:
        """The state of the gravest finding."""
        return self.says[0].state

    @property
    def since(self) -> str | None:
        """UTC day on which the state began; None where nothing was ever measured."""
        return self.says[0].since

    @property
    def reason(self) -> str:
        """All findings, in one line for people."""
        return "; ".join(finding.text for finding in self.says)

    @property
    def over_limit(self) -> float | None:
        """Return the standing shift as a multiple of the limit; None where no alarm stands."""
        if self.alarm is None:
            return None
        level = self.alarm.level
        size = abs(self.alarm.shift) * (1.0 if self.alarm.absolute else abs(level))
        allowed = self.limit.at(level)
        return size / allowed if allowed > 0.0 else None


class Readable(Protocol):
    """The queries that a trend makes of a history."""

    def series(self) -> Sequence[Series]:
        """Return all series."""

    def points(self, *, words: bool) -> "pd.DataFrame":
        """Return all points, oldest first; with `words` also the version of the metric."""

    def acknowledgements(self) -> Sequence[Acknowledgement]:
        """Return all acknowledgements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The decisions of people: limits of metrics, budgets, and acknowledged changes."""

    policy: Policy
    budgets: Sequence[Budget]
    acknowledgements: Sequence[Acknowledgement]
    of_suites: Mapping[str, Policy] = field(default_factory=dict)
    """The whole policy of each suite that has lines of its own."""

    def limits(self, series: Series) -> Policy:
        """Return the policy by which a series is judged."""
        return self.of_suites.get(series.suite, self.policy)


def trends(history: Readable, today: str, baselines: Path) -> list[SeriesTrend]:
    """
    Analyse every series of a history, in its order; `today` is a date, ISO, UTC. A series whose
    runs have a rhythm is nightly.

    Raises HarnessError for a broken policy.toml or budgets.toml in `baselines`.
    """
    every = history.series()
    rules = load_rules(baselines, history.acknowledgements(), every)
    lines = points_by_series(believed_points(history.points(words=True), today))
    pairs = ((series, lines.get(series.id, EMPTY)) for series in every)
    return [
        _read(series, series_points, rules, today, nightly=is_nightly(series_points.days))
        for series, series_points in pairs
    ]


def trend_of(
    series: Series, points: "pd.DataFrame", rules: Rules, today: str, *, nightly: bool
) -> SeriesTrend:
    """Analyse one series from points as of `History.points`; `nightly`: nights are expected."""
    return _read(
        series, points_by_series(points).get(series.id, EMPTY), rules, today, nightly=nightly
    )


def load_rules(
    baselines: Path, acknowledgements: Sequence[Acknowledgement], series: Sequence[Series] = ()
) -> Rules:
    """
    Load policy and budgets. Raises HarnessError naming file and key of a fault.

    A metric of another tool has the limit that [imported] of the policy sets, else the usual limit,
    which blocks as ours does, where it has a direction: imported metrics are meant to be watched.
    A suite's own policy.toml replaces single lines for its series, as it does for its runs.
    """
    imported = {other.metric: other for other in series if not is_known(other.metric)}
    usual = {
        name: usual_limit(other.unit, blocking=other.better != "neither")
        for name, other in imported.items()
    }
    names = [metric.name for metric in known_metrics()]
    named = {name: limit for name, limit in load_imported(baselines).items() if name in imported}
    budgets = load_budgets(baselines, {name: other.better for name, other in imported.items()})
    others = {**usual, **named}
    own = suite_policies(baselines, names, {other.suite for other in series})
    return Rules(
        policy={**others, **load_policy(baselines, names)},
        budgets=budgets,
        acknowledgements=acknowledgements,
        of_suites={suite: {**others, **policy} for suite, policy in own.items()},
    )


def idle_rules(baselines: Path, series: Sequence[Series]) -> tuple[str, ...]:
    """Return, a line each, budgets and limits of [imported] that no series has: they are idle."""
    names = {other.metric for other in series}
    idle = [name for name in load_imported(baselines) if name not in names]
    limits = (
        f"policy.toml: imported.{name} matches no series of the history; correct it or import it"
        for name in idle
    )
    return (*unmatched(load_rules(baselines, (), series).budgets, series), *limits)


def _read(
    series: Series, points: SeriesPoints, rules: Rules, today: str, *, nightly: bool
) -> SeriesTrend:
    judged = np.minimum(points.values, INAUDIBLE_DB) if series.unit == "dB" else points.values
    cut = segments_of(series, points, judged, rules.acknowledgements, _margin(series, rules, STEP))
    nights = nights_of(points.days[cut.newest], judged[cut.newest])
    alarm = alarm_of(nights, _margin(series, rules, ALARM), series.better)
    budgets = [budget for budget in rules.budgets if budget.holds(series)]
    broken = (
        broken_by(budgets, nights_of(points.days[points.known], points.values[points.known]))
        if budgets
        else None
    )
    no_data = no_data_of(points.days, points.values, points.missing, today, nightly=nightly)
    newest = points.known[-1] if len(points.known) else None
    return SeriesTrend(
        series=series,
        segments=cut.pieces,
        changes=cut.changes,
        cuts=cut.cuts,
        alarm=alarm,
        budget=broken.budget if broken else next(iter(budgets), None),
        over_budget=broken is not None,
        no_data=no_data,
        nightly=nightly,
        latest=None if newest is None else float(points.values[newest]),
        latest_at=None if newest is None else str(points.created[newest]),
        says=_says(series, points, cut, nights, alarm, broken, no_data),
        blocking=_blocks(rules.limits(series).get(series.metric)),
        limit=_margin(series, rules, WHOLE),
    )


def _blocks(limit: Limit | None) -> bool:
    """Whether a trend of a metric of this limit counts by itself."""
    return limit is not None and limit.blocking and not limit.only_with


def _says(
    series: Series,
    points: SeriesPoints,
    cut: Segments,
    nights: Nights,
    alarm: Alarm | None,
    broken: Broken | None,
    no_data: Sequence[NoData],
) -> tuple[StateReason, ...]:
    newest = points.days[cut.newest[-1]] if len(cut.newest) else None
    # acknowledged after the last value: nothing more is expected
    ended = newest is None and len(points.known) > 0
    silent = (
        [] if ended else [night for night in no_data if newest is None or night.night > str(newest)]
    )
    says = [
        *of_alarm(series, alarm, _dated(alarm, cut.changes, nights)),
        *of_budget(series, broken),
        *of_silence(silent),
    ]
    if says:
        return tuple(sorted(says, key=lambda finding: list(TrendState).index(finding.state)))
    since, level = (
        (str(points.days[cut.pieces[-1].start]), cut.pieces[-1].level)
        if len(cut.newest)
        else (None, None)
    )
    return (of_rest(series, len(nights.values), level, since, cut.why(series)),)


def _dated(alarm: Alarm | None, changes: Sequence[ChangePoint], nights: Nights) -> str | None:
    """
    Return the day of the step behind an alarm: that of the change point where there is one near,
    which dates it better.
    """
    if alarm is None:
        return None
    first = nights.place(alarm.since)
    days = [
        change.at[:10]
        for change in changes
        if change.shift * alarm.shift > 0.0 and change.at[:10] >= str(nights.days[0])
    ]
    near = [
        (abs(nights.place(day) - first), day) for day in days if abs(nights.place(day) - first) < OF
    ]
    return min(near)[1] if near else alarm.since


def _margin(series: Series, rules: Rules, share: float) -> Margin:
    return margin_of(series.metric, series.unit, rules.limits(series), share)
