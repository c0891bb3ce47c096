"""
The environment of a revision: the one that voxgate runs in, or one of its own over it, with what
the revision needs and built.

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

import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.errors import HarnessError
from harness.revisions.requirements import (
    WORKER,
    build_requirements,
    check_python,
    read_project,
    required,
    unmet,
)
from harness.runner.opened_files import LIBRARIES

TIMEOUT_S = 3600.0
"""For one command; installing an engine's dependencies over a slow line takes that long."""
DIGEST_LENGTH = 12
COMPILING = re.compile(
    r"^(maturin|mesonpy|scikit_build_core|skbuild|setuptools_rust|sipbuild|py_build_cmake)\b"
)
"""Build backends that are there to compile."""
COMPILERS = frozenset(
    {"cython", "pybind11", "nanobind", "cffi", "setuptools-rust", "torch", "scikit-build", "cmake"}
)
"""What a project needs to be built with only if it compiles something."""
EXTENSIONS = re.compile(
    r"\b(ext_modules|ext_package|cffi_modules|rust_extensions|cmake_\w+|cythonize|\w*Extension)\b"
)
"""Words of a setup.py that compiles."""

Log = Callable[[str], None]
"""Takes a line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a tree asks to be built."""

    build: tuple[tuple[str, ...], ...] = ()
    install: tuple[tuple[str, ...], ...] = ()
    shared: tuple[str, ...] = ()
    """Files and folders that all revisions have in common, below the project's folder."""
    compiled: bool = False
    """Whether it has extension modules."""

    @property
    def is_installed(self) -> bool:
        """Whether an environment of its own must hold the project."""
        return self.compiled or bool(self.install)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An interpreter, and what it has of a revision."""

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
class EnvironmentBase:
    """
    Where environments are made, and what the one that voxgate runs in must not lend: packages from
    these folders.
    """

    environments: Path
    project: tuple[Path, ...]
    tell: Log


def recipe(tree: Path) -> Recipe:
    """Read how a tree asks to be built. Raises HarnessError if that means nothing."""
    document = read_project(tree)
    own = document.get("tool", {}).get("voxgate", {})
    unknown = sorted(set(own) - {"build", "install", "shared"})
    if unknown:
        raise _senseless(tree, f"unknown {', '.join(unknown)}; known are build, install and shared")
    commands = {name: _commands(own.get(name, []), name, tree) for name in ("build", "install")}
    return Recipe(
        **commands, shared=_shared(own.get("shared", []), tree), compiled=_compiles(tree, document)
    )


def dependencies(tree: Path) -> dict[str, Any]:
    """
    Return what decides a project's environment: its dependencies, Python, entry points and
    constraints.
    """
    constraints = tree / "constraints.txt"
    project = read_project(tree).get("project", {})
    names = ("dependencies", "requires-python", "entry-points")
    needs = {name: project[name] for name in names if name in project}
    if constraints.is_file():
        needs["constraints"] = constraints.read_text(encoding="utf-8", errors="replace")
    return needs


def with_dependencies(ground: EnvironmentBase, tree: Path, label: str, why: str) -> Environment:
    """
    Return an environment over this one that meets a tree's requirements, and a worker's; made where
    there is none.
    """
    needs = dependencies(tree)
    check_python(tree)
    folder = ground.environments / _digest("dependencies", needs, _installed())
    made = Environment(python=str(folder / "bin" / "python"), folder=folder)
    with _unless_ready(folder) as is_ready:
        if not is_ready:
            ground.tell(f"{label} {why}; building its environment in {folder}")
            _begin(folder, ground, label)
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
    ground: EnvironmentBase,
    how: Recipe,
    tree: Path,
    source: Callable[[], Path],
    state: str,
    label: str,
    base: Environment,
) -> Environment:
    """
    Return an environment over `base` that holds the project, built from `source()` and not
    editable.

    `state` names the content of the source: what was built from it before is not built again.
    """
    digest = _digest(
        "project", dependencies(tree), _installed(), state, str(base.folder), list(how.install)
    )
    folder = ground.environments / digest
    made = Environment(
        python=str(folder / "bin" / "python"), first=_libraries(folder), folder=folder
    )
    with _unless_ready(folder) as is_ready:
        if not is_ready:
            ground.tell(f"{label} is built for its side, in {folder}")
            _begin(folder, ground, label, base)
            _install(made, how, source(), label)
    return made


def run(
    command: Sequence[str],
    what: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> str:
    """
    Run a command and return what it prints. Raises HarnessError that begins with `what` and ends
    with its last words, or names the file `log` that gets all of them.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"{what}: {error}; try `{shlex.join(command)}` by hand") from error
    if done.returncode and log is not None:
        log.write_text(f"{shlex.join(command)}\n{done.stdout}{done.stderr}", encoding="utf-8")
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no last words"])[-1]
        more = (
            f"try `{shlex.join(command)}` by hand" if log is None else f"what it said is in {log}"
        )
        raise HarnessError(f"{what}: {words}; {more}")
    return done.stdout


@contextmanager
def _unless_ready(folder: Path) -> Iterator[bool]:
    """
    Keep other jobs from building the same environment; tells whether it is there, and marks it as
    ready in the end.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        is_ready = (folder / "ready").exists()
        yield is_ready
        (folder / "ready").touch()


def _install(made: Environment, how: Recipe, source: Path, label: str) -> None:
    """
    Install a project by its own commands, or with pip: with its dependencies only if they are not
    known before.
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
        known = ["--no-deps"] if "dependencies" in read_project(source).get("project", {}) else []
        isolated = [] if unmet(build_requirements(source)) else ["--no-build-isolation"]
        _pip(made, [*_constraints(source), *known, *isolated, "."], source, _what(label))


