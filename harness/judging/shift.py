"""Build comparisons: first without a shift, then with one."""

from dataclasses import replace

from voxgate.harness import statistics
from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.records.measurement import Measurement, Missing, Value, values_by_id
from voxgate.harness.records.verdict import Comparison, Spread


def with_shift(comparison: Comparison, shift: statistics.Shift, *, absolute: bool) -> Comparison:
    """Return the comparison with a shift, its interval and its error."""
    return replace(
        comparison,
        shift=shift.point,
        low=shift.low,
        high=shift.high,
        at_least=shift.at_least,
        at_most=shift.at_most,
        absolute=absolute,
        error=shift.error,
        freedom=shift.freedom,
    )


def empty_comparison(
    cell: str,
    now: Measurement,
    before: Value,
    current: Value,
    n_current: int,
    n_baseline: int,
    *,
    incomparable: tuple[str, ...] = (),
    detail: str = "",
) -> Comparison:
    """Return a comparison that has no shift yet; `now` is the measurement of `current`."""
    return Comparison(
        cell=cell,
        metric=now.metric,
        unit=now.unit,
        better=now.better,
        baseline=before,
        current=current,
        shift=None,
        low=None,
        high=None,
        n_baseline=n_baseline,
        n_current=n_current,
        incomparable=incomparable,
        detail=detail,
        spread=None if isinstance(current, Missing) else spread_of(now),
    )


def spread_of(measurement: Measurement) -> Spread | None:
    """
    Return how a quality spreads over its utterances; None for a speed, and for fewer than two.
    """
    values = {} if is_speed(measurement.metric) else _worst_takes(measurement)
    if len(values) < 2:
        return None
    p5, middle, p95 = (
        float(statistics.percentile(list(values.values()), q)) for q in (5.0, 50.0, 95.0)
    )
    badness = {"lower": lambda v: v, "higher": lambda v: -v, "neither": lambda v: abs(v - middle)}
    worst = max(values, key=lambda name: badness[measurement.better](values[name]))
    return Spread(p5=p5, p95=p95, worst=worst, value=values[worst])


def _worst_takes(measurement: Measurement) -> dict[str, float]:
    """Return one value per utterance: of several takes, the worst."""
    worst = min if measurement.better == "higher" else max
    return {name: worst(takes) for name, takes in values_by_id(measurement.values).items()}
