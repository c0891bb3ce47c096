"""
A revision made ready to be measured: its worktree, its build, its environment, and the files that a
worker of it may use.

The running harness measures both sides (the same instrument); only the engine comes from the
revision. First on a worker's path is a folder with nothing but links to this harness and to the
revision's `engine/`, second the build, third the worktree, which is also the worker's folder.

    .voxgate/job-.../trees/<commit>     worktrees; removed when the job ends, or at the next start
                                        if it was interrupted
    .voxgate/job-.../sources/           of the working tree, a copy to build from
    .voxgate/environments/<digest>      virtual environments of revisions that need their own; kept
                                        (`environments.py`)

Changes nothing in the repository but git's own list of worktrees. Measures nothing.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.git import Revision, git, top_of
from voxgate.harness.machine.identity import toolchain
from voxgate.harness.records.files import write_atomic
from voxgate.harness.revisions.build_recipe import recipe
from voxgate.harness.revisions.commands import run
from voxgate.harness.revisions.engine_environments import (
    EngineNeed,
    engine_paths,
    side_engine,
    with_engine_project,
)
from voxgate.harness.revisions.environments import (
    Environment,
    EnvironmentStore,
    dependencies,
    run_build,
    with_dependencies,
    with_project,
)
from voxgate.harness.revisions.kept_environments import prune
from voxgate.harness.revisions.left_out import check_pointers, file_stats, fill, take_changes
from voxgate.harness.revisions.lent_packages import link_harness
from voxgate.harness.revisions.requirements import required, unmet
from voxgate.harness.runner.opened_files import Territory, environments
from voxgate.harness.runner.progress import Log
from voxgate.harness.runner.worker_process import PythonEnv, path_variables
from voxgate.harness.targets.other_python.probe import check_there, environment_facts

CACHE = ".voxgate"
NAME_LENGTH = 12
"""
Of a tree's folder, whatever it holds. All sides get paths of one length, because the size of a
process's environment moves its stack, and that alone can change its speed (Mytkowicz et al. 2009).
"""
NOW_NAME = "worktree-now"
SHARED = "shared with voxgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """One revision, ready to be measured."""

    revision: Revision
    tree: Path
    """The project's folder in it."""
    launch: PythonEnv
    environment: str
    """Whose environment it uses, in words."""
    toolchain: Mapping[str, object]
    """As the side's own interpreter sees it."""
    shared: tuple[str, ...] = ()
    """What it takes from the working tree, because the working tree's pyproject.toml says so."""


