"""
The build instructions of a revision: `[tool.voxgate]` of its pyproject.toml, and whether it has
extension modules.

Reads files; runs nothing of the project.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.revisions.requirements import (
    build_requirements,
    read_project,
)

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


def _commands(given: object, name: str, tree: Path) -> tuple[tuple[str, ...], ...]:
    """Read a list of commands, each a list of words; a single command may stand alone."""
    commands = (
        [given]
        if isinstance(given, list) and given and all(isinstance(command, str) for command in given)
        else given
    )
    if not isinstance(commands, list) or not all(_is_command(command) for command in commands):
        raise _senseless(
            tree,
            f'{name} must be a list of commands, each a list of words like ["make", "all"], not '
            f"{given!r}",
        )
    return tuple(tuple(command) for command in commands)


def _shared(given: object, tree: Path) -> tuple[str, ...]:
    """Read a list of paths below the project's folder."""
    if not isinstance(given, list) or not all(isinstance(path, str) and path for path in given):
        raise _senseless(tree, f"shared must be a list of paths, not {given!r}")
    outside = [
        path
        for path in given
        if Path(path).is_absolute() or ".." in Path(path).parts or Path(path) == Path()
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
    Return whether a project has extension modules, judged by its build files; nothing of it is run.
    """
    system = document.get("build-system", {})
    needs = {
        re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0].lower()
        for requirement in build_requirements(tree)
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
