"""
The packages that voxgate's own environment lends to one of a revision: all but the project itself.
"""

import json
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from voxgate.harness.revisions.commands import run
from voxgate.harness.revisions.requirements import read_project
from voxgate.harness.runner.opened_files import LIBRARIES

ENGINE = "voxgate.engine"
"""A tree that has this package has voxgate's own engine."""


def lent_paths(project: Sequence[Path]) -> list[str]:
    """
    Return the paths and import hooks of voxgate's own environment, without the project itself, as
    lines of a .pth file.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = run(
        [sys.executable, "-P", "-c", "import json, sys; print(json.dumps(sys.path))"],
        "python cannot be run",
        env=env,
    )
    standard = {Path(sys.base_prefix).resolve(), Path(sys.base_exec_prefix).resolve()}
    folders = [Path(item) for item in json.loads(said) if Path(item).is_dir()]
    kept = [
        item
        for item in folders
        if item.name in LIBRARIES or not _within(item, (*project, *standard))
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
    return [*(str(item) for item in kept), *dict.fromkeys(hooks)]


def _editable_files(project: Sequence[Path]) -> set[Path]:
    """Name the .pth files of packages that are installed as links into the project."""
    editable: set[Path] = set()
    for distribution in metadata.distributions():
        data = json.loads(distribution.read_text("direct_url.json") or "{}")
        place = Path(unquote(urlsplit(str(data.get("url", ""))).path))
        if data.get("dir_info", {}).get("editable") and _within(place, project):
            files = [
                Path(str(distribution.locate_file(file)))
                for file in distribution.files or ()
                if file.suffix == ".pth"
            ]
            editable |= {file.resolve() for file in files}
    return editable


def _within(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.resolve().is_relative_to(folder) for folder in folders)


def site_packages(folder: Path | None) -> tuple[Path, ...]:
    """Return the folder of packages of a virtual environment; empty for None."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return () if folder is None else (folder / "lib" / version / "site-packages",)


def link_harness(folder: Path, tree: Path) -> Path:
    """
    Make a folder whose package `voxgate` is this harness, with the engine of a tree that has
    voxgate's own, else the installed one; return it.
    """
    root, package = Path(__file__).resolve().parents[1], folder / "voxgate"
    package.mkdir(parents=True)
    for path in (root / "package").iterdir():
        if path.name != "__pycache__":
            (package / path.name).symlink_to(path)
    (package / "harness").symlink_to(root)
    tools = read_project(tree).get("tool", {})
    own = tools.get("setuptools", {}).get("package-dir", {}).get(ENGINE)
    spec = find_spec(ENGINE)
    if own is not None:
        (package / "engine").symlink_to(tree / str(own))
    elif spec is not None and spec.submodule_search_locations:
        (package / "engine").symlink_to(next(iter(spec.submodule_search_locations)))
    return folder
