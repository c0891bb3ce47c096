"""
Causes: trends that moved together, as the one thing that changed.

A change of the engine moves several metrics of a cell, and the same cell in several suites and on
several machines. What moved within three nights, in one family of metrics (the families of
`judging/causes.py`) and with the same options, is one cause; where most cells of a machine moved,
options do not part it. Orders causes by what counts: blocking first, then the size over the limit,
then the newest. Reads trends and decides nothing anew.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import TypeVar

from voxgate.harness.analysis.metric_rules import is_known
from voxgate.harness.history.trend import SeriesTrend, TrendState
from voxgate.harness.judging.causes import OWN_KIND, TIMES
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis

NEAR_DAYS = 3
"""Days between the first and the last date of one cause: an alarm dates a step this well."""
COMMON = 3
"""Cells of different options that must have moved together, and be half of the machine's cells."""
MOVES = (TrendState.WORSE, TrendState.OVER_BUDGET, TrendState.BETTER)
"""States of a trend that something caused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One series that moved."""

    place: RunAxis
    line: MetricSeries
    trend: SeriesTrend

    @property
    def since(self) -> str:
        """The UTC day on which it moved."""
        return (self.trend.since or "")[:10]

    @property
    def over(self) -> float:
        """The size as a multiple of the limit; of a broken budget, that of its bound."""
        if self.trend.state is TrendState.OVER_BUDGET:
            return _over_budget(self.trend)
        return self.trend.over_limit or 0.0

    @property
    def where(self) -> tuple[str, str]:
        """Suite and label of the cell."""
        return self.line.series.suite, self.line.series.label


Cluster = list[Moved]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrendCause:
    """One thing that changed: the series of the metric that tells it best, the largest first."""

    state: TrendState
    moved: tuple[Moved, ...]
    also: tuple[str, ...]
    """Other metrics that moved with it."""
    everything: tuple[Moved, ...]
    """All series behind it, those of the other metrics included."""

    @property
    def worst(self) -> Moved:
        """The series that moved most."""
        return self.moved[0]

    @property
    def counts(self) -> bool:
        """Whether it speaks against the engine; else it only informs."""
        return any(each.trend.counts for each in self.everything)

    @property
    def since(self) -> str:
        """The first day."""
        return min(each.since for each in self.moved)


def causes(book: Book) -> tuple[TrendCause, ...]:
    """Return everything that changed and stands, the gravest first."""
    groups: dict[tuple[str, ...], list[Moved]] = {}
    for each in _moved(book):
        key = (each.trend.state, family(each.line.series.metric), each.line.series.label)
        groups.setdefault(key, []).append(each)
    clusters = chain.from_iterable(
        _near(group, lambda each: each.since) for group in groups.values()
    )
    found = [_cause(cluster) for cluster in _common(book, clusters)]
    newest = sorted(found, key=lambda cause: cause.since, reverse=True)
    return tuple(sorted(newest, key=_rank))


def causes_at(found: Iterable[TrendCause], places: Sequence[RunAxis]) -> tuple[TrendCause, ...]:
    """Return the causes of what moved at some places, in their order."""
    here = {id(place) for place in places}
    return tuple(
        cause for cause in found if any(id(each.place) in here for each in cause.everything)
    )


def worse_since(found: Iterable[TrendCause], place: RunAxis) -> str:
    """
    Return the first day of what counts and is worse at a place: of its sound, or else of anything;
    empty where nothing is.
    """
    bad = [each for each in found if each.state is TrendState.WORSE and each.counts]
    here = causes_at(bad, [place])
    sound = [each for each in here if family(each.worst.line.series.metric) == "sound"]
    return min((each.since for each in sound or here), default="")


def _rank(cause: TrendCause) -> tuple[bool, bool, int, float]:
    """Order causes: bad before better, what counts, what moved before a broken budget, its size."""
    state = cause.state
    return state is TrendState.BETTER, not cause.counts, MOVES.index(state), -cause.worst.over


def _moved(book: Book) -> Iterator[Moved]:
    for place in book.places:
        for lines in place.lines.values():
            for line in lines:
                trend = book.trend(line)
                if trend.state in MOVES and not line.helps:
                    yield Moved(place=place, line=line, trend=trend)


def family(metric: str) -> str:
    """Return the family of a metric, whose members one change moves together."""
    if metric in TIMES:
        return "pace"
    return OWN_KIND.get(metric, "sound" if is_known(metric) else metric)


def place_of(metric: str) -> int:
    """Return how well a metric tells a change of the pace, the best lowest."""
    return TIMES.index(metric) if metric in TIMES else len(TIMES)


def _near(items: Iterable[T], day: Callable[[T], str]) -> list[list[T]]:
    """Part things by their days: each part begins and ends within three days."""
    parts: list[list[T]] = []
    for each in sorted(items, key=day):
        if parts and _days(day(parts[-1][0]), day(each)) <= NEAR_DAYS:
            parts[-1].append(each)
        else:
            parts.append([each])
    return parts


def _days(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days if first and last else 0


def _common(book: Book, clusters: Iterable[Cluster]) -> list[Cluster]:
    """Join the clusters that moved in most cells of a machine at once, whatever the options."""
    kinds: dict[tuple[str, str], list[Cluster]] = {}
    for cluster in clusters:
        first = cluster[0]
        kinds.setdefault((first.trend.state, family(first.line.series.metric)), []).append(cluster)
    joined: list[Cluster] = []
    for of_kind in kinds.values():
        for near in _near(of_kind, lambda cluster: cluster[0].since):
            everything = list(chain.from_iterable(near))
            joined += [everything] if _is_common(book, everything) else near
    return joined


def _is_common(book: Book, near: Sequence[Moved]) -> bool:
    cells: dict[tuple[str, str, str], set[str]] = {}
    labels: dict[tuple[str, str, str], set[str]] = {}
    for each in near:
        key = (each.place.suite, each.place.profile, each.place.machine)
        cells.setdefault(key, set()).add(each.line.series.cell)
        labels.setdefault(key, set()).add(each.line.series.label)
    sizes = {(p.suite, p.profile, p.machine): len(p.lines) for p in book.places}
    return any(len(labels[key]) >= COMMON and 2 * len(cells[key]) >= sizes[key] for key in cells)


def _cause(cluster: Sequence[Moved]) -> TrendCause:
    counting = [each for each in cluster if each.trend.counts] or list(cluster)
    lead = min(counting, key=_leads).line.series.metric
    moved = sorted(
        (each for each in counting if each.line.series.metric == lead),
        key=lambda each: -each.over,
    )
    metrics = dict.fromkeys(each.line.series.metric for each in cluster)
    return TrendCause(
        state=cluster[0].trend.state,
        moved=tuple(moved),
        also=tuple(metric for metric in metrics if metric != lead),
        everything=tuple(cluster),
    )


def _leads(each: Moved) -> tuple[int, float]:
    return place_of(each.line.series.metric), -each.over


def _over_budget(trend: SeriesTrend) -> float:
    budget, value = trend.budget, trend.latest
    if budget is None or value is None:
        return 0.0
    top, below = (value, budget.at_most) if budget.at_most else (budget.at_least or 0.0, value)
    return top / below if below > 0.0 else 0.0
