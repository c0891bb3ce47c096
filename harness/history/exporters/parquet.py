"""
Parquet: the long table with its types, for pandas, DuckDB, Spark. Needs pyarrow, which voxgate does not bring along.
"""

import io
from importlib.util import find_spec

from harness.errors import HarnessError
from harness.history.database import History
from harness.history.exporters.tables import TABLE, Choice


def parquet_bytes(history: History, choice: Choice) -> bytes:
    """Give the table as a Parquet file. Raises HarnessError where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise HarnessError("Parquet needs pyarrow; pip install 'voxgate[history]'")
    file = io.BytesIO()
    choice.table(history)[list(TABLE)].to_parquet(file, engine="pyarrow", index=False)
    return file.getvalue()
