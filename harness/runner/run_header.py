"""
The header of a run: everything that is known before its first process.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from harness.errors import HarnessError
from harness.python310 import parse_iso
from harness.records.cell import Cell, Name
from harness.records.codec import from_json
from harness.records.constraints import OmitDefault, Range, TextPattern, Unique
from harness.records.environment import RunEnvironment
from harness.records.run import (
    MOST_ROUNDS,
    OPENAI,
)

VOICE = r"voices/[A-Za-z0-9_][A-Za-z0-9._-]*"

WORKLOAD = r"([A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*\.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """Request and environment of a run: everything that is known before its first process."""

    suite: Name
    question: str
    reference: str
    cells: Annotated[tuple[Cell, ...], Unique("slug")]
    """None where two revisions have no cell in common."""
    excluded: Mapping[str, str]
    profile: Name
    environment: RunEnvironment
    created: str
    repeats: Annotated[int, Range(1, MOST_ROUNDS)]
    iterations: Annotated[int, Range(1)]
    command: str
    min_time_s: Annotated[float, Range(0.0)] = 0.0
    """
    The least that a process measures; what is missing then is filled with whole passes through the
    workload.
    """
    metrics: tuple[str, ...] | None = None
    conditions: tuple[str, ...] = ()
    parts: Annotated[int, Range(1)] = 1
    """
    Into how many the workload is cut; each round speaks one, in turn. 1: every round speaks all of
    it.
    """
    judge: str = OPENAI
    unmeasured: Annotated[Mapping[str, str], OmitDefault()] = field(default_factory=dict)
    """Cells of the suite that this run was not asked for: slug -> label."""
    workload: Annotated[
        str, OmitDefault(), TextPattern(f"({WORKLOAD})?", "a relative path of a workload")
    ] = ""
    """
    Path of the workload in the project; empty where it came with this package, or from elsewhere.
    """

    def spoken(self, cell: Cell, repeat: int) -> tuple[str, ...]:
        """Return the ids of the requests that a process of this round synthesises in a pass."""
        return tuple(request.id for request in cell.workload.requests)[
            repeat % self.parts :: self.parts
        ]


def header_from_json(data: Mapping[str, Any]) -> RunHeader:
    """Return the header that `run.json` holds. Raises HarnessError with the wrong value."""
    header = from_json(
        RunHeader, {name: value for name, value in data.items() if name != "schema_version"}
    )
    for number, cell in enumerate(header.cells):
        for speaker, file in cell.workload.voices.items():
            if not re.fullmatch(VOICE, file):
                raise HarnessError(
                    f"cells[{number}].workload.voices.{speaker}: {file!r} is no file of the folder "
                    "voices/"
                )
    _check_created(header.created)
    return header


def _check_created(created: str) -> None:
    try:
        year = parse_iso(created).year
    except ValueError:
        year = 0
    if not 1970 <= year < 9000:
        raise HarnessError(
            f"created: {created[:60]!r} is no time; write it as 2026-11-20T02:00:00+00:00"
        )
