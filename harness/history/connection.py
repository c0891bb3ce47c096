"""
The way to the database: an engine for a URL, transactions that wait for each other, and errors in one line.

SQLite: the log is written ahead (WAL), so that readers never wait, and a writer takes the lock when it begins
(BEGIN IMMEDIATE), so that two writers queue up in place of failing halfway. PostgreSQL: writers queue up on one advisory lock,
for the same reason: no order of inserts can then deadlock. Knows no table.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from harness.errors import HarnessError
from harness.history.url import shown, without_secrets
from harness.machine.clock import instant_s, sleep

WAIT_MS = 60_000
"""How long a writer of SQLite waits for others; an append of a thousand points takes some 40 ms."""
LOCK = 0x766F78676174
"""The key of PostgreSQL's advisory lock: `voxgat` in ASCII."""
BETWEEN_TRIES_S = 0.01
WRITES = "voxgate_writes"


def make_engine(url: URL) -> Engine:
    """Make an engine; an SQLite file's folder is made. Raises HarnessError where the driver or the folder is wanting."""
    try:
        if url.drivername == "sqlite" and url.database not in (None, "", ":memory:"):
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url)
    except ModuleNotFoundError as error:
        raise HarnessError(f"no driver for PostgreSQL ({error.name}); pip install 'voxgate[postgres]'") from None
    except OSError as error:
        raise HarnessError(f"cannot make the folder of {shown(url)}: {error.strerror}; name another --history") from None
    except (SQLAlchemyError, ValueError, TypeError) as error:
        raise HarnessError(f"cannot use the history {shown(url)}: {without_secrets(_one_line(error), url)}") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that no other writer runs beside; all of it is kept, or nothing."""
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        yield connection


@contextmanager
def told(url: URL, doing: str) -> Iterator[None]:
    """Turn a database's error into a HarnessError of one line, without the password; no cause is kept, which may have it."""
    try:
        yield
    except HarnessError:
        raise
    except (SQLAlchemyError, OSError, ValueError, TypeError, LookupError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        words = without_secrets(_one_line(cause), url)
        raise HarnessError(f"cannot {doing} the history {shown(url)}: {words}") from None


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver's own transactions would begin too late to queue up
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
    _write_ahead(cursor)
    for pragma in ("foreign_keys = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Switch the log, waiting for others by hand: SQLite says "locked" at once where two switch a new file together."""
    deadline_s = instant_s() + WAIT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or instant_s() > deadline_s:
                raise
            sleep(BETWEEN_TRIES_S)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__
