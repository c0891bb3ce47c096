"""
Standard output of a worker: answers only; whatever libraries print goes to standard error.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Any, BinaryIO, TextIO, cast


class Lossy(io.RawIOBase):
    """A file whose writing never fails: what cannot be written is lost."""

    def __init__(self, number: int) -> None:
        self._number = number

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._number

    def write(self, content: Any) -> int:
        """Write what there is room for, and take it all."""
        with suppress(OSError):
            os.write(self._number, content)
        return len(content)


def claim_stdout() -> TextIO:
    """
    Reserve standard output for answers; everything that libraries print goes to standard error.

    On a full disk that is lost: a worker that died of its own last words would look like one whose
    engine failed.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout, sys.stderr = lossy(1), lossy(2)
    return answers


def lossy(number: int) -> TextIO:
    """Return a text stream whose writing never fails."""
    raw = cast(BinaryIO, Lossy(number))
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
