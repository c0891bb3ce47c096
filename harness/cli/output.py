"""
How a verb prints: the report, the last line, one JSON document, a note on standard error.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from voxgate.harness import workflow
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.git import trouble
from voxgate.harness.records.files import write_file
from voxgate.harness.records.measurement import value_to_json
from voxgate.harness.records.verdict import judgement_to_dict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.terminal import print_report
from voxgate.harness.runner.run_plan import RunPlan, command_line
from voxgate.harness.runner.runner import Outcome
from voxgate.harness.suite.suite import load_suite
from voxgate.harness.suite.suite_checks import ENGINE
from voxgate.harness.suite.workload import load_workload, reading_notices

LOG_COLUMNS = 140
"""Width of the table where there is no terminal to ask, as in the logs of CI."""
INTERRUPTED = 130


def remember(contents: Report, url: str) -> None:
    """Append a judged run to the history; print why where that fails."""
    if trouble := workflow.remember(contents, url):
        say(f"voxgate: {trouble}")


def say(line: str) -> None:
    """Print a line on standard error, beside the result."""
    click.echo(line, err=True)


def say_if_git_refuses() -> None:
    """
    Print git's own reason where a run in a repository will name no commit.
    """
    why = trouble(Path.cwd())
    if why:
        say(f"voxgate: {why}; the run will name no commit")


def say_unread_texts(name: str) -> None:
    """Print what the texts of a suite leave open to be read in different ways."""
    suite = load_suite(name)
    told = suite.target == ENGINE and not suite.environment  # it tells how it reads them
    for notice in () if told else reading_notices(load_workload(suite.workload)):
        say(f"voxgate: {notice}")


def say_result(as_json: bool, document: object, last_line: str) -> None:
    """Print the result: the document, or the line."""
    click.echo(json.dumps(document, indent=1, allow_nan=False) if as_json else last_line)


def say_judgement(contents: Report, as_json: bool, page: Path | None = None) -> None:
    """Print the report and the verdict; with JSON, the report goes to standard error."""
    print_report(contents, make_console(stderr=as_json), None if page is None else str(page))
    say_result(as_json, judgement_to_dict(contents.judgement), contents.judgement.line)


def say_interrupted(plan: RunPlan, verb: str, outcome: Outcome) -> int:
    """Print the command that continues after Ctrl-C; return the exit code."""
    say(
        "interrupted; nothing measured is lost, continue with: "
        f"{command_line(plan, verb, outcome.folder)}"
    )
    return INTERRUPTED


def make_console(*, stderr: bool) -> Console:
    """Return a console as wide as the terminal, or LOG_COLUMNS wide where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else LOG_COLUMNS
    return Console(file=stream, width=width)


def check_json_file(name: str | None) -> None:
    """
    Raise HarnessError where a run folder was taken for the JSON file: `gate --json runs/0001`.
    """
    if name is not None and Path(name).is_dir():
        raise HarnessError(
            f"--json {name} is a folder; write `voxgate gate {name} --json`, or name a file"
        )


def write_json(path: Path, document: object) -> None:
    """Write a JSON document. Raises HarnessError if the file cannot be written."""
    write_file(
        path, json.dumps(document, indent=1, allow_nan=False) + "\n", "name another --json FILE"
    )


def jsonable(value: Any) -> Any:
    """Return a value as JSON; None where there is no entry."""
    return None if value is None else value_to_json(value)
