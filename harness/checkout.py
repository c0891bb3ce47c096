"""
A revision made ready to be measured: its files in a worktree, an environment that fits it, and proof of what a worker imports.

The harness that measures is always the one that runs (the same ruler on both sides); only the engine comes from the revision:
a folder that holds nothing but a link to this harness stands first on a worker's path, the worktree second.

    .voxgate/job-.../trees/<commit>     worktrees; removed when the job ends, or at the next start if it was interrupted
    .voxgate/environments/<digest>      a virtual environment for revisions with other dependencies; kept

Changes nothing in the repository but git's own list of worktrees. Measures nothing.
"""

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.atomic import write_atomic
from harness.child import Launch, path_variables
from harness.errors import HarnessError
from harness.revision import Revision, git, top_of

CACHE = ".voxgate"
NAME_LENGTH = 12
"""Of a tree's folder, whatever it holds. All sides get paths of one length, because the size of a process's environment moves
its stack, and that alone can change its speed (Mytkowicz et al. 2009)."""
NOW_NAME = "worktree-now"
TIMEOUT_S = 3600.0
"""For one command; installing an engine's dependencies over a slow line takes that long."""
SHARED = "shared with voxgate"

Tell = Callable[[str], None]
"""Takes a line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """One revision, ready to be measured."""

    revision: Revision
    tree: Path
    """The project's folder in it."""
    launch: Launch
    environment: str
    """Whose environment it uses, in words."""
    toolchain: Mapping[str, object]
    """As the side's own interpreter sees it."""


class Workshop:
    """The worktrees of one job; `workshop()` makes and clears it. Each revision is made ready once."""

    def __init__(self, project: Path, top: Path, job: Path, tell: Tell) -> None:
        self._project = project
        self._top = top
        self._job = job
        self._tell = tell
        self._shim = job / "ruler"
        self._trees: dict[str, Path] = {}
        self._ready: dict[str, Checkout] = {}
        (job / "trees").mkdir()
        self._shim.mkdir()
        (self._shim / "harness").symlink_to(Path(__file__).resolve().parent)

    def tree(self, revision: Revision) -> Path:
        """Give the project's folder as a revision has it. Raises HarnessError if it cannot be checked out."""
        name = NOW_NAME if revision.is_now else revision.commit[:NAME_LENGTH]
        if name not in self._trees:
            self._trees[name] = self._files(revision, name)
        return self._trees[name]

    def checkout(self, revision: Revision, packages: Sequence[str]) -> Checkout:
        """
        Make a revision ready; a worker of it will import `packages` from it, which is tried.

        Raises HarnessError if it cannot be checked out, its environment not be built, or a package comes from elsewhere.
        """
        tree = self.tree(revision)
        if str(tree) not in self._ready:
            python, words = self._environment(revision, tree)
            source = [tree / "src"] if (tree / "src").is_dir() else []
            launch = Launch(python=python, paths=(self._shim, *source, tree))
            made = Checkout(revision=revision, tree=tree, launch=launch, environment=words, toolchain={})
            self._ready[str(tree)] = replace(made, toolchain=_proven(made, packages))
        return self._ready[str(tree)]

    def _files(self, revision: Revision, name: str) -> Path:
        folder, inside = self._job / "trees" / name, self._project.relative_to(self._top)
        if revision.is_now:
            folder.symlink_to(self._top)
        else:
            git(self._top, "worktree", "add", "--detach", "--force", str(folder), revision.commit)
        if not (folder / inside).is_dir():
            raise HarnessError(f"{revision.label} has no folder {inside}; call this where both revisions have the project")
        return folder / inside

    def _environment(self, revision: Revision, tree: Path) -> tuple[str, str]:
        """Give the interpreter of a revision: this one where its dependencies are the working tree's, else one of its own."""
        needs = dependencies(tree)
        if revision.is_now or needs == dependencies(self._project):
            return sys.executable, SHARED
        digest = hashlib.sha256(f"{sys.version} {json.dumps(needs, sort_keys=True)}".encode()).hexdigest()[:NAME_LENGTH]
        folder = self._top / CACHE / "environments" / digest
        if not (folder / "ready").exists():
            self._tell(f"{revision.label} has other dependencies; building its environment in {folder}")
            build_environment(folder, tree)
        return str(folder / "bin" / "python"), f"its own ({CACHE}/environments/{digest}), as its dependencies differ"


