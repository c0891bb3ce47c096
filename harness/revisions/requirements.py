"""
The requirements of a revision against the installed packages.

Reads pyproject.toml and the metadata of packages; imports and installs nothing.
"""

import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.documents import parse_toml

WORKER = ("numpy", "soundfile", "soxr", "psutil", "packaging", "torch")
"""Packages without which a worker cannot measure, or not all that it can."""


TABLES = (
    ("project", "entry-points"),
    ("build-system",),
    ("tool", "voxgate"),
    ("tool", "setuptools"),
)
"""Of pyproject.toml, that are read."""
WITH_WHEEL = "setuptools>=70.1"
"""Older ones build wheels only with the package `wheel`, and ask for it when they are at work."""


def read_project(tree: Path) -> dict[str, Any]:
    """Read pyproject.toml; empty where there is none. Raises HarnessError if it cannot be read."""
    path = tree / "pyproject.toml"
    try:
        document = parse_toml(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except RecursionError as error:
        raise HarnessError(
            f"{path} cannot be read: it is nested too deep; correct it in that revision"
        ) from error
    except (
        OSError,
        ValueError,
    ) as error:  # the latter for its encoding, its grammar, and numbers of thousands of digits
        raise HarnessError(
            f"{path} cannot be read: {error}; correct it in that revision"
        ) from error
    for names in TABLES:
        table: Any = document
        for name in names:
            table = table.get(name, {})
            if not isinstance(table, dict):
                raise HarnessError(
                    f"{path}: {'.'.join(names)} must be a table, not {table!r}; correct it in that "
                    "revision"
                )
    return document


def required(tree: Path) -> tuple[str, ...]:
    """
    List the requirements that a tree's pyproject.toml states. Raises HarnessError for one that is
    none.
    """
    return _requirements(read_project(tree).get("project", {}).get("dependencies", []), tree)


def build_requirements(tree: Path) -> tuple[str, ...]:
    """List the build requirements of a tree. Raises HarnessError for an invalid one."""
    system = read_project(tree).get("build-system", {})
    stated = _requirements(system.get("requires", ["setuptools"]), tree)
    older = str(system.get("build-backend", "setuptools")).startswith("setuptools") and unmet(
        [WITH_WHEEL]
    )
    return (*stated, *(["wheel"] if older else []))


def check_python(tree: Path) -> None:
    """Raise HarnessError if a tree asks for another Python than this one."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    asked = read_project(tree).get("project", {}).get("requires-python", "")
    try:
        fits = SpecifierSet(asked).contains(platform.python_version(), prereleases=True)
    except (InvalidSpecifier, TypeError, AttributeError) as error:
        raise HarnessError(
            f"{tree / 'pyproject.toml'}: requires-python {asked!r} means nothing; correct it there"
        ) from error
    if not fits:
        raise HarnessError(
            f"{tree / 'pyproject.toml'} requires Python {asked}, and this is "
            f"{platform.python_version()}; call voxgate with a Python that both revisions take"
        )


def unmet(requirements: Iterable[str]) -> tuple[str, ...]:
    """
    Return the requirements that the installed packages do not meet: `foo>=2 (installed is 1.0)`.
    """
    from packaging.requirements import Requirement

    unmet_texts = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        version = _version(requirement.name)
        if version is None:
            unmet_texts.append(f"{requirement} (not installed)")
        elif (
            requirement.url is not None
            and "+" not in requirement.url
            and _origin(requirement.name) != requirement.url
        ):
            unmet_texts.append(
                f"{requirement} (installed from {_origin(requirement.name) or 'an index'})"
            )
        elif not requirement.specifier.contains(version, prereleases=True):
            unmet_texts.append(f"{requirement} (installed is {version})")
    return tuple(unmet_texts)


def _requirements(stated: object, tree: Path) -> tuple[str, ...]:
    if not isinstance(stated, list):
        said = f"requirements must be a list, not {stated!r}"
        raise HarnessError(f"{tree / 'pyproject.toml'}: {said}; correct it in that revision")
    for requirement in stated:
        _parsed(requirement, tree)
    return tuple(stated)


def _parsed(text: object, tree: Path) -> None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        if not isinstance(text, str):
            raise InvalidRequirement("it is no text")
        Requirement(text)
    except InvalidRequirement as error:
        said = str(error).splitlines()[0]
        raise HarnessError(
            f"{tree / 'pyproject.toml'}: {text!r} is no requirement: {said}; correct it in that "
            "revision"
        ) from error


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _origin(name: str) -> str | None:
    """Return the address that a package was installed from; None where it came from an index."""
    import json

    text = metadata.distribution(name).read_text("direct_url.json")
    return None if text is None else str(json.loads(text).get("url"))
