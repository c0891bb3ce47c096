"""
The environment of a revision's engine, where the suite names one with `environment=`.

A folder of the project with a lock file beside or in it belongs to a revision: one whose lock file
differs from the working tree's gets an environment of its own, made from that lock file and kept
below `.voxgate/environments/<digest of the lock file and Python>`. Everything else is shared: an
environment without a lock file, outside of the project, by name, or by a list of words.

    uv.lock             uv sync
    pylock.toml         uv pip sync
    poetry.lock         poetry install
    environment.yml     micromamba, mamba or conda
    requirements*.txt   uv pip install, or pip

What a project builds or installs by `[tool.voxgate]` goes into an environment over that one.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Option
from voxgate.harness.revisions.build_recipe import Recipe
from voxgate.harness.revisions.commands import run
from voxgate.harness.revisions.environments import Environment, EnvironmentStore, install, run_build
from voxgate.harness.revisions.kept_environments import unless_ready
from voxgate.harness.targets.other_python.connection import EngineLaunch
from voxgate.harness.targets.other_python.find import find_environment, shown_environment
from voxgate.harness.targets.other_python.probe import options_of

LOCKS = ("uv.lock", "pylock.toml", "poetry.lock", "environment.yml", "environment.yaml")
REQUIREMENTS = "requirements*.txt"
INCLUDED = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]\s*(\S+)", re.MULTILINE)
DIGEST_LENGTH = 12
SITE = "import json, sysconfig; print(json.dumps(sysconfig.get_paths()['purelib']))"
CONDA = ("micromamba", "mamba", "conda")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineNeed:
    """What a suite asks of the environment of its engine, on both sides."""

    words: tuple[str, ...]
    target: str
    asked: Sequence[tuple[str, Mapping[str, Option]]]
    """(pipeline, options) of its cells, which its target checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideEngine:
    """The environment of one side's engine."""

    launch: EngineLaunch
    words: str
    """Whose it is, for people."""
    first: tuple[Path, ...] = ()
    """Folders of packages that come before the tree's: where the built project is."""
    own: tuple[Path, ...] = ()
    """Folders that were made for this side."""


def engine_need(cells: Sequence[Cell]) -> EngineNeed | None:
    """Return the need of a suite's cells; None where they run in voxgate's own environment."""
    there = [cell for cell in cells if cell.environment]
    if not there:
        return None
    first = there[0]
    return EngineNeed(words=first.environment, target=first.target, asked=options_of(there))


