"""
The end of the gate's step, and its verdict on each suite as a comment on the pull request and a
status of its newest commit.

Comment and status are written in a workflow of the default branch, after the pull request's own
workflow has measured. Its artifacts are read as data; the pull request, its log and its page come
from GitHub.

The end of the step writes the outputs for the job's other steps and its summary, and decides
whether it fails.

    <folder>/judgement.json, comment.md   from `voxgate ab --json --comment`; empty or absent where
                                          it came to no judgement
             run/index.html               the page
             pictures/*.png               what the comment links to
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxgate.harness.ci.github import GitHub, artifacts, read_artifact, read_json
from voxgate.harness.ci.pull_request import SUITE, PullRequest, of_run, put_comment, put_status
from voxgate.harness.errors import HarnessError
from voxgate.harness.report.pr_comment import (
    MARKER,
    CommentLinks,
    DocumentVerdict,
    comment,
    headline,
    marker,
)

JUDGEMENT, JUDGEMENT_FILE = "voxgate-judgement-", "judgement.json"
"""Prefix of the name of the gate's artifact; the suite follows."""
MOST_SUITES = 20
"""Of one run; a stranger names them."""
NO_VERDICT = "<!-- voxgate: no verdict -->"
"""
The second line of a comment that there is no verdict, by which it is found once the gate has
judged.
"""
SILENT = ("skipped", "cancelled")
"""Conclusions of a run that had nothing to judge: `cancelled` because of newer commits."""


def post_verdict(github: GitHub, event: Mapping[str, Any], undecided: str) -> str:
    """
    Write comment and status for the workflow run of an event; return a line for the log.

    Raises HarnessError where GitHub refuses, or for an event of another kind.
    """
    run = event.get("workflow_run")
    if not isinstance(run, Mapping):
        raise HarnessError(
            "this event is no workflow_run; call this from a workflow `on: workflow_run`"
        )
    if run.get("event") != "pull_request":
        return "nothing to say: the run was not for a pull request"
    pull = of_run(github, run)
    if pull is None:
        return "nothing to say: no open pull request has this commit as its newest"
    left = artifacts(github, int(run["id"]))
    suites = sorted(
        name.removeprefix(JUDGEMENT) for name in left if re.fullmatch(JUDGEMENT + SUITE, name)
    )
    if not suites:
        return _post_trouble(github, run, pull, "", "it left no judgement behind", undecided)
    if len(suites) > MOST_SUITES:
        raise HarnessError(
            f"the run left judgements of {len(suites)} suites behind, more than {MOST_SUITES}; "
            "nothing is told"
        )
    lines = [_tell_suite(github, run, pull, suite, left, undecided) for suite in suites]
    _close_missing(github, pull)
    return "\n".join(lines)


class _NoJudgementError(Exception):
    """The gate left no judgement that can be read."""


def _tell_suite(
    github: GitHub,
    run: Mapping[str, Any],
    pull: PullRequest,
    suite: str,
    left: Mapping[str, Mapping[str, Any]],
    undecided: str,
) -> str:
    log = str(run["html_url"])
    addresses = {
        name: f"{log}/artifacts/{int(entry['id'])}"
        for name, entry in opened_by_a_click(left, suite).items()
    }
    place = CommentLinks(
        **addresses,
        log=log,
        fetch=f"git fetch origin pull/{pull.number}/merge",
        by_comment=True,
    )
    try:
        document = _judgement(github, int(run["id"]), suite)
        body, verdict = _written(document, place), headline(document)
    except _NoJudgementError as error:
        return _post_trouble(github, run, pull, suite, str(error), undecided)
    address = put_comment(github, pull.number, (marker(suite), MARKER), body)
    state = put_status(
        github, pull.sha, suite, verdict.exit_code, verdict.status, address, undecided
    )
    return f"{suite}: {verdict.line}; {state}; {address}"


def opened_by_a_click(
    left: Mapping[str, Mapping[str, Any]], suite: str
) -> dict[str, Mapping[str, Any]]:
    """
    Return the artifacts that a click opens in the browser, by the field of `CommentLinks`: they are
    named as their files. The page of older gates is zipped.
    """
    named = {
        "page": left.get(f"voxgate-page-{suite}.html", left.get(f"voxgate-page-{suite}")),
        "shifts": left.get(f"voxgate-shifts-{suite}.png"),
        "spectrograms": left.get(f"voxgate-spectrograms-{suite}.png"),
    }
    return {field: entry for field, entry in named.items() if entry is not None}


