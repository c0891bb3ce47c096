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
from voxgate.harness.ci.nightly import NightlyFinding, Weight, findings, measure
from voxgate.harness.ci.notify import QUIET, SAME, put_issue, summary
from voxgate.harness.ci.webhook import FORMS, WEBHOOK, change_of, checked_address, keep_state, send
from voxgate.harness.errors import HarnessError, guarded


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
    profile = Path(options.profile).stem  # of a file: its contents share an issue
    faults = findings(options.folder, options.suites, options.profile)
    for finding in faults:
        print(f"{finding.weight}: {finding.text}")
    told = _tell(options, profile, faults)
    step = [f"next: {faults[0].next_step}"] if faults else []
    print("; ".join([summary(faults), *step, told]))
    return 1 if any(finding.weight is Weight.ALARM for finding in faults) else 3 if faults else 0


def _tell(options: argparse.Namespace, profile: str, faults: Sequence[NightlyFinding]) -> str:
    """Bring the issue up to date where this is a job of GitHub's, and call the webhook."""
    in_job = any(os.environ.get(name) for name in ("GITHUB_TOKEN", "GITHUB_ACTIONS"))
    if in_job:
        result = put_issue(github(), profile, faults, options.log)
    else:
        result = change_of(options.state, profile, faults, options.log)
    address, told = checked_address(), result.change not in (SAME, QUIET)
    if address and told:
        send(address, options.webhook_form, profile, faults, result)
    if in_job:
        return f"issue {result.change} {result.address}".strip()
    keep_state(options.state, profile, faults)
    return f"webhook called: {result.change}" if address and told else f"no call: {result.change}"


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
    _add_alert_options(alert)
    return parser


def _add_alert_options(alert: argparse.ArgumentParser) -> None:
    alert.add_argument("--log", default="", help="address of the job's log")
    alert.add_argument(
        "--state",
        type=Path,
        help="file of what was sent, in place of GitHub's issue; without it every night with a "
        "finding is sent",
    )
    alert.add_argument(
        "--webhook-form",
        choices=("auto", *FORMS),
        default="auto",
        help=f"what the webhook at ${WEBHOOK} gets; auto knows Slack and Teams by their hosts",
    )


if __name__ == "__main__":
    sys.exit(main())
