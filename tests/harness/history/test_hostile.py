"""
Histories and addresses that are not as they should be: one line that names the fault, exit 2, no
traceback, no password.
"""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.harness.history.entries import entry
from tests.harness.history.hostile_rows import Damage, damaged, random_damage
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.address import VARIABLE
from voxgate.harness.history.database import open_existing, open_history
from voxgate.harness.history.records import Acknowledgement, Vote
from voxgate.harness.history.url import parse_url

Capture = pytest.CaptureFixture[str]
CANARY = "Canary7Bird"
URLS = (
    f"postgresql://me:{CANARY}@host:port/db",
    f"postgresql:/me:{CANARY}@host/db",
    f"postgresql:me:{CANARY}@host",
    f"postgres//me:{CANARY}@host/db",
    f"me:{CANARY}@host/db",
    f"postgresql://me:{CANARY}/x@host/db",
    f"postgresql://me:12/{CANARY}@host/db",
    f"postgresql://me:x@{CANARY}@127.0.0.1:1/db",
    f"postgresql://me:x#{CANARY}@127.0.0.1:1/db",
    f"postgresql://me:x?{CANARY}@127.0.0.1:1/db",
    f"postgresql://me%3A{CANARY}@127.0.0.1:1/db",
    f"postgresql://127.0.0.1:1/db?password={CANARY}",
    f"postgresql://127.0.0.1:1/db?pasword={CANARY}",
    f"postgresql://me:{CANARY}@127.0.0.1:1/db?connect_timeout={CANARY}",
    f"postgresql://127.0.0.1:1/db?sslmode={CANARY}",
    f"postgresql://127.0.0.1:1/db?sslpassword={CANARY}&sslmode=disable",
    f"postgresql://me:{CANARY}@127.0.0.1:99999/db",
    f"postgresql://me:{CANARY}@[::1/db",
    f"postgresql://me:{CANARY}@[::1]:1/db",
    f"postgresql://me:{CANARY}@127.0.0.1:1/db\nx",
    f" postgresql://me:{CANARY}@127.0.0.1:1/db",
    f"postgresql://me:{CANARY}%zz@127.0.0.1:1/d b",
    f"postgresql+asyncpg://me:{CANARY}@host/db",
    f"postgresql+psycopg2://me:{CANARY}@host/db",
    f"mysql://me:{CANARY}@host/db",
    f"{CANARY}://host/db",
    f"sqlite://me:{CANARY}@host/x",
    f"sqlite:///postgresql://me:{CANARY}@host/db",
    f"sqlite:////nowhere/at/all.sqlite?password={CANARY}",
)


@pytest.fixture
def whole(tmp_path: Path, migrated_file: Path) -> Path:
    """A history with a row in every table."""
    path = tmp_path / "whole.sqlite"
    shutil.copy(migrated_file, path)
    with open_history(f"sqlite:///{path}") as history:
        for night in range(1, 4):
            history.append(entry(night))
        word = {
            "suite": "smoke",
            "cell": "*",
            "metric": "*",
            "machine": "*",
            "since": entry(2).created,
        }
        history.acknowledge(
            Acknowledgement(id=0, **word, why="known", by="me", created=entry(2).created)
        )
        sides = {"a": "new", "b": "old", "request": "u01", "x": "a", "answer": "a"}
        vote = {
            "digest": "d",
            "suite": "smoke",
            "cell": "nfe-8",
            "mode": "abx",
            "correct": True,
            "listener": "me",
        }
        history.add_votes([Vote(id=0, **vote, **sides, created=entry(2).created)])
    return path


def looks_at(url: str, folder: Path) -> list[list[str]]:
    site = ["report", "--site", "--history", url, "--out", str(folder / "site")]
    exports = [
        ["history", "export", form, "--history", url]
        for form in ("csv", "json", "openmetrics", "textfile", "bencher")
    ]
    otava = ["history", "export", "otava", "--history", url, "--out", str(folder / "otava")]
    return [
        ["history", "status", "--history", url],
        ["history", "list", "--history", url],
        site,
        otava,
        *exports,
    ]


def check_one_line(arguments: list[str], capsys: Capture) -> int:
    code = invoke(arguments)
    said = capsys.readouterr()
    odd = "Traceback" in said.err or "unexpected" in said.err
    assert not odd and code in (0, 2, 3), (arguments, code, said.err)
    if code == 2:
        lines = [line for line in said.err.splitlines() if line.startswith("voxgate: ")]
        assert len(lines) == 1 and len(lines[0]) < 1000, (arguments, said.err)
    return code


