"""
The history in its database: opened by URL, migrated to this schema, appended to and read. All other
modules go through here.

SQLite: the log is written ahead (WAL), so that readers never wait, and a writer takes the lock when
it begins (BEGIN IMMEDIATE), so that two writers queue up instead of failing halfway. PostgreSQL:
writers queue up on one advisory lock, for the same reason: no order of inserts can then deadlock.

A migration makes the tables, or takes the steps of `migrations/` from the current revision, all in
one transaction: a crash leaves the schema, and the stored rows, as they were. A database that a
newer voxgate made is refused.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from voxgate.harness.errors import HarnessError
from voxgate.harness.history import queries, writing
from voxgate.harness.history.address import DEFAULT_URL, default_url
from voxgate.harness.history.records import (
    Acknowledgement,
    CellRow,
    HistoryEntry,
    RunRow,
    Series,
    Vote,
)
from voxgate.harness.history.tables import REVISION
from voxgate.harness.history.url import parse_url, shown, without_secrets
from voxgate.harness.machine.clock import instant_s, sleep
from voxgate.harness.python310 import is_busy

if TYPE_CHECKING:
    import pandas as pd


def open_history(url: str | None = None) -> "History":
    """
    Open the history at a URL; a new one is created, an older one migrated. Raises HarnessError, as
    all of its methods do.
    """
    parsed = parse_url(url or default_url())
    engine = make_engine(parsed)
    try:
        with wrap_db_error(parsed, "open"):
            migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return History(parsed, engine)


def open_existing(url: str) -> "History":
    """
    Open a history to read it. Raises HarnessError where a named file does not exist: a typing error
    must not begin a new one.
    """
    parsed = parse_url(url)
    absent = (
        parsed.drivername == "sqlite" and parsed.database and not Path(parsed.database).exists()
    )
    if absent and url != DEFAULT_URL:
        begin = f"voxgate check SUITE --history {shown(parsed)}"
        raise HarnessError(f"no history in {parsed.database}; name another, or begin it: {begin}")
    return open_history(url)


class History:
    """
    All runs that were ever appended. Every method is one transaction; two processes may write at
    once.
    """

    def __init__(self, url: URL, engine: Engine) -> None:
        self._url, self._engine = url, engine

    def __enter__(self) -> "History":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()

    def append(self, entry: HistoryEntry) -> bool:
        """
        Add a run with all its measurements, whole or not at all. Returns False where it was stored
        already.
        """
        with wrap_db_error(self._url, "write"), transaction(self._engine) as connection:
            return writing.append(connection, entry)

    def acknowledge(self, acknowledgement: Acknowledgement) -> bool:
        """
        Add an acknowledgement; the database assigns its id. Returns False where it was stored
        already.
        """
        with wrap_db_error(self._url, "write"), transaction(self._engine) as connection:
            return writing.acknowledge(connection, acknowledgement)

    def add_votes(self, votes: Iterable[Vote]) -> int:
        """
        Add listeners' answers, all or none; the database assigns their ids. Returns the number of
        new ones.
        """
        with wrap_db_error(self._url, "write"), transaction(self._engine) as connection:
            return sum(writing.add_vote(connection, vote) for vote in votes)

    def runs(self, suite: str | None = None, limit: int | None = None) -> list[RunRow]:
        """Return the runs, oldest first; with a limit, only the newest."""
        with wrap_db_error(self._url, "read"), self._engine.connect() as connection:
            return queries.runs(connection, suite, limit)

    def run(self, number: int) -> RunRow:
        """Return one run. Raises HarnessError if there is none of that id."""
        with wrap_db_error(self._url, "read"), self._engine.connect() as connection:
            return queries.run(connection, number)

    def cells(self, run: int) -> list[CellRow]:
        """Return the cells of a run, in the suite's order."""
        with wrap_db_error(self._url, "read"), self._engine.connect() as connection:
            return queries.cells(connection, run)

    def every_cell(self) -> list[CellRow]:
        """Return the cells of all runs, by run."""
        with wrap_db_error(self._url, "read"), self._engine.connect() as connection:
            return queries.every_cell(connection)

    def entry(self, run: int) -> HistoryEntry:
        """
        Return a run as the entry that would append it to another history. Raises HarnessError if
        there is none of that id.
        """
        with wrap_db_error(self._url, "read"), self._engine.connect() as connection:
            return queries.entry(connection, run)

    def series(
        self,
        suite: str | None = None,
        cell: str | None = None,
        metric: str | None = None,
        machine: str | None = None,
    ) -> list[Series]:
        """Return the series whose fields match."""
        with wrap_db_error(self._url, "read"), self._engine.connect() as connection:
            return queries.series(
                connection, suite=suite, cell=cell, metric=metric, machine=machine
            )

    def points(
        self, series_ids: Collection[int] | None = None, *, words: bool = False
    ) -> "pd.DataFrame":
        """
        Return the points of some series, or of all, oldest first.

        Columns: series, run, created (text), value (NaN where `missing` has the reason), missing
        (text or None), low, high, n, verdict (text or None), shift (NaN where there is none); with
        `words` also reason and version.
        """
        with wrap_db_error(self._url, "read"), self._engine.connect() as connection:
            return queries.points(connection, series_ids, queries.WORDS if words else ())

    def acknowledgements(self) -> list[Acknowledgement]:
        """Return all acknowledgements, in the order in which they were added."""
        with wrap_db_error(self._url, "read"), self._engine.connect() as connection:
            return queries.acknowledgements(connection)

    def votes(self) -> list[Vote]:
        """Return all votes, in the order in which they were added."""
        with wrap_db_error(self._url, "read"), self._engine.connect() as connection:
            return queries.votes(connection)


