"""
Request file that the parent writes for a worker, and the standard output that a worker keeps for
answers; whatever libraries print goes to standard error.
"""

import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from voxgate.harness.records.cell import Cell, Option
from voxgate.harness.records.codec import from_json
from voxgate.harness.runner.opened_files import Territory
from voxgate.harness.targets.other_python.connection import EngineLaunch


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRequest:
    """Request of the parent to a worker."""

    cell: Cell
    repeat: int
    folder: Path
    """The run folder."""
    log: Path
    defaults: Mapping[str, Option]
    """Of the profile."""
    cpus: tuple[int, ...]
    """Where to load and warm up; empty leaves it to the system."""
    cpu: int | None
    """Where to measure; None leaves it to the system."""
    known: Mapping[str, str]
    """Hash of the audio that earlier processes of this cell gave, by request."""
    iterations_before: int
    """How many iterations an interrupted process left for this repeat."""
    sampled: bool = False
    """Whether the cell is spoken in several takes."""
    spans: bool = False
    """Whether to keep when iterations and their stages ran."""
    territory: Territory | None = None
    """Files that the worker must use; None where they are not checked."""
    engine: EngineLaunch | None = None
    """The environment of the engine of a revision; None for the one that the cell names."""


def read_job(path: Path) -> WorkerRequest:
    """Read the request file that the parent wrote."""
    return from_json(WorkerRequest, json.loads(path.read_text(encoding="utf-8")), str(path))


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
