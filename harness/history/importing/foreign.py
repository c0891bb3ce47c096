"""
What all foreign formats need: names that can join a cell of many runs, numbers or reasons, and JSON as it lies on disk.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.history.records import clean
from harness.measurement import Missing, Value

LONGEST = 160
"""Characters of a name; a longer one ends in a digest of itself, so that two of them stay apart."""


def read_text(path: Path) -> str:
    """Read a file. Raises HarnessError if it cannot be read or is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeError as error:
        raise HarnessError(f"{path} is no text in UTF-8") from error


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises HarnessError if it is none."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{path} is not valid JSON: {error}") from error


def name(text: object, otherwise: str = "unknown") -> str:
    """Give a name on one line, without odd characters, that is not too long."""
    plain = " ".join(clean(str(text)).split()) if text not in (None, "") else otherwise
    return _short("".join(each for each in plain if each.isprintable()) or otherwise)


def slug(text: object) -> str:
    """Give a name of `[a-z0-9._-]` only, as cells have it."""
    return _short(re.sub(r"[^a-z0-9._-]+", "-", clean(str(text)).lower()).strip("-") or "default")


def slug_of(options: Mapping[str, object]) -> str:
    """Name a cell by its options: `nfe-8.precision-fp16`."""
    return slug(".".join(f"{key}-{value}" for key, value in options.items()))


def label_of(options: Mapping[str, object]) -> str:
    """Name a cell by its options, for people: `nfe=8 precision=fp16`."""
    return name(" ".join(f"{key}={value}" for key, value in options.items()), "default")


def value_of(found: object, source: str) -> Value:
    """Give a number, or why there is none."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return Missing(f"{source} recorded no number: {clean(str(found))[:80]}")
    try:
        number = float(found)
    except OverflowError:
        return Missing(f"{source} recorded a number that is too large")
    return number if math.isfinite(number) else Missing(f"{source} recorded {number}")


def mapping(found: object) -> Mapping[str, Any]:
    """Give an object, or an empty one for anything else."""
    return found if isinstance(found, Mapping) else {}


def _short(text: str) -> str:
    if len(text.encode()) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{text.encode()[: LONGEST - 13].decode('utf-8', 'ignore')}-{digest}"
