"""
The nights at a glance: a row for each metric of each cell on each machine, a column for each night,
coloured by the change against the limit.

Rows behind a cause come first, then speed and quality of every cell; all others unfold. Nights
without a run and acknowledged changes are seen as such. Geometry in percent of the width.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

import numpy as np

from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.history.trend import SeriesTrend, TrendState
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.site import urls
from voxgate.harness.report.site.causes import TrendCause, causes_at, place_of
from voxgate.harness.report.site.history_view import Book, MetricSeries, RunAxis
from voxgate.harness.report.site.recent import (
    SIGNS,
    NightAxis,
    RecentNights,
    limit_words,
    night_change,
    trend_words,
)
from voxgate.harness.report.site.state import QUIET, machine_names, of_trend

LEAST_NIGHTS = 2
"""Nights from which on there is something to compare."""
STEPS = (0.5, 1.0, 1.5, 2.5)
"""Multiples of the limit at which the colour changes; from the second on it is beyond the limit."""
QUALITY = ("pesq", "wer", "mel_distance", "speaker_similarity", "snr")
"""Metrics of which the first that a cell has stands for its quality."""
OPEN_ROWS = 24
"""Rows in sight: as many as a screen has room for beside the causes."""
FOLDED_ROWS = 240
TICK_DAYS = (1, 2, 7, 14, 28, 91, 364)
MOST_TICKS = 9
KNOWN = 6
"""Acknowledged changes that are told, the newest."""
NAMED = 3
"""Machines that a caption names."""
GAP, LOST = 90, 91
"""Codes of nights without a run, and of runs without a value, beside the steps -4 to 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Neighbouring nights of one colour; `x` and `width` are in percent."""

    x: str
    width: str
    style: str
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One row: a metric of a cell on a machine through the nights."""

    address: str
    where: str
    metric: str
    machine: str
    mark: Badge
    words: str
    key: str
    is_advisory: bool
    pieces: tuple[Piece, ...]
    cuts: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NightsView:
    """The picture: rows in sight and rows that unfold, on one axis of nights."""

    caption: str
    ticks: tuple[Piece, ...]
    rows: tuple[Strip, ...]
    folded: tuple[Strip, ...]
    left_out: int
    acknowledged: tuple[str, ...] = ()
    """What a person acknowledged on these nights, a sentence each."""

    @property
    def has_advisory(self) -> bool:
        """Whether a row only informs."""
        return any(row.is_advisory for row in (*self.rows, *self.folded))


@dataclass(frozen=True, slots=True, kw_only=True)
class NightsRow:
    """One series that may become a row."""

    place: RunAxis
    line: MetricSeries
    trend: SeriesTrend
    recent: RecentNights


Found = Sequence[TrendCause]
"""Everything that moved, wherever it did."""
Keys = Mapping[int, str]
"""Series -> the cause that it belongs to, which lights up with it."""


def nights_view(
    book: Book,
    places: Sequence[RunAxis],
    everywhere: Found,
    most_folded: int = FOLDED_ROWS,
) -> NightsView | None:
    """Return the picture of some places; None where there are too few nights to compare."""
    rows = list(chain.from_iterable(_rows(book, place) for place in places))
    if max((len(row.line.at) for row in rows), default=0) < LEAST_NIGHTS:
        return None
    found = causes_at(everywhere, places)
    keys, names = cause_keys(found), machine_names(book)
    first = _first_rows(rows, found)
    shown = first[:OPEN_ROWS]
    seen = {row.line.series.id for row in shown}
    rest = sorted(
        (row for row in rows if row.line.series.id not in seen), key=lambda row: not _tells(row)
    )
    return NightsView(
        caption=_caption(rows, found),
        ticks=_ticks(rows[0].recent.axis),
        rows=tuple(_strip(row, keys, names) for row in shown),
        folded=tuple(_strip(row, keys, names) for row in rest[:most_folded]),
        left_out=max(0, len(rest) - most_folded),
        acknowledged=_acknowledged(rows),
    )


