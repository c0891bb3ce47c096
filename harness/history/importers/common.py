"""
Helpers of all foreign formats: names that can join a cell of many runs, numbers or reasons, and
JSON files.

Two different names are never made one: where something of a name is lost, a digest of the whole
name is appended. A name that already looks as if it ended in such a digest gets one too, so that
nobody can choose the name of another.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.records import clean
from voxgate.harness.records.documents import LARGEST
from voxgate.harness.records.measurement import Missing, Value

LONGEST = 160
"""Characters of a name; a longer one ends in a digest of itself, so that two of them stay apart."""
DIGITS = 10
"""
Of a digest, in hexadecimal: two of a million names share one with a chance of less than one in two.
"""
DIGESTED = re.compile(rf".*-[0-9a-f]{{{DIGITS}}}", re.DOTALL)
FAULTS = (
    KeyError,
    TypeError,
    AttributeError,
    ValueError,
    OverflowError,
    LookupError,
    RecursionError,
)
"""Exceptions of reading a file that is valid JSON and not of the format that it claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFault:
    """A part of an import that cannot be read: which, and why. The other parts are not affected."""

    where: str
    reason: str
    file: Path | None = None
    """The file, where an import reads several: `where` begins with it."""


class FileError(HarnessError):
    """A file that cannot be read; `fault` is the text for those who name the file themselves."""

    def __init__(self, message: str, fault: str) -> None:
        super().__init__(message)
        self.fault = fault


def read_text(path: Path) -> str:
    """Read a file. Raises HarnessError if it cannot be read or is no text."""
    try:
        if path.is_char_device():  # some never end
            raise _unreadable(path, "is a device, and no file")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise FileError(message, f"cannot be read: {error.strerror}") from error
    except UnicodeError as error:
        raise _unreadable(path, "is no text in UTF-8") from error


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises HarnessError if it is not JSON."""
    text = read_text(path)
    try:
        return parse_json(text)
    except HarnessError as error:
        raise FileError(f"{path}: {error}", str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"is not valid JSON: {_one_line(error)}") from error


def _unreadable(path: Path, fault: str) -> FileError:
    return FileError(f"{path} {fault}", fault)


def parse_json(text: str) -> Any:
    """
    Parse JSON. Raises HarnessError for a duplicate key, of which one value would be lost.

    And ValueError and RecursionError as `json` does; NaN is accepted, for asv writes it.
    """
    return json.loads(text, object_pairs_hook=_unique)


def name(text: object, otherwise: str = "unknown") -> str:
    """
    Return a name on one line, without odd characters, that is not too long; different names stay
    different.
    """
    if text in (None, ""):
        return otherwise
    whole = clean(str(text))
    plain = line(whole, "")
    return _named(plain or otherwise, str(text), lossy=plain != str(text).strip())


def line(text: object, otherwise: str = "unknown") -> str:
    """
    Return a text for people on one line. It identifies nothing, so lost characters do no harm.
    """
    plain = " ".join(clean(str(text)).split()) if text is not None else ""
    return "".join(character for character in plain if character.isprintable()) or otherwise


def slug(text: object) -> str:
    """
    Return a name of `[a-z0-9._-]` only, as cells have it; different texts have different names.
    """
    whole = str(text)
    plain = re.sub(r"[^a-z0-9._-]+", "-", clean(whole).lower()).strip("-") or "default"
    return _named(plain, whole, lossy=plain != whole)


def slug_of(options: Mapping[str, object]) -> str:
    """Return the name of a cell by its options: `nfe-8.precision-fp16`."""
    if not options:
        return "default"
    parts = [(str(key), str(value)) for key, value in options.items()]
    whole = ".".join(f"{key}-{value}" for key, value in parts)
    if all(
        re.fullmatch(r"[a-z0-9_]+", key) and not re.search(r"\.[a-z0-9_]+-", value)
        for key, value in parts
    ):
        return slug(whole)
    plain = re.sub(r"[^a-z0-9._-]+", "-", clean(whole).lower()).strip("-") or "default"
    return _named(plain, json.dumps(parts), lossy=True)  # another set of options reads the same


def label_of(options: Mapping[str, object]) -> str:
    """Return the label of a cell by its options, for people: `nfe=8 precision=fp16`."""
    whole = line(" ".join(f"{key}={value}" for key, value in options.items()), "default")
    return _named(whole, whole, lossy=False) if len(whole.encode()) > LONGEST else whole


def once(names: Iterable[str], what: str) -> None:
    """Raise HarnessError naming the first name that occurs twice: one of the two would be lost."""
    seen: set[str] = set()
    for candidate in names:
        if candidate in seen:
            raise HarnessError(
                f"{what} {line(candidate)!r} stands there twice; give the two different names"
            )
        seen.add(candidate)


def value_of(raw: object, source: str) -> Value:
    """Return a number, or why there is none."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return Missing(f"{source} recorded no number: {line(str(raw))[:80]}")
    try:
        number = float(raw)
    except OverflowError:
        return Missing(f"{source} recorded a number that is too large")
    return number if abs(number) <= LARGEST else Missing(f"{source} recorded {number}")


def mapping(raw: object) -> Mapping[str, Any]:
    """Return an object, or an empty one for anything else."""
    return raw if isinstance(raw, Mapping) else {}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    once((key for key, _ in pairs), "the key")
    return dict(pairs)


def _named(plain: str, whole: str, *, lossy: bool) -> str:
    """
    Return a name as it is, or with a digest of the whole appended where it is ambiguous without.
    """
    if not lossy and len(plain.encode()) <= LONGEST and not DIGESTED.fullmatch(plain):
        return plain
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return f"{plain.encode()[: LONGEST - DIGITS - 1].decode('utf-8', 'ignore')}-{digest}"


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
