"""
The first thing that anybody reads: how many things got worse, and for each how much, where, since
when, between which commits, and what to do next.

A cause is told by the series that moved most; the nights that part its good from its bad runs name
the commits and what changed in the environment. Texts for people; decides nothing.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from voxgate.harness.history.alarm import ENOUGH, Alarm
from voxgate.harness.history.records import ANY, RunRow
from voxgate.harness.history.trend import SeriesTrend, TrendState
from voxgate.harness.judging.causes import SLOWER, short_name
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.format import shown_value
from voxgate.harness.report.pictures.sparkline import Spark
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.causes import Moved, TrendCause
from voxgate.harness.report.site.commits import CommitRange, ReadRange, bisect_command
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis
from voxgate.harness.report.site.recent import (
    DAY_S,
    day_number,
    level_words,
    limit_words,
    night_change,
    trend_words,
)
from voxgate.harness.report.site.run_view import changed, run_address
from voxgate.harness.report.site.state import BAD, MachineSilence, most_nights, of_trend, silences

CODE_FACTS = ("commit", "branch", "dirty_files", "changes", "no_commit")
"""Of the toolchain: what the commits tell better."""
OURS = "voxgate"
"""The source of runs that this program measured."""
IN_FULL = 5
"""Causes that are told in full; the others have a line each."""
IN_SIGHT = 6
"""Cells of a cause that are named one by one."""
MOST_FACTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendCauseCell:
    """One cell in which a cause is seen."""

    address: str
    text: str
    machine: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendCauseView:
    """
    One thing that changed, as text; `told` is its size with the limit, `places` are the machines
    with their cells in sight, `cells` all of them.
    """

    key: str
    kind: str
    word: str
    told: str
    metric: str
    over: str
    values: str
    places: tuple[tuple[str, tuple[TrendCauseCell, ...]], ...]
    cells: tuple[TrendCauseCell, ...]
    others: int
    since: str
    nights: str
    also: str
    commits: CommitRange | None
    between: str
    compare: str
    """The page that compares the environments of the two nights."""
    environment: tuple[tuple[str, str, str], ...]
    more_facts: int
    bisect: str
    acknowledge: str
    spark: Spark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendCauseLine:
    """A cause behind the first ones, in one line."""

    told: str
    address: str
    where: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendCauseList:
    """The gravest in full, the others in a line each."""

    first: tuple[TrendCauseView, ...]
    others: tuple[TrendCauseLine, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.first) + len(self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStep:
    """What to do next, with the command or the page for it."""

    text: str
    command: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A sentence, and what it counts: red, silent, advisory and better."""

    title: str
    kind: str
    causes: TrendCauseList
    silent: tuple[FirstStep, ...]
    advisory: TrendCauseList
    better: TrendCauseList
    steps: tuple[FirstStep, ...] = ()


def headline(book: Book, found: Sequence[TrendCause], read: ReadRange) -> Headline:
    """Return the headline; `found` come the gravest first."""
    keys = {cause: f"cause-{number}" for number, cause in enumerate(found, 1)}
    bad = [cause for cause in found if cause.state in BAD]
    counting = [cause for cause in bad if cause.counts]
    silent = silences(book)
    nights = most_nights(book)
    early = nights < ENOUGH

    def listed(causes: Sequence[TrendCause]) -> TrendCauseList:
        """Return the first of some causes in full, and the others."""
        first = (cause_view(book, cause, keys[cause], read) for cause in causes[:IN_FULL])
        return TrendCauseList(first=tuple(first), others=tuple(map(cause_line, causes[IN_FULL:])))

    return Headline(
        title=_title(book, counting, silent, nights),
        kind="bad" if counting else "open" if bad or silent or early else "good",
        causes=listed(counting),
        silent=tuple(
            FirstStep(text=each.text, command=_measure(each.place.runs[-1])) for each in silent
        ),
        advisory=listed([cause for cause in bad if not cause.counts]),
        better=listed([cause for cause in found if cause.state not in BAD]),
        steps=_first_steps(book, nights) if early else (),
    )


def cause_line(cause: TrendCause) -> TrendCauseLine:
    """Return a cause as one line."""
    series, more = cause.worst.line.series, len(cause.moved) - 1
    others = f" and {_several(more, 'other cell')}" if more else ""
    return TrendCauseLine(
        told=_told(cause.worst),
        address=urls.cell_page(series.suite, series.cell),
        where=f"{series.suite} / {series.label} on {series.machine}{others}",
        since=cause.since,
    )


