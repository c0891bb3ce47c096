"""
The load curve: latency and throughput over the levels of load, with the knee from which on more
load brings more waiting and hardly more answers.

The knee is the level of the greatest power, throughput divided by latency (Kleinrock 1979).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from voxgate.harness.report.pictures.axis import Scale, scale_of

LEFT, RIGHT = 9.0, 96.0
"""Percent of the width."""
TOP, BOTTOM = 22.0, 224.0
"""Pixels."""
LEAST_LEVELS = 3
"""Of a knee: of two levels one would always be it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name, and its 95 % interval where there is one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadLevel:
    """One level: its load (clients, or requests per second), and what came of it."""

    name: str
    load: float
    answers_per_s: float
    latency_ms: tuple[Figure, ...]
    """Percentiles, the median first."""
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPoint:
    """One value at one level: percent across, pixels down."""

    x: float
    y: float
    high: float
    low: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadLine:
    """One quantity over the levels."""

    name: str
    points: tuple[LoadPoint, ...]

    @property
    def pieces(self) -> tuple[tuple[LoadPoint, LoadPoint], ...]:
        """The neighbours that a line joins."""
        return tuple(pairwise(self.points))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPanel:
    """One plane over the levels, with a limit in pixels from the top where there is one."""

    title: str
    lines: tuple[LoadLine, ...]
    ticks: tuple[tuple[float, str], ...]
    limit: float | None
    limit_text: str

    @property
    def words(self) -> str:
        """All values in words."""
        points = chain.from_iterable(line.points for line in self.lines)
        return f"{self.title}: {'; '.join(point.words for point in points)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCurve:
    """Latency and throughput of one cell over its levels; `knee` is a place across."""

    caption: str
    panels: tuple[LoadPanel, ...]
    levels: tuple[tuple[float, str], ...]
    level_title: str
    knee: float | None
    knee_text: str


def load_curve(
    levels: Sequence[LoadLevel], unit: str, limit_ms: float | None = None
) -> LoadCurve | None:
    """
    Return the curve of a cell; `unit` is that of the load (`clients`). None with fewer than two
    levels that were answered.
    """
    known = sorted((each for each in levels if each.latency_ms), key=lambda each: each.load)
    if len(known) < 2:
        return None
    across = scale_of([each.load for each in known], LEFT, RIGHT, room=0.03)
    knee = knee_of(known)
    return LoadCurve(
        caption=_caption(known, knee, unit, limit_ms),
        panels=(_latency(known, across, limit_ms), _throughput(known, across)),
        levels=tuple((across.at(each.load), f"{each.load:g}") for each in known),
        level_title=unit,
        knee=None if knee is None else across.at(knee.load),
        knee_text="" if knee is None else f"knee: {knee.load:g}",
    )


def knee_of(levels: Sequence[LoadLevel]) -> LoadLevel | None:
    """
    Return the level of the greatest throughput divided by its median latency; None where that is
    the last one, beyond which nobody looked, or with too few levels.

    >>> names = [("a", 1, 10.0, 100.0), ("b", 2, 19.0, 105.0), ("c", 4, 20.0, 200.0)]
    >>> levels = [LoadLevel(name=n, load=l, answers_per_s=t, latency_ms=(Figure("p50", m),))
    ...           for n, l, t, m in names]
    >>> knee_of(levels).name
    'b'
    """
    if len(levels) < LEAST_LEVELS:
        return None
    best = max(levels, key=lambda each: each.answers_per_s / max(each.latency_ms[0].value, 1e-9))
    return None if best is levels[-1] else best


def _latency(levels: Sequence[LoadLevel], across: Scale, limit_ms: float | None) -> LoadPanel:
    every = list(chain.from_iterable(each.latency_ms for each in levels))
    names = list(dict.fromkeys(each.name for each in every))
    values = [each.value if each.high is None else each.high for each in every]
    limits = [limit_ms] if limit_ms is not None and limit_ms < 2.0 * max(values) else []
    down = scale_of([0.0, *values, *limits], BOTTOM, TOP, room=0.0)
    lines = tuple(_line(name, levels, across, down) for name in names)
    return LoadPanel(
        title="latency, ms",
        lines=lines,
        ticks=_ticks(down),
        limit=down.at(limits[0]) if limits else None,
        limit_text=f"limit {limit_ms:g} ms" if limits else "",
    )


def _line(name: str, levels: Sequence[LoadLevel], across: Scale, down: Scale) -> LoadLine:
    known = ((each, _percentile(each, name)) for each in levels)
    points = tuple(
        _point(each, across, down, found, f"{name} {found.value:.0f} ms")
        for each, found in known
        if found is not None
    )
    return LoadLine(name=name, points=points)


def _percentile(level: LoadLevel, name: str) -> Figure | None:
    return next((each for each in level.latency_ms if each.name == name), None)


def _throughput(levels: Sequence[LoadLevel], across: Scale) -> LoadPanel:
    values = [each.answers_per_s for each in levels]
    down = scale_of([0.0, *values], BOTTOM, TOP, room=0.0)
    points = tuple(
        _point(
            each,
            across,
            down,
            Figure("answers", each.answers_per_s),
            f"{each.answers_per_s:.3g} per s",
        )
        for each in levels
    )
    return LoadPanel(
        title="answers per second",
        lines=(LoadLine(name="answers", points=points),),
        ticks=_ticks(down),
        limit=None,
        limit_text="",
    )


def _point(
    level: LoadLevel,
    across: Scale,
    down: Scale,
    value: Figure,
    words: str,
) -> LoadPoint:
    point, low, high = value.value, value.low, value.high
    bounds = "" if low is None or high is None else f" [{low:.0f} {high:.0f}]"
    failed = f", {level.failed} failed" if level.failed else ""
    return LoadPoint(
        x=across.at(level.load),
        y=down.at(point),
        high=down.at(point if high is None else high),
        low=down.at(point if low is None else low),
        words=f"{level.name}: {words}{bounds}{failed}",
    )


def _ticks(down: Scale) -> tuple[tuple[float, str], ...]:
    return tuple((down.at(tick), f"{tick:g}") for tick in down.ticks(5))


def _caption(
    levels: Sequence[LoadLevel], knee: LoadLevel | None, unit: str, limit_ms: float | None
) -> str:
    """Return the finding: the knee, or that none was met, and the most load within the limit."""
    most = max(levels, key=lambda each: each.answers_per_s)
    if knee is None:
        last = levels[-1]
        told = (
            f"No knee up to {last.load:g} {unit}: {last.answers_per_s:.3g} answers per second"
            if len(levels) >= LEAST_LEVELS
            else f"{most.answers_per_s:.3g} answers per second at {most.load:g} {unit}, the most"
        )
    else:
        told = (
            f"Knee at {knee.load:g} {unit}: {knee.answers_per_s:.3g} answers per second; beyond, "
            f"requests wait longer for at most {most.answers_per_s:.3g}"
        )
    within = _within(levels, limit_ms)
    return f"{told}{f'; {within}' if within else ''}."


def _within(levels: Sequence[LoadLevel], limit_ms: float | None) -> str:
    """Return the most load whose p95 keeps the limit; empty without one."""
    if limit_ms is None:
        return ""
    good = [each for each in levels if _p95(each) <= limit_ms]
    if not good:
        return f"no level keeps 95 % within {limit_ms:g} ms"
    return f"95 % within {limit_ms:g} ms up to {good[-1].load:g}"


def _p95(level: LoadLevel) -> float:
    found = _percentile(level, "p95")
    return float("inf") if found is None else found.value
