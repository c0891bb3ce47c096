"""
Newer parts of the standard library, for Python 3.10. Delete this module when 3.11 is the oldest.

`tomllib` is the exception: `records/documents.py` reads TOML. Needs the standard library alone.
"""

import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

if sys.version_info >= (3, 11):
    from enum import StrEnum
else:
    from enum import Enum

    class StrEnum(str, Enum):
        """An enumeration whose members are texts, and print and format as such."""

        def __str__(self) -> str:
            """Return the text."""
            return str.__str__(self)

        def __format__(self, format_spec: str) -> str:
            """Format the text."""
            return str.__format__(self, format_spec)


__all__ = ["StrEnum", "is_busy", "parse_iso"]

SQLITE_BUSY = 5
"""SQLITE_BUSY of sqlite3.h."""
_DATE = r"(?P<year>[0-9]{4})(?P<dash>-?)(?P<month>[0-9]{2})(?P=dash)(?P<day>[0-9]{2})"
_TIME = (
    r"(?P<hour>[0-9]{2})(?:(?P<colon>:?)(?P<minute>[0-9]{2})"
    r"(?:(?P=colon)(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?)?"
)
_ZONE = r"(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)"
_ISO = re.compile(rf"{_DATE}(?:.{_TIME}{_ZONE}?)?", re.DOTALL)


def parse_iso(text: str) -> datetime:
    """
    Parse a date or time in ISO 8601. Raises ValueError.

    Python 3.10 reads only what `isoformat` writes: neither Z nor forms without separators. Dates by
    the week need 3.11.
    """
    if sys.version_info >= (3, 11):
        return datetime.fromisoformat(text)
    return datetime.fromisoformat(_as_isoformat(text))


def _as_isoformat(text: str) -> str:
    """Write a date or time of ISO 8601 as `isoformat` does; another text as it is."""
    found = _ISO.fullmatch(text)
    if found is None:
        return text
    date = "-".join(found.group("year", "month", "day"))
    if found["hour"] is None:
        return date
    fraction = (found["fraction"] or "")[:6].ljust(6, "0")
    zone = (found["zone"] or "").replace("Z", "+00").replace(":", "")
    sign, pairs = zone[:1], re.findall("..", zone[1:])
    offset = sign + ":".join([*pairs, "00"][: max(2, len(pairs))]) if sign else ""
    time = f"{found['hour']}:{found['minute'] or '00'}:{found['second'] or '00'}.{fraction}"
    return f"{date}T{time}{offset}"


def is_busy(error: "sqlite3.OperationalError") -> bool:
    """Return whether another process holds the database; 3.10 has SQLite's message and no code."""
    if sys.version_info >= (3, 11):
        return error.sqlite_errorcode == SQLITE_BUSY
    return str(error) == "database is locked"
