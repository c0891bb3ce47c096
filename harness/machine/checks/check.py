"""
The records of a check, and the base of every knob: what is read, what a fit machine shows, the command that sets it right.

A knob answers in three words. Unknown is not fit: a file that cannot be read proves nothing. Knows no knob in particular
and not which of them matter; that is for profiles to say.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from harness.machine.checks.tree import Tree

Facts = Mapping[str, object]
"""What knobs read, by a name with its unit; ready for JSON. What the system does not tell has no entry."""


class State(StrEnum):
    """The three answers."""

    UNFIT = "unfit"
    UNKNOWN = "unknown"
    FIT = "fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a knob says of its facts."""

    state: State
    shown: str
    """What was found, or why nothing was."""
    advice: str = ""
    """A better command than the knob's general one, where the facts tell which."""


class Knob(ABC):
    """
    One thing that measuring depends on. Subclasses say in `expects` what a fit machine shows, in `advice` the command for it.

    `want` narrows what is expected, for knobs whose answer depends on the profile: a board, a power mode.
    """

    expects: ClassVar[str]
    advice: ClassVar[str]

    def __init__(self, want: str = "") -> None:
        self.want = want

    @abstractmethod
    def read(self, tree: Tree) -> Facts:
        """Read the facts of this moment; empty where the system does not tell."""

    @abstractmethod
    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge two readings: around a run, or around a moment of work of the doctor's own."""


def fit(shown: str) -> Answer:
    """Say that all is well."""
    return Answer(state=State.FIT, shown=shown)


def unfit(shown: str, advice: str = "") -> Answer:
    """Say what is wrong."""
    return Answer(state=State.UNFIT, shown=shown, advice=advice)


def unknown(why: str, advice: str = "") -> Answer:
    """Say why it cannot be told."""
    return Answer(state=State.UNKNOWN, shown=why, advice=advice)


def number(facts: Facts, name: str) -> float | None:
    """Give a fact that is a number; None if there is none."""
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def word(facts: Facts, name: str) -> str | None:
    """Give a fact that is a word; None if there is none."""
    value = facts.get(name)
    return value if isinstance(value, str) else None


def table(facts: Facts, name: str) -> Mapping[str, object]:
    """Give a fact that is a table; empty if there is none."""
    value = facts.get(name)
    return value if isinstance(value, Mapping) else {}


def growth(before: Facts, after: Facts, name: str) -> float | None:
    """Say by how much a counter grew between two readings; None if either lacks it."""
    old, new = number(before, name), number(after, name)
    return None if old is None or new is None else new - old
