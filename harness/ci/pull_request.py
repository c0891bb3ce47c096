"""
A pull request: the one that a workflow run belongs to, its one comment for each suite, the status
of its newest commit.

A run's pull request is looked up from GitHub's record of the run, never from the run's artifacts.
If it has newer commits by then, there is none: an old verdict must not stand under new code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from voxgate.harness.ci.github import GitHub
from voxgate.harness.errors import HarnessError
from voxgate.harness.report.format import plain

STATUS = "voxgate"
"""
The name of a status without a suite; `context` returns that of a suite's status, which a branch can
require.
"""
SUITE = r"[a-z0-9][a-z0-9._-]{0,99}"
"""A suite's name: part of the names of artifacts, comments and statuses."""
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
    """
    Find the open pull request whose newest commit a workflow run measured; None if there is none.
    """
    repository = run.get("head_repository") or {}
    owner, branch = (
        str((repository.get("owner") or {}).get("login", "")),
        str(run.get("head_branch") or ""),
    )
    query = {"state": "open", "head": f"{owner}:{branch}"}
    for item in github.every("/pulls", query):
        pull = pull_request(item)
        if pull.sha == run.get("head_sha") and pull.repository == repository.get("full_name"):
            return pull
    return None


def by_number(github: GitHub, number: int) -> PullRequest:
    """Return an open pull request. Raises HarnessError if it is closed."""
    data = github.get(f"/pulls/{number}")
    if data.get("state") != "open":
        raise HarnessError(f"pull request {number} is {data.get('state')}; open it again")
    return pull_request(data)


def pull_request(data: Mapping[str, Any]) -> PullRequest:
    """Return the record of GitHub's JSON."""
    head = data["head"]
    return PullRequest(
        number=int(data["number"]),
        sha=str(head["sha"]),
        branch=str(head["ref"]),
        repository=str((head.get("repo") or {}).get("full_name", "")),
        address=str(data["html_url"]),
    )


def context(suite: str) -> str:
    """Return the name of a suite's status."""
    return f"{STATUS}/{suite}" if suite else STATUS


def put_comment(github: GitHub, number: int, markers: Sequence[str], body: str) -> str:
    """
    Write the one comment that begins with a marker (of several: the first that exists), new or over
    its last version.
    """
    own = [comment for comment in github.every(f"/issues/{number}/comments") if _is_ours(comment)]
    last = next((first for marker in markers if (first := _first(own, marker))), None)
    if last is None:
        return add_comment(github, number, body)
    if last["body"].replace("\r\n", "\n") == body:
        return str(last["html_url"])
    return str(
        github.send("PATCH", f"/issues/comments/{int(last['id'])}", {"body": body})["html_url"]
    )


def _is_ours(comment: Mapping[str, Any]) -> bool:
    # anybody can write the marker; we overwrite nobody else's
    return (comment.get("user") or {}).get("type") == "Bot"


def _first(comments: Sequence[Mapping[str, Any]], marker: str) -> Mapping[str, Any] | None:
    begins = (comment for comment in comments if str(comment.get("body", "")).startswith(marker))
    return next(begins, None)


def add_comment(github: GitHub, number: int, body: str) -> str:
    """Write a further comment; return its address."""
    return str(github.send("POST", f"/issues/{number}/comments", {"body": body})["html_url"])


def put_status(
    github: GitHub, sha: str, suite: str, exit_code: int, line: str, address: str, undecided: str
) -> str:
    """
    Set the status of a commit to its verdict on a suite, and return it; an accepted commit keeps
    its status.

    `undecided` is `warn` or `fail`: whether a commit passes if something could not be decided (exit
    code 3).
    """
    before = github.every(f"/commits/{quote(sha, safe='')}/statuses")
    if any(status.get("context") == context(suite) and _accepts(status) for status in before):
        return "the commit was accepted, and stays so"
    good = exit_code == 0 or (exit_code == 3 and undecided == "warn")
    state = "success" if good else "failure"
    _status(github, sha, suite, state, line if exit_code != 3 else f"undecided: {line}", address)
    return f"status {state}"


def accept_status(github: GitHub, sha: str, suite: str, reason: str, address: str) -> None:
    """Set the status of a commit whose changes in a suite were accepted."""
    _status(github, sha, suite, "success", f"{ACCEPTED}{reason}", address)


def _accepts(status: Mapping[str, Any]) -> bool:
    return status.get("state") == "success" and str(status.get("description") or "").startswith(
        ACCEPTED
    )


def _status(
    github: GitHub, sha: str, suite: str, state: str, description: str, address: str
) -> None:
    body = {
        "state": state,
        "context": context(suite),
        "description": plain(description)[:DESCRIPTION],
        "target_url": address,
    }
    github.send("POST", f"/statuses/{quote(sha, safe='')}", body)