def cause_keys(found: Sequence[TrendCause]) -> dict[int, str]:
    """Return the key of the cause that each series belongs to."""
    keys: dict[int, str] = {}
    for number, cause in enumerate(found, 1):
        keys |= dict.fromkeys((each.line.series.id for each in cause.everything), f"cause-{number}")
    return keys


def _rows(book: Book, place: RunAxis) -> Iterator[NightsRow]:
    for lines in place.lines.values():
        for line in lines:
            trend = book.trend(line)
            if not line.helps and line.series.better in SIGNS and trend.latest is not None:
                yield NightsRow(
                    place=place, line=line, trend=trend, recent=book.recent[line.series.id]
                )


def _first_rows(rows: Sequence[NightsRow], found: Sequence[TrendCause]) -> list[NightsRow]:
    """Return the rows to show, in order: those of the causes that count, then two of each cell."""
    caused: dict[int, int] = {}
    for number, cause in enumerate(found):
        told = cause.moved if cause.counts else ()
        caused |= dict.fromkeys((each.line.series.id for each in told), number)
    top = sorted(
        (row for row in rows if row.line.series.id in caused),
        key=lambda row: caused[row.line.series.id],
    )
    chosen: dict[tuple[str, ...], NightsRow] = {}
    for row in rows:
        series = row.line.series
        key = (*_cell_of(row), "speed" if is_speed(series.metric) else "quality")
        if key not in chosen or _stands_for(series.metric) < _stands_for(
            chosen[key].line.series.metric
        ):
            chosen[key] = row
    named = {row.line.series.id for row in top}
    return [*top, *(row for row in chosen.values() if row.line.series.id not in named)]


def _cell_of(row: NightsRow) -> tuple[str, ...]:
    series = row.line.series
    return series.suite, series.profile, series.machine, series.cell


def _stands_for(metric: str) -> int:
    return QUALITY.index(metric) if metric in QUALITY else len(QUALITY) + place_of(metric)


def _tells(row: NightsRow) -> bool:
    """Return whether a folded row has something to show."""
    return row.trend.state not in QUIET or bool(row.recent.cuts) or bool(row.recent.changes)


def _strip(row: NightsRow, keys: Keys, names: Mapping[str, str]) -> Strip:
    series, trend = row.line.series, row.trend
    where = f"{series.suite} / {series.label}"
    return Strip(
        address=urls.cell_page(series.suite, series.cell),
        where=where,
        metric=series.metric,
        machine=names[series.machine],
        mark=of_trend(trend),
        words=f"{series.metric} on {series.machine}: {of_trend(trend).word}; {trend_words(trend)}",
        key=keys.get(series.id, ""),
        is_advisory=trend.is_advisory,
        pieces=tuple(_pieces(row)),
        cuts=tuple(_cut(row.recent, place, why) for place, why, _ in row.recent.cuts),
    )


def _pieces(row: NightsRow) -> Iterator[Piece]:
    recent = row.recent
    codes = _codes(recent)
    for code, group in groupby(range(recent.axis.count), key=codes.__getitem__):
        places = list(group)
        if code:
            yield Piece(
                x=_percent(places[0], recent.axis),
                width=_percent(len(places), recent.axis),
                style=_style(code),
                tip=_tip(row, places, code),
            )


def _codes(recent: RecentNights) -> list[int]:
    """Return the code of each night; without a rhythm, a run's lasts until the next one."""
    sizes = np.digitize(np.abs(np.nan_to_num(recent.worse)), STEPS)
    codes = (sizes * np.sign(np.nan_to_num(recent.worse))).astype(int)
    if not recent.is_nightly and len(recent.known):
        last = np.maximum.accumulate(np.where(np.isnan(recent.values), -1, np.arange(len(codes))))
        codes = np.where(last >= 0, codes[last], 0)
    for place, night in recent.lost.items():
        codes[place] = LOST if night.had_run else GAP
    return [int(code) for code in codes]