def cause_view(book: Book, cause: TrendCause, key: str, read: ReadRange) -> TrendCauseView:
    """Return a cause in full; `key` names it within its page."""
    worst = cause.worst
    series, trend = worst.line.series, worst.trend
    cells = tuple(_cell(book, each) for each in cause.moved)
    pair = _nights_between(worst)
    commits = read(pair[0].head, pair[1].head) if pair else None
    facts = _environment(*pair) if pair else ()
    bad = cause.state in BAD
    return TrendCauseView(
        key=key,
        kind=of_trend(trend).kind if cause.counts or not bad else "open",
        word=of_trend(trend).word,
        told=_told(worst),
        metric=series.metric,
        over="" if trend.alarm is None else f"{worst.over:.1f} times the limit",
        values=_values(worst),
        places=_places(cells[:IN_SIGHT]),
        cells=cells,
        others=max(0, len(cells) - IN_SIGHT),
        since=cause.since,
        nights=_nights_since(worst),
        also=", ".join(map(short_name, cause.also)),
        commits=commits,
        between=_between(pair),
        compare=urls.compare_page(pair[0].id, pair[1].id) if pair else "",
        environment=facts[:MOST_FACTS],
        more_facts=max(0, len(facts) - MOST_FACTS),
        bisect=bisect_command(series.suite, series.profile, series.cell, series.metric, commits)
        if commits and bad
        else "",
        acknowledge=_acknowledge(cause),
        spark=book.spark(worst.place, worst.line),
    )


def _cell(book: Book, moved: Moved) -> TrendCauseCell:
    series = moved.line.series
    return TrendCauseCell(
        address=urls.cell_page(series.suite, series.cell),
        text=f"{series.suite} / {series.label}",
        machine=series.machine,
        change=_change(moved),
    )


def _places(cells: Sequence[TrendCauseCell]) -> tuple[tuple[str, tuple[TrendCauseCell, ...]], ...]:
    of: dict[str, list[TrendCauseCell]] = {}
    for cell in cells:
        of.setdefault(cell.machine, []).append(cell)
    return tuple((machine, tuple(named)) for machine, named in of.items())


def reason(place: RunAxis, line: MetricSeries, trend: SeriesTrend, *, named: bool = True) -> str:
    """
    Return what happened to a series in few words: its change, else what its trend tells, with the
    name of the metric where it shall be `named`.
    """
    moved = Moved(place=place, line=line, trend=trend)
    if trend.state not in (*BAD, TrendState.BETTER):
        return f"{line.series.metric}: {trend_words(trend)}" if named else trend_words(trend)
    return f"{_told(moved)}: {_values(moved, named=False)}"


def _told(moved: Moved) -> str:
    """
    Return what changed with its limit: `8.1 % slower (limit 5 %)`; a metric other than the median
    latency is named.
    """
    trend, metric = moved.trend, moved.line.series.metric
    name = "" if metric == "latency_p50" and trend.alarm else f"{short_name(metric)} "
    if trend.alarm is not None:
        return f"{name}{_change(moved)} (limit {limit_words(trend, trend.alarm.level)})"
    budget = trend.budget
    bound = 0.0 if budget is None else budget.at_most or budget.at_least or 0.0
    return f"{name}{_change(moved)}, over its budget of {level_words(trend, bound)}"


def _change(moved: Moved) -> str:
    """Return the size of the change: `8.1 % slower`; of a broken budget, the value."""
    alarm, metric = moved.trend.alarm, moved.line.series.metric
    if alarm is None:
        return level_words(moved.trend, moved.trend.latest or 0.0)
    size = night_change(moved.trend, alarm.level, _after(alarm)).lstrip("+-")
    words = ("slower", "faster") if metric in SLOWER else ("higher", "lower")
    return f"{size} {words[alarm.shift < 0.0]}"


def _after(alarm: Alarm) -> float:
    return alarm.level + (alarm.shift if alarm.absolute else alarm.shift * abs(alarm.level))


def _values(moved: Moved, *, named: bool = True) -> str:
    """
    Return the levels before and after, with their unit and the metric's name where it shall be
    `named`; of a budget, its reason.
    """
    alarm = moved.trend.alarm
    if alarm is None:
        return moved.trend.budget.why if moved.trend.budget else ""
    series = moved.line.series
    before = shown_value(series.metric, series.unit, alarm.level)
    name = f"{series.metric} " if named else ""
    return f"{name}{before} → {level_words(moved.trend, _after(alarm))}"


