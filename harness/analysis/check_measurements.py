"""Check measurements that were read from a file against the run that they claim to describe."""

from collections.abc import Collection

from voxgate.harness.analysis.grouping import Measurements
from voxgate.harness.analysis.metric_rules import PROCESS, STATISTICS
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.registry import entries
from voxgate.harness.records.measurement import (
    Measurement,
)
from voxgate.harness.records.run import Run
from voxgate.harness.records.strict_json import LARGEST


def check_measurements(run: Run, measurements: Measurements) -> None:
    """
    Raise HarnessError for measurements from a file that cannot be those of the run.

    They must name its cells, requests and rounds. Times, rates and sizes must be more than
    zero. A metric must have its own unit.
    """
    cells = {cell.slug: cell for cell in run.cells}
    for slug in sorted({*cells} ^ {*measurements}):
        raise HarnessError(
            f"measurements {'lack cell' if slug in cells else 'name'} {slug}, {AGAIN}"
        )
    rounds = max((process.repeat + 1 for process in run.processes), default=1)
    for slug, cell_measurements in measurements.items():
        ids = {PROCESS, *(request.id for request in cells[slug].workload.requests)}
        for measurement in cell_measurements:
            if (wrong := _contradiction(measurement, ids, rounds)) is not None:
                raise HarnessError(
                    f"measurements of {slug}: {measurement.metric}: {wrong}, {AGAIN}"
                )


AGAIN = (
    "which this run does not hold together with; remove measurements.json, and it is scored again"
)


SMALLEST = 1 / LARGEST
"""Smallest time, rate or size: quotients of smaller ones overflow."""


def _contradiction(measurement: Measurement, ids: Collection[str], rounds: int) -> str | None:
    entry = entries().get(measurement.metric)
    if entry is not None and (entry.metric.unit, entry.metric.better) != (
        measurement.unit,
        measurement.better,
    ):
        return f"unit {measurement.unit} and better {measurement.better}"
    numbers = [measurement.summary, *(value.value for value in measurement.values)]
    if measurement.metric in STATISTICS:
        speeds = [number for number in numbers if isinstance(number, float)]
        if any(number <= 0.0 for number in speeds):
            return "a value of 0 or less"
        if any(number < SMALLEST for number in speeds):
            return f"a value below {SMALLEST:g}"
    for value in measurement.values:
        if value.id not in ids or value.repeat >= rounds:
            return f"a value of {value.id!r} in round {value.repeat}"
    return None
