"""
Histories that were edited by hand or damaged: every column of every table with values that it must
not hold.

`damaged` gives them in a fixed order, `random_damage` by chance from a seed, for a fuzzer. Both
write past the database's own checks, as a hand in `sqlite3` or a broken disk does.
"""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.history.tables import METADATA

INFINITY, NAN_TEXT, HUGE = 9e999, "nan", 2**63 - 1
TEXTS = (
    None,
    "",
    b"\xff\xfe",
    "yesterday",
    "\ud83d\ufe0f"[1:],
    "x" * 100_000,
    "<script>alert(1)</script>",
    "../../etc/passwd",
)
NUMBERS = (
    None,
    "",
    "fast",
    b"\x00",
    INFINITY,
    -INFINITY,
    NAN_TEXT,
    HUGE,
    -HUGE,
    1e308,
    -1.0,
    0.0,
    1e-320,
)
DATES = (
    None,
    "",
    "yesterday",
    "2026-13-45T99:99:99+00:00",
    "2026-10-01",
    "0001-01-01T00:00:00+00:00",
    "9999-12-31T23:59:59+00:00",
    7,
)
WORDS = (None, "", "GREAT", "pass", 0, b"PASS", "PASS ")
JSON = (
    None,
    "",
    "{",
    "null",
    "[1]",
    "5",
    b"{}",
    '{"a": NaN}',
    "[" * 100_000,
    '{"machine": []}',
    '["x"]',
    '[{"option": 1}]',
)
FLAGS = (None, "yes", 7, -1, 0.5, b"")
KINDS = {
    "VARCHAR": TEXTS,
    "STRING": TEXTS,
    "TEXT": TEXTS,
    "FLOAT": NUMBERS,
    "INTEGER": NUMBERS,
    "JSON": JSON,
    "BOOLEAN": FLAGS,
}
SPECIAL = {
    "created": DATES,
    "since": DATES,
    "verdict": WORDS,
    "better": WORDS,
    "mode": WORDS,
    "answer": WORDS,
}


@dataclass(frozen=True, slots=True)
class Damage:
    """One value in one column of one row (the first)."""

    table: str
    column: str
    value: object

    def write(self, path: Path) -> None:
        """
        Write it into a file of SQLite; what not even SQLite takes (a key twice, NULL in a key) is
        left.
        """
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(
                f'UPDATE {self.table} SET "{self.column}" = ? WHERE rowid = (SELECT min(rowid) '
                f"FROM {self.table})",
                (self.value,),
            )
            connection.commit()
        except (sqlite3.IntegrityError, OverflowError, UnicodeError):
            connection.rollback()
        finally:
            connection.close()


def damaged() -> Iterator[Damage]:
    """Return every kind of damage to every column."""
    for table in METADATA.sorted_tables:
        for column in table.columns:
            kind = type(column.type).__name__.upper()
            for value in SPECIAL.get(column.name, KINDS[kind]):
                yield Damage(table.name, column.name, value)


def random_damage(seed: int, number: int) -> Iterator[Damage]:
    """Return damage by chance, also of a kind that belongs to another column."""
    chance = random.Random(seed)
    every = list(damaged())
    values = [each.value for each in every]
    for _ in range(number):
        where = chance.choice(every)
        yield Damage(where.table, where.column, chance.choice(values))
