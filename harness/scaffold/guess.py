"""
Guess from a repository how its engine is called, and where its changes are tested.

Reads names and a few small files; runs nothing, and imports nothing of the project.
"""

import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.git import has_repository, top_of
from voxgate.harness.records.documents import parse_toml

ENGINES = ("python", "command", "http")
CIS = ("github", "gitlab", "none")
SPEAKERS = {"flite": 'flite -t "$1" -o "$2"', "espeak-ng": 'espeak-ng -w "$2" "$1"'}
"""Programs that speak without a set-up, and how, as lines of a shell script."""
STUB = "speak.sh"
STUB_CALL = f"sh {STUB} {{text}} {{wav}}"
"""The command where the project has none: a script, because comparing needs a file of its own."""
PORT = 8080
EXPOSED = re.compile(r"^\s*EXPOSE\s+(\d+)", re.MULTILINE | re.IGNORECASE)
MOST_BYTES = 1_000_000
"""Of a file that is read for a guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The answers that a repository suggests; a person confirms or replaces them."""

    name: str
    engine: str
    ci: str
    calls: dict[str, str]
    """Kind of engine -> import path, command or URL; empty where there is no engine yet."""


def guess(project: Path) -> Guess:
    """Guess the answers for a project's folder."""
    document = _pyproject(project)
    name = _plain(str(_project(document).get("name") or project.absolute().name))
    package, program, port = _package(project, name), _program(project, document), _port(project)
    engine = "python"
    if not package and (program or port):
        engine = "command" if program else "http"
    calls = {
        "python": package,
        "command": f"{program} --text {{text}} --out {{wav}}" if program else STUB_CALL,
        "http": f"http://127.0.0.1:{port or PORT}",
    }
    return Guess(name=name, engine=engine, ci=_ci(project), calls=calls)


def top_folder(project: Path) -> Path | None:
    """Return the top folder of the project's repository; None outside of any."""
    try:
        return top_of(project) if has_repository(project) else None
    except HarnessError:
        return None


def own_environment(project: Path) -> str:
    """Name the project's virtual environment; empty where there is none, or voxgate runs in it."""
    for name in (".venv", "venv"):
        folder = project / name
        if (folder / "pyvenv.cfg").is_file() and folder.resolve() != Path(sys.prefix).resolve():
            return name
    return ""


def _plain(name: str) -> str:
    """Return a name that can name a suite and a file."""
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:40] or "voice"


def text_of(path: Path) -> str:
    """Return a small regular file's text; empty where there is none."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _pyproject(project: Path) -> dict[str, Any]:
    try:
        return parse_toml(text_of(project / "pyproject.toml"))
    except (ValueError, RecursionError):
        return {}


def _project(document: dict[str, Any]) -> dict[str, Any]:
    table = document.get("project")
    return table if isinstance(table, dict) else {}


def _package(project: Path, name: str) -> str:
    """Return the import path of the project's package: by its name, or the only one there is."""
    found = [
        path.parent.name
        for folder in (project, project / "src")
        for path in sorted(folder.glob("*/__init__.py"))
        if path.parent.name.isidentifier() and path.parent.name not in ("tests", "docs", "suites")
    ]
    if name in found:
        return name
    return found[0] if len(found) == 1 else ""


def _program(project: Path, document: dict[str, Any]) -> str:
    """Return the project's own program: the first of its scripts, or an executable in bin/."""
    scripts = _project(document).get("scripts")
    names = list(scripts) if isinstance(scripts, dict) else []
    if names and re.fullmatch(r"[\w.-]+", names[0]):
        return str(names[0])
    for folder in (project / "bin", project):
        for path in sorted(folder.glob("*")):
            if path.is_file() and os.access(path, os.X_OK) and not path.name.startswith("."):
                return shlex.quote(f"./{path.relative_to(project)}")
    return ""


def _port(project: Path) -> int:
    """Return the first port that the project's Dockerfile exposes; 0 where there is none."""
    for name in ("Dockerfile", "Containerfile", "docker/Dockerfile"):
        if found := EXPOSED.search(text_of(project / name)):
            return min(int(found[1][:6]), 65_535)
    return 0


def installed_speaker() -> str:
    """Name a program that speaks without a set-up: one that is installed, if any is."""
    return next((name for name in SPEAKERS if shutil.which(name)), "flite")


def _ci(project: Path) -> str:
    top = top_folder(project) or project
    remote = text_of(top / ".git" / "config")
    if (top / ".gitlab-ci.yml").is_file() or "gitlab" in remote:
        return "gitlab"
    return "github"
