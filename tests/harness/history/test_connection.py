"""
Addresses that are none, files that cannot be written, drivers that are not there: one line each,
and no password in it.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.history.entries import entry
from voxgate.harness.errors import HarnessError
from voxgate.harness.history import database
from voxgate.harness.history.address import DEFAULT_URL, VARIABLE, default_url
from voxgate.harness.history.database import open_history
from voxgate.harness.history.url import parse_url, shown

NOBODY = 65534


@pytest.fixture
def read_only() -> Iterator[Path]:
    """
    A file of history in a folder where we may write nothing; as root, we are somebody else for the
    test.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_history(f"sqlite:///{folder}/history.sqlite") as history:
            history.append(entry(1))
        (folder / "history.sqlite").chmod(0o444)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        yield folder / "history.sqlite"
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.parametrize("url", ["runs/history.sqlite", "", "://", "sqlite"])
def test_what_is_no_url_is_told_with_an_example(url: str) -> None:
    with pytest.raises(
        HarnessError, match="is no database URL; write sqlite:///FILE or postgresql://"
    ):
        parse_url(url)


def test_databases_that_nobody_tested_are_refused() -> None:
    with pytest.raises(HarnessError, match="no history in mysql"):
        parse_url("mysql://me@host/db")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///file:?uri=true",
    ],
)
def test_a_database_in_memory_is_refused_for_it_keeps_nothing(url: str) -> None:
    with pytest.raises(HarnessError, match="is in memory: nothing appended to it is kept"):
        parse_url(url)


@pytest.mark.parametrize("kind", ["postgres", "postgresql", "postgresql+psycopg"])
def test_all_spellings_of_postgresql_mean_its_driver(kind: str) -> None:
    assert parse_url(f"{kind}://me@host/db").drivername == "postgresql+psycopg"


def test_a_password_is_never_shown() -> None:
    url = "postgresql://me:s3cret@127.0.0.1:1/db?connect_timeout=2"
    assert "s3cret" not in shown(parse_url(url))
    with pytest.raises(HarnessError) as caught:
        open_history(url)
    assert "s3cret" not in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith(
        "cannot open the history postgresql+psycopg://me:***@127.0.0.1:1/db"
    )


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")

    monkeypatch.setattr(database, "create_engine", absent)
    with pytest.raises(
        HarnessError,
        match=r"no driver for PostgreSQL \(psycopg\); pip install 'voxgate\[postgres\]'",
    ):
        open_history("postgresql://me@host/db")


def test_the_environment_names_another_history(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_url() == DEFAULT_URL
    monkeypatch.setenv(VARIABLE, "sqlite:///elsewhere.sqlite")
    assert default_url() == "sqlite:///elsewhere.sqlite"


def test_the_folder_of_a_new_file_is_made_and_the_log_is_written_ahead(tmp_path: Path) -> None:
    with open_history(f"sqlite:///{tmp_path}/a/b/history.sqlite"):
        pass
    with sqlite3.connect(tmp_path / "a/b/history.sqlite") as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_may_not_be_written_is_told_in_one_line(read_only: Path) -> None:
    url = f"sqlite:///{read_only}"
    with (
        pytest.raises(
            HarnessError, match=r"cannot (open|write) the history sqlite:///.*: \S+"
        ) as caught,
        open_history(url) as h,
    ):
        h.append(entry(2))
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        HarnessError, match=r"cannot make the folder of sqlite:///.*; name another --history"
    ):
        open_history(f"sqlite:///{tmp_path}/file/history.sqlite")


def test_a_file_that_is_no_database_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_text(
        "not a database, but a letter to my aunt, which is long enough to have no header of SQLite "
        "in it"
    )
    with pytest.raises(HarnessError, match=r"cannot open the history .*: file is not a database"):
        open_history(f"sqlite:///{path}")
    assert path.read_text().startswith("not a database")


def test_a_writer_waits_for_another_and_says_so_when_it_waited_long_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT_MS", 50)
    url = f"sqlite:///{tmp_path}/history.sqlite"
    with open_history(url) as history:
        other = sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HarnessError, match=r"cannot write the history .*: database is locked"):
            history.append(entry(1))
        assert history.runs() == []
        other.execute("ROLLBACK")
        other.close()
        assert history.append(entry(1))
