"""
CSV: the long table, one row per value, with its unit and, where there is no value, the reason.

Names and reasons come from outside, and spreadsheets run a text that begins like a formula; such a text gets an apostrophe in
front, which they take for "this is text". Numbers are numbers.
"""

import pandas as pd

from harness.history.database import History
from harness.history.exporters.tables import TABLE, Choice

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First letters of a formula (OWASP, CSV injection), those of full width included, and what is skipped before one."""


def csv_text(history: History, choice: Choice) -> str:
    """Return the table as CSV (RFC 4180, with plain line ends)."""
    return table_text(choice.table(history)[list(TABLE)])


def table_text(table: pd.DataFrame) -> str:
    """Return any table as CSV, its index left out, no cell of it a formula."""
    plain = table.rename(columns=plain_text)
    for name in plain.columns:
        if plain[name].dtype == object or pd.api.types.is_string_dtype(plain[name].dtype):
            plain[name] = plain[name].map(lambda each: plain_text(each) if isinstance(each, str) else each)
    return str(plain.to_csv(index=False, lineterminator="\n"))


def plain_text(text: str) -> str:
    """Return a text as no spreadsheet takes it for a formula, and no reader for the end of a line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")  # pandas puts no quotes round a lone CR
    return f"'{lines}" if text.startswith(FORMULA) or text.lstrip().startswith(FORMULA) else lines
