"""
Where the time of one cell goes, stage by stage, before and after: a waterfall in which each stage
begins where the one before it ended.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType

from voxgate.harness.analysis.metric_rules import STAGE
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.report.format import shown_value
from voxgate.harness.report.pictures.axis import Scale

COLOURS = 8
OF_STAGES: Mapping[str, int] = MappingProxyType(
    {
        "acoustic": 1,
        "model": 1,
        "synthesis": 1,
        "vocoder": 2,
        "content": 3,
        "post": 4,
        "watermark": 5,
        "text": 6,
        "preprocess": 6,
        "tokens": 7,
        "f0": 7,
    }
)
"""The colour of a stage, the same on every page; other names get one by their own letters."""
LEAST_S = 1e-9
LEAST_CHANGE = 0.0005
"""Of a stage, as a share: less would be shown as 0.0 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpan:
    """Begin and width of a bar in percent of the picture's width."""

    start: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """
    One stage, or all of them together, which has no colour (0); texts are in milliseconds, empty
    where a side is not known.
    """

    name: str
    color: int
    before: StageSpan | None
    now: StageSpan
    was: str
    value: str
    change: str
    moved: bool
    """Whether it is the stage that grew most, where the cell got slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """The stages of one cell in their order, and their sum last."""

    cell: str
    label: str
    kind: str
    caption: str
    rows: tuple[StageRow, ...]
    ticks: tuple[tuple[float, str], ...]
    has_before: bool

    @property
    def words(self) -> str:
        """The stages in words."""
        told = (f"{row.name} {row.value} ms {row.change}".strip() for row in self.rows)
        return f"AllStages of {self.label}: {', '.join(told)}"


def waterfall(each: "StagedCell") -> Waterfall | None:
    """Return the stages of a cell; None where none was timed."""
    new, old = each.now, each.before
    if sum(new.values()) <= 0.0:
        return None
    names = [*new, *(name for name in old if name not in new)]
    sides = (_chain({name: old[name] for name in names if name in old}), _chain(new))
    reach_s = max(sum(new.values()), sum(old.values()))
    scale = Scale(low=0.0, high=reach_s * 1e3, start=0.0, end=100.0)
    moved = _grown_most(old, new)
    colors = stage_colors(names)
    rows = [_row(name, colors[name], sides, scale, name == moved) for name in names]
    return Waterfall(
        cell=each.cell,
        label=each.label,
        kind=each.kind,
        caption=_caption(each.label, old, new, moved),
        rows=(*rows, _total(old, new, scale)),
        ticks=tuple((scale.at(tick), f"{tick:g}") for tick in scale.ticks()),
        has_before=bool(old),
    )


def stages_s(measurements: Iterable[Measurement]) -> dict[str, float]:
    """Return the seconds of each stage, in the order of the measurements."""
    return {
        each.metric.removeprefix(STAGE): each.summary
        for each in measurements
        if each.metric.startswith(STAGE) and isinstance(each.summary, float)
    }


def stage_colors(names: Sequence[str]) -> dict[str, int]:
    """
    Return the colour of each stage, from 1 on; two of one page differ while there are enough.

    >>> stage_colors(["text", "acoustic", "vocoder"])
    {'text': 6, 'acoustic': 1, 'vocoder': 2}
    """
    colors = {name: OF_STAGES[name] for name in names if name in OF_STAGES}
    for name in names:
        if name not in colors:
            first = zlib.crc32(name.encode("utf-8", "replace"))
            order = [(first + step) % COLOURS + 1 for step in range(COLOURS)]
            free = [color for color in order if color not in colors.values()]
            colors[name] = (free or order)[0]
    return {name: colors[name] for name in names}


Chain = Mapping[str, tuple[float, float]]
"""Stage -> begin and duration in seconds."""


def _chain(stages: Mapping[str, float]) -> Chain:
    start, chain = 0.0, {}
    for name, seconds in stages.items():
        chain[name] = (start, seconds)
        start += seconds
    return chain


def _row(name: str, color: int, sides: tuple[Chain, Chain], scale: Scale, moved: bool) -> StageRow:
    old, new = (side.get(name) for side in sides)
    now = new or (0.0, 0.0)
    return StageRow(
        name=name,
        color=color,
        before=None if old is None else _bar(old, scale),
        now=_bar(now, scale),
        was="" if old is None else _ms(old[1]),
        value=_ms(now[1]) if new is not None else "gone",
        change=_change(old[1] if old else None, now[1]) if sides[0] else "",
        moved=moved,
    )


def _total(old: Mapping[str, float], new: Mapping[str, float], scale: Scale) -> StageRow:
    before, now = sum(old.values()), sum(new.values())
    return StageRow(
        name="all stages",
        color=0,
        before=_bar((0.0, before), scale) if old else None,
        now=_bar((0.0, now), scale),
        was=_ms(before) if old else "",
        value=_ms(now),
        change=_change(before, now) if old else "",
        moved=False,
    )


def _bar(place_s: tuple[float, float], scale: Scale) -> StageSpan:
    start, end = scale.at(place_s[0] * 1e3), scale.at(sum(place_s) * 1e3)
    return StageSpan(start=start, width=round(end - start, 2))


def _ms(seconds: float) -> str:
    return shown_value("stage", "s", seconds)


def _change(before: float | None, now: float) -> str:
    """Return a change: `+9.2 ms (+13.1 %)`, `same`, or `new` for a stage that was not there."""
    if before is None or before < LEAST_S:
        return "new" if now > LEAST_S else ""
    if abs(now / before - 1.0) < LEAST_CHANGE:
        return "same"
    return f"{(now - before) * 1e3:+.3g} ms ({(now / before - 1.0) * 100.0:+.1f} %)"


def _grown_most(old: Mapping[str, float], new: Mapping[str, float]) -> str:
    """Return the stage that grew most; empty where the whole did not grow by a hundredth."""
    before, now = sum(old.values()), sum(new.values())
    if not old or now < before * 1.01:
        return ""
    return max(new, key=lambda name: new[name] - old.get(name, 0.0))


def _caption(label: str, old: Mapping[str, float], new: Mapping[str, float], moved: str) -> str:
    now = sum(new.values())
    if not old:
        most = max(new, key=lambda name: new[name])
        return f"{label}: {_ms(now)} ms, of which {most} takes {new[most] / now * 100.0:.0f} %."
    before = sum(old.values())
    told = f"{label}: all stages {_ms(before)} ms before, {_ms(now)} ms now"
    if not moved:
        return f"{told}."
    grown = new[moved] - old.get(moved, 0.0)
    share = min(grown / (now - before), 1.0) * 100.0
    return f"{told}; {moved} grew by {grown * 1e3:.3g} ms, {share:.0f} % of the growth."


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBlock:
    """One stage of one cell in percent of the width."""

    name: str
    color: int
    start: float
    width: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedLine:
    """All stages of one cell in a line; `before` is the length of the baseline's."""

    cell: str
    label: str
    blocks: tuple[StageBlock, ...]
    before: float | None
    total: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllStages:
    """The stages of all cells on one axis; `names` are (stage, colour)."""

    caption: str
    rows: tuple[StagedLine, ...]
    names: tuple[tuple[str, int], ...]
    ticks: tuple[tuple[float, str], ...]
    has_before: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedCell:
    """A cell, with the measurements of its stages before and now."""

    cell: str
    label: str
    kind: str
    before: Mapping[str, float]
    now: Mapping[str, float]


