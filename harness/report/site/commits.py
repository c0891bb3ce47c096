"""
The commits between two nights: who changed what, read from the repository in which the site is
built, and where to read more.

Only where the repository is at hand and has both commits; else the reason stands in their place.
Names of commits come from the history, and are passed to git only where they look like one.
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.git import Commit, git, has_repository

HASH = re.compile(r"[0-9a-f]{7,40}")
DIRTY = re.compile(r"([0-9a-f]{7,40}) \+ \d+ files?")
SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!/)([\w./~-]+)")
"""`git@host:owner/name`, the short form of an address."""
NAME = re.compile(r"[\w.~/-]+")
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?")
UNCOMMITTED = "measured with uncommitted changes"
FIELDS = ("%H", "%an", "%aI", "%s")
"""What git tells of a commit: name, author, date and subject."""
LONGEST = 160
"""Characters of a subject that are shown."""
MOST = 50
"""Commits that are named; a month of a busy project has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRange:
    """What lies between two nights, the newest first; `note` tells why nothing is known."""

    good: str
    bad: str
    commits: tuple[Commit, ...] = ()
    count: int | None = None
    """How many there are; None where the repository does not tell."""
    compare: str = ""
    """Address of the comparison; empty where the remote is not known."""
    note: str = ""

    @property
    def is_same(self) -> bool:
        """Whether both nights measured the same commit."""
        return self.good == self.bad


ReadRange = Callable[[str, str], CommitRange]


def reader(folder: Path) -> ReadRange:
    """Return a function that reads what lies between two heads, in the repository of a folder."""
    remote = cache(lambda: _remote(folder))

    @cache
    def read(good: str, bad: str) -> CommitRange:
        """Read the range between the heads of two runs."""
        old, new = _commit(good), _commit(bad)
        if not old or not new:
            unknown = good if not old else bad
            return CommitRange(good=good, bad=bad, note=f"no commit was kept for {unknown!r}")
        if old == new:
            dirty = good != bad or DIRTY.fullmatch(good) is not None
            note = (
                "the same commit, with uncommitted changes" if dirty else "the same commit on both"
            )
            return CommitRange(good=old, bad=new, note=note)
        found = _range(folder, old, new, remote)
        if old == good and new == bad:
            return found
        return replace(found, note=f"{found.note}; {UNCOMMITTED}".removeprefix("; "))

    return read


def is_hash(head: str) -> bool:
    """Return whether the head of a run names a commit, and nothing but it."""
    return HASH.fullmatch(head) is not None


def bisect_command(suite: str, profile: str, cell: str, metric: str, commits: CommitRange) -> str:
    """Return the command that finds the commit; empty where there is nothing to halve."""
    if (
        commits.is_same
        or commits.count == 0
        or not (is_hash(commits.good) and is_hash(commits.bad))
    ):
        return ""
    words = ("voxgate", "bisect", commits.good, commits.bad, suite)
    options = ("--profile", profile, "--cell", cell, "--metric", metric)
    return " ".join(map(shlex.quote, (*words, *options)))


def _commit(head: str) -> str:
    """Return the commit on which a head stands; empty where it names none."""
    dirty = DIRTY.fullmatch(head)
    return dirty.group(1) if dirty else head if is_hash(head) else ""


def _range(folder: Path, old: str, new: str, remote: Callable[[], str]) -> CommitRange:
    if not has_repository(folder):
        return CommitRange(
            good=old, bad=new, note="built outside of the repository: subjects are not known"
        )
    try:
        text = git(
            folder,
            *(
                "log",
                "--no-show-signature",
                f"--format={'%x00'.join(FIELDS)}",
                f"--max-count={MOST}",
            ),
            *("--end-of-options", f"{old}..{new}", "--"),
        )
        count = int(git(folder, "rev-list", "--count", "--end-of-options", f"{old}..{new}", "--"))
    except (HarnessError, ValueError):
        shallow = _is_shallow(folder)
        link = _compare(remote(), old, new) if shallow else ""
        why = "a shallow clone" if shallow else "this repository"
        return CommitRange(
            good=old, bad=new, compare=link, note=f"{why} does not have these commits"
        )
    lines = (line.split("\0") for line in text.split("\n"))  # a subject may hold other line ends
    commits = tuple(_described(*line) for line in lines if len(line) == len(FIELDS))
    note = "" if commits else f"{new} lies before {old}: the newer night measured an older commit"
    link = _compare(remote(), old, new)
    return CommitRange(good=old, bad=new, commits=commits, count=count, compare=link, note=note)


def _described(name: str, author: str, when: str, subject: str) -> Commit:
    return Commit(commit=name, author=_plain(author), date=when, subject=_plain(subject))


def _plain(text: str) -> str:
    """Return a stranger's text as one printable line that is not too long."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def _is_shallow(folder: Path) -> bool:
    try:
        return git(folder, "rev-parse", "--is-shallow-repository").strip() == "true"
    except HarnessError:
        return False


def _remote(folder: Path) -> str:
    try:
        return web_address(git(folder, "config", "--get", "remote.origin.url").strip())
    except HarnessError:
        return ""


def web_address(remote: str) -> str:
    """
    Return the page of a repository from the address that git has of it; empty where it is none of
    the web. A password in it is left out.
    """
    short = SCP.fullmatch(remote)
    host, name = short.groups() if short else _parts(remote)
    name = name.strip("/").removesuffix(".git")
    if not (HOST.fullmatch(host) and NAME.fullmatch(name)):
        return ""
    return f"https://{host}/{name}"


def _parts(remote: str) -> tuple[str, str]:
    try:
        parts = urlsplit(remote)
        port = f":{parts.port}" if parts.port and parts.scheme == "https" else ""
    except ValueError:
        return "", ""
    if parts.scheme not in ("https", "http", "ssh", "git"):
        return "", ""
    return f"{parts.hostname or ''}{port}", parts.path


def _compare(page: str, old: str, new: str) -> str:
    """Return the address of a comparison, in the form of the host: GitHub's unless known better."""
    if not page:
        return ""
    host = urlsplit(page).hostname or ""
    if "gitlab" in host:
        return f"{page}/-/compare/{old}...{new}"
    if "bitbucket" in host:
        return f"{page}/branches/compare/{new}%0D{old}"
    return f"{page}/compare/{old}...{new}"
