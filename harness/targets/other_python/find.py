"""
Find the interpreter that `Suite(environment=...)` names: a virtual environment, a conda
environment, a uv project, an interpreter, or a list of words that start one.

A folder is looked at, never run; an environment by name is looked up in conda's own list.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.targets.other_python.connection import EngineLaunch

PROGRAMS = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")
INSIDE = (".venv", "venv")
"""Where tools put the environment of a project."""
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
FOLDER = "{folder}"
"""In a list of words: the project's folder, absolute."""


def find_environment(words: tuple[str, ...], project: Path | None = None) -> EngineLaunch:
    """
    Return how the interpreter of an environment is started. Raises HarnessError where there is
    none.
    """
    project = (project or Path.cwd()).absolute()
    if len(words) > 1:
        command = tuple(word.replace(FOLDER, str(project)) for word in words)
        return EngineLaunch(command=command, label=shown_environment(words))
    name = words[0]
    path = project / Path(name).expanduser()
    if path.is_dir():
        return _in_folder(path, name)
    if path.is_file() or path.is_symlink():
        return _launch(path, name, _prefix_of(path))
    if NAME.fullmatch(name):
        for prefix in _conda_prefixes(name):
            return _launch(_program(prefix) or prefix / PROGRAMS[0], name, prefix)
        program = shutil.which(name)
        if program is not None:
            return EngineLaunch(command=(program,), label=name)
    raise HarnessError(
        f"environment {name!r} is not there: no folder {path}, no conda environment and no "
        f"program of that name; correct environment=, or make it: `python -m venv {name}`"
    )


def shown_environment(words: tuple[str, ...]) -> str:
    """Name an environment for people."""
    text = " ".join(words)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _in_folder(folder: Path, name: str) -> EngineLaunch:
    """Return the interpreter of an environment's folder, or of a project's."""
    if _program(folder) is not None or (folder / "pyvenv.cfg").exists():
        return _launch(_program(folder) or folder / PROGRAMS[0], name, folder)
    for inside in INSIDE:
        if (folder / inside / "pyvenv.cfg").exists():
            prefix = folder / inside
            return _launch(_program(prefix) or prefix / PROGRAMS[0], name, prefix)
    uv = shutil.which("uv")
    if (folder / "uv.lock").is_file() and uv is not None:
        command = (uv, "run", "--frozen", "--project", str(folder), "python")
        return EngineLaunch(command=command, label=name, install=f"uv add --project {name}")
    make = (
        f"`uv sync --project {name}`"
        if (folder / "uv.lock").is_file()
        else f"`python -m venv {name}`"
    )
    raise HarnessError(
        f"environment {name!r}: {folder} holds no interpreter ({', '.join(PROGRAMS[:2])} or "
        f"{INSIDE[0]}); make one with {make}"
    )


def _program(prefix: Path) -> Path | None:
    """Return the interpreter of an environment's folder, also one whose link leads nowhere."""
    return next((prefix / each for each in PROGRAMS if os.path.lexists(prefix / each)), None)


def _launch(program: Path, name: str, prefix: Path | None) -> EngineLaunch:
    if prefix is None:
        return EngineLaunch(command=(str(program),), label=name)
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)])
    is_conda = (prefix / "conda-meta").is_dir()
    variable = "CONDA_PREFIX" if is_conda else "VIRTUAL_ENV"
    pip = f"conda install -p {prefix}" if is_conda else f"{program} -m pip install"
    return EngineLaunch(
        command=(str(program),),
        label=name,
        env={"PATH": path, variable: str(prefix)},
        install=pip,
        folder=str(prefix),
    )


def _prefix_of(program: Path) -> Path | None:
    """Return the folder of the environment that an interpreter belongs to; None for a system's."""
    prefix = program.parent.parent
    is_environment = (prefix / "pyvenv.cfg").exists() or (prefix / "conda-meta").is_dir()
    return prefix if is_environment else None


def _conda_prefixes(name: str) -> Iterator[Path]:
    """Yield the folders of conda's environments of a name, as conda itself lists them."""
    try:
        known = (Path.home() / ".conda" / "environments.txt").read_text(encoding="utf-8")
    except (OSError, ValueError, RuntimeError):
        known = ""
    listed = [Path(line.strip()) for line in known.splitlines() if line.strip()]
    roots = [Path(each) for each in os.environ.get("CONDA_ENVS_PATH", "").split(os.pathsep) if each]
    if "MAMBA_ROOT_PREFIX" in os.environ:
        roots.append(Path(os.environ["MAMBA_ROOT_PREFIX"]) / "envs")
    if "CONDA_EXE" in os.environ:
        roots.append(Path(os.environ["CONDA_EXE"]).parent.parent / "envs")
    for prefix in [path for path in listed if path.name == name] + [root / name for root in roots]:
        if (prefix / "conda-meta").is_dir():
            yield prefix