def first_of_kind() -> list[Damage]:
    """For the quick test, of every column three values."""
    every = list(damaged())
    return [
        each
        for number, each in enumerate(every)
        if number % 5 == 0 or each.column in ("created", "value")
    ]


def test_a_damaged_row_is_refused_in_one_line_or_harmless(
    whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    copy = tmp_path / "copy.sqlite"
    url = f"sqlite:///{copy}"
    for damage in first_of_kind():
        shutil.copy(whole, copy)
        damage.write(copy)
        for arguments in looks_at(url, tmp_path)[:2]:
            check_one_line(arguments, capsys)


def test_pages_and_exports_of_a_damaged_history_are_whole_or_refused(
    whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    copy = tmp_path / "copy.sqlite"
    for damage in random_damage(13, 12):
        shutil.copy(whole, copy)
        damage.write(copy)
        for arguments in looks_at(f"sqlite:///{copy}", tmp_path):
            check_one_line(arguments, capsys)


@pytest.mark.parametrize(
    "damage, named",
    [
        (
            Damage("run", "created", "yesterday"),
            r"row 1 of table run: created: .yesterday. is not a time",
        ),
        (Damage("run", "environment", "{"), r"row 1 of table run: holds what is no JSON"),
        (
            Damage("run", "verdict", "GREAT"),
            r"row 1 of table run: verdict: .GREAT. is not a verdict",
        ),
        (
            Damage("run", "complete", 7),
            r"row 1 of table run: complete: must be true or false, not 7",
        ),
        (
            Damage("series", "better", "sideways"),
            r"row 1 of table series: better: .sideways. is unknown",
        ),
        (Damage("point", "value", float("inf")), r"the point of run 1 and series 1: value is inf"),
        (Damage("point", "value", "fast"), r"the point of run 1 and series 1: value is 'fast'"),
        (
            Damage("point", "value", None),
            r"the point of run 1 and series 1: it has neither a value nor a reason",
        ),
        (
            Damage("point", "missing", "none"),
            r"the point of run 1 and series 1: it has a value, and a reason",
        ),
        (
            Damage("point", "low", 7.0),
            r"the point of run 1 and series 1: its interval is from 7.0 to",
        ),
        (Damage("point", "run_id", 77), r"points of run 77, which is not in table run"),
        (Damage("cell", "effects", "5"), r"of run 1 of table cell: effects: must be a list"),
        (Damage("acknowledgement", "since", "yesterday"), r"row 1 of table acknowledgement: since"),
        (Damage("vote", "mode", "blind"), r"row 1 of table vote: mode"),
    ],
)
def test_the_row_that_is_damaged_is_named(whole: Path, damage: Damage, named: str) -> None:
    damage.write(whole)
    with open_existing(f"sqlite:///{whole}") as history, pytest.raises(HarnessError, match=named):
        history.runs()
        history.every_cell()
        history.series()
        history.points(words=True)
        history.acknowledgements()
        history.votes()


def test_what_a_database_holds_otherwise_is_told(
    whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    for statement in (
        "DROP TABLE point",
        "ALTER TABLE run DROP COLUMN head",
        "UPDATE alembic_version SET version_num = 'r9'",
    ):
        copy = tmp_path / "copy.sqlite"
        shutil.copy(whole, copy)
        connection = sqlite3.connect(copy)
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement)
        connection.commit()
        connection.close()
        assert check_one_line(["history", "status", "--history", f"sqlite:///{copy}"], capsys) == 2
    (tmp_path / "folder").mkdir()
    assert (
        check_one_line(["history", "list", "--history", f"sqlite:///{tmp_path}/folder"], capsys)
        == 2
    )
    torn = tmp_path / "torn.sqlite"
    torn.write_bytes(whole.read_bytes()[:9000])
    assert check_one_line(["history", "list", "--history", f"sqlite:///{torn}"], capsys) == 2


@pytest.mark.parametrize("url", URLS)
def test_no_password_is_shown_of_whatever_address(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, url)
    site = ["report", "--site", "--history", url, "--out", "site"]
    for arguments in (
        ["history", "status", "--json"],
        ["history", "list"],
        ["history", "import", "x.json"],
        site,
    ):
        assert invoke(arguments) == 2
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err and "Traceback" not in said.err


def test_no_cause_is_kept_that_a_traceback_would_show() -> None:
    for url in URLS:
        with pytest.raises(HarnessError) as caught:
            open_history(url)
        assert CANARY not in str(caught.value)
        assert (
            caught.value.__cause__ is None and caught.value.__suppress_context__
        ) or caught.value.__context__ is None


def test_a_short_password_makes_the_whole_answer_of_the_database_unshown() -> None:
    with pytest.raises(HarnessError, match="not shown, for it may hold the password"):
        open_history("postgresql://me:a@127.0.0.1:1/db?connect_timeout=2")


def test_an_address_with_everything_in_its_place_is_read() -> None:
    assert parse_url("postgresql://me:p%40ss@[::1]:5432/db?host=/run/pg").password == "p@ss"


def test_a_run_of_2098_is_named_and_does_not_hide_that_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    url = f"sqlite:///{tmp_path}/nights.sqlite"
    with open_history(url) as history:
        for night in range(1, 21):
            history.append(entry(night))
        history.append(entry(21, created="2098-01-01T02:00:00+00:00"))
        history.append(entry(22, created="1970-01-01T02:00:00+00:00"))
    monkeypatch.setattr(
        "voxgate.harness.cli.history.now_utc_iso", lambda: "2026-11-21T08:00:00+00:00"
    )
    monkeypatch.setattr(
        "voxgate.harness.history.address.now_utc_iso", lambda: "2026-11-21T08:00:00+00:00"
    )
    assert invoke(["history", "status", "--history", url]) == 3
    said = capsys.readouterr()
    assert (
        "NO DATA" in said.out and "no value for 32 nights, since 2026-10-21" in said.out
    ) or "for 3" in said.out
    assert (
        "run 21 (smoke on box-2c) is dated 2098-01-01 and is left out: the clock of its machine "
        "was ahead" in said.err
    )
    assert (
        "run 22 (smoke on box-2c) is dated 1970-01-01 and is left out: the clock of its machine "
        "was never set" in said.err
    )
    assert invoke(["history", "export", "textfile", "--history", url]) == 0
    assert "1792" in capsys.readouterr().out, "the newest run is of October 2026"
    assert invoke(["report", "--site", "--history", url, "--out", str(tmp_path / "site")]) == 0
    page = (tmp_path / "site" / "index.html").read_text()
    assert "run 21 (smoke on box-2c) is dated 2098-01-01 and is left out" in page


def test_an_import_of_a_time_that_cannot_be_true_is_refused_by_name_and_the_others_come_in(
    tmp_path: Path, capsys: Capture
) -> None:
    from tests.harness.history.foreign_files import nightly

    url, path = f"sqlite:///{tmp_path}/h.sqlite", tmp_path / "performance_history.json"
    path.write_text(
        json.dumps(
            [
                nightly(28),
                nightly(29, timestamp="2198-01-01"),
                nightly(30, timestamp=0),
                nightly(27),
            ]
        )
    )
    assert invoke(["history", "import", str(path), "--history", url, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["imported"], told["failed"]) == (2, 2)
    assert [
        "2198-01-01" in each["reason"] or "1970-01-01" in each["reason"]
        for each in told["failures"]
    ] == [True, True]


def test_a_machine_that_is_called_otherwise_now_is_named_with_the_way_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(
        "voxgate.harness.cli.history.now_utc_iso", lambda: "2026-10-29T08:00:00+00:00"
    )
    monkeypatch.chdir(tmp_path)
    url, new = (
        f"sqlite:///{tmp_path}/h.sqlite",
        {"machine": {"id": "box-new", "former_id": "box-2c"}},
    )
    with open_history(url) as history:
        for night in range(1, 15):
            history.append(entry(night))
        for night in range(15, 29):
            history.append(entry(night, machine="box-new", environment=new))
    assert invoke(["history", "status", "--history", url]) == 3
    line = capsys.readouterr().err.strip()
    assert (
        line.startswith("voxgate: box-2c is called box-new since 2026-10-15 (smoke)")
        and line.count("\n") == 0
    )
    command = line.partition("voxgate history ")[2].replace('"..."', "renamed").split()
    assert invoke(["history", *command, "--history", url]) == 0
    assert invoke(["history", "status", "--history", url]) == 0
