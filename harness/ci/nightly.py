"""
The nightly run: one suite after the other, each judgement in a file of its own; and the findings
worth an alarm.

    <folder>/check-<suite>.json     what `voxgate check` answered; absent where it answered nothing

A suite that ends badly stops no other one: the files record it. A finding is an alarm, or that
there is no data, which is no pass. A missing file is a finding. Sends nothing.

    <folder>/doctor.json, doctor-after.json   the machine before and after, from
                                              `voxgate doctor --json`
             check-<suite>.json               the judgements, from `voxgate check --json`
             status.json                      the trends, from `voxgate history status --json`
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.profiles import get_profile
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.files import plain_name, write_file
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.format import NO_DATA, silence_lines
from voxgate.harness.report.pr_comment import read

RunVoxgate = Callable[[Sequence[str]], str]
"""Runs `voxgate` with some arguments and returns its standard output."""


def measure(
    suites: Sequence[str], profile: str, folder: Path, answer: RunVoxgate | None = None
) -> tuple[str, ...]:
    """
    Check the suites; return a line for each. Raises HarnessError if the folder cannot be written.
    """
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
    """
    Return the file name of a suite's judgement. Raises HarnessError for a suite that cannot name a
    file.
    """
    return folder / f"check-{plain_name(suite, 'suite')}.json"


def voxgate(arguments: Sequence[str]) -> str:
    """Run the command of this installation; its messages for people go to the job's log."""
    command = [sys.executable, "-m", "voxgate", *arguments]
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, errors="replace", check=False
    ).stdout


class Weight(StrEnum):
    """The weight of a finding."""

    ALARM = "alarm"
    NO_DATA = "no data"


TRENDS: Mapping[str, Weight] = {
    "worse": Weight.ALARM,
    "over budget": Weight.ALARM,
    NO_DATA: Weight.NO_DATA,
}
"""States of a trend that are findings; the others are well."""
BEFORE, AFTER, STATUS = "doctor.json", "doctor-after.json", "status.json"
STATUS_COMMAND = "voxgate history status"
UNMEASURED, SILENT = "unmeasured", "series without data"
NO_NIGHT, HISTORY = "night missed", "history"


@dataclass(frozen=True, slots=True, kw_only=True)
class NightlyFinding:
    """One fault of a night."""

    weight: Weight
    what: str
    """The subject, the same every night: `smoke nfe_steps-8 latency_p50 worse`."""
    text: str
    """One line for people, with tonight's numbers."""
    next_step: str
    """The command or the place to look at."""

    @property
    def key(self) -> str:
        """Return a short name by which the same finding is recognised the next night."""
        return hashlib.sha256(f"{self.weight} {self.what}".encode()).hexdigest()[:12]


def findings(folder: Path, suites: Sequence[str], profile: str) -> tuple[NightlyFinding, ...]:
    """
    Return all findings of the night in a folder, the causes first; empty if all is well.

    A night without any measurement is one finding, whatever else is missing because of it. Trends
    of other suites are not examined. `profile` is a name, or the path of a file. Raises
    HarnessError where it is neither.
    """
    trends = _trends(folder / STATUS, suites, get_profile(profile).name)
    missed = _missed(folder, suites, profile)
    if missed is not None:
        consequences = (SILENT, HISTORY) if missed.what == NO_NIGHT else (SILENT,)
        return (missed, *(each for each in trends if each.what not in consequences))
    doubtful = "after measuring, so that tonight's figures are doubtful"
    faults = list(_doctor(folder / AFTER, doubtful, profile))
    for suite in suites:
        faults += _suite(check_file(folder, suite), suite, profile)
    return (*faults, *trends)


def _missed(folder: Path, suites: Sequence[str], profile: str) -> NightlyFinding | None:
    """Return why nothing was measured, as one finding; None where something was."""
    checks = [check_file(folder, suite) for suite in suites]
    if not any(path.exists() for path in (*checks, folder / BEFORE, folder / STATUS)):
        return NightlyFinding(
            weight=Weight.NO_DATA,
            what=NO_NIGHT,
            text=f"the night did not run: {folder} holds none of its files",
            next_step=f"look at the job's log; then voxgate doctor --profile {profile}",
        )
    unfit = _doctor(folder / BEFORE, "before measuring", profile)
    if unfit:
        return unfit[0]
    if len(suites) < 2 or any(path.exists() for path in checks):
        return None
    return NightlyFinding(
        weight=Weight.NO_DATA,
        what=f"all {UNMEASURED}",
        text=f"none of {', '.join(suites)} was measured; the log says why",
        next_step=f"voxgate check {suites[0]} --profile {profile}",
    )


def _doctor(path: Path, when: str, profile: str) -> tuple[NightlyFinding, ...]:
    data = _read(path)
    if isinstance(data, Mapping) and data.get("fit") is True:
        return ()
    line = (
        str(data.get("line", "it said nothing"))
        if isinstance(data, Mapping)
        else "the doctor did not answer"
    )
    return (
        NightlyFinding(
            weight=Weight.NO_DATA,
            what=f"doctor {path.stem}",
            text=f"the machine is not fit {when}: {line}",
            next_step=f"voxgate doctor --profile {profile}, whose lines name each command to set "
            "it right",
        ),
    )


def _suite(path: Path, suite: str, profile: str) -> list[NightlyFinding]:
    """Return the cells that regressed or failed. An undecided cell is left to its trend."""
    again = f"voxgate check {suite} --profile {profile}"
    try:
        judgement = read(_read(path)).judgement
    except HarnessError:
        return [
            NightlyFinding(
                weight=Weight.NO_DATA,
                what=f"{suite} {UNMEASURED}",
                text=f"{suite} was not measured; the log says why",
                next_step=again,
            )
        ]
    bad = [cell for cell in judgement.cells if cell.verdict in (Verdict.REGRESSED, Verdict.FAILED)]
    return [
        NightlyFinding(
            weight=Weight.ALARM,
            what=f"{suite} {cell.cell} {cell.verdict}",
            text=f"{suite} {cell.label} {cell.verdict}: {cell.reason}",
            next_step=again,
        )
        for cell in bad
    ]


def _trends(path: Path, suites: Sequence[str], profile: str) -> list[NightlyFinding]:
    rows = _read(path)
    if not isinstance(rows, list):
        return [
            NightlyFinding(
                weight=Weight.NO_DATA,
                what=HISTORY,
                text="the history did not answer; the log says why",
                next_step=STATUS_COMMAND,
            )
        ]
    own = [row for row in rows if row["suite"] in suites and row["profile"] == profile]
    silent = [row for row in own if row["state"] == NO_DATA]
    loud = [_trend(row) for row in own if row["state"] in TRENDS and row not in silent]
    return [*loud, *([_silent(silent)] if silent else [])]


def _silent(rows: Sequence[Mapping[str, Any]]) -> NightlyFinding:
    """Return all series without data as one finding: a missed night silences every one of them."""
    return NightlyFinding(
        weight=Weight.NO_DATA,
        what=SILENT,
        text="; ".join(silence_lines(rows)),
        next_step=STATUS_COMMAND,
    )


def _trend(trend: Mapping[str, Any]) -> NightlyFinding:
    place = " ".join(str(trend[name]) for name in ("suite", "cell", "metric", "machine"))
    state, since = str(trend["state"]), trend["since"]
    text = f"{place} {state}{f' since {since}' if since else ''}: {trend['reason']}"
    return NightlyFinding(
        weight=TRENDS[state], what=f"{place} {state}", text=text, next_step=STATUS_COMMAND
    )


def _read(path: Path) -> object:
    """Return a file's JSON; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
