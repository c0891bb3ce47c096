"""
The environment of a revision: the one that voxgate runs in, or one of its own over it, with the
dependencies and the build of the revision.

    .voxgate/environments/<digest>    a virtual environment over this one: what is installed here,
                                      but for the project itself, can be imported from it; what it
                                      has itself comes first. Kept.

A project is built where building makes a difference: extension modules, or commands of its own in
pyproject.toml (as asv has):

    [tool.voxgate]
    build = [["make", "mytts"]]       run in the revision's folder
    install = [["python", "-m", "pip", "install", "--no-deps", "."]]
        in place of that very command, in its environment
    shared = ["models"]               not in git, and the same for all revisions; as the working
                                      tree's pyproject.toml says

No shell is involved. Knows environments; whose files a worker uses in the end is for
`runner/opened_files.py` to prove.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from voxgate.harness.revisions.build_recipe import Recipe
from voxgate.harness.revisions.commands import run
from voxgate.harness.revisions.kept_environments import unless_ready
from voxgate.harness.revisions.lent_packages import lent_paths, site_packages
from voxgate.harness.revisions.requirements import (
    WORKER,
    build_requirements,
    check_python,
    read_project,
    required,
    unmet,
)
from voxgate.harness.runner.progress import Log

DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An interpreter, and the packages of a revision that it has."""

    python: str = sys.executable
    first: tuple[Path, ...] = ()
    """Folders of packages that come before the tree's: where the built project is."""
    folder: Path | None = None
    """None for the one that voxgate runs in."""

    @property
    def path(self) -> str:
        """The PATH of its programs."""
        old = os.environ.get("PATH", os.defpath)
        return old if self.folder is None else os.pathsep.join([str(self.folder / "bin"), old])


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStore:
    """
    The folder of environments, and the project folders whose packages must not be lent to them.
    """

    environments: Path
    project: tuple[Path, ...]
    log: Log
    held: ExitStack
    """The locks of the environments that the job uses; closed when it ends."""


def dependencies(tree: Path) -> dict[str, Any]:
    """
    Return the facts that determine a project's environment: dependencies, Python, entry points,
    constraints.
    """
    constraints = tree / "constraints.txt"
    project = read_project(tree).get("project", {})
    names = ("dependencies", "requires-python", "entry-points")
    needs = {name: project[name] for name in names if name in project}
    if constraints.is_file():
        needs["constraints"] = constraints.read_text(encoding="utf-8", errors="replace")
    return needs


def with_dependencies(store: EnvironmentStore, tree: Path, label: str, why: str) -> Environment:
    """
    Return an environment over this one that meets a tree's requirements, and a worker's; made where
    there is none.
    """
    needs = dependencies(tree)
    check_python(tree)
    folder = store.environments / _digest("dependencies", needs, _installed())
    made = Environment(python=str(folder / "bin" / "python"), folder=folder)
    with unless_ready(folder, store.held) as is_ready:
        if not is_ready:
            store.log(f"{label} {why}; building its environment in {folder}")
            _begin(folder, store, label)
            present = [name for name in WORKER if _is_installed(name)]
            _pip(made, [*_constraints(tree), *required(tree), *present], tree, _what(label))
            _register(made, read_project(tree).get("project", {}))
    return made


def run_build(how: Recipe, tree: Path, base: Environment, label: str) -> None:
    """
    Run a tree's own build commands in it. Raises HarnessError with the last words of the one that
    fails.
    """
    env = {**os.environ, "PATH": base.path, "PWD": str(tree)}
    for command in how.build:
        run(_with_python(command, base), f"{label} cannot be built", cwd=tree, env=env)


