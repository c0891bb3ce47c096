"""
Git revisions: what a name means, which commits lie between two, who wrote one and when. Asks git
and changes nothing.

Arguments go to git as a list; a name that a person gave is checked first and stands behind
--end-of-options. Hooks of the repository are switched off, and the variables that git sets for its
hooks are not passed on: they would point elsewhere.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.errors import HarnessError

NOW = (".", "WORKTREE")
"""Names of the working tree as it is."""
TIMEOUT_S = 300.0
"""
A worktree of a large repository on a slow disk takes a minute; git waiting for input takes for
ever.
"""
UNKNOWN = 1
"""
What `git rev-parse --verify --quiet` ends with for a name that means nothing; all else is git's
refusal, or its trouble.
"""
LONGEST_WORDS = 400
"""Characters of git's own sentence that are passed on."""
HOOK_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """
    One state of a repository: a commit, or the working tree with the commit that it stands on.
    """

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
    """Author, date and subject of a commit."""

    commit: str
    author: str
    date: str
    """When it was written, ISO 8601."""
    subject: str


def top_of(project: Path) -> Path:
    """
    Return the top folder of the repository. Raises HarnessError outside of any, and with git's
    words if it refuses.
    """
    done = _ask(project, "rev-parse", "--show-toplevel")
    if done.returncode:
        raise HarnessError(_refusal(project, done))
    return Path(done.stdout.removesuffix("\n"))


def has_repository(folder: Path) -> bool:
    """
    Whether a folder, or one above it, has a `.git` or is a bare repository; nothing is asked of
    git.
    """
    above = (folder.absolute(), *folder.absolute().parents)
    return any((parent / ".git").exists() or _is_bare(parent) for parent in above)


def trouble(folder: Path) -> str:
    """
    Return why git tells no commit of a folder that lies in a repository; empty where it does, or
    there is none.
    """
    if not has_repository(folder):
        return ""
    try:
        done = _ask(folder, "rev-parse", "--verify", "--end-of-options", "HEAD^{commit}")
    except HarnessError as error:
        return str(error)
    if not done.returncode:
        return ""
    anything = _ask(folder, "rev-list", "--max-count=1", "--all")
    is_new = not anything.returncode and not anything.stdout.strip()
    why = "the repository has none yet" if is_new else _words(done)
    return f"git tells no commit of {folder.absolute()}: {why}"


def resolve(project: Path, name: str) -> Revision:
    """
    Find out which commit a name means. Raises HarnessError for a name that is none, and with git's
    words if it refuses.
    """
    if name in NOW:
        changed = git(project, "status", "--porcelain").splitlines()
        return Revision(
            name=name, commit=resolve(project, "HEAD").commit, changed_files=len(changed)
        )
    if not name or name.startswith("-"):
        raise HarnessError(f"{name!r} is no name of a revision; give a commit, a branch or a tag")
    done = _ask(
        project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
    )
    if done.returncode == UNKNOWN:
        raise _unknown(project, name)
    if done.returncode:
        raise HarnessError(_refusal(project, done))
    return Revision(name=name, commit=done.stdout.strip())


def between(project: Path, good: Revision, bad: Revision) -> tuple[str, ...]:
    """
    List the commits after `good` up to `bad`, the oldest first, along first parents: merges count
    as one change.

    Raises HarnessError unless `good` is an ancestor of `bad`.
    """
    done = _ask(project, "merge-base", "--is-ancestor", good.commit, bad.commit)
    if done.returncode > 1:
        raise HarnessError(_refusal(project, done))
    if done.returncode:
        raise HarnessError(
            f"{good.name} is no ancestor of {bad.name}; give GOOD first, and two commits of one "
            "history"
        )
    return tuple(
        git(
            project, "rev-list", "--first-parent", "--reverse", f"{good.commit}..{bad.commit}"
        ).split()
    )


def describe(project: Path, commit: str) -> Commit:
    """Return author, date and subject of a commit."""
    line = git(
        project, "show", "--no-patch", "--format=%H%x00%an%x00%aI%x00%s", "--end-of-options", commit
    )
    name, author, date, subject = line.strip("\n").split("\0")
    return Commit(commit=name, author=author, date=date, subject=subject)


def git(folder: Path, *arguments: str, input_text: str | None = None) -> str:
    """
    Return what git prints, `said` being its standard input. Raises HarnessError with git's own
    words.
    """
    done = _ask(folder, *arguments, input_text=input_text)
    if done.returncode:
        raise HarnessError(
            f"git {' '.join(arguments[:2])} failed in {folder}: {_words(done)}; try it by hand"
        )
    return done.stdout


def _is_bare(folder: Path) -> bool:
    return (
        (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
    )


def _unknown(project: Path, name: str) -> HarnessError:
    if not _ask(project, "rev-list", "--max-count=1", "--all").stdout.strip():
        return HarnessError(
            f"there is no revision {name!r}: the repository of {project.absolute()} has no commit "
            "yet; commit first"
        )
    return HarnessError(
        f"there is no revision {name!r} here; give a commit, branch or tag (in a shallow clone, "
        "`git fetch` it first), or . for the working tree"
    )


def _refusal(project: Path, done: subprocess.CompletedProcess[str]) -> str:
    if not has_repository(project):
        return (
            f"{project.absolute()} lies in no git repository; call this inside the one whose "
            "revisions to compare"
        )
    return (
        f"git refuses to work in {project.absolute()}: {_words(done)}; put that right and call "
        "again"
    )


def _words(done: subprocess.CompletedProcess[str]) -> str:
    """Return git's own words in one line."""
    words = " ".join(done.stderr.split()) or f"it ended with {done.returncode} and says nothing"
    return words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]}..."


def _ask(
    folder: Path, *arguments: str, input_text: str | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-c", "core.hooksPath=/dev/null", *arguments],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name not in HOOK_VARIABLES},
            **({"stdin": subprocess.DEVNULL} if input_text is None else {"input": input_text}),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(
            f"git {arguments[0]} cannot be run in {folder}: {error}; install git, or try it by hand"
        ) from error
