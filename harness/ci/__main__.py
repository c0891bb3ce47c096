"""
`python3 -m voxgate.harness.ci`: one command per job. Exit codes as everywhere: 0 done; 1 an alarm;
2 wrong use, GitHub refuses, or an accident; 3 no data.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voxgate.harness.ci.accept import accept
from voxgate.harness.ci.gate import conclude, post_verdict, write_outputs
from voxgate.harness.ci.github import github
from voxgate.harness.ci.nightly import Weight, findings, measure
from voxgate.harness.ci.notify import QUIET, SAME, put_issue, send, summary
from voxgate.harness.errors import HarnessError, guarded

WEBHOOK = "VOXGATE_WEBHOOK"
"""Environment variable with the webhook's address, which is a secret; empty: none is called."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    return guarded("voxgate", lambda: int(options.call(options)))


def _outputs(options: argparse.Namespace) -> int:
    print(write_outputs(options.folder, options.code))
    return 0


def _conclude(options: argparse.Namespace) -> int:
    return conclude(options.folder, options.code, options.undecided)


def _comment(options: argparse.Namespace) -> int:
    print(post_verdict(github(), _event(), options.undecided))
    return 0


def _accept(options: argparse.Namespace) -> int:
    print(accept(github(), _event(), options.gate))
    return 0


def _measure(options: argparse.Namespace) -> int:
    print("\n".join(measure(options.suites, options.profile, options.folder)))
    return 0


def _alert(options: argparse.Namespace) -> int:
    faults = findings(options.folder, options.suites, options.profile)
    for finding in faults:
        print(f"{finding.weight}: {finding.text}")
    issue = put_issue(github(), options.profile, faults, options.log)
    address = os.environ.get(WEBHOOK, "")
    if address and issue.change not in (SAME, QUIET):
        send(address, options.profile, faults, issue)
    print(f"{summary(faults)}; issue {issue.change} {issue.address}".strip())
    return 1 if any(finding.weight is Weight.ALARM for finding in faults) else 3 if faults else 0


def _event() -> dict[str, Any]:
    """Read GitHub's event that started the job. Raises HarnessError outside of a job."""
    path = os.environ.get("GITHUB_EVENT_PATH", "")
    try:
        event: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"GITHUB_EVENT_PATH is {path!r}: {error}; call this from a workflow"
        ) from error
    return event


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m voxgate.harness.ci",
        description="What runs inside CI jobs beside the measuring.",
    )
    verbs = parser.add_subparsers(required=True)
    for name, call, about in (
        (
            "outputs",
            _outputs,
            "what a job's other steps get to know of `voxgate ab`, and its summary",
        ),
        ("conclude", _conclude, "whether the gate's step fails"),
    ):
        verb = verbs.add_parser(name, help=about)
        verb.add_argument("--folder", type=Path, required=True)
        verb.add_argument("--code", type=int, required=True, help="exit code of voxgate ab")
        verb.set_defaults(call=call)
    verb.add_argument(
        "--undecided", choices=("warn", "fail"), default="warn", help="whether exit code 3 passes"
    )
    comment = verbs.add_parser(
        "comment", help="after the gate: comment and status, in a workflow on: workflow_run"
    )
    comment.add_argument(
        "--undecided", choices=("warn", "fail"), default="warn", help="whether exit code 3 passes"
    )
    comment.set_defaults(call=_comment)
    accept = verbs.add_parser(
        "accept", help="/voxgate accept SUITE REASON, in a workflow on: issue_comment"
    )
    accept.add_argument("--gate", default="pr-gate.yml", help="file name of the gate's workflow")
    accept.set_defaults(call=_accept)
    measure = verbs.add_parser("measure", help="check suites, a JSON file each")
    alert = verbs.add_parser("alert", help="an issue and a webhook for what is wrong with a night")
    for verb, call in ((measure, _measure), (alert, _alert)):
        verb.add_argument("suites", nargs="+", metavar="SUITE")
        verb.add_argument("--profile", required=True)
        verb.add_argument("--folder", type=Path, required=True, help="with the files of the night")
        verb.set_defaults(call=call)
    alert.add_argument("--log", required=True, help="address of the job's log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