def stages(cells: Sequence[StagedCell]) -> AllStages | None:
    """Return the stages of all cells that were timed, on one axis; None where none was."""
    timed = [each for each in cells if sum(each.now.values()) > 0.0]
    if not timed:
        return None
    longest_s = max(max(sum(each.now.values()), sum(each.before.values())) for each in timed)
    scale = Scale(low=0.0, high=longest_s * 1e3, start=0.0, end=100.0)
    colors = stage_colors(list(chain.from_iterable(each.now for each in timed)))
    return AllStages(
        caption=_overview(timed),
        rows=tuple(_line(each, colors, scale) for each in timed),
        names=tuple(colors.items()),
        ticks=tuple((scale.at(tick), f"{tick:g}") for tick in scale.ticks()),
        has_before=any(each.before for each in timed),
    )


def _line(each: StagedCell, colors: Mapping[str, int], scale: Scale) -> StagedLine:
    old, new = sum(each.before.values()), sum(each.now.values())
    bars = {name: _bar(place, scale) for name, place in _chain(each.now).items()}
    return StagedLine(
        cell=each.cell,
        label=each.label,
        blocks=tuple(
            StageBlock(
                name=name,
                color=colors[name],
                start=bar.start,
                width=bar.width,
                words=f"{each.label}: {name} {_ms(each.now[name])} ms, "
                f"{each.now[name] / new * 100.0:.0f} %",
            )
            for name, bar in bars.items()
        ),
        before=scale.at(old * 1e3) if old > 0.0 else None,
        total=_ms(new),
        change=f"{(new / old - 1.0) * 100.0 + 0.0:+.1f} %" if old > 0.0 else "",
    )


def _overview(timed: Sequence[StagedCell]) -> str:
    """Return the stage that takes most of the time, over all cells."""
    sums: dict[str, float] = {}
    for each in timed:
        for name, seconds in each.now.items():
            sums[name] = sums.get(name, 0.0) + seconds
    most = max(sums, key=lambda name: sums[name])
    share = sums[most] / sum(sums.values()) * 100.0
    where = f" over {len(timed)} cells" if len(timed) > 1 else ""
    return f"{most} takes {share:.0f} % of the time{where}."