@contextmanager
def workshop(project: Path, tell: Tell = lambda line: None) -> Iterator[Workshop]:
    """Make room for worktrees, clear what interrupted jobs left, and clear up in the end."""
    project, top = project.resolve(), top_of(project).resolve()
    cache = top / CACHE
    try:
        cache.mkdir(exist_ok=True)
        write_atomic(cache / ".gitignore", "*\n")
        with (cache / "lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            _clear_stale(top, cache)
            job = Path(tempfile.mkdtemp(prefix="job-", dir=cache))
            lock = (job / "lock").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise HarnessError(f"cannot make worktrees in {cache}: {error.strerror}; make it writable or make room") from error
    try:
        yield Workshop(project, top, job, tell)
    finally:
        _clear(top, job)
        lock.close()


def dependencies(tree: Path) -> dict[str, Any]:
    """Give what decides a project's environment: its dependencies, Python, entry points and constraints."""
    constraints = tree / "constraints.txt"
    try:
        text = (tree / "pyproject.toml").read_text(encoding="utf-8") if (tree / "pyproject.toml").is_file() else ""
        project = tomllib.loads(text).get("project", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HarnessError(f"{tree / 'pyproject.toml'} cannot be read: {error}; correct it in that revision") from error
    names = ("dependencies", "requires-python", "entry-points")
    needs = {name: project[name] for name in names if name in project}
    if constraints.is_file():
        needs["constraints"] = constraints.read_text(encoding="utf-8", errors="replace")
    return needs


def build_environment(folder: Path, tree: Path) -> None:
    """Make a virtual environment with the project's dependencies. Raises HarnessError with the last words of what failed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    what = f"the environment of {tree.name} cannot be built"
    _run([sys.executable, "-m", "venv", str(folder)], what, cwd=tree)
    constraints = ["-c", "constraints.txt"] if (tree / "constraints.txt").is_file() else []
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *constraints, "-e", "."], what, cwd=tree)
    (folder / "ready").touch()


def _proven(made: Checkout, packages: Sequence[str]) -> dict[str, object]:
    """Ask a process that is started like a worker what it imports. Raises HarnessError unless that is the revision's code."""
    launch, label = made.launch, made.revision.label
    command = [launch.python, "-P", "-m", "harness.origin", str(made.tree), *packages]
    env = {**os.environ, **path_variables(launch), **launch.env}
    said = _run(command, f"the environment of {label} ({made.environment}) cannot run the harness", env=env)
    answer: dict[str, Any] = json.loads(said.splitlines()[-1])
    for name, place in answer["packages"].items():
        if place is None or not Path(place).is_relative_to(made.tree.resolve()):
            raise HarnessError(
                f"{label} would be measured with package {name} from {place or 'nowhere'}, not from its own files; "
                "the target's package must lie in the repository, at its top or in src/"
            )
    return dict(answer["toolchain"])


def _run(command: Sequence[str], what: str, *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command and give what it prints. Raises HarnessError that begins with `what` and ends with its last words."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"{what}: {error}; try it by hand") from error
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no last words"])[-1]
        raise HarnessError(f"{what}: {words}; try `{shlex.join(command)}` by hand")
    return done.stdout


def _clear_stale(top: Path, cache: Path) -> None:
    """Remove the jobs whose process is gone: nobody holds their lock."""
    for job in cache.glob("job-*"):
        try:
            with (job / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError:
            pass  # it was interrupted before it had a lock
        _clear(top, job)


def _clear(top: Path, job: Path) -> None:
    """Remove a job's files (links are not followed) and its worktrees from git's list."""
    shutil.rmtree(job, ignore_errors=True)
    git(top, "worktree", "prune")
