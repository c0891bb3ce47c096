"""
The records of a check, and the base of every check: what is read, what a fit machine shows, the
command that sets it right.

A check answers in three words. Unknown is not fit: a file that cannot be read proves nothing. Knows
no check in particular and not which of them matter; that is for profiles to say.

Where facts about a machine are read: the file system below a root, and what no file tells, the C
library, NVML and the clock.

A test gives a folder of its own as the root. What is absent and what may not be read are both None
here: not known. Never guesses, never writes, and knows no path's meaning.
"""

import importlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from voxgate.harness.machine.clock import is_synchronized, now_utc_iso
from voxgate.harness.python310 import StrEnum

ROOT = Path("/")


ENDLESS = re.compile(r"\d{300}")
"""In a file of the system: digits that make no number that arithmetic takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRoot:
    """One machine, real or made up."""

    root: Path = ROOT
    libc: str = ""
    """
    The C library of this process as it names itself, `glibc 2.36`; empty where it does not tell.
    """
    nvml: Callable[[], Any] | None = None
    """
    Imports NVIDIA's management library, or raises ImportError; None on a machine that is made up of
    files alone.
    """

    now: Callable[[], str] | None = None
    """Tells the date and time, ISO, UTC; None on a machine that is made up of files alone."""
    synchronized: Callable[[], bool | None] | None = None
    """Whether a time server holds the clock right; None if unknown."""

    def text(self, path: str) -> str | None:
        """
        Read a file below the root, without the zeros and line ends around it; None if it is not
        there or not readable, and for a number that no computer counts to.
        """
        try:
            content = (
                (self.root / path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
            )
        except OSError:
            return None
        return None if ENDLESS.search(content) else content

    def number(self, path: str) -> int | None:
        """Read a file that holds one whole number; None if it holds none."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def paths(self, pattern: str) -> tuple[str, ...]:
        """List what matches, relative to the root, numbers in their order: cpu2 before cpu10."""
        relative = (path.relative_to(self.root).as_posix() for path in self.root.glob(pattern))
        return tuple(
            sorted(
                relative,
                key=lambda path: [
                    int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path)
                ],
            )
        )


def here() -> SystemRoot:
    """Return the root of the machine that this process runs on."""
    return SystemRoot(
        libc=_libc(),
        nvml=lambda: importlib.import_module("pynvml"),
        now=now_utc_iso,
        synchronized=is_synchronized,
    )


def at(root: Path) -> SystemRoot:
    """Return a machine by its root: this one for /, else one that consists of files."""
    return here() if root == ROOT else SystemRoot(root=root)


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):  # musl, macOS
        return ""


Facts = Mapping[str, object]
"""
What checks read, by a name with its unit; ready for JSON. What the system does not tell has no
entry.
"""


class CheckState(StrEnum):
    """The three answers."""

    UNFIT = "unfit"
    UNKNOWN = "unknown"
    FIT = "fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """Result of checking the facts of a setting."""

    state: CheckState
    shown: str
    """What was found, or why nothing was."""
    advice: str = ""
    """A better command than the check's general one, where the facts tell which."""


class Check(ABC):
    """
    One thing that measuring depends on. Subclasses say in `expects` what a fit machine shows, in
    `advice` the command for it.

    `want` narrows what is expected, for checks whose answer depends on the profile: a board, a
    power mode.
    """

    expects: ClassVar[str]
    advice: ClassVar[str]

    def __init__(self, want: str = "") -> None:
        self.want = want

    def fault_of_want(self) -> str:
        """Return why `want` cannot be meant; empty where it can. Most checks take none."""
        return "must be left out: this check takes none" if self.want else ""

    @abstractmethod
    def read(self, tree: SystemRoot) -> Facts:
        """Read the facts of this moment; empty where the system does not tell."""

    @abstractmethod
    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge two readings: around a run, or around a moment of work of the doctor's own."""


def fit(figures: str) -> CheckResult:
    """Return a result without fault."""
    return CheckResult(state=CheckState.FIT, shown=figures)


def unfit(figures: str, advice: str = "") -> CheckResult:
    """Return a result with its fault."""
    return CheckResult(state=CheckState.UNFIT, shown=figures, advice=advice)


def unknown(why: str, advice: str = "") -> CheckResult:
    """Return a result for facts that cannot be read, with the reason."""
    return CheckResult(state=CheckState.UNKNOWN, shown=why, advice=advice)


def number(facts: Facts, name: str) -> float | None:
    """Return a fact that is a number; None if there is none."""
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def word(facts: Facts, name: str) -> str | None:
    """Return a fact that is a word; None if there is none."""
    value = facts.get(name)
    return value if isinstance(value, str) else None


def table(facts: Facts, name: str) -> Mapping[str, object]:
    """Return a fact that is a table; empty if there is none."""
    value = facts.get(name)
    return value if isinstance(value, Mapping) else {}


def fault_of_pattern(want: str, what: str) -> str:
    """
    Return why a text is no pattern of a device's name; empty where it is.

    Nothing of it repeats, so that no pattern of a stranger's file takes long to search for.
    """
    one = r"([A-Za-z0-9 ._:-]|\[[A-Za-z0-9]+\])+"
    plain = re.fullmatch(rf"{one}(\|{one})*", want) is not None
    return "" if plain else f"must be {what}, with | between several, not {want!r}"


def fault_of_amount(want: str, unit: str, most: float) -> str:
    """Return why a text is no number with that unit, above 0; empty where it is, or is empty."""
    match = re.fullmatch(rf"(\d{{1,9}}(?:\.\d{{1,3}})?) {unit}", want)
    if not want or (match is not None and 0.0 < float(match[1]) <= most):
        return ""
    return f"must be up to {most:g} {unit}, written like '300 {unit}', not {want!r}"


def amount(want: str) -> float | None:
    """Return the number of a text that `fault_of_amount` accepts; None for an empty one."""
    return float(want.split()[0]) if want else None


def growth(before: Facts, after: Facts, name: str) -> float | None:
    """Return the growth of a counter between two readings; None if either lacks it."""
    old, new = number(before, name), number(after, name)
    return None if old is None or new is None else new - old
