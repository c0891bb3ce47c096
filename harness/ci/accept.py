"""
`/voxgate accept SUITE REASON`, commented on a pull request by somebody who may write: its quality
becomes the baseline.

The gate of the pull request left its measurements as a candidate baseline. Here the reason is
written into it, and the files become a commit on the pull request's branch, where they are reviewed
like any other; that commit gets the status. The accepted commit is the newest one at the time of
the comment: a later one is refused, whatever it holds. On a branch of another repository we cannot
write: the answer has the command for its author. Nothing of the pull request is run.
"""

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from voxgate.harness.ci.github import GitHub, artifacts, read_artifact, read_json
from voxgate.harness.ci.pull_request import (
    SUITE,
    PullRequest,
    accept_status,
    add_comment,
    by_number,
)
from voxgate.harness.errors import HarnessError
from voxgate.harness.python310 import parse_iso
from voxgate.harness.report.format import escaped, plain

COMMAND = "/voxgate accept"
ASKED = re.compile(rf"{COMMAND}\s+(?P<suite>{SUITE})\s+(?P<reason>\S.{{2,400}})")
WRITERS = ("admin", "maintain", "write")
CANDIDATE = "voxgate-baseline-"
"""
Prefix of the name of the artifact with the candidate; the suite follows. `<suite>/quality.json`,
`<suite>/golden/*.flac`.
"""
GOLDEN = r"golden/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.flac"
WHY = '"why": '
"""Prefix of the line of a baseline file that holds the reason."""
SCHEMAS = (1, 2)
"""
Of baseline files; `baseline_file.py` has their history, and needs packages that this job does
without.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRequest:
    """The request of a comment."""

    number: int
    suite: str
    reason: str
    login: str
    written: str
    """Time of the comment, by GitHub's clock."""

    @property
    def why(self) -> str:
        """Return the reason with its author and place, as the baseline keeps it."""
        return f"{self.reason} (accepted by {self.login} in #{self.number})"


def accept(github: GitHub, event: Mapping[str, Any], gate: str) -> str:
    """
    Accept as the comment of an event requests; return a line for the log. `gate` is the file name
    of the gate's workflow.

    Raises HarnessError, after commenting so on the pull request, where it cannot be done.
    """
    number, login = _where(event), str(event["comment"]["user"]["login"])
    if not _may_write(github, login):
        return f"nothing done: {login} may not write to {github.repository}"
    try:
        comment = event["comment"]
        request = parse_request(
            str(comment["body"]), number, login, str(comment.get("created_at", ""))
        )
        pull = by_number(github, number)
        _check_unmoved(github, pull, request, gate)
        said = _accepted_already(github, pull, request) or _commit(github, pull, request, gate)
    except HarnessError as error:
        add_comment(github, number, f"Not accepted: {escaped(plain(str(error)))}\n")
        raise
    return said


def parse_request(body: str, number: int, login: str, written: str) -> AcceptRequest:
    """
    Parse the first line of a comment. Raises HarnessError unless it names a suite and a reason.
    """
    lines = body.strip().splitlines() or [""]
    match = ASKED.fullmatch(plain(lines[0]))
    if match is None:
        raise HarnessError(
            f"{COMMAND} needs a suite and a reason, in one line: {COMMAND} smoke The new vocoder "
            "is worth it"
        )
    return AcceptRequest(
        number=number, suite=match["suite"], reason=match["reason"], login=login, written=written
    )


def with_reason(text: str, why: str, suite: str) -> str:
    """
    Return a baseline file with the reason in it, all else unchanged. Raises HarnessError if it is
    none of this suite's quality.
    """
    data = read_json(text.encode(), "the candidate baseline")
    facts = (
        (data.get("kind"), data.get("suite"))
        if isinstance(data, dict) and data.get("schema_version") in SCHEMAS
        else ()
    )
    lines = text.split("\n")
    places = [index for index, line in enumerate(lines) if line.startswith(WHY)]
    if facts != ("quality", suite) or len(places) != 1:
        raise HarnessError(f"the gate left no baseline of the quality of {suite} behind")
    lines[places[0]] = f"{WHY}{json.dumps(why)},"
    return "\n".join(lines)


