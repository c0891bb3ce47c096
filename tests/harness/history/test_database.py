"""The history keeps what it is given, once, and whole: on SQLite and on PostgreSQL."""

import math
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.harness.history.entries import HOSTILE, cell, entry, value
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import History, open_history
from voxgate.harness.history.records import Acknowledgement, Vote, clean, utc_iso
from voxgate.harness.history.url import parse_url
from voxgate.harness.records.measurement import Missing

COUNTED = ("run", "cell", "series", "point")


def counts(url: str) -> dict[str, int]:
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        found = {
            table: int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
            for table in COUNTED
        }
    engine.dispose()
    return found


def start(url: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.harness.history.writer", url, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(writers: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Lets all begin at once, and waits for them."""
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    ends = [writer.communicate(timeout=60) for writer in writers]
    return [(writer.returncode, errors) for writer, (_, errors) in zip(writers, ends, strict=True)]


def test_a_run_comes_back_as_it_went_in(history: History) -> None:
    given = entry(1)

    assert history.append(given)

    row = history.run(1)
    assert (row.digest, row.suite, row.verdict, row.created) == (
        given.digest,
        "smoke",
        "PASS",
        "2026-10-01T02:00:00+00:00",
    )
    assert row.environment == given.environment and row.complete is True
    assert [cell.cell for cell in history.cells(1)] == ["nfe-32", "nfe-8"]
    assert history.cells(1)[0].effects == given.cells[0].effects
    assert history.cells(1)[0].effective == {"nfe": 8, "threads": 1, "cfg": 2.0, "compile": False}
    assert history.entry(1) == given


def test_the_same_run_is_not_appended_again(history: History, url: str) -> None:
    history.append(entry(1))
    before = counts(url)

    assert not history.append(entry(1))
    assert not history.append(
        replace(entry(1), verdict="REGRESSED", exit_code=1, line="judged again")
    )

    assert counts(url) == before
    assert history.run(1).verdict == "PASS"


def test_a_run_that_was_incomplete_is_replaced_by_the_whole_one_and_never_the_other_way_round(
    history: History, url: str
) -> None:
    history.append(entry(1, cell("nfe-32"), complete=False))
    assert history.append(entry(1))
    assert counts(url) == {"run": 1, "cell": 2, "series": 6, "point": 6}
    assert history.run(1).complete

    assert not history.append(entry(1, cell("nfe-32"), complete=False))
    assert history.entry(1) == entry(1)


def test_a_run_to_which_more_was_measured_takes_the_place_of_what_was_there(
    history: History, url: str
) -> None:
    history.append(entry(1, cell("nfe-8", value(n=24, found=0.4))))

    assert history.append(entry(1, cell("nfe-8", value(n=48, found=0.5))))

    assert counts(url)["point"] == 1
    assert history.points()["value"].tolist() == [0.5]


def test_series_are_found_by_what_they_are_of(history: History) -> None:
    history.append(entry(1))
    history.append(entry(2, machine="other"))

    assert len(history.series()) == 12
    found = history.series(suite="smoke", cell="nfe-8", metric="wer", machine="other")
    assert [(each.cell, each.metric, each.unit, each.better, each.machine) for each in found] == [
        ("nfe-8", "wer", "1", "lower", "other")
    ]
    assert history.series(suite="precision") == []


def test_a_series_looks_as_in_the_last_run_and_another_unit_is_another_series(
    history: History,
) -> None:
    history.append(entry(1, cell("nfe-8", value())))
    history.append(entry(2, cell("nfe-8", value(version="2"), label="8 steps")))
    history.append(entry(3, cell("nfe-8", value(unit="ms"))))

    assert [(row.label, row.version, row.unit) for row in history.series()] == [
        ("8 steps", "2", "s"),
        ("nfe=8", "1", "ms"),
    ]
    assert history.points(words=True)["version"].tolist() == ["1", "2", "1"]


def test_points_come_oldest_first_whatever_the_order_of_appending(history: History) -> None:
    for night in (5, 2, 9):
        history.append(
            entry(
                night,
                cell("nfe-8", value(found=night / 10), value("pesq", Missing("no reference"))),
            )
        )

    points = history.points()

    assert (
        list(points.columns) == "series run created value missing low high n verdict shift".split()
    )
    latency = points[points["series"] == 1]
    assert latency["value"].tolist() == [0.2, 0.5, 0.9]
    assert latency["created"].tolist() == [
        f"2026-10-{night:02}T02:00:00+00:00" for night in (2, 5, 9)
    ]
    assert latency["missing"].tolist() == [None] * 3
    pesq = points[points["series"] == 2]
    assert np.isnan(pesq["value"]).all() and np.isnan(pesq["shift"]).all()
    assert pesq["missing"].tolist() == ["no reference"] * 3
    assert {name: str(points[name].dtype) for name in ("series", "run", "n", "value")} == {
        **dict.fromkeys(("series", "run", "n"), "int64"),
        "value": "float64",
    }


@pytest.mark.parametrize("wanted", [[2], [2, *range(100, 700)]])
def test_points_of_some_series_are_those_of_all_that_belong_to_them(
    history: History, wanted: list[int]
) -> None:
    for night in (1, 2):
        history.append(entry(night))

    some, every = history.points(wanted), history.points()

    assert len(some) == 2
    assert some.equals(every[every["series"] == 2].reset_index(drop=True))


def test_an_empty_history_has_no_points_no_runs_and_says_which_run_it_lacks(
    history: History,
) -> None:
    assert len(history.points()) == 0
    assert list(history.points(words=True).columns)[-2:] == ["reason", "version"]
    assert (history.runs(), history.series()) == ([], [])
    with pytest.raises(HarnessError, match="no run 7"):
        history.run(7)


def test_runs_are_given_by_suite_and_the_limit_keeps_the_newest(history: History) -> None:
    for night, suite in ((3, "smoke"), (1, "smoke"), (2, "precision")):
        history.append(entry(night, suite=suite))

    assert [run.created[8:10] for run in history.runs()] == ["01", "02", "03"]
    assert [run.created[8:10] for run in history.runs(suite="smoke")] == ["01", "03"]
    assert [run.created[8:10] for run in history.runs(limit=2)] == ["02", "03"]


def test_text_that_means_to_harm_is_kept_as_text(history: History) -> None:
    shown = clean(HOSTILE)
    given = entry(
        1,
        cell(
            HOSTILE,
            value(HOSTILE, Missing(HOSTILE), reason=HOSTILE, version=HOSTILE),
            label=HOSTILE,
            config={HOSTILE: [HOSTILE, {"deep": HOSTILE}], "odd": math.nan},
            reason=HOSTILE,
        ),
        suite=HOSTILE,
        machine=HOSTILE,
        question=HOSTILE,
        line=HOSTILE,
        environment={"board": HOSTILE},
    )
    assert history.append(given)

    assert "\0" not in shown and "DROP TABLE" in shown and "😀" in shown
    assert history.run(1).question == shown and history.run(1).environment == {"board": shown}
    found = history.cells(1)[0]
    assert found.config == {shown: [shown, {"deep": shown}], "odd": "nan"} and found.label == shown
    assert history.points()["missing"].tolist() == [shown]
    assert [row.metric for row in history.series(suite=shown)] == [shown]
    assert not history.append(given)


def test_a_name_too_long_for_a_key_is_refused_and_nothing_of_the_run_stays(
    history: History, url: str
) -> None:
    with pytest.raises(HarnessError, match=r"metric 'm+'\.\.\. has more than 400 bytes"):
        history.append(entry(1, cell("nfe-8", value(), value("m" * 401))))

    assert counts(url) == dict.fromkeys(COUNTED, 0)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_entry_can_hold_nan_or_infinity(number: float) -> None:
    for field in ("value", "low", "high", "shift"):
        with pytest.raises(HarnessError, match="finite"):
            value(**{field: number})


@pytest.mark.parametrize(
    "created", ["2026-10-01", "2026-10-01T02:00:00Z", "2026-10-01T04:00:00+02:00", "yesterday"]
)
def test_no_entry_can_hold_a_time_that_does_not_sort_as_text(created: str) -> None:
    with pytest.raises(HarnessError, match=r"created is|is no date"):
        entry(1, created=created)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_the_database_itself_refuses_a_point_that_is_no_number(
    history: History, url: str, number: float
) -> None:
    history.append(entry(1))
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        for column, bad in (("value", number), ("missing", "and a number too")):
            with pytest.raises(DBAPIError), connection.begin():
                connection.execute(
                    text(f"UPDATE point SET {column} = :bad WHERE series_id = 1"), {"bad": bad}
                )
    engine.dispose()
    assert history.points([1])["value"].tolist() == [0.4]


def test_an_acknowledgement_is_kept_once(history: History) -> None:
    word = Acknowledgement(
        id=0,
        suite="smoke",
        cell="*",
        metric="latency_*",
        machine="*",
        since=utc_iso("2026-10-05"),
        why="bf16 vocoder",
        by="Ana",
        created=utc_iso("2026-10-06"),
    )

    assert history.acknowledge(word)
    assert not history.acknowledge(replace(word, why="again"))
    assert history.acknowledge(replace(word, metric="rtf"))

    assert [
        (acknowledgement.id, acknowledgement.metric, acknowledgement.why)
        for acknowledgement in history.acknowledgements()
    ] == [
        (1, "latency_*", "bf16 vocoder"),
        (2, "rtf", "bf16 vocoder"),
    ]


def test_votes_count_once_however_often_they_are_added(history: History) -> None:
    vote = Vote(
        id=0,
        digest="1",
        suite="smoke",
        cell="nfe-8",
        mode="abx",
        a="old",
        b="new",
        request="u01",
        x="a",
        answer="b",
        correct=False,
        listener="",
        created=utc_iso("2026-10-06"),
    )
    several = [vote, replace(vote, digest="2", mode="preference", x="", correct=None)]

    assert history.add_votes(several) == 2
    assert history.add_votes([*several, replace(vote, digest="3")]) == 1
    assert [(vote.digest, vote.correct) for vote in history.votes()] == [
        ("1", False),
        ("2", None),
        ("3", False),
    ]


def test_two_processes_that_write_at_once_lose_nothing_and_double_nothing(empty_url: str) -> None:
    """
    Both bring the same forty, side by side, and one goes on; on a database that neither has seen
    yet.
    """
    ends = finish([start(empty_url, 0, 39), start(empty_url, 0, 69)])

    assert ends == [(0, ""), (0, "")]
    assert counts(empty_url) == {"run": 70, "cell": 140, "series": 6, "point": 420}
    with open_history(empty_url) as history:
        assert sorted(int(run.head) for run in history.runs()) == list(range(70))
        assert set(history.points().groupby("run").size()) == {6}


def test_a_new_sqlite_file_that_another_is_just_writing_to_is_waited_for(tmp_path: Path) -> None:
    """
    SQLite does not wait by itself there: switching the log answers "locked" at once while another
    holds the write lock.
    """
    file = tmp_path / "new.db"
    writer = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    writer.execute("CREATE TABLE other (x)")
    writer.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, writer.execute, ["COMMIT"])
    timer.start()

    with open_history(f"sqlite:///{file}") as history:
        assert history.append(entry(1))
    timer.join()
    writer.close()


def test_a_process_that_is_killed_while_it_writes_leaves_whole_runs_only_and_blocks_nobody(
    url: str,
) -> None:
    ((code, errors),) = finish([start(url, 0, 3, "die")])

    assert (code, errors) == (-9, "")
    assert counts(url) == {"run": 3, "cell": 6, "series": 6, "point": 18}
    with open_history(url) as history:
        assert history.append(entry(20))
        assert len(history.runs()) == 4
