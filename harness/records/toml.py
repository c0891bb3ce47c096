"""
Read TOML files: policies, budgets. Any fault of the text is one HarnessError.

Knows no format of ours.
"""

import sys
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


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