def _written(document: object, place: CommentLinks) -> str:
    try:
        return comment(document, place)
    except HarnessError as error:
        raise _NoJudgementError(str(error)) from error


def _close_missing(github: GitHub, pull: PullRequest) -> None:
    """Replace the comment that there is no verdict: since then the gate has judged."""
    for written in github.every(f"/issues/{pull.number}/comments"):
        if (written.get("user") or {}).get("type") == "Bot" and str(
            written.get("body", "")
        ).startswith(f"{MARKER}\n{NO_VERDICT}"):
            body = f"{MARKER}\n\nThe gate has judged since: see the comments on its suites.\n"
            put_comment(github, pull.number, (MARKER,), body)
            return


def _judgement(github: GitHub, run: int, suite: str) -> object:
    try:
        files = read_artifact(github, run, JUDGEMENT + suite)
    except HarnessError as error:
        raise _NoJudgementError(str(error)) from error
    if files is None or JUDGEMENT_FILE not in files:
        raise _NoJudgementError("it left no judgement behind")
    try:
        document = read_json(files[JUDGEMENT_FILE], JUDGEMENT_FILE)
    except HarnessError as error:
        raise _NoJudgementError(str(error)) from error
    if not isinstance(document, Mapping) or document.get("suite") != suite:
        raise _NoJudgementError(f"its judgement is none of the suite {suite}")
    return document


def _post_trouble(
    github: GitHub, run: Mapping[str, Any], pull: PullRequest, suite: str, why: str, undecided: str
) -> str:
    """
    Comment that there is no verdict: silence would look like a pass, and an old comment like a new
    one.
    """
    if run.get("conclusion") in SILENT:
        return f"nothing to say: the run was {run.get('conclusion')}, and {why}"
    log = str(run["html_url"])
    line = "no verdict: the gate ended before it could judge"
    older = "" if suite else " What comments on its suites say is of earlier commits."
    head = f"{marker(suite)}\n{NO_VERDICT}"
    body = f"{head}\n\n**{line}**\n\nThe [log]({log}) says why.{older}\n"
    address = put_comment(github, pull.number, (marker(suite),), body)
    put_status(github, pull.sha, suite, 1, line, log, undecided)
    return f"{suite or 'gate'}: {line} ({why}); {address}"


WRONG, UNDECIDED = 2, 3


def write_outputs(folder: Path, code: int) -> str:
    """
    Write verdict, exit code and page to GITHUB_OUTPUT, and the summary; return a line. Raises
    HarnessError outside of a job.
    """
    judgement, page = judged(folder), folder / "run" / "index.html"
    verdict = "" if judgement is None else judgement.verdict
    _append(
        "GITHUB_OUTPUT",
        f"verdict={verdict}\nexit-code={code}\npage={page if page.is_file() else ''}\n",
    )
    comment = folder / "comment.md"
    summary = (
        comment.read_text(encoding="utf-8")
        if comment.is_file()
        else "**no verdict**: the log says why\n"
    )
    _append("GITHUB_STEP_SUMMARY", summary)
    return f"no judgement; exit code {code}" if judgement is None else judgement.line


def conclude(folder: Path, code: int, undecided: str) -> int:
    """
    Return the exit code of the gate's step, and print why it is none where something was not
    decided.
    """
    judgement = judged(folder)
    line = "" if judgement is None else judgement.line
    if code == UNDECIDED and undecided == "warn":
        print(f"::warning title=voxgate::nothing regressed, but not all was decided: {line}")
        return 0
    if code or judgement is None:
        print(f"::error title=voxgate::{line or 'no judgement; the log says why'}")
    return code or (WRONG if judgement is None else 0)


def judged(folder: Path) -> DocumentVerdict | None:
    """Return the verdict that the step left; None where there is no judgement."""
    try:
        return headline(json.loads((folder / "judgement.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):  # a HarnessError is a ValueError
        return None


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if not path:
        raise HarnessError(f"{variable} is not set; call this from a step of a workflow")
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)