def with_project(
    store: EnvironmentStore,
    how: Recipe,
    tree: Path,
    source: Callable[[], Path],
    state: str,
    label: str,
    parent: Environment,
) -> Environment:
    """
    Return an environment over `parent` that holds the project, built from `source()` and not
    editable.

    `state` names the content of the source: the same content is not built again.
    """
    digest = _digest(
        "project", dependencies(tree), _installed(), state, str(parent.folder), list(how.install)
    )
    folder = store.environments / digest
    made = Environment(
        python=str(folder / "bin" / "python"), first=site_packages(folder), folder=folder
    )
    with unless_ready(folder, store.held) as is_ready:
        if not is_ready:
            store.log(f"{label} is built for its side, in {folder}")
            _begin(folder, store, label, parent)
            install(made, how, source(), label)
    return made


def install(
    made: Environment, how: Recipe, source: Path, label: str, *, isolated: bool = False
) -> None:
    """
    Install a project by its own commands, or with pip: with its dependencies only if they are not
    known before. `isolated` builds with packages of pip's own choice, whatever is installed.
    """
    env = {**os.environ, "PATH": made.path, "VIRTUAL_ENV": str(made.folder), "PWD": str(source)}
    for command in how.install:
        run(
            _with_python(command, made),
            _what(label),
            cwd=source,
            env=env,
            log=_log(made),
        )
    if not how.install:
        no_dependencies = (
            ["--no-deps"] if "dependencies" in read_project(source).get("project", {}) else []
        )
        alone = [] if isolated or unmet(build_requirements(source)) else ["--no-build-isolation"]
        _pip(made, [*_constraints(source), *no_dependencies, *alone, "."], source, _what(label))


def _with_python(command: Sequence[str], made: Environment) -> list[str]:
    """
    Return the command with the interpreter of the environment in place of `python`, whatever PATH
    says.
    """
    return [made.python if command[0] == "python" else command[0], *command[1:]]


def _begin(
    folder: Path, store: EnvironmentStore, label: str, parent: Environment | None = None
) -> None:
    """Make an empty environment over another one, by default over the one that voxgate runs in."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip = ["--without-pip"] if find_spec("pip") is not None else []
    run([sys.executable, "-m", "venv", *pip, str(folder)], _what(label))
    below = (
        [str(each) for each in site_packages(parent.folder)]
        if parent is not None and parent.folder is not None
        else []
    )
    lines = [*below, *lent_paths(store.project)]
    for site in site_packages(folder):
        (site / "voxgate_lent.pth").write_text(
            "".join(f"{line}\n" for line in lines), encoding="utf-8"
        )


def _pip(made: Environment, words: Sequence[str], cwd: Path, what: str) -> None:
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PIP_TARGET", "PIP_USER")
    }
    pip = [
        made.python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-warn-script-location",
    ]
    run(
        [*pip, *words],
        what,
        cwd=cwd,
        env={**env, "PATH": made.path, "PWD": str(cwd)},
        log=_log(made),
    )


def _log(made: Environment) -> Path | None:
    return None if made.folder is None else made.folder.with_suffix(".log")


def _register(made: Environment, project: Mapping[str, Any]) -> None:
    """
    Make a revision's entry points known, as if it were installed; its code comes from its tree.
    """
    points = {
        group: entries
        for group, entries in project.get("entry-points", {}).items()
        if isinstance(entries, dict)
    }
    if not points or "name" not in project:
        return
    name, version = (
        re.sub(r"[^\w.]+", "_", str(project.get(key, "0"))) for key in ("name", "version")
    )
    folder = site_packages(made.folder)[0] / f"{name}-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / "METADATA").write_text(head, encoding="utf-8")
    lines: list[str] = []
    for group, entries in points.items():
        lines += [f"[{group}]", *(f"{key} = {entries[key]}" for key in entries)]
    (folder / "entry_points.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _constraints(tree: Path) -> list[str]:
    return ["-c", "constraints.txt"] if (tree / "constraints.txt").is_file() else []


def _what(label: str) -> str:
    return f"the environment of {label} cannot be built"


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _installed() -> list[str]:
    """List the installed packages: a change of them causes a new build."""
    return sorted(
        {f"{distribution.name} {distribution.version}" for distribution in metadata.distributions()}
    )


def _digest(*facts: object) -> str:
    text = json.dumps([sys.version, sys.prefix, *facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
