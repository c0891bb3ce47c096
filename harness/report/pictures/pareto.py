"""
Speed against quality: every cell a numbered mark, faster to the right and better to the top, so
that the cells to choose from stand in the upper right.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from types import MappingProxyType

from voxgate.harness.analysis.grouping import Measurements, by_name
from voxgate.harness.judging.tradeoff import RTF, Point, Tradeoff
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.report.badges import Badge, of_verdict
from voxgate.harness.report.format import shown_scale, shown_unit, shown_value
from voxgate.harness.report.pictures.axis import Scale, scale_of

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "pesq": "PESQ",
        "wer": "word error rate",
        "snr": "SNR",
        "stoi": "STOI",
        "similarity_margin": "similarity margin",
        "mel_distance": "mel distance",
    }
)
LEFT, RIGHT = 11.0, 96.0
"""Percent of the width."""
TOP, BOTTOM = 26.0, 284.0
"""Pixels."""
USUAL_WIDTH = 330.0
"""Pixels of a narrow picture, in which numbers still keep clear of other marks."""
PLACES = ((11.0, -8.0), (-11.0, -8.0), (11.0, 17.0), (-11.0, 17.0), (0.0, -13.0), (0.0, 22.0))
"""Where a number stands beside its mark, in pixels, the first that is free."""
FARTHER = tuple(
    (
        round(reach * math.cos(turn * math.pi / 6.0), 1),
        round(reach * math.sin(turn * math.pi / 6), 1),
    )
    for reach in (30.0, 44.0, 58.0, 72.0)
    for turn in range(12)
)
"""Where it stands, with a line to its mark, if none of PLACES is free."""
NEAR = 13.0
"""Pixels that a number needs around it."""


LEAD = 24.0
"""Pixels from its mark from which on a number has a line to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoMark:
    """
    One cell. Across are percent of the width, down are pixels; `text_x` and `text_y` are the place
    of its number from the mark, in pixels.
    """

    number: int
    cell: str
    label: str
    mark: Badge
    x: float
    y: float
    left: float
    right: float
    high: float
    low: float
    text_x: float
    text_y: float
    on_front: bool
    is_best: bool
    speed: str
    speed_words: str
    quality: str
    quality_words: str

    @property
    def lead(self) -> tuple[float, float] | None:
        """The end of the line from the mark to its number; None where the number is beside it."""
        far = math.hypot(self.text_x, self.text_y) > LEAD
        return (round(0.85 * self.text_x, 1), round(0.85 * self.text_y - 3.0, 1)) if far else None

    @property
    def anchor(self) -> str:
        """How the number is set."""
        return "start" if self.text_x > 0 else "end" if self.text_x < 0 else "middle"

    @property
    def tip(self) -> str:
        """The cell in words."""
        best = ", the fastest that is fit to ship" if self.is_best else ""
        return f"{self.number}. {self.label}: {self.speed_words}, {self.quality_words}{best}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pareto:
    """
    All cells. `front` joins those that no other beats at both, in a box of 100 x `height`;
    `floor` is the place of the quality floor in pixels, `wash` the top and height of what lies
    beyond.
    """

    name: str
    caption: str
    speed_title: str
    quality_title: str
    speed_head: str
    quality_head: str
    marks: tuple[ParetoMark, ...]
    front: tuple[tuple[float, float, float, float], ...]
    """Lines: x1, y1, x2, y2."""
    floor: float | None
    floor_text: str
    wash: tuple[float, float]
    speed_ticks: tuple[tuple[float, str], ...]
    quality_ticks: tuple[tuple[float, str], ...]

    @property
    def words(self) -> str:
        """All cells in words."""
        return f"{self.caption} {'; '.join(mark.tip for mark in self.marks)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axes:
    speed: Scale
    quality: Scale
    factor: float
    """Of a quality, from its base unit to the one that is shown."""
    data: Tradeoff

    def fast(self, value: float) -> float:
        """Return a speed as the axis has it: as times real time, or in the unit that is shown."""
        if self.data.speed == RTF:
            return 1.0 / value
        return value * shown_scale(self.data.speed, self.data.speed_unit)


def pareto(
    data: Tradeoff, measured: Measurements, floor: float | None = None, best: str | None = None
) -> Pareto | None:
    """
    Return the picture of a trade-off; `best` is the slug of the fastest cell fit to ship. None
    where a speed is not above 0.
    """
    if any(point.speed <= 0.0 for point in data.points):
        return None
    axes = _axes(data, measured, floor)
    ordered = sorted(data.points, key=lambda point: point.speed)
    marks = _placed(
        [_mark(number, point, axes, measured, best) for number, point in enumerate(ordered, 1)]
    )
    place = None if floor is None else axes.quality.at(floor * axes.factor)
    unit = shown_unit(data.metric, data.unit)
    title = TITLES.get(data.metric, data.metric)
    return Pareto(
        name=data.name,
        caption=_caption(data, marks, title),
        speed_title="times real time, log scale"
        if data.speed == RTF
        else f"latency of live conversion, {shown_unit(data.speed, data.speed_unit)}, log scale",
        quality_title=f"{title}{f', {unit}' if unit else ''}",
        speed_head="× real time" if data.speed == RTF else "latency",
        quality_head=f"{title} {unit}".strip(),
        marks=marks,
        front=_front(marks),
        floor=place,
        floor_text="" if floor is None else f"floor {_quality_text(data, floor)}",
        wash=(0.0, 0.0) if place is None else (place, BOTTOM - place),
        speed_ticks=tuple((axes.speed.at(tick), _speed_tick(data, tick)) for tick in _ticks(axes)),
        quality_ticks=tuple((axes.quality.at(tick), f"{tick:g}") for tick in axes.quality.ticks(5)),
    )