def side_engine(
    store: EnvironmentStore, need: EngineNeed, project: Path, tree: Path, label: str
) -> SideEngine:
    """
    Return the environment of the engine in a tree: the shared one, or its own, made where there is
    none. Raises HarnessError where there is neither.
    """
    if len(need.words) > 1:
        launch = find_environment(need.words, tree)
        return SideEngine(launch=launch, words=f"{launch.label}, shared")
    lock = lock_file(tree, need.words[0])
    here = lock_file(project, need.words[0])
    try:
        shared: EngineLaunch | None = find_environment(need.words, project)
    except HarnessError:
        if lock is None:
            raise
        shared = None
    if lock is not None and shared is not None and len(shared.command) > 1:
        shared = None  # `uv run`: which interpreter that is, uv decides
    if lock is None or (
        shared is not None and here is not None and _content(lock) == _content(here)
    ):
        assert shared is not None
        return SideEngine(launch=shared, words=f"{shared.label}, shared")
    python = _interpreter(shared)
    digest = _digest(lock.name, _content(lock), _version(python))
    folder = store.environments / digest
    with unless_ready(folder, store.held) as is_ready:
        if not is_ready:
            store.log(f"{label} has its own {lock.name}; building its environment in {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            _build(folder, lock, python, _what(label), chosen=shared is not None)
    made = find_environment((str(folder),), project)
    made = replace(made, label=shown_environment(need.words))
    words = f"its own ({folder.parent.parent.name}/environments/{digest}), as {lock.name} differs"
    return SideEngine(launch=made, words=words, own=(folder,))


def with_engine_project(
    store: EnvironmentStore,
    how: Recipe,
    tree: Path,
    source: Callable[[], Path],
    state: str,
    label: str,
    side: SideEngine,
) -> SideEngine:
    """
    Return an environment over a side's that holds the project, built from `source()`; `state` names
    the content of the source, so that the same is not built again.
    """
    python = _interpreter(side.launch)
    base = Environment(python=python, folder=Path(side.launch.folder or Path(python).parents[1]))
    run_build(how, tree, base, label)
    if not how.is_installed:
        return side
    below = json.loads(run([python, "-c", SITE], _what(label)))
    digest = _digest("project", state, below, _version(python), list(how.install))
    folder = store.environments / digest
    made = Environment(python=str(folder / "bin" / "python"), folder=folder)
    with unless_ready(folder, store.held) as is_ready:
        if not is_ready:
            store.log(f"{label} is built for its side, in {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            has_pip = (Path(below) / "pip").is_dir()
            pip = ["--without-pip"] if has_pip or how.install else []
            run([python, "-m", "venv", *pip, str(folder)], _what(label))
            for site in _sites(folder):
                (site / "voxgate_lent.pth").write_text(
                    f"import site; site.addsitedir({below!r})\n", encoding="utf-8"
                )
            install(made, how, source(), label, isolated=True)
    launch = replace(find_environment((str(folder),)), label=side.launch.label)
    first = _sites(folder)
    words = f"its own ({folder.parent.parent.name}/environments/{digest}), as it is built"
    return SideEngine(launch=launch, words=words, first=first, own=(*side.own, folder))


def engine_paths(launch: EngineLaunch, paths: Sequence[Path]) -> EngineLaunch:
    """Return a launch that imports from some folders first, and not from the working directory."""
    old = os.environ.get("PYTHONPATH")
    python_path = os.pathsep.join([*map(str, paths), *([old] if old else [])])
    return replace(launch, env={**launch.env, "PYTHONPATH": python_path}, safe_path=True)


def lock_file(project: Path, name: str) -> Path | None:
    """
    Return the lock file of an environment that lies in a project: in its folder, or beside it; None
    where there is none. Raises HarnessError where several might be meant.
    """
    folder = Path(os.path.normpath(project / name))
    if not folder.is_relative_to(project) or not re.fullmatch(r"[^\0]+", name):
        return None
    for place in dict.fromkeys([folder, folder.parent]):
        if not place.is_relative_to(project):
            continue
        for lock in LOCKS:
            if (place / lock).is_file():
                return place / lock
        texts = sorted(place.glob(REQUIREMENTS))
        if len(texts) > 1 and place / "requirements.txt" not in texts:
            names = ", ".join(text.name for text in texts)
            raise HarnessError(
                f"{place} holds {names}: which one is environment {name}? name it requirements.txt"
            )
        if texts:
            return place / "requirements.txt" if len(texts) > 1 else texts[0]
    return None


def _content(lock: Path) -> list[str]:
    """Return the digests of a lock file and of the files that it includes, in order."""
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in _included(lock)]


def _included(lock: Path, seen: tuple[Path, ...] = ()) -> Iterator[Path]:
    if lock in seen or not lock.is_file():
        return
    yield lock
    if lock.suffix == ".txt":
        text = lock.read_text(encoding="utf-8", errors="replace")
        for name in INCLUDED.findall(text):
            with suppress(OSError, ValueError):
                yield from _included(lock.parent / name, (*seen, lock))


def _build(folder: Path, lock: Path, python: str, what: str, *, chosen: bool = True) -> None:
    """
    Make an environment from a lock file; where nobody has chosen the interpreter, uv does. Raises
    HarnessError that begins with `what`.
    """
    log = folder.with_suffix(".log")
    program, env = str(folder / "bin" / "python"), dict(os.environ)
    uv = shutil.which("uv")
    if lock.name == "uv.lock":
        words = ["sync", "--frozen", "--no-install-project", "--project", str(lock.parent)]
        env |= {"UV_PROJECT_ENVIRONMENT": str(folder)}
        asked = ["--python", python] if chosen else []
        commands = [[_tool("uv", what), *words, *asked]]
    elif lock.name.startswith("environment."):
        conda = next((each for each in CONDA if shutil.which(each)), "conda")
        words = ["create"] if conda == "micromamba" else ["env", "create"]
        where = ["--yes", "--file", str(lock), "--prefix", str(folder)]
        commands = [[_tool(conda, what), *words, *where]]
    elif lock.name == "pylock.toml":
        commands = [
            [_tool("uv", what), "venv", "--python", python, str(folder)],
            [_tool("uv", what), "pip", "sync", "--python", program, str(lock)],
        ]
    elif lock.name == "poetry.lock":
        env |= {"VIRTUAL_ENV": str(folder)}
        commands = [
            [python, "-m", "venv", "--without-pip", str(folder)],
            [_tool("poetry", what), "install", "--no-root", "--no-interaction"],
        ]
    elif uv is not None:
        commands = [
            [uv, "venv", "--python", python, str(folder)],
            [uv, "pip", "install", "--python", program, "-r", str(lock)],
        ]
    else:
        pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        commands = [[python, "-m", "venv", str(folder)], [program, *pip, "-r", str(lock)]]
    for command in commands:
        run(command, what, cwd=lock.parent, env=env, log=log)


def _tool(name: str, what: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise HarnessError(f"{what}: it needs {name}, which is not on PATH; install it")
    return found


def _interpreter(launch: EngineLaunch | None) -> str:
    """
    Return the interpreter that new environments are made with: the shared one's, else voxgate's.
    """
    if launch is None:
        return Environment().python
    if len(launch.command) > 1:
        raise HarnessError(
            f"environment {launch.label}: two revisions need an interpreter that makes "
            "environments, not a list of words; name a folder"
        )
    return launch.command[0]


def _version(python: str) -> str:
    told = "import sys; print(sys.version.replace(chr(10), ' '))"
    return run([python, "-c", told], f"{python} cannot be run").strip()


def _sites(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob("lib/python3*/site-packages")))


def _what(label: str) -> str:
    return f"the environment of {label}'s engine cannot be built"


def _digest(*facts: object) -> str:
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