WAIT_MS = 60_000
"""How long a writer of SQLite waits for others; an append of a thousand points takes some 40 ms."""
LOCK = 0x766F78676174
"""The key of PostgreSQL's advisory lock: `voxgat` in ASCII."""
BETWEEN_TRIES_S = 0.01
WRITES = "voxgate_writes"


def make_engine(url: URL) -> Engine:
    """
    Return an engine; the folder of an SQLite file is made. Raises HarnessError where the driver or
    the folder is missing.
    """
    try:
        if url.drivername == "sqlite":
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url)
    except ModuleNotFoundError as error:
        raise HarnessError(
            f"no driver for PostgreSQL ({error.name}); pip install 'voxgate[postgres]'"
        ) from None
    except OSError as error:
        raise HarnessError(
            f"cannot make the folder of {shown(url)}: {error.strerror}; name another --history"
        ) from None
    except (SQLAlchemyError, ValueError, TypeError) as error:
        raise HarnessError(
            f"cannot use the history {shown(url)}: {without_secrets(_one_line(error), url)}"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that no other writer runs beside; all of it is kept, or nothing."""
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        yield connection


@contextmanager
def wrap_db_error(url: URL, doing: str) -> Iterator[None]:
    """
    Return a database's error as a HarnessError of one line, without the password. Its cause is
    dropped, which may contain it.
    """
    try:
        yield
    except HarnessError:
        raise
    except (SQLAlchemyError, OSError, ValueError, TypeError, LookupError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        message = without_secrets(_one_line(cause), url)
        raise HarnessError(f"cannot {doing} the history {shown(url)}: {message}") from None


def _prepare_sqlite(connection: Any, _: object) -> None:
    # the driver's own transactions would begin too late to queue up
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
    _write_ahead(cursor)
    for pragma in ("foreign_keys = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """
    Switch the log, retrying by hand: SQLite reports "locked" at once where two processes switch a
    new file together.
    """
    deadline_s = instant_s() + WAIT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or instant_s() > deadline_s:
                raise
            sleep(BETWEEN_TRIES_S)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__


STEPS = Path(__file__).parent / "migrations"


def migrate(engine: Engine, revision: str = REVISION) -> None:
    """
    Migrate the database to `revision`; do nothing where it is there. Raises HarnessError for a
    newer schema.
    """
    with engine.connect() as connection:
        if current(connection) == revision:
            return
    with transaction(engine) as connection:
        upgrade(connection, revision)


def upgrade(connection: Connection, revision: str) -> None:
    """
    Take the remaining steps; another process may just have taken them. Raises HarnessError for a
    newer schema.
    """
    from alembic import command  # takes longer to import than all that a migrated database needs
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    stands = current(connection)
    if stands is not None and stands not in {
        step.revision for step in ScriptDirectory.from_config(config).walk_revisions()
    }:
        raise HarnessError(
            f"this history has schema {stands}, which this voxgate ({REVISION}) does not know; "
            "upgrade voxgate"
        )
    command.upgrade(config, revision)


def current(connection: Connection) -> str | None:
    """Return the revision of the database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    stamp = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if stamp is None else str(stamp)
