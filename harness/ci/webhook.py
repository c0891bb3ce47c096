"""
Notify people of a night by a webhook alone: under cron, GitLab, Gitea or anything else that runs
commands.

The address is a secret. It comes from the environment and stands in no argument, line or traceback.
A state file takes the place of an issue: it holds the keys of the findings that were sent, so that
a finding that lasts a week is sent once.
"""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from voxgate.harness.ci.nightly import NightlyFinding
from voxgate.harness.ci.notify import (
    CHANGED,
    CLOSED,
    KEYS,
    OPENED,
    QUIET,
    SAME,
    NotifyResult,
    summary,
)
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import sleep
from voxgate.harness.records.files import write_file
from voxgate.harness.report.format import escaped, plain

WEBHOOK = "VOXGATE_WEBHOOK"
"""Environment variable with the webhook's address, which is a secret; empty: none is called."""
TIMEOUT_S = 15.0
WAITS_S = (2.0, 8.0)
"""Before the second and the third try."""
LONGEST_WAIT_S = 30.0
"""The most that a server's Retry-After is granted."""
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which another try makes sense."""
LINES = 20
"""Findings in a chat message; the log has them all."""
CHARACTERS = 300
"""Of one finding there."""
STATE_BYTES = 2**20
HOSTS: Mapping[str, str] = MappingProxyType(
    {
        r"hooks\.slack(-gov)?\.com": "slack",
        r"(.+\.)?(webhook\.office\.com|logic\.azure\.com|powerplatform\.com)": "teams",
    }
)
"""Pattern of a host -> the form that it takes."""


def checked_address() -> str:
    """
    Return the webhook's address; empty where none is set. Raises HarnessError, without it, for one
    that would send in clear text.
    """
    address = os.environ.get(WEBHOOK, "").strip()
    local = re.match(r"http://(127\.0\.0\.1|localhost)(:\d+)?/", address)
    if address and not address.startswith("https://") and not local:
        raise HarnessError("the webhook's address does not begin with https://; correct the secret")
    return address


def send(
    address: str, form: str, profile: str, findings: Sequence[NightlyFinding], result: NotifyResult
) -> None:
    """
    Post a night to a webhook; `form` is a key of FORMS, or `auto`. Raises HarnessError, without the
    address, where no try succeeds.
    """
    chosen = _form_of(address) if form == "auto" else form
    document = FORMS[chosen](profile, findings, result)
    for wait_s in (*WAITS_S, None):
        fault, asked_s, again = _try(address, json.dumps(document).encode())
        if not fault:
            return
        if wait_s is None or not again:
            raise HarnessError(f"the webhook {fault}; is its address still right?")
        sleep(wait_s if asked_s is None else min(asked_s, LONGEST_WAIT_S))


def _try(address: str, body: bytes) -> tuple[str, float | None, bool]:
    """
    Return why one try failed (empty where it did not), the wait that the server asks for, and
    whether another makes sense.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "voxgate"}
    try:
        request = urllib.request.Request(address, body, headers)  # noqa: S310 - checked_address
        with OPENER.open(request, timeout=TIMEOUT_S):
            return "", None, False
    except urllib.error.HTTPError as error:
        later = str(error.headers.get("Retry-After", ""))
        wait_s = float(later) if re.fullmatch(r"\d{1,6}", later) else None
        return f"answered {error.code}", wait_s, error.code in TRANSIENT
    except (OSError, HTTPException) as error:
        return f"did not answer ({type(error).__name__})", None, True
    except ValueError:  # an address that is none; its text stands in the message
        return "has no address that can be called", None, False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is a refusal: the night is sent to the secret's host alone."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


OPENER = urllib.request.build_opener(_NoRedirect)


def _form_of(address: str) -> str:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = ""
    return next((form for pattern, form in HOSTS.items() if re.fullmatch(pattern, host)), "json")


def headline(profile: str, findings: Sequence[NightlyFinding], result: NotifyResult) -> str:
    """Return the one line that stands for the night."""
    return (
        f"voxgate nightly {profile}: {summary(findings)} ({result.change}) {result.address}".strip()
    )


def _generic(
    profile: str, findings: Sequence[NightlyFinding], result: NotifyResult
) -> dict[str, Any]:
    return {
        "text": headline(profile, findings, result),
        "profile": profile,
        "change": result.change,
        "issue": result.address,
        "findings": [
            {
                "weight": finding.weight,
                "what": finding.what,
                "text": plain(finding.text),
                "next_step": finding.next_step,
            }
            for finding in findings
        ],
    }


def _slack(
    profile: str, findings: Sequence[NightlyFinding], result: NotifyResult
) -> dict[str, Any]:
    lines = [headline(profile, findings, result), *_told(findings)]
    text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": text}


def _teams(
    profile: str, findings: Sequence[NightlyFinding], result: NotifyResult
) -> dict[str, Any]:
    first = {"type": "TextBlock", "wrap": True, "weight": "Bolder"}
    blocks: list[dict[str, Any]] = [{**first, "text": headline(profile, findings, result)}]
    for line in _told(findings):
        blocks.append({"type": "TextBlock", "wrap": True, "text": escaped(line)})
    card = {"type": "AdaptiveCard", "version": "1.4", "body": blocks}
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def _told(findings: Sequence[NightlyFinding]) -> list[str]:
    """Return a line for each finding, and the next step; of many, the first."""
    lines = [f"{each.weight}: {plain(each.text)[:CHARACTERS]}" for each in findings[:LINES]]
    more = len(findings) - len(lines)
    lines += [f"and {more} more; the log has them all"] if more else []
    return [*lines, *(f"next: {each.next_step}" for each in findings[:1])]


FORMS: Mapping[str, Callable[[str, Sequence[NightlyFinding], NotifyResult], dict[str, Any]]] = (
    MappingProxyType({"json": _generic, "slack": _slack, "teams": _teams})
)


def change_of(
    state: Path | None, profile: str, findings: Sequence[NightlyFinding], log: str
) -> NotifyResult:
    """
    Compare a night with the one that the state file holds; without a file, every finding is new.
    """
    old, new = _standing(state, profile), _keys(findings)
    if not new:
        change = CLOSED if old else QUIET
    else:
        change = OPENED if not old else SAME if old == new else CHANGED
    return NotifyResult(change=change, address=log)


def keep_state(state: Path | None, profile: str, findings: Sequence[NightlyFinding]) -> None:
    """Write the keys of the findings that were sent. Raises HarnessError where there is no room."""
    if state is None:
        return
    profiles = {**_read(state), profile: _keys(findings)}
    text = json.dumps(profiles, indent=1, sort_keys=True)
    write_file(state, text, "make it writable or make room", parents=True)


def _keys(findings: Sequence[NightlyFinding]) -> list[str]:
    return sorted({finding.key for finding in findings})[:KEYS]


def _standing(state: Path | None, profile: str) -> list[str]:
    return _read(state).get(profile, []) if state is not None else []


def _read(state: Path) -> dict[str, list[str]]:
    """
    Return the keys by profile. Whatever else a file holds is no state: then everything is new, and
    is sent.
    """
    try:
        with state.open("rb") as file:
            held = json.loads(file.read(STATE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(held, dict):
        return {}
    return {
        name: keys
        for name, keys in held.items()
        if isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    }
