"""
A pull request: which one a workflow run belongs to, its one comment, the status of its newest commit.

A run's pull request is looked up from what GitHub says of the run, never from what the run left behind. If it has newer commits
by then, there is none: an old verdict must not stand under new code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from harness.ci.github import GitHub
from harness.errors import HarnessError
from harness.report.texts import plain

STATUS = "voxgate"
"""The name of the status, which a branch can require."""
ACCEPTED = "accepted: "
DESCRIPTION = 140
"""Characters that GitHub allows a status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """An open pull request."""

    number: int
    sha: str
    """Its newest commit."""
    branch: str
    repository: str
    """Where its branch is; empty if that repository is gone."""
    address: str


def of_run(github: GitHub, run: Mapping[str, Any]) -> PullRequest | None:
    """Find the open pull request whose newest commit a workflow run measured; None if there is none."""
    repository = run.get("head_repository") or {}
    owner, branch = str((repository.get("owner") or {}).get("login", "")), str(run.get("head_branch") or "")
    query = {"state": "open", "head": f"{owner}:{branch}"}
    for each in github.every("/pulls", query):
        found = pull_request(each)
        if found.sha == run.get("head_sha") and found.repository == repository.get("full_name"):
            return found
    return None


def by_number(github: GitHub, number: int) -> PullRequest:
    """Give an open pull request. Raises HarnessError if it is closed."""
    data = github.get(f"/pulls/{number}")
    if data.get("state") != "open":
        raise HarnessError(f"pull request {number} is {data.get('state')}; open it again")
    return pull_request(data)


def pull_request(data: Mapping[str, Any]) -> PullRequest:
    """Read GitHub's record."""
    head = data["head"]
    return PullRequest(
        number=int(data["number"]),
        sha=str(head["sha"]),
        branch=str(head["ref"]),
        repository=str((head.get("repo") or {}).get("full_name", "")),
        address=str(data["html_url"]),
    )


def put_comment(github: GitHub, number: int, marker: str, body: str) -> str:
    """Write the one comment that begins with a marker, new or over its last version; gives its address."""
    for each in github.every(f"/issues/{number}/comments"):
        mine = (each.get("user") or {}).get("type") == "Bot"  # anybody can write the marker; we overwrite nobody else's
        if mine and str(each.get("body", "")).startswith(marker):
            if each["body"].replace("\r\n", "\n") == body:
                return str(each["html_url"])
            return str(github.send("PATCH", f"/issues/comments/{int(each['id'])}", {"body": body})["html_url"])
    return add_comment(github, number, body)


def add_comment(github: GitHub, number: int, body: str) -> str:
    """Write a further comment; gives its address."""
    return str(github.send("POST", f"/issues/{number}/comments", {"body": body})["html_url"])


def put_status(github: GitHub, sha: str, exit_code: int, line: str, address: str, undecided: str) -> str:
    """
    Give a commit the status of its verdict, and say which; a commit that was accepted stays so.

    `undecided` is `warn` or `fail`: whether a commit passes of which something could not be decided (exit code 3).
    """
    if any(
        each.get("context") == STATUS and _accepts(each) for each in github.every(f"/commits/{quote(sha, safe='')}/statuses")
    ):
        return "the commit was accepted, and stays so"
    good = exit_code == 0 or (exit_code == 3 and undecided == "warn")
    state = "success" if good else "failure"
    _status(github, sha, state, line if exit_code != 3 else f"undecided: {line}", address)
    return f"status {state}"


def accept_status(github: GitHub, sha: str, reason: str, address: str) -> None:
    """Say of a commit that what it changes was accepted."""
    _status(github, sha, "success", f"{ACCEPTED}{reason}", address)


def _accepts(status: Mapping[str, Any]) -> bool:
    return status.get("state") == "success" and str(status.get("description") or "").startswith(ACCEPTED)


def _status(github: GitHub, sha: str, state: str, words: str, address: str) -> None:
    body = {"state": state, "context": STATUS, "description": plain(words)[:DESCRIPTION], "target_url": address}
    github.send("POST", f"/statuses/{quote(sha, safe='')}", body)