def _axes(data: Tradeoff, measured: Measurements, floor: float | None) -> _Axes:
    """Return the axes; slow and bad lie at the lower left, whichever way the numbers rise."""
    factor = shown_scale(data.metric, data.unit)
    rough = _Axes(
        speed=Scale(low=1.0, high=2.0, start=0.0, end=1.0, is_log=True),
        quality=Scale(low=0.0, high=1.0, start=0.0, end=1.0),
        factor=factor,
        data=data,
    )
    speeds = chain.from_iterable(_speeds(data, point, measured) for point in data.points)
    qualities = chain.from_iterable(_qualities(data, point, measured) for point in data.points)
    across = (LEFT, RIGHT) if data.speed == RTF else (RIGHT, LEFT)
    down = (TOP, BOTTOM) if data.better == "lower" else (BOTTOM, TOP)
    limits = [] if floor is None else [floor]
    return replace(
        rough,
        speed=scale_of(map(rough.fast, speeds), *across, is_log=True, room=0.08),
        quality=scale_of([value * factor for value in (*qualities, *limits)], *down, room=0.1),
    )


def _of(measured: Measurements, cell: str, metric: str) -> Measurement | None:
    return by_name(measured.get(cell, ())).get(metric)


def _bounds(value: float, measurement: Measurement | None) -> tuple[float, float, float]:
    if measurement is None or measurement.low is None or measurement.high is None:
        return value, value, value
    return value, measurement.low, measurement.high


def _speeds(data: Tradeoff, point: Point, measured: Measurements) -> list[float]:
    bounds = _bounds(point.speed, _of(measured, point.cell, data.speed))
    return [value for value in bounds if value > 0.0]


def _qualities(data: Tradeoff, point: Point, measured: Measurements) -> tuple[float, ...]:
    return _bounds(point.quality, _of(measured, point.cell, data.metric))


def _mark(
    number: int, point: Point, axes: _Axes, measured: Measurements, best: str | None
) -> ParetoMark:
    data = axes.data
    across = [axes.speed.at(axes.fast(value)) for value in _speeds(data, point, measured)]
    down = [axes.quality.at(value * axes.factor) for value in _qualities(data, point, measured)]
    return ParetoMark(
        number=number,
        cell=point.cell,
        label=point.label,
        mark=of_verdict(point.verdict.value),
        x=across[0],
        y=round(down[0], 1),
        left=min(across),
        right=max(across),
        high=round(min(down), 1),
        low=round(max(down), 1),
        text_x=PLACES[0][0],
        text_y=PLACES[0][1],
        on_front=point.on_front,
        is_best=point.cell == best,
        speed=_speed_text(data, point.speed),
        speed_words=_speed_text(data, point.speed) + (" real time" if data.speed == RTF else ""),
        quality=_quality_text(data, point.quality),
        quality_words=f"{TITLES.get(data.metric, data.metric)} "
        f"{_quality_text(data, point.quality)}",
    )


def _speed_text(data: Tradeoff, speed: float) -> str:
    if data.speed == RTF:
        return f"{1.0 / speed:.3g}×"
    return f"{shown_value(data.speed, data.speed_unit, speed)} ms"


def _quality_text(data: Tradeoff, quality: float) -> str:
    unit = shown_unit(data.metric, data.unit)
    return f"{shown_value(data.metric, data.unit, quality)} {unit if unit == '%' else ''}".strip()


def _ticks(axes: _Axes) -> tuple[float, ...]:
    return axes.speed.ticks(7)


def _speed_tick(data: Tradeoff, value: float) -> str:
    return f"{value:g}×" if data.speed == RTF else f"{value:g}"


def _placed(marks: Sequence[ParetoMark]) -> tuple[ParetoMark, ...]:
    """Put each number where it covers no mark and no other number, if there is such a place."""
    spots = [(mark.x * USUAL_WIDTH / 100.0, mark.y) for mark in marks]
    taken: list[tuple[float, float]] = []
    placed = []
    for mark, spot in zip(marks, spots, strict=True):
        others = [*(each for each in spots if each != spot), *taken]
        inside = [place for place in (*PLACES, *FARTHER) if _is_inside(spot, place)]
        rooms = ((_room(spot, place, others), place) for place in inside)
        text_x, text_y = next(
            (place for room, place in rooms if room >= NEAR),
            max(PLACES, key=lambda place: _room(spot, place, others)),
        )
        taken.append((spot[0] + text_x, spot[1] + text_y))
        placed.append(replace(mark, text_x=text_x, text_y=text_y))
    return tuple(placed)


def _is_inside(spot: tuple[float, float], place: tuple[float, float]) -> bool:
    x, y = spot[0] + place[0], spot[1] + place[1]
    return 0.0 <= x <= USUAL_WIDTH and TOP - 13.0 <= y <= BOTTOM


def _room(
    spot: tuple[float, float], place: tuple[float, float], others: Sequence[tuple[float, float]]
) -> float:
    """Return how far a number is from the nearest mark or number, NEAR at most."""
    x, y = spot[0] + place[0], spot[1] + place[1]
    return min([NEAR, *(max(abs(x - left), abs(y - top)) for left, top in others)])


def _front(marks: Sequence[ParetoMark]) -> tuple[tuple[float, float, float, float], ...]:
    best = [mark for mark in marks if mark.on_front]
    return tuple((one.x, one.y, other.x, other.y) for one, other in pairwise(best))


def _caption(data: Tradeoff, marks: Sequence[ParetoMark], title: str) -> str:
    """Return the finding: `Speed against PESQ: no cell beats nfe=8, nfe=32 at both`."""
    front = ", ".join(mark.label for mark in marks if mark.on_front)
    short = "Speed" if data.speed == RTF else "Latency"
    return f"{short} against {title}: no cell beats {front} at both."