def _where(event: Mapping[str, Any]) -> int:
    if not event.get("comment") or not (event.get("issue") or {}).get("pull_request"):
        raise HarnessError(
            "this event is no comment on a pull request; call this from a workflow `on: "
            "issue_comment`"
        )
    return int(event["issue"]["number"])


def _may_write(github: GitHub, login: str) -> bool:
    return (
        github.get(f"/collaborators/{quote(login, safe='')}/permission").get("permission")
        in WRITERS
    )


def _check_unmoved(github: GitHub, pull: PullRequest, request: AcceptRequest, gate: str) -> None:
    """
    Raise HarnessError unless the newest commit was the newest, too, when the comment was written.

    Dates of commits are set by their author. But GitHub starts the gate anew at every push to a
    pull request, also of a fork, and records the time: so the newest run of the branch must be this
    commit's, and older than the comment.
    """
    query = {"branch": pull.branch, "event": "pull_request", "per_page": "100"}
    runs = github.get(f"/actions/workflows/{quote(gate, safe='')}/runs", query)["workflow_runs"]
    mine = [
        run
        for run in runs
        if (run.get("head_repository") or {}).get("full_name") == pull.repository
    ]
    newest = max(mine, key=lambda run: _instant(str(run["created_at"])), default=None)
    if newest is None or newest["head_sha"] != pull.sha:
        raise HarnessError(
            f"the gate has not seen {pull.sha[:12]}, the newest commit; wait until it has ended, "
            "and comment again"
        )
    if not _before(str(newest["created_at"]), request.written):
        raise HarnessError(
            "the pull request has moved since your comment was written: its newest commit, "
            f"{pull.sha[:12]}, came later; look at it, and comment again"
        )


def _before(earlier: str, later: str) -> bool:
    return _instant(earlier) < _instant(later)


def _instant(text: str) -> datetime:
    """Parse a time as GitHub writes it. Raises HarnessError for anything else."""
    try:
        return parse_iso(text).astimezone(timezone.utc)
    except ValueError as error:
        raise HarnessError(
            f"GitHub tells a moment as {text!r}, which is none; run the job again"
        ) from error


def _accepted_already(github: GitHub, pull: PullRequest, request: AcceptRequest) -> str:
    """
    Set the status of the newest commit if its baseline has this reason, as where the author
    accepted; else return an empty text.
    """
    text = _baseline_of(github, pull, request.suite)
    if text is None or _why(text) not in (request.reason, request.why):
        return ""
    accept_status(github, pull.sha, request.suite, request.why, pull.address)
    return f"accepted: {pull.sha} gives the reason in its baseline"


def _baseline_of(github: GitHub, pull: PullRequest, suite: str) -> str | None:
    """
    Return the text of the baseline as the pull request's newest commit has it; None if it has none.
    """
    tree = _tree(github, pull.sha)
    entry = tree.get(f"baselines/{suite}/quality.json")
    if entry is None:
        return None
    return base64.b64decode(github.get(f"/git/blobs/{entry}")["content"]).decode("utf-8", "replace")


def _why(text: str) -> object:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return data.get("why", "") if isinstance(data, dict) else ""


def _commit(github: GitHub, pull: PullRequest, request: AcceptRequest, gate: str) -> str:
    """
    Commit the candidate to the branch, or comment who can. Raises HarnessError where there is none.
    """
    if pull.repository != github.repository:
        return f"left to the author; {add_comment(github, pull.number, _by_hand(pull, request))}"
    sha = _pushed(github, pull, request.suite, _candidate(github, pull, request, gate))
    accept_status(github, sha, request.suite, request.why, f"{pull.address}/commits/{sha}")
    what = f"`baselines/{request.suite}` of {sha[:12]} is for review"
    address = add_comment(
        github,
        pull.number,
        f"Accepted: {escaped(request.why)}. {what}; any later commit is judged again.\n",
    )
    return f"accepted as {sha}; {address}"


