"""
Read and write whole documents, JSON and TOML. Any fault of a text is one HarnessError.

Knows no format of ours.
"""

import json
import sys
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.contained_files import read_bytes
from voxgate.harness.records.files import write_atomic
from voxgate.harness.records.strict_json import parse_json

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def write_json(path: Path, data: object) -> None:
    """Write a JSON file whole or not at all. Raises OSError."""
    write_atomic(path, json.dumps(data, indent=1, allow_nan=False))


def read_json(path: Path, absent: str) -> dict[str, Any]:
    """
    Read a JSON object. Raises HarnessError: `absent` if there is no such file, else what is wrong
    with it.
    """
    try:
        data = parse_json(read_bytes(path), str(path))
    except FileNotFoundError as error:
        raise HarnessError(absent) from error
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error.strerror}") from error
    if not isinstance(data, dict):
        raise HarnessError(f"{path} must hold a JSON object, not {type(data).__name__}")
    return data


def parse_toml(text: str) -> dict[str, Any]:
    """Parse a text. Raises ValueError for invalid TOML, and RecursionError."""
    document: dict[str, Any] = tomllib.loads(text)
    return document


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """
    Read a file; `what` names it in errors ("the policy").

    Raises HarnessError for a file that cannot be read, invalid TOML, and deep nesting. Numbers may
    be NaN, infinite or huge.
    """
    try:
        return parse_toml(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise HarnessError(
            f"{what} {path} cannot be read: it is nested too deep; correct it"
        ) from error
    except (
        OSError,
        ValueError,
    ) as error:  # of the text: its encoding, its grammar, whole numbers of thousands of digits
        raise HarnessError(f"{what} {path} cannot be read: {error}; correct it") from error
