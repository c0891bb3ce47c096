"""
A night's measuring: one suite after the other, each judgement in a file of its own.

    <folder>/check-<suite>.json     what `voxgate check` answered; absent where it answered nothing

A suite that ends badly stops no other one: the files say what happened. What they mean is `alarm.py`'s business.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.records.files import plain_name, write_file

Answer = Callable[[Sequence[str]], str]
"""Runs `voxgate` with some words and gives what it wrote to standard output."""


def measure(suites: Sequence[str], profile: str, folder: Path, answer: Answer | None = None) -> tuple[str, ...]:
    """Check the suites, and give a line for each. Raises HarnessError if the folder cannot be written."""
    lines = []
    for suite in suites:
        text = (answer or voxgate)(["check", suite, "--profile", profile, "--json"])
        try:
            line = str(json.loads(text)["line"])
        except (ValueError, KeyError, TypeError):
            lines.append(f"{suite}: no answer; the log above says why")
            continue
        write_file(check_file(folder, suite), text, "make it writable or make room", parents=True)
        lines.append(f"{suite}: {line}")
    return tuple(lines)


def check_file(folder: Path, suite: str) -> Path:
    """Name the file of a suite's judgement. Raises HarnessError for a suite that cannot name one."""
    return folder / f"check-{plain_name(suite, 'suite')}.json"


def voxgate(words: Sequence[str]) -> str:
    """Run the command of this installation; what it says to people goes to the job's log."""
    command = [sys.executable, "-m", "harness", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, errors="replace", check=False).stdout
