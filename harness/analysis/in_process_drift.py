"""
Drift within a process: whether later calls are slower than earlier ones, as after a leaked hook, a
growing cache or a list that is searched again at each call. Decides nothing.

Within a process, only calls of the same text are compared: the slope of each pair of them is the
growth of the time, as a share of the median time of that text in that process, over the number of
calls between them. The median of all these slopes is the drift of the process (Hirsch, Slack and
Smith 1982: Theil and Sen's estimator within seasons; the seasons are the texts). It needs no model
of the noise, and up to 29 % of stalled calls do not move it far. From it is taken what the fixed
work beside each call slowed by (`machine/interference.py`), since a machine that heats up slows
both.

The processes of a cell are then the sample: their mean, with Student's t over processes, whose
variance is drawn towards that of all cells of the run. Noise of a busy machine is correlated within
a process, and an interval from within one would be far too narrow. A machine that slows once during
a run slows one process; a leak starts anew in each.

Calls during warm-up are left out. They count as calls.
"""

import functools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations

import numpy as np

from voxgate.harness import statistics
from voxgate.harness.analysis.metric_rules import DRIFT, PROCESS
from voxgate.harness.machine.interference import FIXED_WORK, interference_causes
from voxgate.harness.records.measurement import (
    Measurement,
    Metric,
    Missing,
    UtteranceValue,
    Value,
)
from voxgate.harness.records.run import Iteration, Phase, ProcessRecord

PER_CALLS = 100
"""The drift is told per so many calls."""
LEAST_PAIRS = 8
"""Of calls of the same text in a process; with fewer, its slope is a guess."""
TOO_FEW = Missing(
    "too few calls of the same text within a process; raise iterations or min_time_s, or give the "
    "server a soak"
)
Points = Mapping[str, Sequence[tuple[int, float]]]
"""Text -> (number of the call in its process, seconds)."""


def drift_measurement(metric: Metric, processes: Sequence[ProcessRecord]) -> Measurement:
    """Return the drift of one cell, one value per process, without an interval yet."""
    values = tuple(chain.from_iterable(map(_values, processes)))
    return Measurement(
        metric=metric.name,
        unit=metric.unit,
        better=metric.better,
        version=metric.version,
        values=values,
        summary=_mean(values),
    )


def _values(process: ProcessRecord) -> list[UtteranceValue]:
    drifts = [drift_of(lifetime) for lifetime in _lifetimes(process.iterations)]
    return [
        UtteranceValue(id=PROCESS, value=drift, repeat=process.repeat)
        for drift in drifts
        if drift is not None
    ]


def drift_of(calls: Sequence[Iteration]) -> float | None:
    """
    Return the growth of the time per PER_CALLS calls of one process, as a share, beyond that of the
    fixed work; None with fewer than LEAST_PAIRS pairs of calls.
    """
    quiet = [call for call in calls if call.phase is Phase.MEASURED and _is_quiet(call)]
    own = growth(_by_text(quiet, {id(call): call.wall_s for call in quiet}))
    if own is None:
        return None
    worked_s = {
        id(call): call.disturbance[FIXED_WORK] for call in quiet if FIXED_WORK in call.disturbance
    }
    beside = growth(_by_text(quiet, worked_s)) if len(worked_s) == len(quiet) else None
    return own - max(0.0, beside or 0.0)


def growth(points: Points) -> float | None:
    """
    Return the median growth per PER_CALLS calls over all pairs of calls of the same text; None with
    fewer than LEAST_PAIRS of them.

    >>> growth({"a": [(n, 1.0 + 0.001 * n) for n in range(0, 20, 2)]})  # doctest: +ELLIPSIS
    0.099...
    """
    slopes = list(chain.from_iterable(map(_slopes, points.values())))
    return PER_CALLS * float(np.median(slopes)) if len(slopes) >= LEAST_PAIRS else None


def with_drift_intervals(
    cells: Mapping[str, Sequence[Measurement]],
) -> dict[str, tuple[Measurement, ...]]:
    """Add the interval over processes to the drift of every cell; one process gives none."""
    every = chain.from_iterable(cells.values())
    drifts = [np.array(_numbers(each)) for each in every if each.metric == DRIFT]
    prior = statistics.prior_of([drift for drift in drifts if drift.size])
    with_interval = functools.partial(_with_interval, prior=prior)
    return {slug: tuple(map(with_interval, row)) for slug, row in cells.items()}


def _with_interval(measurement: Measurement, prior: statistics.Prior) -> Measurement:
    if measurement.metric != DRIFT:
        return measurement
    drift = np.array(_numbers(measurement))
    if drift.size < 2:
        return measurement
    low, high = statistics.mean_interval(drift, prior)
    return replace(measurement, low=low, high=high)


def _slopes(calls: Sequence[tuple[int, float]]) -> Iterator[float]:
    usual_s = float(np.median([seconds for _, seconds in calls]))
    for (first, before_s), (second, after_s) in combinations(calls, 2):
        yield (after_s - before_s) / usual_s / (second - first)


def _by_text(calls: Sequence[Iteration], seconds: Mapping[int, float]) -> Points:
    points: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for call in calls:
        if seconds.get(id(call), 0.0) > 0.0:
            points[call.request].append((call.iteration, seconds[id(call)]))
    return points


def _lifetimes(calls: Sequence[Iteration]) -> list[list[Iteration]]:
    """Return the calls by operating-system process: a resumed repeat has had several."""
    lifetimes: list[list[Iteration]] = []
    for call in calls:
        if call.phase is Phase.FIRST or not lifetimes:
            lifetimes.append([])
        lifetimes[-1].append(call)
    return lifetimes


def _is_quiet(call: Iteration) -> bool:
    return not interference_causes(call)


def _numbers(measurement: Measurement) -> list[float]:
    return [value.value for value in measurement.values if isinstance(value.value, float)]


def _mean(values: Sequence[UtteranceValue]) -> Value:
    numbers = [value.value for value in values if isinstance(value.value, float)]
    return math.fsum(numbers) / len(numbers) if numbers else TOO_FEW
