"""
Speed against quality: which cells nobody beats at both, and the fastest cell that still passes.

Pure choosing among numbers that were measured elsewhere; draws nothing and decides no verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness import statistics
from harness.analysis.grouping import by_name, by_process
from harness.records.measurement import Better, Measurement
from harness.records.verdict import CellVerdict, RunVerdict, Verdict

PASSING = (Verdict.PASS, Verdict.IMPROVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One cell in the plane of speed and quality."""

    cell: str
    label: str
    rtf: float
    quality: float
    verdict: Verdict
    on_front: bool
    """No other cell is as fast and as good, and better in one of the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tradeoff:
    """All cells that have both numbers, the fastest first."""

    metric: str
    unit: str
    better: Better
    points: tuple[Point, ...]


def tradeoff(
    judgement: RunVerdict, measurements: Mapping[str, Sequence[Measurement]], metric: str
) -> Tradeoff | None:
    """Set `metric` against rtf; None if fewer than two cells have both."""
    found: list[tuple[str, str, Verdict, float, Measurement, float]] = []
    for cell in judgement.cells:
        named = by_name(measurements.get(cell.cell, ()))
        speed, quality = named.get("rtf"), named.get(metric)
        if (
            speed
            and quality
            and isinstance(speed.summary, float)
            and isinstance(quality.summary, float)
        ):
            found.append(
                (cell.cell, cell.label, cell.verdict, speed.summary, quality, quality.summary)
            )
    if len(found) < 2:
        return None
    sign = -1.0 if found[0][4].better == "lower" else 1.0
    pairs = [(rtf, sign * value) for *_, rtf, _, value in found]
    points = [
        Point(
            cell=slug,
            label=label,
            rtf=rtf,
            quality=value,
            verdict=verdict,
            on_front=not _beaten(rtf, sign * value, pairs),
        )
        for slug, label, verdict, rtf, _, value in found
    ]
    first = found[0][4]
    ordered = tuple(sorted(points, key=lambda point: point.rtf))
    return Tradeoff(metric=metric, unit=first.unit, better=first.better, points=ordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedGain:
    """
    The fastest cell that is fit to ship, and how many times as fast as the reference it is, with a
    95 % interval.
    """

    cell: str
    label: str
    rtf: float
    times: float | None
    low: float | None = None
    high: float | None = None
    """None where the reference has no speed; no bounds from a single process."""


def fastest_passing(
    judgement: RunVerdict, measurements: Mapping[str, Sequence[Measurement]], reference: str | None
) -> SpeedGain | None:
    """
    Choose the fastest cell that is fit to ship, and hold its rtf against the reference's; None if
    none is.

    Fit is PASS or IMPROVED, and good enough in every metric that has a floor.
    """
    named = {cell.cell: by_name(measurements.get(cell.cell, ())) for cell in judgement.cells}
    known = {slug: each["rtf"].summary for slug, each in named.items() if "rtf" in each}
    speeds = {slug: rtf for slug, rtf in known.items() if isinstance(rtf, float)}
    passing = [cell for cell in judgement.cells if _fit(cell) and cell.cell in speeds]
    if not passing:
        return None
    best = min(passing, key=lambda cell: speeds[cell.cell])
    rtf = speeds[best.cell]
    if reference not in speeds:
        return SpeedGain(cell=best.cell, label=best.label, rtf=rtf, times=None)
    sides = [by_process(named[slug]["rtf"], named[slug]) for slug in (best.cell, str(reference))]
    slower = statistics.shift(sides[0], sides[1], statistics.rate)
    low, high = (None if bound is None else 1.0 + bound for bound in (slower.low, slower.high))
    return SpeedGain(
        cell=best.cell, label=best.label, rtf=rtf, times=1.0 + slower.point, low=low, high=high
    )


def _fit(cell: CellVerdict) -> bool:
    return cell.verdict in PASSING and all(metric.good_enough for metric in cell.metrics)


def _beaten(rtf: float, goodness: float, others: Sequence[tuple[float, float]]) -> bool:
    return any(
        speed <= rtf and good >= goodness and (speed < rtf or good > goodness)
        for speed, good in others
    )
