"""`make test` runs the tests in two halves, and fails with either; nothing is really run."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.ci.fake_runner import ROOT

BESIDE, ALONE = "-m not alone", "-m alone"
FAKE = """#!/bin/sh
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in *"$FAILS"*) exit 1;; esac
"""


def make_test(folder: Path, fails: str) -> tuple[int, list[str]]:
    """Run the target with programs that only note what they are told; gives the code, and how pytest was called."""
    (folder / "bin").mkdir()
    for name in ("python", "ruff", "mypy"):
        (folder / "bin" / name).write_text(FAKE)
        (folder / "bin" / name).chmod(0o755)
    (folder / "installed").touch()
    calls = folder / "calls"
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    env = {**kept, "CALLS": str(calls), "FAILS": fails}
    done = subprocess.run(["make", "test", f"VENV={folder}"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return done.returncode, [line for line in calls.read_text().splitlines() if line.startswith("-m pytest")]


def test_every_test_is_in_one_of_the_halves_and_what_judges_speed_has_nothing_beside_it(tmp_path: Path) -> None:
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
