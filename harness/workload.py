"""
Reads workloads: `workloads/<name>.toml` of this package (or of another copy of it), or any TOML file by its path.

A file is a list of `[[request]]` tables with `id` and `text`; every further key is an option of that request.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.cell import Request, Workload
from harness.errors import HarnessError

FOLDER = Path(__file__).parent / "workloads"


def known_workloads() -> tuple[str, ...]:
    """Name the workloads that come with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_workload(name: str, root: Path | None = None) -> Workload:
    """
    Read a workload by name, or by path if it ends in `.toml`. Raises HarnessError if it is absent or malformed.

    `root` is a project's folder: relative paths begin there, and if it has a harness of its own, its workloads come first.
    """
    path = _place(name, root)
    if not path.is_file():
        raise HarnessError(
            f"unknown workload {name!r}; known are {', '.join(known_workloads())}, or give the path of a .toml file"
        )
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HarnessError(f"{path} is not valid TOML: {error}") from error
    return Workload(name=path.stem, requests=_requests(path, data))


def _place(name: str, root: Path | None) -> Path:
    if name.endswith(".toml"):
        return (root or Path()) / name
    own = None if root is None else root / "harness" / FOLDER.name / f"{name}.toml"
    return own if own is not None and own.is_file() else FOLDER / f"{name}.toml"


def _requests(path: Path, data: Mapping[str, Any]) -> tuple[Request, ...]:
    tables = data.get("request")
    if set(data) != {"request"} or not isinstance(tables, list) or not tables:
        raise HarnessError(
            f"{path} must hold one or more [[request]] tables and nothing else; it holds {', '.join(data) or 'nothing'}"
        )
    requests = tuple(_request(path, number, table) for number, table in enumerate(tables, start=1))
    ids = [request.id for request in requests]
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice:
        raise HarnessError(f"{path} uses these request ids more than once: {', '.join(twice)}")
    return requests


def _request(path: Path, number: int, table: Mapping[str, Any]) -> Request:
    name, text = table.get("id"), table.get("text")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_-]+", name):  # it becomes a file name
        raise HarnessError(f"{path}, request {number}: id must be text of [a-z0-9_-], not {name!r}")
    if not isinstance(text, str) or not text.strip():
        raise HarnessError(f"{path}, request {name}: text must be text to speak, not {text!r}")
    options = {key: value for key, value in table.items() if key not in ("id", "text")}
    for key, value in options.items():
        if not isinstance(value, str | int | float | bool):
            raise HarnessError(f"{path}, request {name}: {key} must be one word or number, not {value!r}")
    return Request(id=name, text=text, options=options)
