"""
Read and write whole documents, JSON and TOML. Any fault of a text is one HarnessError.

JSON is parsed strictly: nothing passes that JSON allows and a program behind it cannot hold. Knows
no format of ours.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.constraints import WIDEST_BITS, FaultError, shown
from voxgate.harness.records.files import read_bytes, write_atomic

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


DEEPEST = 64
"""Levels of nesting that are read. Our own files have nine; json itself gives up at thousands."""


LARGEST = 1e60
"""
Largest absolute value of a number. Nothing measured comes near it, and sums and squares of larger
ones overflow where they are averaged.
"""


def parse_json(text: str | bytes, where: str) -> Any:
    """
    Parse JSON text strictly; `where` names it in errors.

    Raises HarnessError for invalid JSON, a key that stands twice, NaN, infinity, numbers beyond
    LARGEST, whole numbers beyond 64 bits, half a character (a lone surrogate), and nesting
    deeper than DEEPEST.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
        _check_plain(data)
    except FaultError as error:
        raise harness_error(error, where) from error
    except RecursionError as error:
        raise HarnessError(
            f"{where} is nested more than {DEEPEST} levels deep; no voxgate wrote it"
        ) from error
    except ValueError as error:  # the encoding, too; and whole numbers of thousands of digits
        raise HarnessError(f"{where} is not valid JSON: {_first_line(error)}") from error
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) != len(pairs):
        names = [name for name, _ in pairs]
        raise FaultError(
            f"the key {shown(next(name for name in names if names.count(name) > 1))} stands there "
            "twice"
        )
    return held


def _no_number(text: str) -> Any:
    raise FaultError(f"{text} is no finite number")


def _check_plain(data: Any) -> None:
    """
    Raise for values that JSON can hold and nothing behind it can. No recursion: depth is the
    question.
    """
    level, depth = [data], 0
    while level:
        if depth > DEEPEST:
            raise RecursionError
        for value in level:
            _check_scalar(value)
        level = [held for value in level if isinstance(value, list | dict) for held in _held(value)]
        depth += 1


def _held(container: Any) -> list[Any]:
    return container if isinstance(container, list) else [*container, *container.values()]


def _check_scalar(data: Any) -> None:
    if isinstance(data, str):
        if not data.isascii() and any("\ud800" <= element <= "\udfff" for element in data):
            raise FaultError(f"the text {shown(data)} holds half a character")
    elif isinstance(data, float) and not math.isfinite(data):
        raise FaultError("a number is too large to be held")
    elif isinstance(data, float) and abs(data) > LARGEST:
        raise FaultError(f"the number {data:g} is beyond {LARGEST:g}, and no measurement")
    elif isinstance(data, int) and data.bit_length() > WIDEST_BITS:
        raise FaultError(f"a whole number has {data.bit_length()} bits, more than {WIDEST_BITS}")


def harness_error(error: FaultError, where: str) -> HarnessError:
    """Return the error of a fault: file, path of the value, what is wrong."""
    path = "".join(reversed(error.steps)).removeprefix(".")
    return HarnessError(": ".join(part for part in (where, path, error.what) if part))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
