"""
The load curve: latency and throughput over the levels of load, with the knee from which on more
load brings more waiting and hardly more answers.

The knee is the level of the greatest power, throughput divided by latency (Kleinrock 1979).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from voxgate.harness.report.pictures.panel import Panel, PanelLimit, PanelValue, panel

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
class LoadCurve:
    """Latency and throughput of one cell over its levels."""

    caption: str
    panels: tuple[Panel, ...]


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
    knee = knee_of(known)
    drawn = [_latency(known, unit, limit_ms), _throughput(known, unit)]
    return LoadCurve(
        caption=_caption(known, knee, unit, limit_ms),
        panels=tuple(_with_knee(each, known, knee) for each in drawn if each is not None),
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


def _with_knee(drawn: Panel, levels: Sequence[LoadLevel], knee: LoadLevel | None) -> Panel:
    """Return the panel with an upright line at the knee, whose place is that of its level."""
    if knee is None:
        return drawn
    place, _ = drawn.across_ticks[list(levels).index(knee)]
    return replace(drawn, post=(place, f"knee: {knee.load:g}"))


def _latency(levels: Sequence[LoadLevel], unit: str, limit_ms: float | None) -> Panel | None:
    every = chain.from_iterable(each.latency_ms for each in levels)
    names = dict.fromkeys(each.name for each in every)
    limit = None
    if limit_ms is not None:
        limit = PanelLimit(value=limit_ms, text=f"limit {limit_ms:g} ms")
    lines = [(name, _values(name, levels)) for name in names]
    return panel(("latency, ms", unit), lines, limit, at_values=True)


def _values(name: str, levels: Sequence[LoadLevel]) -> list[PanelValue]:
    known = [(each, _percentile(each, name)) for each in levels]
    return [
        PanelValue(
            across=each.load,
            value=found.value,
            low=found.low,
            high=found.high,
            words=_words(each, found),
        )
        for each, found in known
        if found is not None
    ]


def _words(level: LoadLevel, found: Figure) -> str:
    bounds = (
        "" if found.low is None or found.high is None else f" [{found.low:.0f} {found.high:.0f}]"
    )
    failed = f", {level.failed} failed" if level.failed else ""
    return f"{level.name}: {found.name} {found.value:.0f} ms{bounds}{failed}"


def _percentile(level: LoadLevel, name: str) -> Figure | None:
    return next((each for each in level.latency_ms if each.name == name), None)


def _throughput(levels: Sequence[LoadLevel], unit: str) -> Panel | None:
    values = [
        PanelValue(
            across=each.load,
            value=each.answers_per_s,
            words=f"{each.name}: {each.answers_per_s:.3g} per second",
        )
        for each in levels
    ]
    return panel(("answers per second", unit), [("answers", values)], at_values=True)


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
