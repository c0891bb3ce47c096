"""
The latencies of one cell before and after, every request counted: which share of them was done
within which time.

A mean hides whether all requests got slower or only the long ones; two curves show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.harness import statistics
from voxgate.harness.judging.phrases import ToldShift
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.report.format import shown_scale, shown_unit
from voxgate.harness.report.pictures.axis import Scale, scale_of

METRIC = "latency_p50"
"""The metric whose values are the latencies of all measured requests."""
MOST_STEPS = 240
"""Of a curve; of more values, every n-th: no screen shows more."""
TOP, BOTTOM = 10.0, 200.0
"""Pixels: where all, and where no requests are done."""
LEFT, RIGHT = 1.0, 99.0
"""Percent of the width."""
MARKED = (50.0, 95.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """
    One side. `path` lies in a box of 100 x 100; `at` are the places of the percentiles in MARKED.
    """

    name: str
    words: str
    path: str
    at: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyCurves:
    """Both sides of one cell; `before` is None without a baseline."""

    cell: str
    label: str
    kind: str
    caption: str
    before: Curve | None
    now: Curve
    ticks: tuple[tuple[float, str], ...]
    unit: str
    lines: tuple[tuple[float, str], ...]
    """(pixels from the top, text) of the percentiles in MARKED."""

    @property
    def words(self) -> str:
        """Both sides in words, for those who do not see the curves."""
        sides = [self.now.words] + ([self.before.words] if self.before else [])
        return f"{self.label}, latency of every request: {'; '.join(sides)}"


def latency(
    cell: tuple[str, str, str],
    before: Measurement | None,
    now: Measurement | None,
    told: Sequence[ToldShift] = (),
) -> LatencyCurves | None:
    """
    Return the curves of a cell (slug, label, kind of its verdict); None with fewer than two
    requests. `told` are the judged changes, which the caption repeats: a percentile of all requests
    of all processes together is another figure.
    """
    new, old = _values(now), _values(before)
    if now is None or len(new) < 2:
        return None
    factor, unit = shown_scale(METRIC, now.unit), shown_unit(METRIC, now.unit)
    scale = scale_of([value * factor for value in (*new, *old)], LEFT, RIGHT, room=0.04)
    sides = [
        _curve(values, scale, factor, name)
        for values, name in ((new, "this run"), (old, "baseline"))
        if len(values) >= 2
    ]
    slug, label, kind = cell
    return LatencyCurves(
        cell=slug,
        label=label,
        kind=kind,
        caption=_caption(label, new, factor, unit, told),
        before=sides[1] if len(sides) > 1 else None,
        now=sides[0],
        ticks=tuple((scale.at(tick), f"{tick:g}") for tick in scale.ticks()),
        unit=unit,
        lines=tuple((_down(q), f"{q:g} %") for q in MARKED),
    )


def _values(measurement: Measurement | None) -> list[float]:
    values = () if measurement is None else measurement.values
    return sorted(each.value for each in values if isinstance(each.value, float))


def _down(share: float) -> float:
    return round(BOTTOM + share / 100.0 * (TOP - BOTTOM), 1)


def _curve(values: Sequence[float], scale: Scale, factor: float, name: str) -> Curve:
    marked = [float(statistics.percentile(values, q)) * factor for q in MARKED]
    told = ", ".join(f"p{q:g} {_text(value)}" for q, value in zip(MARKED, marked, strict=True))
    return Curve(
        name=name,
        words=f"{name}: {told}",
        path=_path([value * factor for value in values], scale),
        at=tuple(map(scale.at, marked)),
    )


def _path(values: Sequence[float], scale: Scale) -> str:
    """Return the steps of the values, which rise: over to each value, and up by its share."""
    count, every = len(values), -(-len(values) // MOST_STEPS)
    steps = [*range(0, count, every)]
    parts = [f"M{scale.at(values[0]):g} 100"]
    for index in steps:
        up = 100.0 - 100.0 * min(index + every, count) / count
        parts.append(f"H{scale.at(values[index]):g}V{up:.1f}")
    return "".join([*parts, f"H{scale.at(values[-1]):g}"])


def _text(value: float) -> str:
    return f"{value:.0f}" if value >= 99.5 else f"{value:.3g}"


def _caption(
    label: str, new: Sequence[float], factor: float, unit: str, told: Sequence[ToldShift]
) -> str:
    """Return the finding: `nfe=8: p50 251 ms, 221 before (+13.6 %)`."""
    if not told:
        parts = [
            f"{share} within {_text(float(statistics.percentile(new, q)) * factor)} {unit}"
            for q, share in zip(MARKED, ("half of the requests", "95 %"), strict=True)
        ]
        return f"{label}: {'; '.join(parts)}."
    return f"{label}: {'; '.join(_judged(each, factor, unit) for each in told)}."


def _judged(told: ToldShift, factor: float, unit: str) -> str:
    before, now = told.comparison.baseline, told.comparison.current
    name = told.comparison.metric.removeprefix("latency_")
    if not isinstance(before, float) or not isinstance(now, float) or not told.size:
        return f"{name} was not compared"
    change = told.size.partition(" [")[0]
    return f"{name} {_text(now * factor)} {unit}, {_text(before * factor)} before ({change})"
