"""
Check one measurement of a baseline for plausibility: unit, sign, and a summary within its own
values.

Knows metrics; knows no file, and does not know which value is good.
"""

from voxgate.harness.analysis.metric_rules import (
    DISTURBED,
    DRIFT,
    HELPERS,
    STATISTICS,
    WEIGHTS,
    is_speed,
)
from voxgate.harness.analysis.speed import STALLS
from voxgate.harness.metrics.registry import entries
from voxgate.harness.records.measurement import Measurement, Metric, MetricVersion

ROUNDING = 2e-6
"""Relative: the file keeps seven digits, of the values as of the summary."""
MAY_BE_ZERO = ("longest_gap_p50", "live_load")
"""
Speed metrics whose best value is zero. Every other statistic of time, memory or energy is greater.
"""
COUNTS = ("duration", *STALLS, *(metric.name for metric in HELPERS), *WEIGHTS)
"""Metrics that may be zero and cannot be below."""


def fault_of(measurement: Measurement) -> str | None:
    """Return why a measurement cannot be true; None where nothing contradicts it."""
    return _unlike_the_panel(measurement) or _impossible(measurement) or _unborne(measurement)


def _unlike_the_panel(measurement: Measurement) -> str | None:
    """
    Return how unit or direction differ from the registered metric's. Another version of a metric
    may have had others.
    """
    metric = _metric(measurement.metric)
    if metric is None or MetricVersion.parse(measurement.version).computation != metric.version:
        return None
    if measurement.unit != metric.unit:
        return f"its unit is {measurement.unit!r}, of {metric.name} it is {metric.unit!r}"
    return (
        None
        if measurement.better == metric.better
        else f"{measurement.better} is not better in {metric.name}"
    )


def _metric(name: str) -> Metric | None:
    entry = entries().get(name)
    return (
        entry.metric
        if entry is not None
        else next((helper for helper in HELPERS if helper.name == name), None)
    )


def _impossible(measurement: Measurement) -> str | None:
    name = measurement.metric
    values = [measurement.summary, *(value.value for value in measurement.values)]
    numbers = [value for value in values if isinstance(value, float)]
    if name in STATISTICS and name not in MAY_BE_ZERO and min(numbers, default=1.0) <= 0.0:
        return f"{min(numbers):g} {measurement.unit} is no {name}; it must be more than 0"
    if (name in COUNTS or (is_speed(name) and name != DRIFT)) and min(numbers, default=0.0) < 0.0:
        return f"{min(numbers):g} {measurement.unit} is no {name}; it cannot be below 0"
    if name == DISTURBED.name and max(numbers, default=0.0) > 1.0:
        return f"{max(numbers):g} is no share"
    return None


def _unborne(measurement: Measurement) -> str | None:
    """
    Return how summary and interval contradict the values: every statistic lies between the smallest
    and the largest value.
    """
    low, high, summary = measurement.low, measurement.high, measurement.summary
    if (low is None) != (high is None):
        return "its interval has one end"
    if low is not None and high is not None and low > high:
        return f"its interval is upside down: low {low:g}, high {high:g}"
    if not isinstance(summary, float):
        return None if low is None else "its interval has no value in it"
    numbers = [value.value for value in measurement.values if isinstance(value.value, float)]
    if not numbers:
        return f"its value {summary:g} has no values behind it"
    slack = ROUNDING * max(abs(min(numbers)), abs(max(numbers)))
    if not min(numbers) - slack <= summary <= max(numbers) + slack:
        return (
            f"its value {summary:g} lies outside its own values, {min(numbers):g} to "
            f"{max(numbers):g}"
        )
    if low is not None and high is not None and not low - slack <= summary <= high + slack:
        return f"its value {summary:g} lies outside its interval, {low:g} to {high:g}"
    return None


def fault_of_kind(metric: str, kind: str) -> str | None:
    """
    Return why a metric does not belong in a file of a kind. Durations are in both, as the weights
    of RTF.
    """
    if metric == "duration" or is_speed(metric) == (kind == "speed"):
        return None
    return f"{metric} does not belong into a {kind} baseline"