def _style(code: int) -> str:
    if code in (GAP, LOST):
        return "night-gap" if code == GAP else "night-lost"
    return f"night-{'worse' if code > 0 else 'better'}-{abs(code)}"


def _tip(row: NightsRow, places: Sequence[int], code: int) -> str:
    recent = row.recent
    axis = recent.axis
    days = axis.day(places[0])
    if len(places) > 1:
        days = f"{days} to {axis.day(places[-1])}"
    if code in (GAP, LOST):
        return f"{days}: {recent.lost[places[0]].why}"
    known = [place for place in places if not np.isnan(recent.values[place])] or places[:1]
    least, most = (choose(known, key=lambda at: recent.worse[at]) for choose in (min, max))
    texts = dict.fromkeys(
        night_change(row.trend, float(recent.levels[at]), float(recent.values[at]))
        for at in (least, most)
        if not np.isnan(recent.values[at])
    )
    level = float(recent.levels[places[0]])
    return f"{days}: {' to '.join(texts)} (limit {limit_words(row.trend, level)})"


def _cut(recent: RecentNights, place: int, why: str) -> Piece:
    return Piece(
        x=_percent(place, recent.axis),
        width="",
        style="night-cut",
        tip=f"{recent.axis.day(place)}: {why}",
    )


def _percent(days: float, axis: NightAxis) -> str:
    return f"{100.0 * days / axis.count:.2f}%"


def _ticks(axis: NightAxis) -> tuple[Piece, ...]:
    """Return dates below the columns, counted back from the newest; every other is `minor`."""
    step = next((days for days in TICK_DAYS if axis.count / days <= MOST_TICKS), TICK_DAYS[-1])
    places = range(axis.count - 1, -1, -step)
    return tuple(
        Piece(
            x=_percent(place + 0.5, axis),
            width="",
            style="minor" if number % 2 else "major",
            tip=axis.day(place)[5:] if step < TICK_DAYS[-2] else axis.day(place)[:7],
        )
        for number, place in enumerate(places)
    )


def _caption(rows: Sequence[NightsRow], found: Sequence[TrendCause]) -> str:
    axis = rows[0].recent.axis
    worse = sum(cause.counts for cause in found)
    better = sum(cause.state is TrendState.BETTER for cause in found)
    known = {cut for cut in chain.from_iterable(row.recent.cuts for row in rows) if cut[2]}
    parts = [
        _count(worse, "thing is worse", "things are worse") if worse else "nothing is worse",
        _count(better, "is better", "are better"),
        _count(len(known), "change is acknowledged", "changes are acknowledged"),
        _missed(rows),
    ]
    unit = "nights" if any(row.recent.is_nightly for row in rows) else "days"
    span = f"{axis.count} {unit} to {axis.day(axis.count - 1)}"
    return f"{span}: {', '.join(part for part in parts if part)}."


def _acknowledged(rows: Sequence[NightsRow]) -> tuple[str, ...]:
    """Return each acknowledged change with its day, its reason, and where it is."""
    where: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        series, axis = row.line.series, row.recent.axis
        name = f"{series.suite} / {series.label} {series.metric} on {series.machine}"
        for place, why, is_known in row.recent.cuts:
            if is_known and place >= 0:
                where.setdefault((axis.day(min(place, axis.count - 1)), why), []).append(name)
    return tuple(
        f"{day}, {why} ({names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''})"
        for (day, why), names in sorted(where.items(), reverse=True)[:KNOWN]
    )


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}" if count else ""


def _missed(rows: Sequence[NightsRow]) -> str:
    """Return how many nights each machine has no run of, by its name."""
    of: dict[str, set[int]] = {}
    for row in rows:
        of.setdefault(row.place.machine, set()).update(row.recent.missed)
    named = [
        f"{_count(len(places), 'night', 'nights')} without a run on {machine}"
        for machine, places in of.items()
        if places
    ]
    more = f" and {len(named) - NAMED} other machines" if len(named) > NAMED else ""
    return f"{', '.join(named[:NAMED])}{more}"
