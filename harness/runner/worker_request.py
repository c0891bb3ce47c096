"""
The request file that the parent writes for a worker.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.records.cell import Cell, Option, cell_from_json
from voxgate.harness.records.codec import from_json
from voxgate.harness.runner.opened_files import Territory, territory_from_json
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
    territory: Territory | None = None
    """Files that the worker must use; None where they are not checked."""
    engine: EngineLaunch | None = None
    """The environment of the engine of a revision; None for the one that the cell names."""


def read_job(path: Path) -> WorkerRequest:
    """Read the request file that the parent wrote."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return WorkerRequest(
        cell=cell_from_json(data["cell"]),
        repeat=data["repeat"],
        folder=Path(data["folder"]),
        log=Path(data["log"]),
        defaults=data["defaults"],
        cpus=tuple(data["cpus"]),
        cpu=data["cpu"],
        known=data["known"],
        iterations_before=data["iterations_before"],
        territory=None if data.get("territory") is None else territory_from_json(data["territory"]),
        engine=None
        if data.get("engine") is None
        else from_json(EngineLaunch, data["engine"], "engine"),
    )
