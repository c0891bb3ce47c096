"""
The JSONL files of the processes of a run: append, read, set aside.

A line that a crash left unfinished is ignored on reading, and cut off before the file is continued.
"""

import errno
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.documents import parse_json
from voxgate.harness.records.files import read_bytes
from voxgate.harness.records.run import (
    MOST_ROUNDS,
    Failure,
    ProcessRecord,
)
from voxgate.harness.records.traces import IterationTrace
from voxgate.harness.runner.process_lines import process_of, record_of

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""
Error numbers where nothing more can be written: the disk, the quota, or the limit of a file's size.
"""

TRACES = "spans"
"""In the run folder: when each iteration ran, if that was asked for."""
KEPT_PROCESSES = 256
"""Parsed processes to keep; beyond these the least recently read one is parsed again."""

LOG = re.compile(r"(?P<slug>.+)\.(?P<repeat>[0-9]{1,9})\.jsonl(\.part(?P<part>[0-9]{1,9}))?")


class WorkerLog:
    """One process's file, open for appending; every record is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        cut_torn_line(path)
        self._file = path.open("ab", buffering=0)

    def append(self, record: Mapping[str, object]) -> None:
        """Write one record. Raises OSError (ENOSPC) if the disk is full; no half line stays."""
        line = memoryview(json.dumps(_whole_characters(record), allow_nan=False).encode() + b"\n")
        before = os.fstat(self._file.fileno()).st_size
        try:
            while line:  # a disk with room for half a line; the next write names the error
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file.fileno(), before)
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def has_no_room(error: OSError) -> bool:
    """Whether an OSError means that there is no room: a circumstance, no fault of the engine."""
    return error.errno in NO_ROOM


def log_path(folder: Path, slug: str, repeat: int) -> Path:
    """Name the file of one process."""
    return folder / "processes" / f"{slug}.{repeat}.jsonl"


def trace_log(folder: Path, slug: str, repeat: int) -> WorkerLog:
    """Open the file of when the iterations of one process ran."""
    (folder / TRACES).mkdir(exist_ok=True)
    return WorkerLog(folder / TRACES / f"{slug}.{repeat}.jsonl")


def load_traces(folder: Path) -> list[IterationTrace]:
    """
    Return when the iterations of a run ran, the earliest first; empty where that was not kept.
    Raises HarnessError for a damaged file.
    """
    found: list[IterationTrace] = []
    for path in sorted((folder / TRACES).glob("*.jsonl")):
        lines = _lines(path, _whole_lines(path))
        found += [from_json(IterationTrace, line, f"{path}, {where}") for where, line in lines]
    return sorted(found, key=lambda trace: trace.began_s)


def slug_of(log: Path) -> str:
    """
    Return the cell whose process left a file: the inverse of `log_path`, interrupted parts
    included.
    """
    return log.name.partition(".jsonl")[0].rpartition(".")[0]


def load_process(folder: Path, slug: str, repeat: int) -> ProcessRecord | None:
    """Read one repeat of one cell, interrupted parts included; None if it never began."""
    path = log_path(folder, slug, repeat)
    logs = [*_parts(path), *([path] if path.exists() else [])]
    if not logs:
        return None
    return _parsed(slug, repeat, tuple((log.absolute(), _whole_lines(log)) for log in logs))


@lru_cache(maxsize=KEPT_PROCESSES)
def _parsed(slug: str, repeat: int, logs: tuple[tuple[Path, bytes], ...]) -> ProcessRecord:
    """Parse the logs of one repeat; the same bytes are parsed once, however often they are read."""
    lines = [_lines(path, content) for path, content in logs]
    try:
        return process_of(slug, repeat, [_records(log_lines) for log_lines in lines])
    except HarnessError as error:
        raise HarnessError(
            f"the records of {slug}, repeat {repeat}, are damaged ({error}); measure again"
        ) from error


def rounds(folder: Path) -> int:
    """
    Count the rounds that were begun: those that were planned, and those that were added until
    everything was decided.
    """
    return max((repeat + 1 for _, repeat in begun_processes(folder)), default=0)


def keep_interrupted(folder: Path, slug: str, repeat: int) -> None:
    """Rename the file of an interrupted process, so that a fresh process can continue its work."""
    path = log_path(folder, slug, repeat)
    if path.exists():
        path.rename(path.with_name(f"{path.name}.part{len(_parts(path)) + 1}"))


def archive_process(folder: Path, slug: str, repeat: int) -> None:
    """
    Move the files of a process to `torn/`, interrupted parts included: its round will be measured
    anew.
    """
    path = log_path(folder, slug, repeat)
    for log in (*_parts(path), path):
        if log.exists():
            (folder / "torn").mkdir(exist_ok=True)
            number = len(list((folder / "torn").glob(f"{log.name}.*"))) + 1
            log.rename(folder / "torn" / f"{log.name}.{number}")


def append_failure(folder: Path, slug: str, repeat: int, failure: Failure) -> None:
    """Record why a process ended that could not do so itself; only once it is dead."""
    log = WorkerLog(log_path(folder, slug, repeat))
    log.append({"kind": "failure", "failure": to_json(failure)})
    log.close()


def cut_torn_line(path: Path) -> None:
    """Cut off a last line that a crash left without its end; nothing if there is no file."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)


def _whole_characters(record: Mapping[str, object]) -> Mapping[str, object]:
    """
    Replace half characters, as file names in an engine's errors may hold them: no reader would take
    them.
    """
    text = json.dumps(record, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        whole: dict[str, object] = json.loads(text.encode(errors="replace"))
        return whole
    return record


def _parts(path: Path) -> list[Path]:
    parts = {
        int(match["part"]): part
        for part in path.parent.glob(f"{path.name}.part*")
        if (match := LOG.fullmatch(part.name))
    }
    return [parts[number] for number in sorted(parts)]


def begun_processes(folder: Path) -> set[tuple[str, int]]:
    """
    Return (slug, repeat) of all processes that left a file. Raises HarnessError for a round that
    nobody measures.
    """
    names = [path.name for path in (folder / "processes").glob("*.jsonl*")]
    processes = {
        (match["slug"], int(match["repeat"])) for name in names if (match := LOG.fullmatch(name))
    }
    wrong = next(
        (f"{slug}.{repeat}.jsonl" for slug, repeat in processes if repeat > MOST_ROUNDS), None
    )
    if wrong is not None:
        raise HarnessError(
            f"{folder / 'processes' / wrong} is of a round beyond {MOST_ROUNDS}; no voxgate made "
            "it, remove it"
        )
    return processes


def _whole_lines(path: Path) -> bytes:
    """Return the bytes of a file up to its last line end."""
    try:
        whole, newline, _torn = read_bytes(path).rpartition(b"\n")
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error.strerror}; measure again") from error
    return whole + newline


def _lines(path: Path, content: bytes) -> list[tuple[str, Any]]:
    """Parse whole lines, each with its place."""
    lines = enumerate(content.split(b"\n")[:-1], start=1)
    try:
        return [(f"line {number}", parse_json(line, f"{path}:{number}")) for number, line in lines]
    except HarnessError as error:
        raise HarnessError(f"{error}; delete the file and run again with --resume") from error


def _records(lines: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    records = [record_of(line, where) for where, line in lines]
    return [record for record in records if record is not None]
