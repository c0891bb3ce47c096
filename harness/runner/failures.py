"""
Classify exceptions of a worker as failures.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.run import (
    Failure,
    FailureKind,
)
from voxgate.harness.runner.opened_files import ForeignFilesError
from voxgate.harness.runner.process_files import has_no_room
from voxgate.harness.targets.http.client import SpeechError
from voxgate.harness.targets.other_python.connection import EngineAbroadError

HARNESS = Path(__file__).parents[1]
"""Our own code, which names the request where it matters."""


class UnwritableError(Exception):
    """A measurement cannot be recorded; no fault of the engine, whatever the system reports."""

    def __init__(self, system: OSError) -> None:
        super().__init__(str(system))
        self.system = system


class NotInEffectError(Exception):
    """An option is not in effect as requested."""


def classify(error: Exception, request: str = "") -> Failure:
    """
    Return the failure that an exception stands for; of a bug, with its place, and of one in an
    engine's own files or process, with the request at which it showed.
    """
    if isinstance(error, NotInEffectError):
        return Failure(kind=FailureKind.NOT_IN_EFFECT, reason=str(error))
    if isinstance(error, ForeignFilesError):
        return Failure(kind=FailureKind.FOREIGN_FILES, reason=str(error))
    at = f" at request {request}" if request else ""
    if isinstance(error, EngineAbroadError):
        return replace(error.failure, reason=f"{error.failure.reason}{at}")
    if isinstance(error, SpeechError):
        return Failure(kind=error.kind, reason=str(error))
    if isinstance(error, HarnessError):
        return Failure(kind=FailureKind.REFUSED, reason=str(error))
    if isinstance(error, UnwritableError):
        return Failure(kind=FailureKind.DISK, reason=_of_system(error.system))
    if isinstance(error, OSError) and has_no_room(error):
        return Failure(kind=FailureKind.DISK, reason=_of_system(error))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = "/".join(Path(frame.filename).parts[-2:])
    message = (str(error).strip().splitlines() or ["no message"])[0]
    at = "" if Path(frame.filename).is_relative_to(HARNESS) else at
    reason = f"{type(error).__name__}: {message} ({place}:{frame.lineno}){at}"
    return Failure(kind=FailureKind.ERROR, reason=reason)


def _of_system(error: OSError) -> str:
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


@contextmanager
def writing() -> Iterator[None]:
    """Raise UnwritableError for an OSError within, which then is known to be of our own writing."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(error) from error
