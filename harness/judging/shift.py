"""Build comparisons: first without a shift, then with one."""

from dataclasses import replace

from voxgate.harness import statistics
from voxgate.harness.records.measurement import Measurement, Value
from voxgate.harness.records.verdict import Comparison


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
    """Return a comparison that has no shift yet."""
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
    )
