"""
Notify people of a night: one issue per profile, opened, updated and closed.

The issue's first line carries the keys of the reported findings, so that a finding that lasts a
week is reported once. `nightly.py` defines the findings.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxgate.harness.ci.github import GitHub
from voxgate.harness.ci.nightly import NightlyFinding, Weight
from voxgate.harness.ci.pull_request import add_comment
from voxgate.harness.report.format import LIMIT, escaped, fitting, plain

LABEL = "voxgate-nightly"
KEYS = 500
"""Findings whose keys are kept; more are reported as one disaster."""
ROOM = LIMIT - 13 * KEYS - 2_000
"""Characters for the findings of an issue."""
TEXT = 400
"""Characters of one finding."""
OPENED, CHANGED, SAME, CLOSED, QUIET = "opened", "changed", "unchanged", "closed", "nothing to tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyResult:
    """The result of updating the issue."""

    change: str
    """One of the words above."""
    address: str
    """Of the issue; empty where there is none."""


def put_issue(
    github: GitHub, profile: str, findings: Sequence[NightlyFinding], log: str
) -> NotifyResult:
    """Open, update or close the issue of a profile."""
    standing = _standing(github, profile)
    if not findings:
        return (
            _close(github, standing, log)
            if standing is not None
            else NotifyResult(change=QUIET, address="")
        )
    body = issue_body(profile, findings, log)
    content = {"title": f"voxgate nightly {profile}: {summary(findings)}", "body": body}
    if standing is None:
        made = github.send("POST", "/issues", {**content, "labels": [LABEL]})
        return NotifyResult(change=OPENED, address=str(made["html_url"]))
    number, address = int(standing["number"]), str(standing["html_url"])
    fresh = [finding for finding in findings if finding.key not in _keys(str(standing["body"]))]
    github.send("PATCH", f"/issues/{number}", content)
    if fresh:
        add_comment(github, number, f"New tonight:\n\n{_lines(fresh)}\n")
    same = _keys(body) == _keys(str(standing["body"]))
    return NotifyResult(change=SAME if same else CHANGED, address=address)


def issue_body(profile: str, findings: Sequence[NightlyFinding], log: str) -> str:
    """Return the text of the issue; there is at least one finding."""
    keys = " ".join(sorted({finding.key for finding in findings})[:KEYS])
    lines = (
        f"{_marker(profile)} {keys} -->",
        f"**{summary(findings)}**",
        _lines(findings),
        f"Next: {escaped(findings[0].next_step)}",
        f"[log and site]({log})",
        "This issue is brought up to date every night, and closed after a night with nothing "
        "wrong. A change that is meant: `docs/accepting-a-change.md`.",
    )
    return "\n\n".join(lines) + "\n"


def summary(findings: Sequence[NightlyFinding]) -> str:
    """Return the counts: `2 alarms, 1 without data`."""
    alarms = sum(finding.weight is Weight.ALARM for finding in findings)
    silent = len(findings) - alarms
    parts = [
        f"{alarms} alarm{'' if alarms == 1 else 's'}" if alarms else "",
        f"{silent} without data" if silent else "",
    ]
    return ", ".join(part for part in parts if part) or "nothing wrong"


def _standing(github: GitHub, profile: str) -> dict[str, Any] | None:
    """Find the open issue of a profile that a job wrote."""
    for issue in github.every("/issues", {"state": "open", "labels": LABEL}):
        mine = (issue.get("user") or {}).get("type") == "Bot" and "pull_request" not in issue
        if mine and str(issue.get("body") or "").startswith(f"{_marker(profile)} "):
            return issue
    return None


def _close(github: GitHub, standing: dict[str, Any], log: str) -> NotifyResult:
    number = int(standing["number"])
    add_comment(github, number, f"Nothing wrong tonight: [log]({log}).\n")
    github.send("PATCH", f"/issues/{number}", {"state": "closed"})
    return NotifyResult(change=CLOSED, address=str(standing["html_url"]))


def _marker(profile: str) -> str:
    return f"<!-- voxgate: night {profile}"


def _keys(body: str) -> set[str]:
    return set(re.findall(r"\b[0-9a-f]{12}\b", body.partition("-->")[0]))


def _lines(findings: Sequence[NightlyFinding]) -> str:
    return fitting(
        [_line(finding) for finding in findings],
        ROOM,
        lambda count: f"- and {count} more; the log has them all",
    )


def _line(finding: NightlyFinding) -> str:
    text = plain(finding.text)
    return f"- **{finding.weight}** {escaped(text if len(text) <= TEXT else f'{text[:TEXT]}…')}"
