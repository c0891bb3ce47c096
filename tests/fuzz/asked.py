"""
What a person asks for: suites' values, options of the engine, words of the command line, addresses
of databases, dates.
"""

import contextlib
import io
import json
import os
import random
import re
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import click

from tests.fuzz import mutate
from tests.fuzz.driver import FaultError
from voxgate.engine.config import OPTIONS, parse_options
from voxgate.harness.cli import main
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.dates import check_time, untrue
from voxgate.harness.history.records import utc_iso
from voxgate.harness.history.series import days_of
from voxgate.harness.history.url import PLAIN, parse_url, shown, without_secrets
from voxgate.harness.suite.suite import Suite
from voxgate.harness.targets.registry import check_cells

SUITE: dict[str, Any] = {
    "pipeline": "any",
    "workload": "two.toml",
    "reference": {"steps": 8},
    "axes": {"steps": [8, 4], "precision": ["fp32", "bf16"]},
    "cells": [{"steps": 16, "precision": "fp32"}],
    "fixed": {"audio_s": 0.1},
    "without": [{"steps": 4, "because": "never shipped"}],
    "target": "scripted",
    "repeats": 2,
    "iterations": 1,
    "min_time_s": 0.5,
    "metrics": ["pesq"],
    "conditions": ["telephone"],
    "judge": "openai-whisper",
}
SUITE["reference"] = SUITE["cells"][0]
FLOW: dict[str, Any] = {
    "nfe_steps": 8, "solver": "euler", "sway": -1.0, "cfg_strength": 1.0, "precision": "fp32",
    "device": "cpu",
    "threads": 1,
    "speaker": "slt", "speed": 1.0, "seed": 0, "batch": 1, "cfg_from": 0.1, "cfg_until": 0.9,
    "workers": 1,
    "reference": "",
}  # fmt: skip
CANARY = "Canary7Bird"
PARTS = (
    "postgresql", "postgres", "postgresql+psycopg", "sqlite", "mysql", "://", ":///", ":", "/",
    "//", "@", "?",
    "#", "&", "=", "%", "%zz",
    "%40", "me", "host", "127.0.0.1", "[::1]", "[::1", "99999", "5432", "db", "password", "sslmode",
    " ", "\n",
    "\x00", "é", "\ud800",
    CANARY, CANARY, f"me:{CANARY}@host", f":{CANARY}@", f"password={CANARY}", "..", "~", "$HOME",
    "file:", ":memory:",
)  # fmt: skip
URLS = (
    f"postgresql://me:{CANARY}@127.0.0.1:5432/db",
    f"postgresql+psycopg://me:{CANARY}@[::1]:1/db?sslmode=disable",
    f"postgresql:///db?host=/run&password={CANARY}&connect_timeout=3",
    "sqlite:///runs/history.sqlite",
    "sqlite:////tmp/x.sqlite?mode=ro&uri=true",
)
VERBS: tuple[tuple[str, ...], ...] = (
    ("run",), ("gate",), ("check",), ("accept",), ("report",), ("floor",), ("ab",), ("bisect",),
    ("selftest",),
    ("load",), (),
    ("history",), ("history", "import"), ("history", "export"), ("history", "list"),
    ("history", "acknowledge"),
    ("history", "status"),
)  # fmt: skip
WORDS = (
    "nosuch", "nosuch.toml", "runs/0001", "broken.json", "csv", "json", "--json", "--out", "--only",
    "--resume",
    "--repeats", "--budget",
    "--profile", "--history", "--baselines", "--policy", "--why", "--since", "2026-11-20",
    "--suite", "--limit",
    "--help", "--version",
    "--loaded", "--partial", "--quality", "--open", "--closed", "--markdown", "--site",
    "sqlite:///h.sqlite",
    "cpu", "0", "-1", "1e99",
    "nan", "inf", "[", "HEAD", ".", "..", "--", "-", "=", "--out=x", "--machine", "--cell",
    "--metric",
    "--minutes", "--junit", "x" * 5000,
)  # fmt: skip
DAYS = (
    "2026-11-20",
    "2026-11-20T02:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "20261120",
    "2026-W47-5",
)


class _Json:
    """Input: JSON, which stands for values in Python."""

    whole: dict[str, Any] = {}  # noqa: RUF012

    def make(self, chance: random.Random) -> bytes:
        return json.dumps(mutate.odd(self.whole, chance)).encode()

    @staticmethod
    def values(content: bytes) -> dict[str, Any] | None:
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def names(self, refusal: str) -> bool:
        return True


class Suites(_Json):
    """The arguments of `Suite`, and its cells."""

    name, share, whole = "suites", 50.0, SUITE

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "two.toml").write_text('[[request]]\nid = "r1"\ntext = "Hello."\n')

    def read(self, content: bytes) -> None:
        values = self.values(content)
        if values is None or not {"pipeline", "workload", "reference"} <= set(values) <= set(SUITE):
            return  # which is a TypeError of Python's own, told with the file and its line
        expansion = Suite(**values, name="fuzz").expand(self._folder)
        check_cells(expansion.cells)
        for cell in expansion.cells:
            cell.slug.encode("ascii")
            cell.digest()
            cell.label.encode()