def _pushed(github: GitHub, pull: PullRequest, suite: str, files: Mapping[str, bytes]) -> str:
    """
    Make one commit of the files, and return its hash. Golden audio that is not among them is
    removed.
    """
    old = f"baselines/{suite}/golden/"
    stale = [path for path in _tree(github, pull.sha) if path.startswith(old) and path not in files]
    hashes: dict[str, str | None] = dict.fromkeys(stale)
    for path, content in files.items():
        blob = github.send(
            "POST",
            "/git/blobs",
            {"content": base64.b64encode(content).decode(), "encoding": "base64"},
        )
        hashes[path] = str(blob["sha"])
    entries = [
        {"path": path, "mode": "100644", "type": "blob", "sha": sha} for path, sha in hashes.items()
    ]
    parent = github.get(f"/git/commits/{pull.sha}")
    tree = github.send("POST", "/git/trees", {"base_tree": parent["tree"]["sha"], "tree": entries})
    message = f"Baseline: quality of the {suite} suite, accepted\n\nThe reason stands in the file."
    commit = github.send(
        "POST", "/git/commits", {"message": message, "tree": tree["sha"], "parents": [pull.sha]}
    )
    github.send(
        "PATCH", f"/git/refs/heads/{quote(pull.branch)}", {"sha": commit["sha"], "force": False}
    )
    return str(commit["sha"])


def _candidate(
    github: GitHub, pull: PullRequest, request: AcceptRequest, gate: str
) -> dict[str, bytes]:
    """
    Return the files of the new baseline, by their path in the repository, with the reason in them.
    """
    query = {"head_sha": pull.sha, "event": "pull_request", "status": "completed"}
    runs = list(
        github.every(f"/actions/workflows/{quote(gate, safe='')}/runs", query, key="workflow_runs")
    )
    newest = max((int(run["id"]) for run in runs), default=None)
    artifact = CANDIDATE + request.suite
    made = (
        ""
        if newest is None
        else str(artifacts(github, newest).get(artifact, {}).get("created_at", ""))
    )
    if made and not _before(made, request.written):
        raise HarnessError(
            f"{pull.sha[:12]} was measured again after your comment was written; look at it, and "
            "comment again"
        )
    files = None if newest is None else read_artifact(github, newest, artifact)
    name = f"{request.suite}/quality.json"
    if files is None or name not in files:
        raise HarnessError(
            f"the gate of {pull.sha[:12]} left no candidate baseline of {request.suite}; wait "
            "until it has ended"
        )
    golden = {
        path: content
        for path, content in files.items()
        if re.fullmatch(f"{re.escape(request.suite)}/{GOLDEN}", path)
    }
    _check_golden(
        files[name],
        {
            path.rpartition("/")[2].removesuffix(".flac"): content
            for path, content in golden.items()
        },
    )
    text = with_reason(files[name].decode("utf-8", "replace"), request.why, request.suite)
    return {
        f"baselines/{path}": content for path, content in {name: text.encode(), **golden}.items()
    }


def _check_golden(text: bytes, golden: Mapping[str, bytes]) -> None:
    """
    Raise HarnessError unless the audio is the one that the candidate's `quality.json` names, where
    it names any.
    """
    data = read_json(text, "the candidate baseline")
    digests = data.get("golden") if isinstance(data, dict) else None
    if digests is not None and digests != {
        name: hashlib.sha256(content).hexdigest() for name, content in golden.items()
    }:
        raise HarnessError(
            "the golden audio of the candidate baseline is not what its quality.json names; let "
            "the gate run again"
        )


def _by_hand(pull: PullRequest, request: AcceptRequest) -> str:
    lines = (
        f"The branch is in {escaped(pull.repository or 'a repository that is gone')}, where we "
        "cannot write. Its author runs",
        f"    voxgate run {request.suite} --out runs/accept\n"
        f"    voxgate accept runs/accept --only quality --why {shlex.quote(request.reason)}",
        f"commits `baselines/{request.suite}` and pushes; then comment the same again.",
    )
    return "\n\n".join(lines) + "\n"


def _tree(github: GitHub, sha: str) -> dict[str, str]:
    """Return the hash of every file below baselines/ in a commit."""
    tree = github.get(f"/git/trees/{sha}", {"recursive": "1"})
    if tree.get("truncated"):
        raise HarnessError(
            "the repository has too many files for GitHub to list; accept by hand: voxgate accept"
        )
    return {
        str(entry["path"]): str(entry["sha"])
        for entry in tree["tree"]
        if entry["type"] == "blob" and str(entry["path"]).startswith("baselines/")
    }
