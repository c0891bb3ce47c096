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
    return {each.metric: each for each in measurements}


def by_process(measurement: Measurement, cell: Mapping[str, Measurement]) -> list[statistics.Group]:
    """
    Group a speed metric's values by process: (n,) each, or for a rate (n, 2) rows (value,
    weight).

    `cell` holds the cell's measurements by name, weights among them. rtfx is grouped as rtf,
    its inverse.
    """
    source = cell["rtf"] if measurement.metric == "rtfx" else measurement
    values = [
        (each.repeat, each.id, each.value)
        for each in source.values
        if isinstance(each.value, float)
    ]
    repeats = sorted({repeat for repeat, _, _ in values})
    if source.metric not in WEIGHTS:
        return [
            np.array([value for repeat, _, value in values if repeat == which]) for which in repeats
        ]
    weights = weights_of(source.metric, cell)
    rows = [(repeat, (value, weights[name])) for repeat, name, value in values if name in weights]
    return [np.array([row for repeat, row in rows if repeat == which]) for which in repeats]


def usual_of(measurement: Measurement) -> dict[str, float]:
    """Return the geometric mean of each request's values, by request id."""
    logs: dict[str, list[float]] = {}
    for each in measurement.values:
        if isinstance(each.value, float):
            logs.setdefault(each.id, []).append(math.log(each.value))
    return {name: math.exp(sum(several) / len(several)) for name, several in logs.items()}


def relative(measurement: Measurement, usual: Mapping[str, float]) -> Measurement:
    """
    Divide every value by the typical one of its request; leave out requests without a typical
    value.
    """
    values = [
        replace(each, value=each.value / usual[each.id])
        for each in measurement.values
        if isinstance(each.value, float) and each.id in usual
    ]
    return replace(measurement, values=tuple(values))


def weights_of(metric: str, cell: Mapping[str, Measurement]) -> dict[str, float]:
    """Return each utterance's weight in a sum-over-sum metric: its audio seconds, its words."""
    weights = cell.get(WEIGHTS[metric])
    return (
        {each.id: each.value for each in weights.values if isinstance(each.value, float)}
        if weights
        else {}
    )


def with_intervals(cells: Measurements) -> dict[str, tuple[Measurement, ...]]:
    """
    Add intervals over processes to the speeds of all cells.

    The cells share a prior of the variance between processes, metric by metric.
    """
    groups = {
        slug: {each.metric: _grouped(each, by_name(several)) for each in several}
        for slug, several in cells.items()
    }
    logs = {
        name: [
            statistics.log_statistics(cell[name], STATISTICS[name])
            for cell in groups.values()
            if cell.get(name)
        ]
        for name in STATISTICS
    }
    priors = {name: statistics.prior_of(several) for name, several in logs.items()}

    def bounded(slug: str, each: Measurement) -> Measurement:
        if not groups[slug][each.metric] or not isinstance(each.summary, float):
            return each
        found = statistics.interval(
            groups[slug][each.metric], STATISTICS[each.metric], prior=priors[each.metric]
        )
        scale = each.summary / found.point  # the groups may be relative
        low, high = (None if bound is None else bound * scale for bound in (found.low, found.high))
        return replace(each, low=low, high=high)

    return {slug: tuple(bounded(slug, each) for each in several) for slug, several in cells.items()}


def _grouped(measurement: Measurement, cell: Mapping[str, Measurement]) -> list[statistics.Group]:
    """
    Group a speed by process, relative to the request for RELATIVE metrics; empty for other
    metrics.
    """
    if measurement.metric not in STATISTICS:
        return []
    same = (
        relative(measurement, usual_of(measurement))
        if measurement.metric in RELATIVE
        else measurement
    )
    return by_process(same, cell)
