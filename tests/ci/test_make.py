"""
`make test` fails with either half of the tests, `make bench` with what regressed or failed; nothing
is really run.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.ci.fake_runner import ROOT

BESIDE, ALONE = "-m not alone", "-m alone"
FAKE = """#!/bin/sh
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in *"$FAILS"*) exit 1;; esac
"""


VOXGATE = """#!/bin/sh
printf '%s\n' "$*" >> "$CALLS"
echo "NO_BASELINE: 2 without baseline"
exit "$CODE"
"""


def make(target: str, folder: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a target with the programs in a folder in place of those of .venv."""
    (folder / "installed").touch()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    }
    words = ["make", target, f"VENV={folder}"]
    return subprocess.run(
        words, cwd=ROOT, env={**kept, **env}, capture_output=True, text=True, check=False
    )


def make_test(folder: Path, fails: str) -> tuple[int, list[str]]:
    """
    Run the target with programs that only note what they are told; gives the code, and how pytest
    was called.
    """
    (folder / "bin").mkdir()
    for name in ("python", "ruff", "mypy"):
        (folder / "bin" / name).write_text(FAKE)
        (folder / "bin" / name).chmod(0o755)
    calls = folder / "calls"
    done = make("test", folder, CALLS=str(calls), FAILS=fails)
    return done.returncode, [
        line for line in calls.read_text().splitlines() if line.startswith("-m pytest")
    ]


def test_every_test_is_in_one_of_the_halves_and_what_judges_speed_has_nothing_beside_it(
    tmp_path: Path,
) -> None:
    code, halves = make_test(tmp_path, fails="nothing")
    assert code == 0
    beside, alone = halves
    assert beside.startswith(f"-m pytest {BESIDE} --numprocesses ")
    assert alone == f"-m pytest {ALONE}"


@pytest.mark.parametrize("half", [BESIDE, ALONE])
def test_it_fails_with_either_half(tmp_path: Path, half: str) -> None:
    code, halves = make_test(tmp_path, fails=half)
    assert code != 0
    assert half in halves[-1]


@pytest.mark.parametrize(
    ("code", "fails"), [(0, False), (1, True), (2, True), (3, False), (130, True)]
)
def test_bench_fails_where_something_regressed_or_failed_and_not_on_a_fresh_machine(
    tmp_path: Path, code: int, fails: bool
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "voxgate").write_text(VOXGATE)
    (tmp_path / "bin" / "voxgate").chmod(0o755)
    done = make("bench", tmp_path, CALLS=str(tmp_path / "calls"), CODE=str(code))
    assert (done.returncode != 0) is fails
    assert done.stdout.splitlines()[-1] == "NO_BASELINE: 2 without baseline"
    assert ("Error" in done.stderr) is fails
    assert (tmp_path / "calls").read_text() == "check smoke\n"


def test_help_lists_every_target_with_its_sentence(tmp_path: Path) -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    done = make("help", tmp_path)
    listed = {line.split()[0]: line.split(maxsplit=1)[1] for line in done.stdout.splitlines()}
    assert sorted(listed) == sorted(phony[1].split())
    assert all(listed.values())


def called(target: str, folder: Path) -> list[str]:
    """Return the arguments of every program that a target calls."""
    (folder / "bin").mkdir()
    for name in ("python", "ruff", "mypy"):
        (folder / "bin" / name).write_text(FAKE)
        (folder / "bin" / name).chmod(0o755)
    calls = folder / "calls"
    assert make(target, folder, CALLS=str(calls), FAILS="nothing").returncode == 0
    return calls.read_text().splitlines()


def test_format_writes_and_test_fast_only_looks(tmp_path: Path) -> None:
    (tmp_path / "format").mkdir()
    (tmp_path / "fast").mkdir()
    assert called("format", tmp_path / "format") == ["check --fix .", "format ."]
    check, form, tests = called("test-fast", tmp_path / "fast")
    assert (check, form) == ("check .", "format --check .")
    assert tests.startswith("-m pytest -q -m not slow and not alone ")


def test_the_folders_of_test_fast_exist(tmp_path: Path) -> None:
    *_, tests = called("test-fast", tmp_path)
    folders = [word for word in tests.split() if word.startswith("tests/")]
    assert len(folders) > 5
    assert [name for name in folders if not (ROOT / name).exists()] == []


def test_reference_is_written_by_one_command(tmp_path: Path) -> None:
    assert called("reference", tmp_path) == ["-m tests.reference"]
