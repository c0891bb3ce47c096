"""
Speed against quality: the Pareto front of the cells, and the fastest cell that passes.

Selects among existing numbers; draws nothing and decides no verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voxgate.harness import statistics
from voxgate.harness.analysis.grouping import by_name, by_process
from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.records.measurement import Better, Measurement
from voxgate.harness.records.verdict import CellVerdict, RunVerdict, Verdict

RTF = "rtf"
PASSING = (Verdict.PASS, Verdict.IMPROVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One cell in the plane of speed and quality."""

    cell: str
    label: str
    speed: float
    quality: float
    verdict: Verdict
    on_front: bool
    """Whether no other cell is as fast and as good, and better in one of the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tradeoff:
    """All cells that have both numbers, the fastest first."""

    metric: str
    unit: str
    better: Better
    points: tuple[Point, ...]
    speed: str = RTF
    """The speed metric, of which lower is better."""
    speed_unit: str = "s/s"

    @property
    def name(self) -> str:
        """A name that no other chart of a run has."""
        return self.metric if self.speed == RTF else f"{self.speed}-{self.metric}"


def tradeoff(
    judgement: RunVerdict,
    measurements: Mapping[str, Sequence[Measurement]],
    metric: str,
    speed_metric: str = RTF,
) -> Tradeoff | None:
    """
    Return `metric` against a speed metric, cell by cell; None if fewer than two cells have both.
    """
    rows: list[tuple[str, str, Verdict, float, Measurement, float]] = []
    speed_unit = ""
    for cell in judgement.cells:
        named = by_name(measurements.get(cell.cell, ()))
        speed, quality = named.get(speed_metric), named.get(metric)
        if (
            speed
            and quality
            and isinstance(speed.summary, float)
            and isinstance(quality.summary, float)
        ):
            speed_unit = speed.unit
            rows.append(
                (cell.cell, cell.label, cell.verdict, speed.summary, quality, quality.summary)
            )
    if len(rows) < 2:
        return None
    sign = -1.0 if rows[0][4].better == "lower" else 1.0
    pairs = [(cost, sign * value) for *_, cost, _, value in rows]
    points = [
        Point(
            cell=slug,
            label=label,
            speed=cost,
            quality=value,
            verdict=verdict,
            on_front=not _beaten(cost, sign * value, pairs),
        )
        for slug, label, verdict, cost, _, value in rows
    ]
    first = rows[0][4]
    return Tradeoff(
        metric=metric,
        unit=first.unit,
        better=first.better,
        points=tuple(sorted(points, key=lambda point: point.speed)),
        speed=speed_metric,
        speed_unit=speed_unit,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedGain:
    """
    The fastest cell that is fit to ship, and its speed-up over the reference with a 95 % interval.
    """

    cell: str
    label: str
    rtf: float
    times: float | None
    low: float | None = None
    high: float | None = None
    """None where the reference has no speed; no bounds from a single process."""
    ties: tuple[str, ...] = ()
    """Labels of other cells fit to ship whose 95 % intervals overlap: they may be as fast."""


def fastest_passing(
    judgement: RunVerdict, measurements: Mapping[str, Sequence[Measurement]], reference: str | None
) -> SpeedGain | None:
    """
    Return the fastest cell that is fit to ship, with its speed-up over the reference; None if there
    is none.

    Fit is PASS or IMPROVED, and good enough in every metric that has a lowest acceptable value.
    Where speed has no baseline on the machine, quality decides: speeds of one run are compared.
    """
    named = {cell.cell: by_name(measurements.get(cell.cell, ())) for cell in judgement.cells}
    rtfs = {slug: metrics["rtf"].summary for slug, metrics in named.items() if "rtf" in metrics}
    speeds = {slug: rtf for slug, rtf in rtfs.items() if isinstance(rtf, float)}
    passing = [cell for cell in judgement.cells if _fit(cell) and cell.cell in speeds]
    if not passing:
        return None
    best = min(passing, key=lambda cell: speeds[cell.cell])
    rtf, fastest = speeds[best.cell], named[best.cell]["rtf"]
    ties = tuple(
        cell.label
        for cell in passing
        if cell is not best and _overlap(fastest, named[cell.cell]["rtf"])
    )
    if reference not in speeds:
        return SpeedGain(cell=best.cell, label=best.label, rtf=rtf, times=None, ties=ties)
    sides = [by_process(named[slug]["rtf"], named[slug]) for slug in (best.cell, str(reference))]
    slower = statistics.shift(sides[0], sides[1], statistics.rate)
    low, high = (None if bound is None else 1.0 + bound for bound in (slower.low, slower.high))
    return SpeedGain(
        cell=best.cell,
        label=best.label,
        rtf=rtf,
        times=1.0 + slower.point,
        low=low,
        high=high,
        ties=ties,
    )


def _overlap(first: Measurement, other: Measurement) -> bool:
    """Whether two 95 % intervals share a value; without both nothing is known against the order."""
    bounds = (first.low, first.high, other.low, other.high)
    if any(bound is None for bound in bounds):
        return False
    low, high, other_low, other_high = (float(bound or 0.0) for bound in bounds)
    return low <= other_high and other_low <= high


def _fit(cell: CellVerdict) -> bool:
    blocking = [metric for metric in cell.metrics if metric.blocking]
    first = cell.verdict is Verdict.NO_BASELINE and all(
        metric.verdict is Verdict.NO_BASELINE for metric in blocking if is_speed(metric.metric)
    )
    within = [metric for metric in blocking if not (first and is_speed(metric.metric))]
    passed = cell.verdict in PASSING or (
        first and bool(within) and all(metric.verdict in PASSING for metric in within)
    )
    return passed and all(metric.good_enough for metric in cell.metrics)


def _beaten(cost: float, goodness: float, others: Sequence[tuple[float, float]]) -> bool:
    return any(
        speed <= cost and good >= goodness and (speed < cost or good > goodness)
        for speed, good in others
    )