def _nights_since(moved: Moved) -> str:
    days = moved.place.days[moved.line.at]
    known = days[~np.isnan(moved.line.value)]
    count = len(np.unique(known[known >= day_number(moved.since)])) if moved.since else 0
    return f"{count} night{'' if count == 1 else 's'}"


def _nights_between(moved: Moved) -> tuple[RunRow, RunRow] | None:
    """Return the last run before the change, and the first one with it."""
    if not moved.since:
        return None
    known = moved.line.at[~np.isnan(moved.line.value)]
    first = int(np.searchsorted(moved.place.times[known], day_number(moved.since) * DAY_S))
    if not 0 < first < len(known):
        return None
    return moved.place.runs[int(known[first - 1])], moved.place.runs[int(known[first])]


def _between(pair: tuple[RunRow, RunRow] | None) -> str:
    if pair is None:
        return "Since the first night"
    return f"Between the nights of {pair[0].created[:10]} and {pair[1].created[:10]}"


def _environment(good: RunRow, bad: RunRow) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        fact
        for fact in changed(good.environment, bad.environment)
        if fact[0].rpartition(" · ")[2] not in CODE_FACTS
    )


def _acknowledge(cause: TrendCause) -> str:
    """Return the command that takes the new level for known; a budget is no matter of that."""
    if cause.state is TrendState.OVER_BUDGET:
        return ""
    suites = {each.line.series.suite for each in cause.moved}
    names = {
        "--cell": {each.line.series.cell for each in cause.moved},
        "--metric": {each.line.series.metric for each in cause.everything},
        "--machine": {each.line.series.machine for each in cause.moved},
    }
    words = ["voxgate", "history", "acknowledge", suites.pop() if len(suites) == 1 else ANY]
    for option, of in names.items():
        words += [option, *of] if len(of) == 1 else []
    return " ".join(map(shlex.quote, [*words, "--since", cause.since, "--why", "..."]))


def _title(
    book: Book,
    causes: Sequence[TrendCause],
    silent: Sequence[MachineSilence],
    nights: int,
) -> str:
    """Return the sentence: what is bad comes first, and where nothing is, it says so."""
    worse = sum(cause.state is TrendState.WORSE for cause in causes)
    broken = len(causes) - worse
    whole = [each for each in silent if each.is_whole]
    lost = _several(len({each.place.machine for each in whole}), "machine")
    if not causes and len(whole) == len(book.places):
        return f"No data from {lost}: nothing is known of the last nights."
    parts = [f"{_several(worse, 'thing')} got worse"] if worse else []
    if broken:
        parts.append(f"{_several(broken, 'budget')} {'is' if broken == 1 else 'are'} broken")
    if not causes:
        parts.append(_nothing(book, nights))
    if len(whole) < len(silent):
        metrics = chain.from_iterable(each.metrics for each in silent if not each.is_whole)
        parts.append(f"{_several(len(set(metrics)), 'metric')} without data")
    if whole:
        parts.append(f"no data from {lost}")
    return f"{'; '.join(parts)}."


def _nothing(book: Book, nights: int) -> str:
    machines = {place.machine for place in book.places}
    counted = f"{_several(len(book.cell_names), 'cell')} on {_several(len(machines), 'machine')}"
    if nights < ENOUGH:
        return f"Too early to see a trend: {nights} of the {ENOUGH} nights that it takes, {counted}"
    return f"Nothing got worse: {counted}"


def _first_steps(book: Book, nights: int) -> tuple[FirstStep, ...]:
    """Return what to do in the first days: read the run, keep it, measure every night."""
    latest = max((place.runs[-1] for place in book.places), key=lambda run: run.created)
    steps = [
        FirstStep(
            text="Until then each run is judged by itself: read the latest run",
            address=run_address(book, latest.id),
        )
    ]
    if latest.verdict == Verdict.NO_BASELINE and latest.folder:
        keep = f'voxgate accept {shlex.quote(latest.folder)} --why "first"'
        text = "Keep its figures, so that the next run is compared with them:"
        steps.append(FirstStep(text=text, command=keep))
    verb = "Measure" if latest.source == OURS else "Import"
    text = f"{verb} every night; {ENOUGH - nights} more make a trend:"
    return (*steps, FirstStep(text=text, command=_measure(latest)))


def _measure(run: RunRow) -> str:
    """Return the command that brings the next run like this one."""
    if run.source != OURS:
        return "voxgate history import PATH..."
    words = ("voxgate", "check", run.suite, "--profile", run.profile)
    return " ".join(map(shlex.quote, words))


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
