"""
Exports of a history: the runs of some suites, profiles and machines, and their points as one long
table.

CSV: the long table, one row per value, with its unit and, where there is no value, the reason.

Names and reasons come from outside, and spreadsheets run a text that begins like a formula; such a
text gets an apostrophe in front, which marks it as text. Numbers are numbers.

Parquet: the long table with its types, for pandas, DuckDB, Spark. Needs pyarrow, which is no
dependency of voxgate.

JSON: everything, for `voxgate history import` into another history; `entry.py` knows its form.

Bencher Metric Format: the newest run, for `bencher run --adapter json`. Bencher keeps machines
apart as its testbeds, so one export is of one machine; it cannot hold a missing value.
"""

import hashlib
import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import History
from voxgate.harness.history.dates import left_out_line, untrue
from voxgate.harness.history.entry import SCHEMA, acknowledgement_to_dict, entry_to_dict
from voxgate.harness.history.records import RunRow, Series
from voxgate.harness.records.files import write_file

RUN_COLUMNS = ("digest", "source", "suite", "profile", "machine", "head")
SERIES_COLUMNS = ("cell", "label", "metric", "unit", "better")
TABLE = (
    "created",
    *RUN_COLUMNS,
    *SERIES_COLUMNS,
    *("version", "value", "missing", "low", "high", "n", "verdict", "reason", "shift"),
)
"""
The columns of the long table: one row per value, oldest first. `value` is empty where `missing` has
the reason.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Patterns (`fnmatch`) of the runs to export."""

    suite: str = "*"
    profile: str = "*"
    machine: str = "*"
    today: str = "9999-12-31"
    """ISO, UTC: a run with an implausible time as of this day is in no export that goes by time."""

    def runs(self, history: History) -> list[RunRow]:
        """Return the chosen runs, oldest first. Raises HarnessError if there is none."""
        chosen = [run for run in history.runs() if self._wants(run)]
        if not chosen:
            raise HarnessError(
                f"no run of suite {self.suite}, profile {self.profile}, machine {self.machine} in "
                "this history"
            )
        return chosen

    def believed(self, history: History) -> list[RunRow]:
        """
        Return the chosen runs with a plausible time, oldest first. Raises HarnessError if there is
        none.
        """
        runs = self.runs(history)
        believed = [run for run in runs if not untrue(run.created, self.today)]
        if not believed:
            raise HarnessError(
                f"none of the {len(runs)} runs has a time that can be true; "
                f"{left_out_line(runs[0])}"
            )
        return believed

    def newest(self, history: History) -> list[RunRow]:
        """
        Return the newest complete run of each suite, profile and machine. Raises HarnessError if
        there is none.
        """
        runs = self.believed(history)
        newest = {(run.suite, run.profile, run.machine): run for run in runs if run.complete}
        if not newest:
            raise HarnessError(
                f"none of the {len(runs)} runs is complete; continue one with `voxgate check "
                "--resume`"
            )
        return list(newest.values())

    def table(self, history: History, runs: list[RunRow] | None = None) -> pd.DataFrame:
        """
        Return the points of the chosen runs with the fields of their runs and cells: TABLE, and
        `run` and `series`.
        """
        chosen = self.runs(history) if runs is None else runs
        of_run = _frame(chosen, "run", RUN_COLUMNS)
        of_series = _frame(history.series(), "series", SERIES_COLUMNS)
        points = history.points(words=True)
        points = points[points["run"].isin(of_run["run"])]
        return points.merge(of_run, on="run").merge(of_series, on="series")[
            ["run", "series", *TABLE]
        ]

    def _wants(self, run: RunRow) -> bool:
        return all(
            fnmatchcase(getattr(run, name), getattr(self, name))
            for name in ("suite", "profile", "machine")
        )


