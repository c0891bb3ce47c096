"""
Records of the environment of a run: its machine, its toolchain, and two snapshots of the machine's
state.

JSON keeps the facts flat: `{"machine": {"id": ..., "cores": 2, ...}, "toolchain": {...}, ...}`.
Facts without a field of their own are kept as they were read, so that an older voxgate passes on
the facts of a younger one. Knows no machine; `machine/identity.py` reads one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.constraints import Length, OmitDefault, Rest

MOST_LETTERS = 200
"""Of a machine's id, which becomes part of a file's name."""

Snapshot = Mapping[str, object]
"""State of a machine at one moment (load, pressure, clocks ...), as the doctor's checks read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Identity of a machine: stable over reboots, different where speed would be."""

    id: Annotated[str | None, OmitDefault(), Length(most=MOST_LETTERS)] = None
    """Readable and fit for a file name: `xeon-2c-24g-1a2b3c`."""
    facts: Annotated[Mapping[str, object], Rest()] = field(default_factory=dict)
    """Hardware, limits and settings by name: `cores`, `cpu_model`, `governor` ..."""
    former_id: Annotated[str | None, OmitDefault()] = None
    """Its id of before the limits were part of it, where that is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Software that a run was made with, and the commit of its working tree."""

    versions: Annotated[Mapping[str, object], Rest()] = field(default_factory=dict)
    """Of Python, packages, kernel, driver ..., by name."""
    commit: Annotated[str | None, OmitDefault()] = None
    branch: Annotated[str | None, OmitDefault()] = None
    dirty_files: Annotated[int | None, OmitDefault()] = None
    """Number of files that differ from the commit."""
    changes: Annotated[str | None, OmitDefault()] = None
    """Digest of the differences; `none` for a clean working tree."""
    no_commit: Annotated[str | None, OmitDefault()] = None
    """Why there is no commit though there is a repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnvironment:
    """Machine and toolchain of a run; the state of the machine before and after it."""

    machine: Annotated[Machine, OmitDefault()] = field(default_factory=Machine)
    toolchain: Annotated[Toolchain, OmitDefault()] = field(default_factory=Toolchain)
    before: Annotated[Snapshot | None, OmitDefault()] = None
    after: Annotated[Snapshot | None, OmitDefault()] = None
    """None until the run is complete."""
    more: Annotated[Mapping[str, object], Rest()] = field(default_factory=dict)
    """`finished`, `side` of a comparison, and facts that another version noted."""
    power: Annotated[str | None, OmitDefault()] = None
    """Reason for the absence of energy; None where it was measured, or not requested."""


def environment_from_json(data: object, where: str = "environment") -> RunEnvironment:
    """Return the environment that a run folder holds. Raises HarnessError with the wrong value."""
    return from_json(RunEnvironment, data, where)


def facts_of(part: RunEnvironment | Machine | Toolchain) -> dict[str, Any]:
    """Return all facts of an environment, or of a part of it, as plain JSON values."""
    facts: dict[str, Any] = to_json(part)
    return facts
