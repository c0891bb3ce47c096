"""
CSV: the long table, one row per value, with its unit and, where there is no value, the reason.
"""

from harness.history.database import History
from harness.history.exporting.choice import TABLE, Choice


def csv_text(history: History, choice: Choice) -> str:
    """Give the table as CSV (RFC 4180, with plain line ends)."""
    return str(choice.table(history)[list(TABLE)].to_csv(index=False, lineterminator="\n"))
