"""
Read TOML files: policies, budgets. Any fault of the text is one HarnessError.

Knows no format of ours.
"""

import tomllib
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """
    Read a file; `what` names it in errors ("the policy").

    Raises HarnessError for a file that cannot be read, invalid TOML, and deep nesting. Numbers may
    be NaN, infinite or huge.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise HarnessError(
            f"{what} {path} cannot be read: it is nested too deep; correct it"
        ) from error
    except (
        OSError,
        ValueError,
    ) as error:  # of the text: its encoding, its grammar, whole numbers of thousands of digits
        raise HarnessError(f"{what} {path} cannot be read: {error}; correct it") from error
