"""
Databases for the tests of the history: every test that asks for `url` runs on SQLite and on
PostgreSQL.
"""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.harness.history import postgres
from voxgate.harness.history.database import History, open_history
from voxgate.harness.history.tables import METADATA

NUMBERS = count()
KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database."""
    reason = postgres.why_not()
    if reason:
        pytest.skip(reason)
    with postgres.running() as url:
        yield url


@pytest.fixture(scope="session")
def migrated(server: str) -> str:
    """
    The URL of a database on the server that holds a history; whoever takes it empties it first.
    """
    url = database(server)
    with open_history(url):
        pass
    return url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that holds an empty history, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "history.sqlite"
    with open_history(f"sqlite:///{path}"):
        pass
    return path


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without a table, of one kind and then of the other."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/history.sqlite"
    return database(request.getfixturevalue("server"))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty history, of one kind and then of the other."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "history.sqlite")
        return f"sqlite:///{tmp_path}/history.sqlite"
    found: str = request.getfixturevalue("migrated")
    engine = create_engine(found)
    with engine.begin() as connection:  # much quicker than a database of its own
        connection.execute(text(f"TRUNCATE {', '.join(METADATA.tables)} RESTART IDENTITY CASCADE"))
    engine.dispose()
    return found


@pytest.fixture
def history(url: str) -> Iterator[History]:
    """An empty history."""
    with open_history(url) as opened:
        yield opened


def database(server: str) -> str:
    """Makes a database on the server; it goes when the server does. Gives its URL."""
    name = f"history_{next(NUMBERS)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)
