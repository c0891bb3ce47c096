"""
Marks of annotations: the constraints of a value, and the form of a field in JSON.

Every constraint has `fault(value)`, which returns why a value breaks it. Read by `codec.py` and
`json_schema.py`. Uses the standard library only.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

WIDEST_BITS = 64
"""Of a whole number: more fits into no database, and overflows on the way to a float."""

SHOWN = 60
"""Characters of a wrong value that an error shows."""

Decode = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number: `least <= x <= most`, or strictly `over < x`."""

    least: float | None = None
    most: float | None = None
    over: float | None = None

    def fault(self, value: Any) -> str | None:
        """Return why a value breaks the constraint; None if it does not."""
        if self.over is not None and not value > self.over:
            return f"must be more than {self.over:g}"
        if self.least is not None and not value >= self.least:
            return f"must be at least {self.least:g}"
        return (
            f"must be at most {self.most:g}"
            if self.most is not None and not value <= self.most
            else None
        )


@dataclass(frozen=True, slots=True)
class TextPattern:
    """
    A regular expression that the whole text must match; `what` names such a text: "a name of small
    letters".
    """

    regex: str
    what: str

    def fault(self, value: Any) -> str | None:
        """Return why a value breaks the constraint; None if it does not."""
        return None if re.fullmatch(self.regex, value) else f"is not {self.what}"


@dataclass(frozen=True, slots=True)
class Length:
    """Number of characters, elements or entries."""

    least: int = 0
    most: int | None = None

    def fault(self, value: Any) -> str | None:
        """Return why a value breaks the constraint; None if it does not."""
        if len(value) < self.least:
            return (
                "must not be empty"
                if self.least == 1
                else f"must have at least {self.least} entries"
            )
        return (
            f"must be no longer than {self.most}"
            if self.most is not None and len(value) > self.most
            else None
        )


@dataclass(frozen=True, slots=True)
class Unique:
    """Elements differ, in the attribute `by` where one is given."""

    by: str = ""

    def fault(self, value: Any) -> str | None:
        """Return why a value breaks the constraint; None if it does not."""
        seen: set[Any] = set()
        for element in value:
            key = getattr(element, self.by) if self.by else element
            if key in seen:
                return f"holds {self.by and f'the {self.by} '}{shown(key)} more than once"
            seen.add(key)
        return None


@dataclass(frozen=True, slots=True)
class Key:
    """The field's name in JSON, where that is not its own."""

    name: str


@dataclass(frozen=True, slots=True)
class OmitDefault:
    """The field is not written where it has its default."""


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The field is never written, and has its default in what is read."""


@dataclass(frozen=True, slots=True)
class Convert:
    """Applied to a decoded value: upgrades the form of an older version."""

    convert: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Fallback:
    """The member that stands for every text that an enum does not know."""

    member: Enum


@dataclass(frozen=True, slots=True)
class Rest:
    """The field holds all entries of the object whose keys no other field has."""


class Row:
    """Base of a dataclass that is written as a list of its fields' values, and not as an object."""

    __slots__ = ()


NON_EMPTY = Length(1)

Constraint = Range | TextPattern | Length | Unique


class FaultError(Exception):
    """A value that is wrong; `steps` lead to it, the innermost first."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.steps: list[str] = []

    def under(self, step: str) -> "FaultError":
        """Add the step that led to where this came from."""
        self.steps.append(step)
        return self


def shown(value: Any) -> str:
    """Return a value in a few printable characters."""
    if isinstance(value, Mapping | list | tuple):
        return f"{'an object' if isinstance(value, Mapping) else 'a list'} of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > WIDEST_BITS:
        return f"a number of {value.bit_length()} bits"
    try:
        text = json.dumps(value[:SHOWN] if isinstance(value, str) else value)
    except (TypeError, ValueError):
        text = type(value).__name__
    return text if len(text) <= SHOWN + 2 else f"{text[:SHOWN]}..."
