"""
The history in its database: opened by URL, brought to this schema, appended to and read. The one way in for everybody else.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import URL, Engine

from harness.errors import HarnessError
from harness.history import queries, writing
from harness.history.address import DEFAULT_URL, default_url
from harness.history.connection import make_engine, told
from harness.history.connection import writing as transaction
from harness.history.records import Acknowledgement, CellRow, Entry, RunRow, Series, Vote
from harness.history.schema import migrate
from harness.history.url import parse_url, shown

if TYPE_CHECKING:
    import pandas as pd


def open_history(url: str | None = None) -> "History":
    """Open the history at a URL; a new one is made, an older one brought up. Raises HarnessError, as all of its methods do."""
    parsed = parse_url(url or default_url())
    engine = make_engine(parsed)
    try:
        with told(parsed, "open"):
            migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return History(parsed, engine)


def open_existing(url: str) -> "History":
    """Open a history to read it. Raises HarnessError where a named file is not there: a slip must not begin a new one."""
    parsed = parse_url(url)
    absent = parsed.drivername == "sqlite" and parsed.database and not Path(parsed.database).exists()
    if absent and url != DEFAULT_URL:
        begin = f"voxgate check SUITE --history {shown(parsed)}"
        raise HarnessError(f"no history in {parsed.database}; name another, or begin it: {begin}")
    return open_history(url)


class History:
    """All runs that were ever appended. Every method is one transaction; two processes may write at once."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self._url, self._engine = url, engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

    def append(self, entry: Entry) -> bool:
        """Add a run with all it measured, whole or not at all. Gives False where it was there already."""
        with told(self._url, "write"), transaction(self._engine) as connection:
            return writing.append(connection, entry)

    def acknowledge(self, word: Acknowledgement) -> bool:
        """Add a person's word that a change is known; its id is given here. Gives False where it was there already."""
        with told(self._url, "write"), transaction(self._engine) as connection:
            return writing.acknowledge(connection, word)

    def add_votes(self, votes: Iterable[Vote]) -> int:
        """Add listeners' answers, all or none; their ids are given here. Gives how many were new."""
        with told(self._url, "write"), transaction(self._engine) as connection:
            return sum(writing.add_vote(connection, vote) for vote in votes)

    def runs(self, suite: str | None = None, limit: int | None = None) -> list[RunRow]:
        """Give the runs, oldest first; with a limit, only the newest."""
        with told(self._url, "read"), self._engine.connect() as connection:
            return queries.runs(connection, suite, limit)

    def run(self, number: int) -> RunRow:
        """Give one run. Raises HarnessError if there is none of that id."""
        with told(self._url, "read"), self._engine.connect() as connection:
            return queries.run(connection, number)

    def cells(self, run: int) -> list[CellRow]:
        """Give the cells of a run, in the suite's order."""
        with told(self._url, "read"), self._engine.connect() as connection:
            return queries.cells(connection, run)

    def every_cell(self) -> list[CellRow]:
        """Give the cells of all runs, by run."""
        with told(self._url, "read"), self._engine.connect() as connection:
            return queries.every_cell(connection)

    def entry(self, run: int) -> Entry:
        """Give a run as the entry that would append it to another history. Raises HarnessError if there is none of that id."""
        with told(self._url, "read"), self._engine.connect() as connection:
            return queries.entry(connection, run)

    def series(
        self, suite: str | None = None, cell: str | None = None, metric: str | None = None, machine: str | None = None
    ) -> list[Series]:
        """Give the lines through time that are as asked."""
        with told(self._url, "read"), self._engine.connect() as connection:
            return queries.series(connection, suite=suite, cell=cell, metric=metric, machine=machine)

    def points(self, series_ids: Collection[int] | None = None, *, words: bool = False) -> "pd.DataFrame":
        """
        Give the points of some series, or of all, oldest first.

        Columns: series, run, created (text), value (NaN where `missing` says why), missing (text or None), low, high, n,
        verdict (text or None), shift (NaN where there is none); with `words` also reason and version.
        """
        with told(self._url, "read"), self._engine.connect() as connection:
            return queries.points(connection, series_ids, queries.WORDS if words else ())

    def acknowledgements(self) -> list[Acknowledgement]:
        """Give all acknowledgements, in the order in which they were given."""
        with told(self._url, "read"), self._engine.connect() as connection:
            return queries.acknowledgements(connection)

    def votes(self) -> list[Vote]:
        """Give all votes, in the order in which they came in."""
        with told(self._url, "read"), self._engine.connect() as connection:
            return queries.votes(connection)
