"""
The values of a speed metric grouped by process, and the 95 % intervals of speeds over the groups.

Sentences are long or short by choice of the workload: RELATIVE metrics are therefore grouped
relative to the typical value of the same request. Pure functions of measurements.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from voxgate.harness import statistics
from voxgate.harness.analysis.metric_rules import RELATIVE, STATISTICS, WEIGHTS
from voxgate.harness.records.measurement import Measurement, values_by_id

Measurements = Mapping[str, Sequence[Measurement]]
"""Slug -> its measurements."""
_Groups = Mapping[str, list[statistics.Group]]
"""Metric -> its values grouped by process; empty for metrics without interval."""


def by_name(measurements: Sequence[Measurement]) -> dict[str, Measurement]:
    """Index the measurements of one cell by metric."""
    return {measurement.metric: measurement for measurement in measurements}


def by_process(measurement: Measurement, cell: Mapping[str, Measurement]) -> list[statistics.Group]:
    """
    Group a speed metric's values by process: (n,) each, or for a rate (n, 2) rows (value,
    weight).

    `cell` holds the cell's measurements by name, weights among them. rtfx is grouped as rtf,
    its inverse.
    """
    source = cell["rtf"] if measurement.metric == "rtfx" else measurement
    is_rate = source.metric in WEIGHTS
    weights = weights_of(source.metric, cell) if is_rate else {}
    groups: dict[int, list[float | tuple[float, float]]] = {}
    for value in source.values:
        if isinstance(value.value, float):
            group = groups.setdefault(value.repeat, [])
            if not is_rate:
                group.append(value.value)
            elif value.id in weights:
                group.append((value.value, weights[value.id]))
    return [np.array(groups[repeat]) for repeat in sorted(groups)]


def typical_values(measurement: Measurement) -> dict[str, float]:
    """Return the geometric mean of each request's values, by request id."""
    logs: dict[str, list[float]] = {}
    for value in measurement.values:
        if isinstance(value.value, float):
            logs.setdefault(value.id, []).append(math.log(value.value))
    return {
        name: math.exp(sum(request_logs) / len(request_logs)) for name, request_logs in logs.items()
    }


def relative_to_typical(measurement: Measurement, usual: Mapping[str, float]) -> Measurement:
    """
    Divide every value by the typical one of its request; leave out requests without a typical
    value.
    """
    values = [
        replace(value, value=value.value / usual[value.id])
        for value in measurement.values
        if isinstance(value.value, float) and value.id in usual
    ]
    return replace(measurement, values=tuple(values))


def weights_of(metric: str, cell: Mapping[str, Measurement]) -> dict[str, float]:
    """
    Return each utterance's weight in a sum-over-sum metric: its audio seconds, on average over its
    takes, or its words.
    """
    weights = cell.get(WEIGHTS[metric])
    known = {} if weights is None else values_by_id(weights.values)
    return {name: sum(values) / len(values) for name, values in known.items()}


def with_intervals(cells: Measurements) -> dict[str, tuple[Measurement, ...]]:
    """
    Add intervals over processes to the speeds of all cells.

    The cells share a prior of the variance between processes, metric by metric.
    """
    groups = {slug: _groups_of(measurements) for slug, measurements in cells.items()}
    priors = {name: _prior(name, list(groups.values())) for name in STATISTICS}
    return {
        slug: _with_cell_intervals(measurements, groups[slug], priors)
        for slug, measurements in cells.items()
    }


def _prior(name: str, cells: Sequence[_Groups]) -> statistics.Prior:
    statistic = STATISTICS[name]
    return statistics.prior_of(
        [statistics.log_statistics(cell[name], statistic) for cell in cells if cell.get(name)]
    )


def _with_cell_intervals(
    measurements: Sequence[Measurement],
    groups: _Groups,
    priors: Mapping[str, statistics.Prior],
) -> tuple[Measurement, ...]:
    return tuple(_with_interval(measurement, groups, priors) for measurement in measurements)


def _with_interval(
    measurement: Measurement, groups: _Groups, priors: Mapping[str, statistics.Prior]
) -> Measurement:
    name = measurement.metric
    if not groups[name] or not isinstance(measurement.summary, float):
        return measurement
    summary = statistics.interval(groups[name], STATISTICS[name], prior=priors[name])
    scale = measurement.summary / summary.point  # the groups may be relative
    low, high = (None if bound is None else bound * scale for bound in (summary.low, summary.high))
    return replace(measurement, low=low, high=high)


def _groups_of(measurements: Sequence[Measurement]) -> _Groups:
    cell = by_name(measurements)
    return {name: _groups(measurement, cell) for name, measurement in cell.items()}


def _groups(measurement: Measurement, cell: Mapping[str, Measurement]) -> list[statistics.Group]:
    """
    Group a speed by process, relative to the request for RELATIVE metrics; empty for other
    metrics.
    """
    if measurement.metric not in STATISTICS:
        return []
    same = (
        relative_to_typical(measurement, typical_values(measurement))
        if measurement.metric in RELATIVE
        else measurement
    )
    return by_process(same, cell)
