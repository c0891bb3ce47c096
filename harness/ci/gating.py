"""
After the gate: its verdict as the pull request's comment, and as the status of its newest commit.

Runs in a workflow of the default branch, after the pull request's own workflow has measured. What that left behind is read as
data; the pull request, its log and its page come from GitHub.
"""

from collections.abc import Mapping
from typing import Any

from harness.ci.artifact import artifacts, read_artifact, read_json
from harness.ci.github import GitHub
from harness.ci.pull_request import PullRequest, of_run, put_comment, put_status
from harness.errors import HarnessError
from harness.report.comment import MARKER, Place, comment, headline

JUDGEMENT, JUDGEMENT_FILE = "voxgate-judgement", "judgement.json"
PAGE = "voxgate-page"
"""Names of the artifacts that the gate leaves behind."""
SILENT = ("skipped", "cancelled")
"""Conclusions of a run that had nothing to judge: `cancelled` because of newer commits."""


def tell_verdict(github: GitHub, event: Mapping[str, Any], undecided: str) -> str:
    """
    Write comment and status for the workflow run of an event; gives a line for the log.

    Raises HarnessError where GitHub refuses, or for an event of another kind.
    """
    run = event.get("workflow_run")
    if not isinstance(run, Mapping):
        raise HarnessError("this event is no workflow_run; call this from a workflow `on: workflow_run`")
    if run.get("event") != "pull_request":
        return "nothing to say: the run was not for a pull request"
    pull = of_run(github, run)
    if pull is None:
        return "nothing to say: no open pull request has this commit as its newest"
    try:
        return _tell(github, run, pull, undecided)
    except _NoJudgementError as error:
        return _tell_trouble(github, run, pull, str(error), undecided)


class _NoJudgementError(Exception):
    """The gate left nothing that can be read."""


def _tell(github: GitHub, run: Mapping[str, Any], pull: PullRequest, undecided: str) -> str:
    number, log = int(run["id"]), str(run["html_url"])
    document = _judgement(github, number)
    page = artifacts(github, number).get(PAGE)
    place = Place(
        page="" if page is None else f"{log}/artifacts/{int(page['id'])}",
        log=log,
        fetch=f"git fetch origin pull/{pull.number}/merge",
        by_comment=True,
    )
    try:
        body, (code, line) = comment(document, place), headline(document)
    except HarnessError as error:
        raise _NoJudgementError(str(error)) from error
    address = put_comment(github, pull.number, MARKER, body)
    state = put_status(github, pull.sha, code, line, address, undecided)
    return f"{line}; {state}; {address}"


def _judgement(github: GitHub, run: int) -> object:
    try:
        files = read_artifact(github, run, JUDGEMENT)
    except HarnessError as error:
        raise _NoJudgementError(str(error)) from error
    if files is None or JUDGEMENT_FILE not in files:
        raise _NoJudgementError("it left no judgement behind")
    try:
        return read_json(files[JUDGEMENT_FILE], JUDGEMENT_FILE)
    except HarnessError as error:
        raise _NoJudgementError(str(error)) from error


def _tell_trouble(github: GitHub, run: Mapping[str, Any], pull: PullRequest, why: str, undecided: str) -> str:
    """Say that there is no verdict: silence would look like a pass, and an old comment like a new one."""
    if run.get("conclusion") in SILENT:
        return f"nothing to say: the run was {run.get('conclusion')}, and {why}"
    log = str(run["html_url"])
    line = "no verdict: the gate ended before it could judge"
    body = f"{MARKER}\n\n**{line}**\n\nThe [log]({log}) says why.\n"
    address = put_comment(github, pull.number, MARKER, body)
    put_status(github, pull.sha, 1, line, log, undecided)
    return f"{line} ({why}); {address}"
