"""
Git revisions: what a name means, which commits lie between two, who wrote one and when. Asks git and changes nothing.

Arguments go to git as a list; a name that a person gave is checked first and stands behind --end-of-options. Hooks of the
repository are switched off, and the variables that git sets for its hooks are not passed on: they would point elsewhere.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

NOW = (".", "WORKTREE")
"""Names of the working tree as it is."""
TIMEOUT_S = 300.0
"""A worktree of a large repository on a slow disk takes a minute; git waiting for somebody takes for ever."""
HOOK_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of a repository: a commit, or the working tree with the commit that it stands on."""

    name: str
    """As a person gave it."""
    commit: str
    changed_files: int | None = None
    """In the working tree, against its commit; None for a commit."""

    @property
    def is_now(self) -> bool:
        """Whether it is the working tree."""
        return self.changed_files is not None

    @property
    def label(self) -> str:
        """Name it for people: `3fa1c2e`, or `3fa1c2e + 2 files`."""
        count = self.changed_files or 0
        return self.commit[:7] + (f" + {count} file{'' if count == 1 else 's'}" if count else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What a commit says of itself."""

    commit: str
    author: str
    date: str
    """When it was written, ISO 8601."""
    subject: str


def top_of(project: Path) -> Path:
    """Give the top folder of the repository. Raises HarnessError outside of any."""
    done = _ask(project, "rev-parse", "--show-toplevel")
    if done.returncode:
        raise HarnessError(
            f"{project.absolute()} lies in no git repository; call this inside the one whose revisions to compare"
        )
    return Path(done.stdout.strip())


def resolve(project: Path, name: str) -> Revision:
    """Find out which commit a name means. Raises HarnessError for a name that is none."""
    if name in NOW:
        changed = git(project, "status", "--porcelain").splitlines()
        return Revision(name=name, commit=resolve(project, "HEAD").commit, changed_files=len(changed))
    if not name or name.startswith("-"):
        raise HarnessError(f"{name!r} is no name of a revision; give a commit, a branch or a tag")
    done = _ask(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if done.returncode:
        raise HarnessError(
            f"there is no revision {name!r} here; give a commit, branch or tag (in a shallow clone, `git fetch` it first), "
            "or . for the working tree"
        )
    return Revision(name=name, commit=done.stdout.strip())


def between(project: Path, good: Revision, bad: Revision) -> tuple[str, ...]:
    """
    List the commits after `good` up to `bad`, the oldest first, along first parents: merges count as one change.

    Raises HarnessError unless `good` is an ancestor of `bad`.
    """
    if _ask(project, "merge-base", "--is-ancestor", good.commit, bad.commit).returncode:
        raise HarnessError(f"{good.name} is no ancestor of {bad.name}; give GOOD first, and two commits of one history")
    return tuple(git(project, "rev-list", "--first-parent", "--reverse", f"{good.commit}..{bad.commit}").split())


def describe(project: Path, commit: str) -> Commit:
    """Give author, date and subject of a commit."""
    said = git(project, "show", "--no-patch", "--format=%H%x00%an%x00%aI%x00%s", "--end-of-options", commit)
    name, author, date, subject = said.strip("\n").split("\0")
    return Commit(commit=name, author=author, date=date, subject=subject)


def git(folder: Path, *arguments: str) -> str:
    """Give what git prints. Raises HarnessError with git's own last words."""
    done = _ask(folder, *arguments)
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise HarnessError(f"git {' '.join(arguments[:2])} failed in {folder}: {words}; try it by hand")
    return done.stdout


def _ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-c", "core.hooksPath=/dev/null", *arguments],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name not in HOOK_VARIABLES},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"git {arguments[0]} cannot be run in {folder}: {error}; install git, or try it by hand") from error