def _with_python(command: Sequence[str], made: Environment) -> list[str]:
    """Let `python` be the interpreter of an environment, whatever PATH says."""
    return [made.python if command[0] == "python" else command[0], *command[1:]]


def _commands(given: object, name: str, tree: Path) -> tuple[tuple[str, ...], ...]:
    """Read a list of commands, each a list of words; a single command may stand alone."""
    several = (
        [given]
        if isinstance(given, list) and given and all(isinstance(each, str) for each in given)
        else given
    )
    if not isinstance(several, list) or not all(_is_command(each) for each in several):
        raise _senseless(
            tree,
            f'{name} must be a list of commands, each a list of words like ["make", "all"], not '
            f"{given!r}",
        )
    return tuple(tuple(each) for each in several)


def _shared(given: object, tree: Path) -> tuple[str, ...]:
    """Read a list of paths below the project's folder."""
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
        raise _senseless(tree, f"shared must be a list of paths, not {given!r}")
    outside = [
        each
        for each in given
        if Path(each).is_absolute() or ".." in Path(each).parts or Path(each) == Path()
    ]
    if outside:
        raise _senseless(tree, f"shared {outside[0]!r} does not lie below the project's folder")
    return tuple(given)


def _is_command(given: object) -> bool:
    return (
        isinstance(given, list)
        and bool(given)
        and all(isinstance(word, str) and word for word in given)
    )


def _senseless(tree: Path, why: str) -> HarnessError:
    return HarnessError(
        f"{tree / 'pyproject.toml'}, [tool.voxgate]: {why}; correct it in that revision"
    )


def _compiles(tree: Path, document: Mapping[str, Any]) -> bool:
    """
    Whether a project has extension modules, by what it says of its build; nothing of it is run.
    """
    system = document.get("build-system", {})
    needs = {
        re.split(r"[^\w.-]", each.strip(), maxsplit=1)[0].lower()
        for each in build_requirements(tree)
    }
    script = tree / "setup.py"
    text = script.read_text(encoding="utf-8", errors="replace") if script.is_file() else ""
    listed = "ext-modules" in document.get("tool", {}).get("setuptools", {})
    return bool(
        COMPILING.match(str(system.get("build-backend", "")))
        or needs & COMPILERS
        or listed
        or EXTENSIONS.search(text)
    )


def _begin(
    folder: Path, ground: EnvironmentBase, label: str, base: Environment | None = None
) -> None:
    """Make an empty environment over another one, by default over the one that voxgate runs in."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip = ["--without-pip"] if find_spec("pip") is not None else []
    run([sys.executable, "-m", "venv", *pip, str(folder)], _what(label))
    below = (
        [str(each) for each in _libraries(base.folder)]
        if base is not None and base.folder is not None
        else []
    )
    lines = [*below, *_lent(ground.project)]
    for site in _libraries(folder):
        (site / "voxgate_lent.pth").write_text(
            "".join(f"{line}\n" for line in lines), encoding="utf-8"
        )


def _lent(project: Sequence[Path]) -> list[str]:
    """
    Return what the environment that voxgate runs in lends, as lines of a .pth file: all but the
    project itself.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = run(
        [sys.executable, "-P", "-c", "import json, sys; print(json.dumps(sys.path))"],
        "python cannot be run",
        env=env,
    )
    standard = {Path(sys.base_prefix).resolve(), Path(sys.base_exec_prefix).resolve()}
    folders = [Path(each) for each in json.loads(said) if Path(each).is_dir()]
    kept = [
        each
        for each in folders
        if each.name in LIBRARIES or not _within(each, (*project, *standard))
    ]
    hooks = []
    ours = _editable_files(project)
    for path in (
        path
        for folder in kept
        for path in sorted(folder.glob("*.pth"))
        if path.resolve() not in ours
    ):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        hooks += [line for line in lines if line.startswith(("import ", "import\t"))]
    return [*(str(each) for each in kept), *dict.fromkeys(hooks)]


def _editable_files(project: Sequence[Path]) -> set[Path]:
    """Name the .pth files of packages that are installed as links into the project."""
    found: set[Path] = set()
    for each in metadata.distributions():
        data = json.loads(each.read_text("direct_url.json") or "{}")
        place = Path(unquote(urlsplit(str(data.get("url", ""))).path))
        if data.get("dir_info", {}).get("editable") and _within(place, project):
            files = [
                Path(str(each.locate_file(file)))
                for file in each.files or ()
                if file.suffix == ".pth"
            ]
            found |= {file.resolve() for file in files}
    return found


def _within(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.resolve().is_relative_to(folder) for folder in folders)


def _libraries(folder: Path | None) -> tuple[Path, ...]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return () if folder is None else (folder / "lib" / version / "site-packages",)


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
        group: each
        for group, each in project.get("entry-points", {}).items()
        if isinstance(each, dict)
    }
    if not points or "name" not in project:
        return
    name, version = (
        re.sub(r"[^\w.]+", "_", str(project.get(key, "0"))) for key in ("name", "version")
    )
    folder = _libraries(made.folder)[0] / f"{name}-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / "METADATA").write_text(head, encoding="utf-8")
    lines = [
        line
        for group, each in points.items()
        for line in (f"[{group}]", *(f"{key} = {each[key]}" for key in each))
    ]
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
    """List what is installed here: what is built against it is built anew when it changes."""
    return sorted({f"{each.name} {each.version}" for each in metadata.distributions()})


def _digest(*facts: object) -> str:
    text = json.dumps([sys.version, sys.prefix, *facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