class WorktreeManager:
    """
    The worktrees of one job; `workshop()` makes and clears it. Each revision is made ready once.
    """

    def __init__(
        self, project: Path, top: Path, job: Path, log: Log, held: ExitStack | None = None
    ) -> None:
        self._project = project
        self._top = top
        self._job = job
        self._store = EnvironmentStore(
            environments=top / CACHE / "environments",
            project=_worktrees(top),
            log=log,
            held=held or ExitStack(),
        )
        self._measuring = job / "measuring-harness"
        self._trees: dict[str, Path] = {}
        self._ready: dict[str, Checkout] = {}
        self._shared: dict[str, tuple[str, ...]] = {}
        (job / "trees").mkdir()
        self._measuring.mkdir()

    def tree(self, revision: Revision) -> Path:
        """
        Return the project's folder of a revision. Raises HarnessError if it cannot be checked out.
        """
        name = _tree_name(revision)
        if name not in self._trees:
            self._trees[name] = self._files(revision, name)
        return self._trees[name]

    def checkout(
        self, revision: Revision, packages: Sequence[str], engine: EngineNeed | None = None
    ) -> Checkout:
        """
        Make a revision ready; a worker of it will import `packages` from it, which is tried: the
        worker itself, or its `engine` in the environment that the suite names.

        Raises HarnessError if it cannot be checked out or built, its environment neither, or a
        package comes from elsewhere.
        """
        tree = self.tree(revision)
        if str(tree) not in self._ready and engine is not None:
            self._ready[str(tree)] = self._with_engine(revision, tree, packages, engine)
        if str(tree) not in self._ready:
            made, words = self._environment(revision, tree)
            source = [tree / "src"] if (tree / "src").is_dir() else []
            measuring = link_harness(self._measuring / _tree_name(revision), tree)
            launch = PythonEnv(
                python=made.python,
                paths=(measuring, *made.first, *source, tree),
                env={"PATH": made.path, "PWD": str(tree)},
                folder=tree,
                territory=self._territory(revision, tree, made),
            )
            ready = Checkout(
                revision=revision,
                tree=tree,
                launch=launch,
                environment=words,
                toolchain={},
                shared=self._shared[str(tree)],
            )
            self._ready[str(tree)] = replace(ready, toolchain=_proven(ready, packages, made.first))
        return self._ready[str(tree)]

    def _with_engine(
        self, revision: Revision, tree: Path, packages: Sequence[str], need: EngineNeed
    ) -> Checkout:
        """Make a revision ready whose engine runs in an environment of its own."""
        how, label = recipe(tree), revision.label
        side = side_engine(self._store, need, self._project, tree, label)
        if how.build or how.is_installed:
            where = partial(self._source, revision, tree)
            state = self._state(revision)
            side = with_engine_project(self._store, how, tree, where, state, label, side)
        source_folder = [tree / "src"] if (tree / "src").is_dir() else []
        engine = engine_paths(side.launch, [*side.first, *source_folder, tree])
        told = check_there(need.target, need.words, need.asked, engine, packages, tree)
        if told.here:
            _check_origins(label, told.origins, (tree, *side.first))
        else:
            self._store.log(
                f"{label}: {side.launch.label} has files of its own; that they are the revision's "
                "is not checked"
            )
        made = Environment()
        launch = PythonEnv(
            paths=(self._measuring,),
            env={"PWD": str(tree)},
            folder=tree,
            territory=self._territory(revision, tree, made, side.own),
            engine=engine,
        )
        return Checkout(
            revision=revision,
            tree=tree,
            launch=launch,
            environment=side.words,
            toolchain={**toolchain(tree), **environment_facts(need.words, told)},
            shared=self._shared[str(tree)],
        )

    def _files(self, revision: Revision, name: str) -> Path:
        folder, inside = self._job / "trees" / name, self._project.relative_to(self._top)
        if revision.is_now:
            check_pointers(self._top)
            folder.symlink_to(self._top)
        else:
            git(self._top, "worktree", "add", "--detach", "--force", str(folder), revision.commit)
            fill(folder, self._top, revision.label)
        if not (folder / inside).is_dir():
            raise HarnessError(
                f"{revision.label} has no folder {inside}; call this where both revisions have the "
                "project"
            )
        self._shared[str(folder / inside)] = (
            () if revision.is_now else self._link_shared(folder / inside)
        )
        return folder / inside

    def _link_shared(self, tree: Path) -> tuple[str, ...]:
        """
        Link the files that all revisions share into a tree that lacks them; return their names.
        """
        names = tuple(
            path for path in recipe(self._project).shared if not os.path.lexists(tree / path)
        )
        for name in names:
            if not (self._project / name).exists():
                place = self._project / "pyproject.toml"
                raise HarnessError(
                    f"{place}, [tool.voxgate]: shared {name!r} is not there; correct it, or put it "
                    "there"
                )
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).symlink_to(self._project / name)
        return names

    def _environment(self, revision: Revision, tree: Path) -> tuple[Environment, str]:
        """
        Return the environment of a revision, built where it has to be, with whose it is in words.
        """
        how, label, made = recipe(tree), revision.label, Environment()
        lacking = unmet(required(tree))
        if not revision.is_now and dependencies(tree) != dependencies(self._project):
            made = with_dependencies(self._store, tree, label, "has other dependencies")
        elif lacking:
            made = with_dependencies(self._store, tree, label, f"requires {', '.join(lacking)}")
        run_build(how, tree, made, label)
        if how.is_installed:
            where = partial(self._source, revision, tree)
            made = with_project(self._store, how, tree, where, self._state(revision), label, made)
        if made.folder is None:
            return made, SHARED
        why = "it is built" if how.is_installed else "its dependencies differ"
        return made, f"its own ({CACHE}/environments/{made.folder.name}), as {why}"

    def _source(self, revision: Revision, tree: Path) -> Path:
        """
        Return the folder to build a revision from; of the working tree a copy, since building
        writes into it.
        """
        if not revision.is_now:
            return tree
        folder = self._job / "sources"
        git(self._top, "worktree", "add", "--detach", "--force", str(folder), revision.commit)
        fill(folder, self._top, revision.label)
        take_changes(self._top, folder)
        return folder / self._project.relative_to(self._top)

    def _state(self, revision: Revision) -> str:
        """
        Return a name for the content of a revision: the hash of its tree, and of the working tree
        the state of its files.
        """
        stored = git(self._top, "rev-parse", f"{revision.commit}^{{tree}}").strip()
        inside = str(self._project.relative_to(self._top))
        if not revision.is_now:
            return f"{stored} {inside}"
        looks = [
            (name, stat.st_mode, stat.st_size, stat.st_mtime_ns)
            for name, stat in file_stats(self._top)
        ]
        return f"{stored} {inside} {hashlib.sha256(repr(looks).encode()).hexdigest()}"

    def _territory(
        self, revision: Revision, tree: Path, made: Environment, more: Sequence[Path] = ()
    ) -> Territory:
        """
        Return the folders whose files a worker of a revision may use: its tree's, and its
        environment's.
        """
        root = self._top if revision.is_now else self._job / "trees" / revision.commit[:NAME_LENGTH]
        repository = Path(
            git(self._top, "rev-parse", "--path-format=absolute", "--git-common-dir").removesuffix(
                "\n"
            )
        )
        lent = [self._project / name for name in self._shared[str(tree)]]
        own = (
            root,
            *lent,
            repository,
            self._measuring,
            *environments(),
            *([made.folder] if made.folder is not None else []),
            *more,
        )
        return Territory(project=(*self._store.project, self._top / CACHE), own=own)


