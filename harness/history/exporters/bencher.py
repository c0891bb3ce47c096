"""
Bencher Metric Format: the newest run, for `bencher run --adapter json`. Bencher keeps machines apart as its testbeds, so one
export is of one machine; it has no place for a value that is missing.
"""

import hashlib
import json
from collections.abc import Collection

from harness.errors import HarnessError
from harness.history.database import History
from harness.history.exporters.tables import Choice

LONGEST_MEASURE = 64


def bencher_text(history: History, choice: Choice) -> str:
    """Give the newest run of each suite. Raises HarnessError where it would be of two machines or profiles."""
    newest = choice.newest(history)
    places = sorted({f"{run.machine} ({run.profile})" for run in newest})
    if len(places) > 1:
        raise HarnessError(f"runs of {', '.join(places)}; choose one testbed with --machine and --profile")
    table = choice.table(history, newest)
    table = table[table["value"].notna()]
    benchmarks: dict[str, dict[str, dict[str, float]]] = {}
    for row in table.itertuples():
        bounds = {"lower_value": row.low, "upper_value": row.high}
        metric = {"value": row.value, **{name: bound for name, bound in bounds.items() if bound == bound}}  # NaN: none
        measures = benchmarks.setdefault(f"{row.suite}/{row.cell}", {})
        measures[_free(row.metric, row.unit, measures)] = metric
    return json.dumps(benchmarks, indent=1, allow_nan=False) + "\n"


def _free(metric: str, unit: str, taken: Collection[str]) -> str:
    """Name a measure: short enough, and as no other of its benchmark, for two names may begin alike."""
    digest = hashlib.sha256(f"{metric}\0{unit}".encode()).hexdigest()[:10]
    name = metric if len(metric) <= LONGEST_MEASURE else f"{metric[: LONGEST_MEASURE - 11]}-{digest}"
    return f"{metric[: LONGEST_MEASURE - 11]}-{digest}" if name in taken else name
