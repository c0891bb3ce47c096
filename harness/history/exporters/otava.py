"""
CSV for Apache Otava: a folder with `otava.yaml` and a file per suite, profile and machine, with a
column of times, one of revisions, and one per cell and metric.

Otava accepts no empty field, so columns share a file only if they have values of the same runs;
those with gaps of their own go into files of their own (`...2.csv`). The configuration is JSON,
which is YAML too.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from voxgate.harness.history.database import History
from voxgate.harness.history.exporters.tables import Choice, plain_text, table_text, write_bytes
from voxgate.harness.history.importers.common import slug

DIRECTIONS = {"higher": 1, "lower": -1}
"""The better direction in Otava's terms; a metric without one is not analysed."""


def write_otava(history: History, choice: Choice, folder: Path) -> Path:
    """
    Write the folder, and return its configuration. Raises HarnessError if it cannot be written.
    """
    table = choice.table(history, choice.believed(history))
    table = table[table["value"].notna() & table["better"].isin(list(DIRECTIONS))]
    tests = {}
    for place, rows in table.groupby(["suite", "profile", "machine"]):
        stem = _stem([str(part) for part in place])
        for number, columns in enumerate(_without_gaps(rows), start=1):
            test = stem if number == 1 else f"{stem}.{number}"
            write_bytes(folder / f"{test}.csv", _csv(rows, columns).encode())
            tests[test] = _test(f"{test}.csv", columns)
    config = folder / "otava.yaml"
    write_bytes(config, json.dumps({"tests": tests}, indent=1).encode())
    return config


def _stem(place: Sequence[str]) -> str:
    """
    Return the name of a test. A dot inside a name would make it another's, so then a digest tells
    them apart.
    """
    words = [slug(word) for word in place]
    return slug(json.dumps(place)) if any("." in word for word in words) else ".".join(words)


def _without_gaps(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """
    Return the series in groups that have values of the same runs, the largest group first: one row
    per series.
    """
    runs = rows.groupby("series")["run"].agg(lambda run_ids: tuple(sorted(run_ids)))
    lines = rows.drop_duplicates("series").set_index("series")[["cell", "metric", "unit", "better"]]
    name = lines["cell"] + "/" + lines["metric"]
    name = name.where(~name.duplicated(keep=False), name + " " + lines["unit"])
    name = name.where(~name.duplicated(keep=False), name + " #" + name.index.astype(str))
    lines["column"] = name.map(plain_text)
    groups = [lines.loc[ids] for ids in runs.groupby(runs).groups.values()]
    yield from sorted(groups, key=lambda group: (-len(group), group["column"].iloc[0]))


def _csv(rows: pd.DataFrame, columns: pd.DataFrame) -> str:
    selected = rows[rows["series"].isin(columns.index)]
    wide = selected.pivot(index="run", columns="series", values="value").rename(
        columns=columns["column"]
    )
    of_run = (
        selected.drop_duplicates("run")
        .set_index("run")[["created", "head"]]
        .rename(columns={"created": "time", "head": "commit"})
    )
    return table_text(of_run.join(wide))


def _test(file: str, columns: pd.DataFrame) -> dict[str, object]:
    metrics = {
        row.column: {
            "column": row.column,
            "direction": DIRECTIONS[row.better],
            "scale": 1,
            "unit": row.unit,
        }
        for row in columns.itertuples()
    }
    return {
        "type": "csv",
        "file": file,
        "time_column": "time",
        "attributes": ["commit"],
        "metrics": metrics,
    }
