"""
A cache of scores on disk, keyed by the content they were computed from.

A key is a digest of everything that decides the score: the bytes of the audio, of its reference,
the metric, its version. Knows SQLite and JSON, not the meaning of a score. Deleting the file costs
time, nothing else.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError

FILE = "scores.sqlite"
MOST_KEYS = 500  # per query; SQLite's smallest limit of variables is 999
PER_WRITE = 100  # some files' values: what a killed process loses


class ScoreCache:
    """
    A table key -> JSON value.

    Values are written in groups, since each write waits for the disk; `close` writes the last.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._unwritten: dict[str, str] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=30)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS scores (key TEXT PRIMARY KEY, value TEXT NOT NULL) "
                "WITHOUT ROWID"
            )
            self._database.commit()
        except (OSError, sqlite3.Error) as error:
            raise HarnessError(
                f"the score cache {self.path} cannot be used ({error}); delete it or choose "
                "another folder"
            ) from error

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the cached values of `keys`. Raises HarnessError when the file is damaged."""
        self._write()
        missing, values = sorted(set(keys)), {}
        try:
            for start in range(0, len(missing), MOST_KEYS):
                some = missing[start : start + MOST_KEYS]
                query = f"SELECT key, value FROM scores WHERE key IN ({', '.join('?' * len(some))})"  # noqa: S608 - only question marks
                values.update(
                    {key: json.loads(value) for key, value in self._database.execute(query, some)}
                )
        except (sqlite3.Error, json.JSONDecodeError) as error:
            raise HarnessError(
                f"the score cache {self.path} is damaged ({error}); delete it"
            ) from error
        return values

    def put(self, key: str, value: Any) -> None:
        """
        Store a JSON value; NaN and infinity are refused.

        Raises HarnessError when the disk is full or the file damaged.
        """
        self._unwritten[key] = json.dumps(value, allow_nan=False)
        if len(self._unwritten) >= PER_WRITE:
            self._write()

    def close(self) -> None:
        """Write pending values and close the file. Raises HarnessError as `put` does."""
        try:
            self._write()
        finally:
            self._database.close()

    def _write(self) -> None:
        if not self._unwritten:
            return
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO scores VALUES (?, ?)", self._unwritten.items()
                )
        except sqlite3.Error as error:
            raise HarnessError(
                f"the score cache {self.path} cannot be written ({error}); make room or delete it"
            ) from error
        self._unwritten.clear()


def cache_key(*parts: str) -> str:
    """Return a digest of the parts, which may hold any character."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
