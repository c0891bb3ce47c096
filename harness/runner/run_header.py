"""
The header of a run: everything that is known before its first process.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.python310 import parse_iso
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.constraints import Range
from voxgate.harness.records.run import MOST_ROUNDS, RunSpec

VOICE = r"voices/[A-Za-z0-9_][A-Za-z0-9._-]*"
SOURCE = r"sources/[a-z0-9_-][a-z0-9._-]*\.(wav|flac)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader(RunSpec):
    """Request and environment of a run: everything that is known before its first process."""

    repeats: Annotated[int, Range(1, MOST_ROUNDS)]
    iterations: Annotated[int, Range(1)]
    command: str
    min_time_s: Annotated[float, Range(0.0)] = 0.0
    """
    The least that a process measures; what is missing then is filled with whole passes through the
    workload.
    """
    parts: Annotated[int, Range(1)] = 1
    """
    Into how many the workload is cut; each round speaks one, in turn. 1: every round speaks all of
    it.
    """

    def spoken(self, cell: Cell, repeat: int) -> tuple[str, ...]:
        """Return the ids of the requests that a process of this round synthesises in a pass."""
        return tuple(request.id for request in cell.workload.requests)[
            repeat % self.parts :: self.parts
        ]

    def further_takes(self, cell: Cell, repeat: int) -> tuple[tuple[str, int], ...]:
        """
        Return the takes beyond the measured ones that a process of this round adds, as (request,
        number). The planned rounds share them; the first one also repeats a request by its own
        seed, number 0, so that the same seed is heard twice.
        """
        count = self.takes.get(cell.slug, 1)
        spoken = self.spoken(cell, repeat)
        sharing = range(repeat % self.parts, self.repeats, self.parts)
        if count < 2 or repeat not in sharing:
            return ()
        numbers = range(1 + sharing.index(repeat), count, len(sharing))
        again = ((spoken[0], 0),) if repeat == 0 else ()
        return (*again, *product(spoken, numbers))


def header_from_json(data: Mapping[str, Any]) -> RunHeader:
    """Return the header that `run.json` holds. Raises HarnessError with the wrong value."""
    header = from_json(
        RunHeader, {name: value for name, value in data.items() if name != "schema_version"}
    )
    for number, cell in enumerate(header.cells):
        _check_sources(cell, f"cells[{number}].workload")
        for speaker, file in cell.workload.voices.items():
            if not re.fullmatch(VOICE, file):
                raise HarnessError(
                    f"cells[{number}].workload.voices.{speaker}: {file!r} is no file of the folder "
                    "voices/"
                )
    _check_created(header.created)
    return header


def _check_sources(cell: Cell, where: str) -> None:
    """Raise HarnessError for a source that is no file of the run's own, with its digest."""
    for request in cell.workload.requests:
        source = request.source
        if source is not None and not (re.fullmatch(SOURCE, source.path) and source.sha256):
            raise HarnessError(
                f"{where}.requests.{request.id}.source: {source.path!r} is no file of the folder "
                "sources/ with its sha256"
            )


def _check_created(created: str) -> None:
    try:
        year = parse_iso(created).year
    except ValueError:
        year = 0
    if not 1970 <= year < 9000:
        raise HarnessError(
            f"created: {created[:60]!r} is no time; write it as 2026-11-20T02:00:00+00:00"
        )