@contextmanager
def workshop(project: Path, log: Log = lambda line: None) -> Iterator[WorktreeManager]:
    """Make the folder of worktrees, clear those of interrupted jobs, and clean up in the end."""
    project, top = project.resolve(), top_of(project).resolve()
    cache = top / CACHE
    try:
        cache.mkdir(exist_ok=True)
        write_atomic(cache / ".gitignore", "*\n")
        with (cache / "lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            _clear_stale(top, cache)
            for old in prune(cache / "environments"):
                log(f"removed {old}, which nobody used for long")
            job = Path(tempfile.mkdtemp(prefix="job-", dir=cache))
            lock = (job / "lock").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise HarnessError(
            f"cannot make worktrees in {cache}: {error.strerror}; make it writable or make room"
        ) from error
    try:
        with ExitStack() as held:
            yield WorktreeManager(project, top, job, log, held)
    finally:
        _clear(top, job)
        lock.close()


def _tree_name(revision: Revision) -> str:
    return NOW_NAME if revision.is_now else revision.commit[:NAME_LENGTH]


def _proven(made: Checkout, packages: Sequence[str], built: Sequence[Path]) -> dict[str, object]:
    """
    Start a process as a worker is started, and check its imports. Raises HarnessError unless they
    are the revision's code.
    """
    launch, label = made.launch, made.revision.label
    command = [
        launch.python,
        "-P",
        "-m",
        "voxgate.harness.revisions.probe_imports",
        str(made.tree),
        *packages,
    ]
    env = {**os.environ, **path_variables(launch), **launch.env}
    what = f"the environment of {label} ({made.environment}) cannot run the harness"
    answer: dict[str, Any] = json.loads(run(command, what, cwd=made.tree, env=env).splitlines()[-1])
    _check_origins(label, answer["packages"], (made.tree, *built))
    if answer["unmet"]:
        raise HarnessError(
            f"{label} requires {', '.join(answer['unmet'])} in its environment "
            f"({made.environment}); install that, or correct the requirement"
        )
    return dict(answer["toolchain"])


def _check_origins(label: str, packages: Mapping[str, str | None], roots: Sequence[Path]) -> None:
    """Raise HarnessError unless packages come from a revision's own folders."""
    for name, place in packages.items():
        if place is None:
            raise HarnessError(
                f"{label} has no package {name}; commit it at the top or in src/, or install it"
            )
        if not any(Path(place).is_relative_to(root.resolve()) for root in roots):
            raise HarnessError(
                f"{label} would be measured with package {name} from {place}, not "
                "from its own files; the target's package must lie in the repository, at its top "
                "or in src/, or be installed by its build"
            )


def _worktrees(top: Path) -> tuple[Path, ...]:
    """List the folders in which revisions of a repository are checked out, the given one first."""
    lines = git(top, "worktree", "list", "--porcelain", "-z").split("\0")
    folders = [
        Path(line.removeprefix("worktree ")).resolve()
        for line in lines
        if line.startswith("worktree ")
    ]
    return (top, *(folder for folder in folders if not folder.is_relative_to(top)))


def _clear_stale(top: Path, cache: Path) -> None:
    """Remove the jobs whose process has ended: nobody holds their lock."""
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
