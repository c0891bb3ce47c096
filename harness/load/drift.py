"""
Drift of a server over a soak: slopes of latency and memory, and their meaning in words. Pure.

Latency: each answer over the median of its own text, so that the mixture of texts does not matter;
medians of blocks of time; the slope of Theil and Sen with its interval (Sen 1968), which a few
stalls do not move. Memory: the same of its readings. The first part is left out: caches and
allocators grow until they have seen every text.
"""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.harness.load.records import LoadPhase, LoadRecord, ResponseRecord
from voxgate.harness.python310 import StrEnum

SETTLE_SHARE = 0.1
"""Of the soak, at its beginning."""
BLOCKS = 24
LEAST_BLOCKS = 8
"""With fewer, an interval of a slope is a guess."""
LEAST_S = 480.0
"""
Of the examined part: a server's memory settles for minutes, and that looks like a leak. A soak of
10 minutes has as much.
"""
MATERIAL = {"latency": 0.02, "memory": 0.02}
"""Growth over the soak, as a share, from which it counts."""
MOST_DOUBT = 0.10
"""
Where the interval reaches further than this share over the soak, `steady` would claim too much.
"""

Points = Sequence[tuple[float, float]]
"""(seconds, value)"""


class DriftKind(StrEnum):
    """The meaning of a slope."""

    GROWS = "grows"
    FALLS = "falls"
    STEADY = "steady"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """
    The trend of one quantity.

    `slope`, `low`, `high`: as shares of its median per hour. `change`: over the soak. `duration_s`:
    of the examined part.
    """

    what: str
    trend: DriftKind
    slope: float
    low: float
    high: float
    change: float
    duration_s: float

    @property
    def sentence(self) -> str:
        """Return the drift in words."""
        per_hour = (
            f"{100 * self.slope:+.2f} % per hour [{100 * self.low:+.2f} {100 * self.high:+.2f}]"
        )
        over = f"{100 * self.change:+.1f} % over {self.duration_s / 60:.0f} min"
        if self.trend is DriftKind.STEADY:
            most = max(abs(self.low), abs(self.high)) * self.duration_s / 3600.0
            return (
                f"{self.what} is steady: {per_hour}, {over}, at most {100 * most:.1f} % either way"
            )
        if self.duration_s < LEAST_S:
            return (
                f"{self.what}: no verdict, since a soak must last 10 min for one: {per_hour}, "
                f"{over}"
            )
        if self.trend is DriftKind.UNDECIDED:
            return (
                f"{self.what}: no verdict, the interval is too wide: {per_hour}; soak longer, or "
                "with more requests"
            )
        return f"{self.what} {self.trend}: {per_hour}, {over}"


def drifts(loaded: LoadRecord) -> tuple[Drift | str, ...]:
    """Return the drift of latency and of memory; the reason where there is none."""
    answers = [
        answer
        for answer in loaded.answers
        if answer.phase is LoadPhase.LOADED and not answer.failure
    ]
    if not loaded.spans or not answers:
        return ("latency: no drift can be told, since no answer came",)
    began_s, ended_s = loaded.spans[0].began_s, loaded.spans[-1].ended_s
    from_s = began_s + SETTLE_SHARE * (ended_s - began_s)
    memory = [(at_s, float(size)) for at_s, size in loaded.memory if from_s <= at_s <= ended_s]
    latency = [point for point in _relative(answers) if point[0] >= from_s]
    return tuple(
        _drift(what, points) for what, points in (("latency", latency), ("memory", memory))
    )


def _relative(answers: Sequence[ResponseRecord]) -> list[tuple[float, float]]:
    """
    Return each latency over the median of the same text's; a median of 0 s, below what the clock
    resolves, has no shares.
    """
    of_text: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        of_text[answer.request].append(answer.latency_s)
    usual = {request: statistics.median(latencies) for request, latencies in of_text.items()}
    return [
        (answer.planned_s, answer.latency_s / usual[answer.request])
        for answer in answers
        if usual[answer.request] > 0.0
    ]


def _drift(what: str, points: Points) -> Drift | str:
    from scipy.stats import theilslopes  # half a second that no other command waits for

    blocks = _blocks(points)
    if len(blocks) < LEAST_BLOCKS:
        return (
            f"{what}: no drift can be told from {len(points)} values in {len(blocks)} blocks of "
            "time; soak longer"
        )
    at_h, values = (
        np.array([at_s for at_s, _ in blocks]) / 3600.0,
        np.array([value for _, value in blocks]),
    )
    if not np.median(values) > 0.0:
        return f"{what}: no drift can be told as a share of a median of 0"
    fit = theilslopes(values / np.median(values), at_h, alpha=0.95)
    slope, low, high = float(fit.slope), float(fit.low_slope), float(fit.high_slope)
    span_h = float(at_h[-1] - at_h[0])
    long_enough = span_h * 3600.0 >= LEAST_S
    return Drift(
        what=what,
        trend=_trend(slope * span_h, low * span_h, high * span_h, MATERIAL[what])
        if long_enough
        else DriftKind.UNDECIDED,
        slope=slope,
        low=low,
        high=high,
        change=slope * span_h,
        duration_s=span_h * 3600.0,
    )


def _blocks(points: Points) -> list[tuple[float, float]]:
    """
    Return the median time and the median value of blocks of equal duration, empty ones left out.
    """
    if not points:
        return []
    instants = np.array([at_s for at_s, _ in points])
    edges = np.linspace(instants.min(), instants.max(), BLOCKS + 1)[1:-1]
    numbers = np.searchsorted(edges, instants, side="right")
    values = np.array([value for _, value in points])
    present = [numbers == number for number in range(BLOCKS) if np.any(numbers == number)]
    return [
        (float(np.median(instants[block])), float(np.median(values[block]))) for block in present
    ]


def _trend(change: float, low: float, high: float, material: float) -> DriftKind:
    """Judge growth over the soak: it must be beyond chance, and large enough to matter."""
    if low > 0.0 and change >= material:
        return DriftKind.GROWS
    if high < 0.0 and change <= -material:
        return DriftKind.FALLS
    return DriftKind.UNDECIDED if high > MOST_DOUBT or low < -MOST_DOUBT else DriftKind.STEADY
