"""
The record of one request, and its file. Times are seconds since the load of its cell began.

The folder of a load test: written line by line while it runs, read as far as it was written.

    runs/load/0001/load.json          what was asked, and where
                   <slug>.jsonl       one record a line: the server, every answer, every level's
                                      end, a failure
                   <slug>.memory.jsonl   the server's memory, now and then
                   <slug>.server.log  what the server said on standard error
                   report.json        the summary, written last
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from voxgate.harness.errors import HarnessError
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.documents import read_json, write_json
from voxgate.harness.runner.process_files import WorkerLog


class LoadPhase(StrEnum):
    """The purpose of a request. Only `loaded` ones are summarised."""

    COLD = "cold"
    """The first request of all, alone."""
    WARMUP = "warmup"
    """Alone, after that."""
    LOADED = "loaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRecord:
    """
    The result of one request.

    `planned_s` is the time at which it should have been sent: its arrival, or where a client waits
    for its responses, the time at which it was free to send again. Latency counts from there, since
    that is when its user began to wait.
    """

    phase: LoadPhase
    level: str
    """Label of the level; empty while warming up."""
    request: str
    length: str
    planned_s: float
    sent_s: float
    first_audio_s: float | None
    done_s: float
    audio_s: float
    failure: str = ""
    """The kind of failure, in a word or two; empty where the whole audio came."""
    reason: str = ""
    repeat: int = 0
    """Which turn of the levels: each has a server of its own, unless one ran already."""
    underruns: int | None = None
    """
    Number of underruns of a player that began with the first chunk; None where no audio came, or
    none was counted.
    """

    @property
    def latency_s(self) -> float:
        """Seconds from the planned time to the last audio."""
        return self.done_s - self.planned_s

    @property
    def wait_s(self) -> float | None:
        """Seconds from the planned time to the first audio."""
        return None if self.first_audio_s is None else self.first_audio_s - self.planned_s


T = TypeVar("T")
HEADER, REPORT = "load.json", "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Begin and end of a level, in seconds since the load of its cell began."""

    level: str
    began_s: float
    ended_s: float
    repeat: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """All records of one cell under load."""

    slug: str
    server: Mapping[str, Any]
    """Its URL and model, `ready_s` if it was started for this, and the options that it reported."""
    answers: tuple[ResponseRecord, ...]
    spans: tuple[Span, ...]
    memory: tuple[tuple[float, int], ...]
    """(seconds, bytes)"""
    failure: str
    """Why there is no (further) response; empty where all went well."""
    servers: tuple[Mapping[str, Any], ...] = ()
    """The facts of every repeat's server; `server` are those of the first."""


class CellLog:
    """Writer of one cell's records; several threads may use it."""

    def __init__(self, folder: Path, slug: str) -> None:
        self._log = WorkerLog(folder / f"{slug}.jsonl")
        self._memory = (folder / f"{slug}.memory.jsonl").open("a", encoding="utf-8", buffering=1)
        self._writing = threading.Lock()
        self._closed = False

    def answer(self, answer: ResponseRecord) -> None:
        """Write a response; it is on disk when this returns."""
        self._append({"kind": "answer", **to_json(answer)})

    def span(self, span: Span) -> None:
        """Write the begin and end of a level."""
        self._append({"kind": "level", **asdict(span)})

    def server(self, facts: Mapping[str, object]) -> None:
        """Write the facts of the server."""
        self._append({"kind": "server", **facts})

    def failure(self, reason: str) -> None:
        """Write why the load ended early."""
        self._append({"kind": "failure", "reason": reason})

    def memory(self, at_s: float, size_bytes: int) -> None:
        """Write a reading of the server's memory."""
        self._memory.write(f"[{at_s:.3f}, {size_bytes}]\n")

    def close(self) -> None:
        """Close the files. A response still in flight then, after Ctrl-C, is not written."""
        with self._writing:
            self._closed = True
            self._log.close()
            self._memory.close()

    def _append(self, record: Mapping[str, object]) -> None:
        with self._writing:
            if not self._closed:
                self._log.append(record)


def create(folder: Path, header: Mapping[str, object]) -> None:
    """Make the folder. Raises HarnessError if it is in use or cannot be written."""
    if (folder / HEADER).exists():
        raise HarnessError(f"{folder} is in use; choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / HEADER, header)
    except OSError as error:
        raise HarnessError(
            f"cannot write to {folder}: {error.strerror}; choose another --out or make room"
        ) from error


def read_header(folder: Path) -> dict[str, Any]:
    """Return the plan in the folder. Raises HarnessError if this is no folder of a load test."""
    return read_json(folder / HEADER, f"{folder} holds no load: it has no {HEADER}")


def read_cell(folder: Path, slug: str) -> LoadRecord:
    """Return the records of a cell, without a torn last line."""
    path = folder / f"{slug}.jsonl"
    records = _lines(path)
    failures = [str(record["reason"]) for record in records if record["kind"] == "failure"]
    servers = [_bare(record) for record in records if record["kind"] == "server"]
    return LoadRecord(
        slug=slug,
        server=servers[0] if servers else {},
        servers=tuple(servers),
        answers=_held(ResponseRecord, "answer", records, path),
        spans=_held(Span, "level", records, path),
        memory=tuple(
            (float(at_s), int(size)) for at_s, size in _lines(folder / f"{slug}.memory.jsonl")
        ),
        failure=failures[-1] if failures else "",
    )


def _held(
    kind: type[T], word: str, records: Sequence[Mapping[str, Any]], path: Path
) -> tuple[T, ...]:
    """Return the records of one kind of line. Raises HarnessError for a damaged one."""
    found = [_bare(record) for record in records if record["kind"] == word]
    return tuple(from_json(kind, record, str(path)) for record in found)


def _bare(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "kind"}


def _lines(path: Path) -> Sequence[Any]:
    if not path.is_file():
        return []
    whole, _, _torn = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]
