"""
The values of a speed metric grouped by process, and the 95 % intervals of speeds over the groups.

Sentences are long or short by choice of the workload: RELATIVE metrics are therefore grouped
relative to the typical value of the same request. Pure functions of measurements.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness import statistics
from harness.analysis.metric_rules import RELATIVE, STATISTICS, WEIGHTS
from harness.records.measurement import (
    Measurement,
)

Measurements = Mapping[str, Sequence[Measurement]]
"""Slug -> its measurements."""


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
    values = [
        (value.repeat, value.id, value.value)
        for value in source.values
        if isinstance(value.value, float)
    ]
    repeats = sorted({repeat for repeat, _, _ in values})
    if source.metric not in WEIGHTS:
        return [
            np.array([value for repeat, _, value in values if repeat == which]) for which in repeats
        ]
    weights = weights_of(source.metric, cell)
    rows = [(repeat, (value, weights[name])) for repeat, name, value in values if name in weights]
    return [np.array([row for repeat, row in rows if repeat == which]) for which in repeats]


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
    """Return each utterance's weight in a sum-over-sum metric: its audio seconds, its words."""
    weights = cell.get(WEIGHTS[metric])
    return (
        {weight.id: weight.value for weight in weights.values if isinstance(weight.value, float)}
        if weights
        else {}
    )


def with_intervals(cells: Measurements) -> dict[str, tuple[Measurement, ...]]:
    """
    Add intervals over processes to the speeds of all cells.

    The cells share a prior of the variance between processes, metric by metric.
    """
    groups = {
        slug: {
            measurement.metric: _groups(measurement, by_name(measurements))
            for measurement in measurements
        }
        for slug, measurements in cells.items()
    }
    logs = {
        name: [
            statistics.log_statistics(cell[name], STATISTICS[name])
            for cell in groups.values()
            if cell.get(name)
        ]
        for name in STATISTICS
    }
    priors = {name: statistics.prior_of(cell_logs) for name, cell_logs in logs.items()}

    def bounded(slug: str, measurement: Measurement) -> Measurement:
        if not groups[slug][measurement.metric] or not isinstance(measurement.summary, float):
            return measurement
        summary = statistics.interval(
            groups[slug][measurement.metric],
            STATISTICS[measurement.metric],
            prior=priors[measurement.metric],
        )
        scale = measurement.summary / summary.point  # the groups may be relative
        low, high = (
            None if bound is None else bound * scale for bound in (summary.low, summary.high)
        )
        return replace(measurement, low=low, high=high)

    return {
        slug: tuple(bounded(slug, measurement) for measurement in measurements)
        for slug, measurements in cells.items()
    }


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
