"""
OpenMetrics text: for Prometheus, without a push-gateway, whose series never expire.

`openmetrics_text` returns the whole history with the times at which it was measured, for `promtool
tsdb create-blocks-from openmetrics`, or to be served as a file. `textfile` returns the newest runs
for node_exporter's textfile collector, which refuses every file that has timestamps: there the time
is a metric of its own, `voxgate_measured_timestamp_seconds`, to alarm on.

A metric is a gauge, `voxgate_latency_p50_seconds`; a missing value is a sample of `voxgate_missing`
with its reason. `voxgate_verdicts` counts the metrics of a run by verdict.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from voxgate.harness.history.database import History
from voxgate.harness.history.exporters.tables import Choice
from voxgate.harness.history.records import RunRow
from voxgate.harness.python310 import parse_iso
from voxgate.harness.records.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

UNITS = {
    "s": "seconds",
    "bytes": "bytes",
    "s/s": "ratio",
    "1": "ratio",
    "dB": "decibels",
    "°C": "celsius",
}
PLACE = ("suite", "profile", "machine")
PREFIX = "voxgate_"
EXIT_CODE, VERDICTS, MISSING, MEASURED = (
    "voxgate_exit_code",
    "voxgate_verdicts",
    "voxgate_missing",
    "voxgate_measured_timestamp_seconds",
)
HELP = {
    EXIT_CODE: "What voxgate ended with: 0 pass or improved, 1 regressed or failed, 3 undecided.",
    VERDICTS: "Metrics of the run that have the verdict.",
    MISSING: "1 for each value that could not be measured.",
    MEASURED: "When the run began, in seconds since 1970.",
}

Sample = tuple[str, Mapping[str, str], float, str]
"""Family, labels, value, and the time as ISO 8601 (empty for none)."""


def openmetrics_text(history: History, choice: Choice) -> str:
    """Return all chosen runs, with timestamps."""
    runs = choice.believed(history)
    return _text(_samples(history, choice, runs, stamped=True))


def textfile_text(history: History, choice: Choice) -> str:
    """Return the newest run of each suite, profile and machine, without timestamps."""
    runs = choice.newest(history)
    times = ((MEASURED, _place(run), parse_iso(run.created).timestamp(), "") for run in runs)
    return _text([*_samples(history, choice, runs, stamped=False), *times])


def _samples(
    history: History, choice: Choice, runs: list[RunRow], *, stamped: bool
) -> Iterator[Sample]:
    for run in runs:
        if run.exit_code is not None:
            yield EXIT_CODE, _place(run), float(run.exit_code), run.created if stamped else ""
    table = choice.table(history, runs)
    yield from _verdicts(table, runs, stamped=stamped)
    same = ["run", "cell", "metric"]
    # of two units, which the name of a family may not tell
    twice = table.duplicated(same, keep=False)
    for row in table.assign(twice=twice).itertuples():
        unit = {"unit": row.unit} if row.twice else {}
        labels = {
            **{name: getattr(row, name) for name in PLACE},
            "cell": row.cell,
            "metric": row.metric,
            **unit,
        }
        moment = row.created if stamped else ""
        if row.missing is None:
            yield family_of(row.metric, row.unit), labels, row.value, moment
        else:
            yield MISSING, {**labels, "reason": row.missing}, 1.0, moment


def _verdicts(table: "pd.DataFrame", runs: list[RunRow], *, stamped: bool) -> Iterator[Sample]:
    """Count the metrics of each run by verdict, those that none has as zero."""
    counts = Counter(zip(table["run"], table["verdict"], strict=True))
    judged = {run for run, verdict in counts if verdict in Verdict.__members__}
    for run in runs:
        for verdict in Verdict if run.id in judged else ():
            labels = {**_place(run), "verdict": verdict.value}
            number = float(counts[run.id, verdict.value])
            yield VERDICTS, labels, number, run.created if stamped else ""


def _text(samples: Iterable[Sample]) -> str:
    """
    Group the samples of a family, and within it those of one set of labels, oldest first, one per
    time.
    """
    families: dict[str, dict[tuple[tuple[str, str], ...], dict[str, float]]] = {}
    for family, labels, value, moment in samples:
        families.setdefault(family, {}).setdefault(tuple(labels.items()), {})[moment] = value
    lines = []
    for family in sorted(families):
        lines += [f"# TYPE {family} gauge", *_unit(family), f"# HELP {family} {_help(family)}"]
        for label_pairs, moments in families[family].items():
            named = ",".join(f'{name}="{_escaped(value)}"' for name, value in label_pairs)
            lines += [
                f"{family}{{{named}}} {value!r}{_stamp(moment)}"
                for moment, value in sorted(moments.items())
            ]
    return "\n".join([*lines, "# EOF\n"])


def _place(run: RunRow) -> dict[str, str]:
    return {name: getattr(run, name) for name in PLACE}


def family_of(metric: str, unit: str) -> str:
    """
    Return the name of a family: `voxgate_latency_p50_seconds`. Metrics that share it differ in
    their label `metric`.
    """
    plain = re.sub(r"[^a-zA-Z0-9]+", "_", f"{PREFIX}{metric}").strip("_").lower()
    suffix = re.sub(r"[^a-zA-Z0-9]+", "_", UNITS.get(unit, unit)).strip("_").lower()
    return f"{plain}_{suffix}" if suffix and not plain.endswith(f"_{suffix}") else plain


def _unit(family: str) -> list[str]:
    unit = next((unit for unit in sorted(set(UNITS.values())) if family.endswith(f"_{unit}")), None)
    return [] if unit is None else [f"# UNIT {family} {unit}"]


def _help(family: str) -> str:
    return HELP.get(family, "Summary of one metric of one cell, as voxgate measured it.")


def _stamp(moment: str) -> str:
    return f" {parse_iso(moment).timestamp():.0f}" if moment else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
