"""
A panel: one quantity, or several of one unit, over another, as points with intervals that lines
join.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from voxgate.harness.report.pictures.axis import Scale, scale_of

LEFT, RIGHT = 9.0, 96.0
"""Percent of the width."""
TOP, BOTTOM = 36.0, 236.0
"""Pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelValue:
    """A value at a place of the lower axis, in words, with its 95 % interval where it has one."""

    across: float
    value: float
    words: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelLimit:
    """
    A line that must not be crossed: at a value of the left axis, or, where it stands upright, of
    the lower one. `is_floor`: what lies below it is bad.
    """

    value: float
    text: str
    upright: bool = False
    is_floor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelPoint:
    """One value: percent across, pixels down."""

    x: float
    y: float
    high: float
    low: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelLine:
    """One quantity over the lower axis."""

    name: str
    points: tuple[PanelPoint, ...]
    name_below: bool = False
    """Whether its name stands below its last point, because another line lies above."""

    @property
    def pieces(self) -> tuple[tuple[PanelPoint, PanelPoint], ...]:
        """The neighbours that a line joins."""
        return tuple(pairwise(self.points))


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """
    One plane. `limit` is in pixels from the top, with top and height of what lies beyond; `post`
    (place, text) is an upright line.
    """

    title: str
    across: str
    lines: tuple[PanelLine, ...]
    ticks: tuple[tuple[float, str], ...]
    across_ticks: tuple[tuple[float, str], ...]
    limit: float | None = None
    limit_text: str = ""
    wash: tuple[float, float] = (0.0, 0.0)
    post: tuple[float, str] | None = None
    post_is_limit: bool = False

    @property
    def words(self) -> str:
        """All values in words."""
        points = chain.from_iterable(line.points for line in self.lines)
        return f"{self.title}: {'; '.join(point.words for point in points)}"


def panel(
    titles: tuple[str, str],
    lines: Sequence[tuple[str, Sequence[PanelValue]]],
    limit: PanelLimit | None = None,
    *,
    is_log: bool = False,
    at_values: bool = False,
    top: float | None = None,
) -> Panel | None:
    """
    Return the panel of named lines; `titles` are of the left and the lower axis. The left axis
    begins at 0 and ends at `top` where that is given; the lower one has a tick at each value where
    `at_values`. None without a value.
    """
    every = list(chain.from_iterable(values for _, values in lines))
    if not every:
        return None
    across = scale_of([each.across for each in every], LEFT, RIGHT, is_log=is_log, room=0.03)
    tops = [each.value if each.high is None else each.high for each in every]
    held = limit is not None and not limit.upright and limit.value < 2.0 * max(tops)
    bounds = [*tops, *([limit.value] if limit is not None and held else [])]
    highest = max(bounds) * 1.02 or 1.0
    down = Scale(low=0.0, high=highest if top is None else top, start=BOTTOM, end=TOP)
    return Panel(
        title=titles[0],
        across=titles[1],
        lines=_named(_line(name, values, across, down) for name, values in lines if values),
        ticks=tuple((down.at(tick), f"{tick:g}") for tick in down.ticks(5)),
        across_ticks=tuple(
            (across.at(tick), f"{tick:g}") for tick in _across_ticks(every, across, at_values)
        ),
        limit=down.at(limit.value) if limit is not None and held else None,
        limit_text=limit.text if limit is not None and held else "",
        wash=_wash(limit, down) if held else (0.0, 0.0),
        post=(across.at(limit.value), limit.text) if limit is not None and limit.upright else None,
        post_is_limit=limit is not None and limit.upright,
    )


def _across_ticks(every: Sequence[PanelValue], across: Scale, at_values: bool) -> Sequence[float]:
    return sorted({each.across for each in every}) if at_values else across.ticks()


def _wash(limit: PanelLimit | None, down: Scale) -> tuple[float, float]:
    if limit is None:
        return 0.0, 0.0
    place = down.at(limit.value)
    return (place, round(BOTTOM - place, 1)) if limit.is_floor else (TOP, round(place - TOP, 1))


def _line(name: str, values: Sequence[PanelValue], across: Scale, down: Scale) -> PanelLine:
    ordered = sorted(values, key=lambda each: each.across)
    return PanelLine(name=name, points=tuple(_point(each, across, down) for each in ordered))


def _named(lines: Iterable[PanelLine]) -> tuple[PanelLine, ...]:
    """Put the name of the line that ends lowest below it, where there are several."""
    drawn = list(lines)
    lowest = max(drawn, key=lambda line: line.points[-1].y)
    several = len(drawn) > 1
    return tuple(replace(line, name_below=several and line is lowest) for line in drawn)


def _point(each: PanelValue, across: Scale, down: Scale) -> PanelPoint:
    return PanelPoint(
        x=across.at(each.across),
        y=down.at(each.value),
        high=down.at(each.value if each.high is None else each.high),
        low=down.at(each.value if each.low is None else each.low),
        words=each.words,
    )
