"""
One quality of every cell against its floor: each utterance a dot, the mean with its interval, and
the mean of the baseline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from voxgate.harness.records.measurement import Better, Measurement, values_by_id
from voxgate.harness.report.format import shown, shown_scale, shown_unit, shown_value
from voxgate.harness.report.pictures.axis import Scale, scale_of

MOST_DOTS = 200
"""Utterances of a cell that are drawn; of more, every n-th of their order."""
BETTER: Mapping[Better, str] = {
    "higher": "higher is better",
    "lower": "lower is better",
    "neither": "neither direction is better",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCell:
    """One cell before and now; measurements are None where there are none."""

    cell: str
    label: str
    kind: str
    now: Measurement | None
    before: Measurement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRow:
    """One cell: places in percent of the width, and texts."""

    cell: str
    label: str
    kind: str
    dots: tuple[float, ...]
    at: float
    low: float
    high: float
    before: float | None
    value: str
    now: str
    """The value without its interval."""
    was: str
    worst: str
    is_beyond: bool
    """Whether the mean is worse than the floor."""

    @property
    def tip(self) -> str:
        """The row in words."""
        parts = [f"{self.label}: mean {self.value}"]
        parts += [f"{self.was} in the baseline"] if self.was else []
        parts += [self.worst] if self.worst else []
        return ", ".join([*parts, *(["beyond the floor"] if self.is_beyond else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityDots:
    """One metric of all cells. `floor` is the place of the floor; `wash` is what lies beyond it."""

    metric: str
    caption: str
    unit: str
    better: str
    rows: tuple[QualityRow, ...]
    floor: float | None
    floor_text: str
    wash: tuple[float, float]
    """Begin and width."""
    ticks: tuple[tuple[float, str], ...]
    has_before: bool

    @property
    def legend(self) -> str:
        """What the shapes are, of those that are there."""
        told = {
            "strokes are utterances": any(row.dots for row in self.rows),
            "the ring is the baseline": self.has_before,
            "bars are 95 % intervals": any(row.low < row.high for row in self.rows),
        }
        line = ", ".join(text for text, is_there in told.items() if is_there)
        return f"{line.capitalize()}." if line else ""


def quality(cells: Sequence[QualityCell], floor: float | None) -> QualityDots | None:
    """Return the dots of one metric of several cells; None where fewer than two have a value."""
    known = [each for each in cells if each.now and isinstance(each.now.summary, float)]
    first = next((each.now for each in known if each.now), None)
    if first is None or len(known) < 2:
        return None
    factor = shown_scale(first.metric, first.unit)
    values = [value * factor for value in chain.from_iterable(map(_spread, known))]
    limits = [] if floor is None else [floor * factor]
    scale = scale_of([*values, *limits], 0.0, 100.0, room=0.05)
    rows = tuple(_row(each, scale, factor, floor) for each in known)
    place = None if floor is None else scale.at(floor * factor)
    return QualityDots(
        metric=first.metric,
        caption=_caption(first, rows, floor),
        unit=shown_unit(first.metric, first.unit),
        better=BETTER[first.better],
        rows=rows,
        floor=place,
        floor_text="" if floor is None else _with_unit(first, floor),
        wash=_wash(place, first.better),
        ticks=tuple((scale.at(tick), f"{tick:g}") for tick in scale.ticks()),
        has_before=any(row.was for row in rows),
    )


def _wash(floor: float | None, better: Better) -> tuple[float, float]:
    if floor is None or better == "neither":
        return 0.0, 0.0
    return (0.0, floor) if better == "higher" else (floor, round(100.0 - floor, 2))


def _spread(each: QualityCell) -> Iterable[float]:
    for side in (each.now, each.before):
        if side is not None:
            bounds = (side.summary, side.low, side.high)
            yield from (value for value in bounds if isinstance(value, float))
    if each.now is not None:
        yield from _values(each.now)


def _values(measurement: Measurement) -> list[float]:
    """Return the values of the utterances in their order, thinned; of several takes, each."""
    values = sorted(chain.from_iterable(values_by_id(measurement.values).values()))
    return values[:: -(-len(values) // MOST_DOTS)] if values else []


def _row(each: QualityCell, scale: Scale, factor: float, floor: float | None) -> QualityRow:
    now, before = each.now, each.before
    assert now is not None and isinstance(now.summary, float)
    low, high = (now.summary if bound is None else bound for bound in (now.low, now.high))
    was = before.summary if before is not None and isinstance(before.summary, float) else None
    return QualityRow(
        cell=each.cell,
        label=each.label,
        kind=each.kind,
        dots=tuple(scale.at(value * factor) for value in _values(now)),
        at=scale.at(now.summary * factor),
        low=scale.at(low * factor),
        high=scale.at(high * factor),
        before=None if was is None else scale.at(was * factor),
        value=shown(now),
        now=shown(now, interval=False),
        was="" if was is None else shown_value(now.metric, now.unit, was),
        worst=_worst(now),
        is_beyond=floor is not None and _beyond(now.summary, floor, now.better),
    )


def _worst(now: Measurement) -> str:
    named = {name: values[0] for name, values in values_by_id(now.values).items()}
    if len(named) < 2 or now.better == "neither":
        return ""
    pick = min if now.better == "higher" else max
    name = pick(named, key=lambda each: named[each])
    return f"worst {shown_value(now.metric, now.unit, named[name])} ({name})"


def _beyond(value: float, floor: float, better: Better) -> bool:
    return value < floor if better == "higher" else value > floor if better == "lower" else False


def _with_unit(first: Measurement, value: float) -> str:
    number = shown_value(first.metric, first.unit, value)
    return f"{number} {shown_unit(first.metric, first.unit)}".strip()


def _caption(first: Measurement, rows: Sequence[QualityRow], floor: float | None) -> str:
    worse = [f"{row.label} {row.was} → {row.now}" for row in rows if row.kind == "bad" and row.was]
    if worse:
        return f"{first.metric} got worse: {', '.join(worse)}."
    if floor is None:
        return f"{first.metric}, {BETTER[first.better]}; no floor is set."
    text = _with_unit(first, floor)
    beyond = [row.label for row in rows if row.is_beyond]
    side = "below" if first.better == "higher" else "above"
    if not beyond:
        return f"{first.metric}: all {len(rows)} cells keep the floor of {text}."
    verb = "is" if len(beyond) == 1 else "are"
    return f"{first.metric}: {', '.join(beyond)} {verb} {side} the floor of {text}."
