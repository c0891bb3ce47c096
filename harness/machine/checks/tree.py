"""
Where facts about a machine are read: the file system below a root, and what no file tells, the C library, NVML and the clock.

A test gives a folder of its own as the root. What is absent and what may not be read are both None here: not known. Never
guesses, never writes, and knows no path's meaning.
"""

import importlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.machine.clock import is_synchronized, now_utc_iso

ROOT = Path("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One machine, real or made up."""

    root: Path = ROOT
    libc: str = ""
    """The C library of this process as it names itself, `glibc 2.36`; empty where it does not tell."""
    nvml: Callable[[], Any] | None = None
    """Imports NVIDIA's management library, or raises ImportError; None on a machine that is made up of files alone."""

    now: Callable[[], str] | None = None
    """Tells the date and time, ISO, UTC; None on a machine that is made up of files alone."""
    synchronized: Callable[[], bool | None] | None = None
    """Tells whether a time server holds the clock right; None where nobody knows."""

    def text(self, path: str) -> str | None:
        """Read a file below the root, without the zeros and line ends around it; None if it is not there or not readable."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """Read a file that holds one whole number; None if it holds none."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def paths(self, pattern: str) -> tuple[str, ...]:
        """List what matches, relative to the root, numbers in their order: cpu2 before cpu10."""
        found = (path.relative_to(self.root).as_posix() for path in self.root.glob(pattern))
        return tuple(
            sorted(found, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)])
        )


def here() -> Tree:
    """Give the machine that this process runs on."""
    return Tree(
        libc=_libc(),
        nvml=lambda: importlib.import_module("pynvml"),
        now=now_utc_iso,
        synchronized=is_synchronized,
    )


def at(root: Path) -> Tree:
    """Give the machine at a root: this one for /, else one of files alone."""
    return here() if root == ROOT else Tree(root=root)


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):  # musl, macOS
        return ""