def _frame(
    records: Sequence[RunRow] | Sequence[Series], key: str, names: Sequence[str]
) -> pd.DataFrame:
    """Return records as rows: their id in the column `key`, and the named fields."""
    fields = attrgetter("id", *names)
    return pd.DataFrame(list(map(fields, records)), columns=[key, *names])


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises HarnessError if it cannot be written."""
    write_file(path, content, "name another --out", parents=True)


FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""
First letters of a formula (OWASP, CSV injection), those of full width included, and what is skipped
before one.
"""


def csv_text(history: History, choice: Choice) -> str:
    """Return the table as CSV (RFC 4180, with plain line ends)."""
    return table_text(choice.table(history)[list(TABLE)])


def table_text(table: pd.DataFrame) -> str:
    """Return any table as CSV, its index left out, no cell of it a formula."""
    plain = table.rename(columns=plain_text)
    for name in plain.columns:
        if plain[name].dtype == object or pd.api.types.is_string_dtype(plain[name].dtype):
            plain[name] = plain[name].map(
                lambda cell: plain_text(cell) if isinstance(cell, str) else cell
            )
    return str(plain.to_csv(index=False, lineterminator="\n"))


def plain_text(text: str) -> str:
    """Return a text that no spreadsheet reads as a formula, and no reader as the end of a line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")  # pandas puts no quotes round a lone CR
    return f"'{lines}" if text.startswith(FORMULA) or text.lstrip().startswith(FORMULA) else lines


def parquet_bytes(history: History, choice: Choice) -> bytes:
    """Return the table as a Parquet file. Raises HarnessError where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise HarnessError("Parquet needs pyarrow; pip install 'voxgate[history]'")
    file = io.BytesIO()
    choice.table(history)[list(TABLE)].to_parquet(file, engine="pyarrow", index=False)
    return file.getvalue()


def json_text(history: History, choice: Choice) -> str:
    """Return the chosen runs, all acknowledgements and all votes as JSON: one line per run."""
    runs = _lines(entry_to_dict(history.entry(run.id)) for run in choice.runs(history))
    acknowledgements = _lines(map(acknowledgement_to_dict, history.acknowledgements()))
    votes = _lines(map(acknowledgement_to_dict, history.votes()))
    return (
        f'{{"schema": "{SCHEMA}",\n"runs": [{runs}],\n'
        f'"acknowledgements": [{acknowledgements}],\n"votes": [{votes}]}}\n'
    )


def _lines(rows: Iterator[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(row, allow_nan=False) for row in rows)


LONGEST_MEASURE = 64


def bencher_text(history: History, choice: Choice) -> str:
    """
    Return the newest run of each suite. Raises HarnessError where they are of two machines or
    profiles.
    """
    newest = choice.newest(history)
    places = sorted({f"{run.machine} ({run.profile})" for run in newest})
    if len(places) > 1:
        raise HarnessError(
            f"runs of {', '.join(places)}; choose one testbed with --machine and --profile"
        )
    table = choice.table(history, newest)
    table = table[table["value"].notna()]
    benchmarks: dict[str, dict[str, dict[str, float]]] = {}
    for row in table.itertuples():
        bounds = {"lower_value": row.low, "upper_value": row.high}
        # NaN: none
        metric = {
            "value": row.value,
            **{name: bound for name, bound in bounds.items() if bound == bound},
        }
        measures = benchmarks.setdefault(f"{row.suite}/{row.cell}", {})
        measures[_free(row.metric, row.unit, measures)] = metric
    return json.dumps(benchmarks, indent=1, allow_nan=False) + "\n"


def _free(metric: str, unit: str, taken: Collection[str]) -> str:
    """
    Return a name for a measure: short enough, and unlike any other of its benchmark, for two names
    may begin alike.
    """
    digest = hashlib.sha256(f"{metric}\0{unit}".encode()).hexdigest()[:10]
    name = (
        metric if len(metric) <= LONGEST_MEASURE else f"{metric[: LONGEST_MEASURE - 11]}-{digest}"
    )
    return f"{metric[: LONGEST_MEASURE - 11]}-{digest}" if name in taken else name
