"""Databases of runs that were edited by hand, and files of other tools that are imported."""

import json
import random
import shutil
import warnings
from pathlib import Path
from typing import Any

from tests.fuzz import mutate
from tests.fuzz.driver import check_harmless
from tests.harness.history.entries import entry
from tests.harness.history.foreign_files import asv_folder, asv_result, flat, nightly
from tests.harness.history.hostile_rows import Damage, damaged
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import open_existing, open_history
from voxgate.harness.history.exporters import openmetrics, tables
from voxgate.harness.history.exporters.tables import Choice
from voxgate.harness.history.importers import detect
from voxgate.harness.history.importers.common import FAULTS, ImportFault
from voxgate.harness.history.records import Acknowledgement, Vote
from voxgate.harness.history.trend import trends

TODAY = "2026-11-21"
EVERY = 24
"""Of so many, one is drawn as a site."""
PYTEST = {
    "machine_info": {"node": "orin", "machine": "aarch64",
        "cpu": {"brand_raw": "Cortex", "count": 12}},
    "commit_info": {"id": "3fa1c2e", "time": "2026-10-01T02:00:00+00:00", "dirty": False,
        "branch": "main"},
    "benchmarks": [
        {
            "group": "smoke", "name": "test_say[8]", "fullname": "tests/test_say.py::test_say[8]",
            "params": {"nfe": 8},
            "param": "8", "extra_info": {"snr": 20.5}, "options": {"rounds": 5},
            "stats": {"min": 0.1, "max": 0.2, "mean": 0.15, "stddev": 0.01, "median": 0.14,
                "iqr": 0.02,
            "rounds": 5, "data": [0.1]},
        },
    ],
    "datetime": "2026-10-01T02:00:10.123456+00:00",
    "version": "5.1.0",
}  # fmt: skip
VOTES = {
    "schema": "voxgate-votes/1",
    "mode": "abx",
    "suite": "smoke",
    "cell": "nfe-8",
    "a": {"label": "new", "run": "0002"},
    "b": {"label": "old", "run": "0001"},
    "listener": "me",
    "created": "2026-10-01T02:00:00Z",
    "trials": [
        {"request": "u01", "x": "a", "answer": "b"},
        {"request": "u02", "x": "b", "answer": "b"},
    ],
}


class Rows:
    """
    Input: `[table, column, number of a value of hostile_rows]`, one damage a line; then `site` at
    times.
    """

    name, share = "rows of the history", 1.5

    def __init__(self, folder: Path) -> None:
        self._folder, self._whole, self._copy = (
            folder,
            folder / "whole.sqlite",
            folder / "copy.sqlite",
        )
        _fill(self._whole)
        every = list(damaged())
        self._places = [(each.table, each.column) for each in every]
        self._values = [each.value for each in every]

    def make(self, chance: random.Random) -> bytes:
        lines = []
        for _ in range(chance.randint(1, 2)):
            number = chance.randrange(len(self._places))
            table, column = self._places[number]
            other = chance.randrange(len(self._values)) if chance.random() < 0.4 else number
            lines.append(json.dumps([table, column, other]))
        return "\n".join([*lines, *(["site"] if chance.randrange(EVERY) == 0 else [])]).encode()

    def read(self, content: bytes) -> None:
        lines = content.split(b"\n")
        shutil.copy(self._whole, self._copy)
        for line in lines:
            try:
                table, column, number = json.loads(line)
                value = self._values[number]
            except (ValueError, TypeError, IndexError):
                continue
            if (table, column) in self._places:
                Damage(table, column, value).write(self._copy)
        try:
            self._look(drawn=b"site" in lines)
        finally:
            for rest in ("copy.sqlite-wal", "copy.sqlite-shm"):
                (self._folder / rest).unlink(missing_ok=True)

    def names(self, refusal: str) -> bool:
        return any(word in refusal for word in ("copy.sqlite", "row ", "point", "run", "table"))

    def _look(self, *, drawn: bool) -> None:
        url = f"sqlite:///{self._copy}"
        with open_existing(url) as history:
            trends(history, TODAY, self._folder / "baselines")
            if not drawn:
                return
            choice = Choice(today=TODAY)
            for text in (
                tables.csv_text,
                tables.json_text,
                tables.bencher_text,
                openmetrics.openmetrics_text,
            ):
                text(history, choice)
            self._site(history)

    def _site(self, history: Any) -> None:
        from voxgate.harness.report.site.build import build_site

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            build_site(history, self._folder / "site", self._folder / "baselines", TODAY)
        for page in (self._folder / "site").rglob("*.html"):
            check_harmless(
                page.read_text(encoding="utf-8"), (*mutate.CANARIES, "<script>alert(1)</script>")
            )


class Imports:
    """Input: the name of a file and its content; `asv/...` is a file of a results folder."""

    name, share = "imported files", 20.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        asv_folder(folder / "asv")
        _fill(folder / "history.sqlite")
        with open_history(f"sqlite:///{folder / 'history.sqlite'}") as history:
            exported = json.loads(tables.json_text(history, Choice(today=TODAY)))
        flats = {"flat.json": [flat()], "nightly.json": [nightly(day) for day in (28, 29)]}
        self._wholes: dict[str, Any] = {
            "pytest.json": PYTEST,
            "votes.json": VOTES,
            "export.json": exported,
            **flats,
        }
        self._asv = {
            path.relative_to(folder).as_posix(): json.loads(path.read_text())
            for path in (folder / "asv").rglob("*.json")
        }
        assert asv_result()

    def make(self, chance: random.Random) -> bytes:
        pool = self._asv if chance.random() < 0.3 else self._wholes
        name = chance.choice(sorted(pool))
        return name.encode() + b"\n" + mutate.json_text(pool[name], chance)

    def read(self, content: bytes) -> None:
        line, _, damage = content.partition(b"\n")
        name = line.decode("latin-1")
        path = self._folder / name
        if name in self._asv:
            path.write_bytes(damage)
            try:
                self._import(self._folder / "asv")
            finally:
                path.write_text(json.dumps(self._asv[name]))
        elif name in self._wholes:
            path.write_bytes(damage)
            self._import(path)

    def names(self, refusal: str) -> bool:
        return len(refusal) > 10

    def _import(self, path: Path) -> None:
        """
        Read as `history import` does, which takes what a file is not for one line about that file.
        """
        try:
            found = detect.read(path)
            entries, words, votes = (
                list(found.entries),
                list(found.acknowledgements),
                list(found.votes),
            )
        except HarnessError:
            raise
        except FAULTS as error:
            raise HarnessError(f"{path} cannot be read ({error!r})") from error
        faults = [each for each in entries if isinstance(each, ImportFault)]
        del words, votes
        for each in faults:
            if not each.reason.strip() or not each.where.strip():
                raise HarnessError("")


def _fill(path: Path) -> None:
    """Write a history with a row in every table."""
    with open_history(f"sqlite:///{path}") as history:
        for night in range(1, 4):
            history.append(entry(night))
        created = entry(2).created
        word = {"suite": "smoke", "cell": "*", "metric": "*", "machine": "*", "since": created}
        history.acknowledge(Acknowledgement(id=0, **word, why="known", by="me", created=created))
        sides = {"a": "new", "b": "old", "request": "u01", "x": "a", "answer": "a"}
        vote = {
            "digest": "d",
            "suite": "smoke",
            "cell": "nfe-8",
            "mode": "abx",
            "correct": True,
            "listener": "me",
        }
        history.add_votes([Vote(id=0, **vote, **sides, created=created)])
