"""
A network of the user's own that scores audio: as a suite names it, and as a run records it.

A run records the digest of the file and never its path: a run folder may be a stranger's, and
names no file outside itself. Knows no format of networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated

from voxgate.harness.errors import HarnessError
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.constraints import NON_EMPTY, OmitDefault, Range, TextPattern

MODEL_NAME = TextPattern(r"[a-z][a-z0-9_]{0,29}", "a name of small letters, digits and _")
ModelName = Annotated[str, MODEL_NAME]
Rate = Annotated[int, Range(4_000, 192_000)]
Index = Annotated[int, Range(0, 1_000)]


class ModelKind(StrEnum):
    """The meaning of a network's output."""

    MOS = "mos"
    """A predicted opinion: higher is better."""
    EMBEDDING = "embedding"
    """A vector whose direction is the voice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnModel:
    """A network of the user's own, as a run records it."""

    sha256: Annotated[str, TextPattern(r"[0-9a-f]{64}", "a SHA-256")]
    kind: ModelKind
    rate_hz: Rate
    """Of the waveform that it hears."""
    index: Annotated[Index | None, OmitDefault()] = None
    """Which number of the output is the score; None where it is the only one."""

    @property
    def dependency(self) -> str:
        """The part of a metric's version that names this network."""
        place = "" if self.index is None else f"[{self.index}]"
        return f"model {self.sha256[:16]}{place} at {self.rate_hz} Hz"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A network of the user's own, as a suite names it."""

    path: Annotated[str, NON_EMPTY]
    kind: ModelKind = ModelKind.MOS
    rate_hz: Rate = 16_000
    index: Annotated[Index | None, OmitDefault()] = None

    def recorded(self, sha256: str) -> OwnModel:
        """Return what a run records of it."""
        return OwnModel(sha256=sha256, kind=self.kind, rate_hz=self.rate_hz, index=self.index)


def model_entries(models: object) -> dict[str, ModelEntry]:
    """
    Return the entries of `Suite.models` by name: a path, or a dictionary with a path.

    Raises HarnessError with the first value that cannot be meant.
    """
    if not isinstance(models, Mapping):
        raise HarnessError(
            f"models must be a dictionary of model files by name, not {models!r:.80}; write "
            'models={"utmos": "utmos.onnx"}'
        )
    return {_name(name): _entry(name, given) for name, given in models.items()}


def _name(name: object) -> str:
    if not isinstance(name, str) or MODEL_NAME.fault(name) is not None:
        raise HarnessError(
            f"models: {name!r:.80} is not {MODEL_NAME.what}; it becomes part of a metric's name"
        )
    return name


def _entry(name: str, given: object) -> ModelEntry:
    data = {"path": given} if isinstance(given, str | PurePath) else given
    if not isinstance(data, Mapping):
        raise HarnessError(
            f"models: {name} must be a path, or a dictionary with a path, not {given!r:.80}"
        )
    path = data.get("path")
    path = data.get("path")
    plain = {**data, "path": str(path)} if isinstance(path, PurePath) else data
    entry = from_json(ModelEntry, plain, f"models: {name}")
    if entry.kind is ModelKind.EMBEDDING and entry.index is not None:
        raise HarnessError(f"models: {name}: index chooses a score; an embedding is read whole")
    return entry
