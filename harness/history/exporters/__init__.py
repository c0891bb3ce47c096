"""
Writers of other formats, one per file: each turns the chosen part of a history into text or files.
They decide nothing.
"""

from collections.abc import Callable
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import History
from voxgate.harness.history.exporters import openmetrics, otava, tables
from voxgate.harness.history.exporters.tables import Choice, write_bytes

TEXTS: dict[str, Callable[[History, Choice], str]] = {
    "csv": tables.csv_text,
    "json": tables.json_text,
    "bencher": tables.bencher_text,
    "openmetrics": openmetrics.openmetrics_text,
    "textfile": openmetrics.textfile_text,
}
FORMATS = (*TEXTS, "parquet", "otava")


def export(history: History, form: str, choice: Choice, out: Path | None) -> Path | bytes:
    """
    Write the chosen part of a history to `out`, and return the path; without `out`, return the
    content.

    Raises HarnessError where it cannot be written, and for otava without a folder.
    """
    if form == "otava":
        if out is None:
            raise HarnessError("otava takes several files; name a folder with --out")
        return otava.write_otava(history, choice, out)
    content = (
        tables.parquet_bytes(history, choice)
        if form == "parquet"
        else TEXTS[form](history, choice).encode()
    )
    if out is None:
        return content
    write_bytes(out, content)
    return out