class Options(_Json):
    """Options of the engine."""

    name, share, whole = "options of the engine", 60.0, FLOW

    def __init__(self, folder: Path) -> None:
        assert set(FLOW) <= set(OPTIONS)

    def read(self, content: bytes) -> None:
        values = self.values(content)
        if values is not None:
            parse_options(values)


class Addresses:
    """Input: the URL of a database."""

    name, share = "database URLs", 60.0

    def __init__(self, folder: Path) -> None: ...

    def make(self, chance: random.Random) -> bytes:
        if chance.random() < 0.5:
            text = chance.choice(URLS)
            for _ in range(chance.randint(1, 2)):
                at = chance.randrange(len(text) + 1)
                text = (
                    text[:at]
                    + chance.choice(("", *PARTS))
                    + text[at + chance.choice((0, 0, 1, 3)) :]
                )
            return text.encode("utf-8", "surrogatepass")
        return "".join(chance.choice(PARTS) for _ in range(chance.randint(1, 9))).encode(
            "utf-8", "surrogatepass"
        )

    def read(self, content: bytes) -> None:
        text = (
            content.decode("utf-8", "surrogatepass")
            if _is_text(content)
            else content.decode("latin-1")
        )
        try:
            url = parse_url(text)
        except HarnessError as error:
            if not re.fullmatch(PLAIN, text):  # a path like any other
                _check_silent(str(error), "a refusal")
            raise
        secrets = [str(url.password or ""), *map(str, url.query.values())]
        told = f"{url.drivername} {url.username} {url.host} {url.database} {list(url.query)}"
        if CANARY in " ".join(secrets) and CANARY not in told:
            answer = "; ".join(f"failed for {each} ({quote(each, safe='')})" for each in secrets)
            _check_silent(without_secrets(answer, url), "an answer")
            _check_silent(shown(url), "an address")

    def names(self, refusal: str) -> bool:
        return True


class Words:
    """Input: words behind `voxgate`, one a line, in a folder without suites."""

    name, share = "words of the command line", 6.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "broken.json").write_text("{")
        (folder / "runs" / "0001").mkdir(parents=True)

    def make(self, chance: random.Random) -> bytes:
        verb = list(chance.choice(VERBS))
        words = [
            chance.choice(WORDS) if chance.random() < 0.8 else mutate.text(chance)
            for _ in range(chance.randint(0, 7))
        ]
        one_line = [word.replace("\n", " ").replace("\x00", " ") for word in words]
        return "\n".join([*verb, *one_line]).encode("utf-8", "surrogatepass")

    def read(self, content: bytes) -> None:
        words = content.decode("utf-8", "surrogateescape").split("\n") if content else []
        if (
            words[:1]
            and words[0] not in {verb[0] for verb in VERBS if verb}
            and not words[0].startswith("-")
        ):
            words[0] = "report"  # no verb that measures
        said, errors = io.StringIO(), io.StringIO()
        before = Path.cwd()
        os.chdir(self._folder)
        try:
            with (
                mock.patch.dict(os.environ, {"VOXGATE_DEBUG": "1"}),
                contextlib.redirect_stdout(said),
                contextlib.redirect_stderr(errors),
            ):
                code = main.invoke(words)
        finally:
            os.chdir(before)
        if code not in (0, 2, 3) or "Traceback" in errors.getvalue():
            raise FaultError(f"exit code {code}", errors.getvalue()[-300:])
        if code == 2:
            raise click.ClickException(errors.getvalue())

    def names(self, refusal: str) -> bool:
        return bool(re.search(r"^(voxgate: |Error: |Usage: )|FAILED: ", refusal, re.MULTILINE))


class Dates:
    """Input: a moment."""

    name, share = "dates", 60.0

    def __init__(self, folder: Path) -> None: ...

    def make(self, chance: random.Random) -> bytes:
        if chance.random() < 0.2:
            return mutate.text(chance).encode("utf-8", "surrogatepass")
        text = list(chance.choice(DAYS))
        for _ in range(chance.randint(1, 3)):
            text[chance.randrange(len(text))] = chance.choice("0123456789-:+TZW. é٣")
        return "".join(text).encode()

    def read(self, content: bytes) -> None:
        text = (
            content.decode("utf-8", "surrogatepass")
            if _is_text(content)
            else content.decode("latin-1")
        )
        moment = utc_iso(text)
        if utc_iso(moment) != moment or not re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", moment
        ):
            raise FaultError("a moment that is none", moment)
        days_of([moment])
        untrue("2026-11-20T02:00:00+00:00", moment)
        check_time(moment, "2026-11-21")

    def names(self, refusal: str) -> bool:
        return "date" in refusal


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _check_silent(text: str, where: str) -> None:
    if CANARY in text:
        raise FaultError(f"a password in {where}", text[:300])
