"""
The run folder: create, append, read, resume. It computes nothing and starts nothing.

    runs/0001/run.json                        what was asked, where (RunHeader)
              processes/<slug>.<n>.jsonl      one record a line, appended by the worker, on disk
                                              before the next command
              processes/<slug>.<n>.jsonl.part1   what an interrupted process left; read together
                                                 with its continuation
              torn/<slug>.<n>.jsonl.1   what an interrupted round of a comparison left; kept, and
                                        never read
              audio/<slug>/<request>.wav      the audio of the first repeat
              audio/<slug>/takes/<n>/<request>.wav   what an engine without a seed said otherwise
              voices/<speaker>.flac           recordings of the voices that it should sound like, as
                                              the workload names them
              transcripts.json                what was heard, by whom; written by scoring
              measurements.json               written by scoring; a gate needs nothing else
              scored.json                     the records, audio, panel that those were made from;
                                              else they are made anew
              complete                        written last

A line that was torn by a crash is ignored on reading and cut off before the file is continued.
SCHEMA_VERSION and its history stand in `records/run.py`.
"""

import errno
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from harness.errors import HarnessError
from harness.records.cell import Cell, Name
from harness.records.codec import (
    OmitDefault,
    Range,
    TextPattern,
    Unique,
    from_json,
    parse_json,
    to_json,
)
from harness.records.contained_files import check_tree, read_bytes
from harness.records.environment import RunEnvironment, environment_from_json, facts_of
from harness.records.files import write_atomic
from harness.records.measurement import (
    Measurement,
    Missing,
    measurement_from_dict,
    measurement_to_dict,
)
from harness.records.run import (
    MOST_ROUNDS,
    OPENAI,
    SCHEMA_VERSION,
    Energy,
    Failure,
    HeardText,
    HeardTexts,
    Iteration,
    OptionCheck,
    Phase,
    ProcessRecord,
    Run,
    StageProfile,
)
from harness.runner.process_lines import process_of, record_of

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""
What the system says where nothing more can be written: the disk, the quota, or the limit of a
file's size.
"""
TRANSCRIPTS = "transcripts.json"
LOG = re.compile(r"(?P<slug>.+)\.(?P<repeat>[0-9]{1,9})\.jsonl(\.part(?P<part>[0-9]{1,9}))?")
OWN_PARTS = ("complete", "processes", "audio", "voices", "confirm")
VOICE = r"voices/[A-Za-z0-9_][A-Za-z0-9._-]*"
WORKLOAD = r"([A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*\.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """What a run was asked to do, and where: everything that is known before its first process."""

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
        """Give the ids of the requests that a process of this round speaks in a pass."""
        return tuple(request.id for request in cell.workload.requests)[
            repeat % self.parts :: self.parts
        ]


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


def next_run_folder(root: Path) -> Path:
    """Name the next free `root/NNNN`; it is not made."""
    numbers = [int(path.name) for path in root.glob("[0-9]*") if path.name.isdecimal()]
    return root / f"{max(numbers, default=0) + 1:04}"


def latest_run_folder(root: Path) -> Path:
    """Name the youngest run below `root`. Raises HarnessError if there is none."""
    folders = [
        path
        for path in root.glob("[0-9]*")
        if path.name.isdecimal() and (path / "run.json").is_file()
    ]
    if not folders:
        raise HarnessError(f"no run below {root}; measure one with `voxgate run SUITE`")
    return max(folders, key=lambda path: int(path.name))


def create_run(folder: Path, header: RunHeader) -> None:
    """Make the run folder. Raises HarnessError if it is in use or cannot be written."""
    if (folder / "run.json").exists():
        raise HarnessError(
            f"run folder {folder} is in use; choose another --out, or continue it with --resume"
        )
    try:
        (folder / "processes").mkdir(parents=True, exist_ok=True)
        (folder / "audio").mkdir(exist_ok=True)
        kept = replace(header, cells=tuple(_with_voices(cell, folder) for cell in header.cells))
        write_json(folder / "run.json", {"schema_version": SCHEMA_VERSION, **to_json(kept)})
    except OSError as error:
        raise HarnessError(
            f"cannot make run folder {folder}: {error.strerror}; choose another --out or make room"
        ) from error


def is_unbegun(folder: Path) -> bool:
    """Whether a run folder was made and its run never written down: there was no room for it."""
    made = (folder / "processes").is_dir() and not (folder / "run.json").exists()
    return made and not any((folder / "processes").iterdir())


def has_no_room(error: OSError) -> bool:
    """
    Whether nothing could be written for want of room: a circumstance, whatever was to be written.
    """
    return error.errno in NO_ROOM


def _with_voices(cell: Cell, folder: Path) -> Cell:
    """
    Copy the recordings of voices into the run folder, so that it can be scored elsewhere; give the
    cell that names these.
    """
    voices = {}
    for speaker, source in cell.workload.voices.items():
        voices[speaker] = f"voices/{speaker}{Path(source).suffix}"
        (folder / "voices").mkdir(exist_ok=True)
        write_atomic(folder / voices[speaker], (folder / source).read_bytes())
    return replace(cell, workload=replace(cell.workload, voices=voices)) if voices else cell


def load_header(folder: Path) -> RunHeader:
    """
    Read what a run was asked to do. Raises HarnessError if it is no run folder or a newer one than
    this.
    """
    check_folder(folder)
    data = read_json(folder / "run.json", f"{folder} is no run folder: it has no run.json")
    version = data.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise HarnessError(
            f"run folder {folder} has schema {version!r}, which no voxgate wrote; measure again"
        )
    if version > SCHEMA_VERSION:
        raise HarnessError(
            f"run folder {folder} has schema {version}, this voxgate reads up to {SCHEMA_VERSION}; "
            "upgrade voxgate"
        )
    try:
        return _header_from_json(data)
    except HarnessError as error:
        raise HarnessError(f"{folder / 'run.json'} is damaged ({error}); measure again") from error


def check_folder(folder: Path) -> None:
    """
    Raise HarnessError for a link, pipe or device among all that is ever read of a run folder,
    rounds of confirmation too.
    """
    check_tree([*folder.glob("*.json"), *(folder / name for name in OWN_PARTS)])


def load_run(folder: Path) -> Run:
    """
    Read a whole run folder, finished or not. Raises HarnessError as `load_header` does, or if a
    record is damaged.
    """
    header = load_header(folder)
    environment = header.environment
    complete = folder / "complete"
    if complete.exists():
        closing = read_json(complete, f"{complete} vanished")
        environment = environment_from_json(
            {**facts_of(environment), **closing}, f"{complete}: environment"
        )
    return Run(
        schema_version=SCHEMA_VERSION,
        suite=header.suite,
        question=header.question,
        reference=header.reference,
        cells=header.cells,
        excluded=header.excluded,
        profile=header.profile,
        environment=environment,
        created=header.created,
        processes=_processes(folder, header),
        folder=str(folder),
        complete=complete.exists(),
        metrics=header.metrics,
        conditions=header.conditions,
        judge=header.judge,
        unmeasured=header.unmeasured,
        workload=header.workload,
        heard=load_transcripts(folder),
    )


def mark_complete(folder: Path, closing: Mapping[str, object]) -> None:
    """
    Say that nothing is left to measure; `closing` joins the environment (the state of the machine
    afterwards).
    """
    write_json(folder / "complete", dict(closing))


def unmark_complete(folder: Path) -> None:
    """Say that there is more to measure after all."""
    (folder / "complete").unlink(missing_ok=True)


def log_path(folder: Path, slug: str, repeat: int) -> Path:
    """Name the file of one process."""
    return folder / "processes" / f"{slug}.{repeat}.jsonl"


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
    lines = [_read_lines(each) for each in logs]
    try:
        return process_of(slug, repeat, [_records(several) for several in lines])
    except HarnessError as error:
        raise HarnessError(
            f"the records of {slug}, repeat {repeat}, are damaged ({error}); measure again"
        ) from error


def rounds(folder: Path) -> int:
    """
    Count the rounds that were begun: those that were planned, and those that were added until
    everything was decided.
    """
    return max((repeat + 1 for _, repeat in _begun(folder)), default=0)


def keep_interrupted(folder: Path, slug: str, repeat: int) -> None:
    """
    Keep what an interrupted process left under another name, so that a fresh process can continue
    its work.
    """
    path = log_path(folder, slug, repeat)
    if path.exists():
        path.rename(path.with_name(f"{path.name}.part{len(_parts(path)) + 1}"))


def archive_process(folder: Path, slug: str, repeat: int) -> None:
    """
    Keep what a process left, interrupted parts included, where nobody reads it: its round will be
    measured anew.
    """
    path = log_path(folder, slug, repeat)
    for log in (*_parts(path), path):
        if log.exists():
            (folder / "torn").mkdir(exist_ok=True)
            number = len(list((folder / "torn").glob(f"{log.name}.*"))) + 1
            log.rename(folder / "torn" / f"{log.name}.{number}")


def put_folder_away(folder: Path) -> None:
    """Keep a folder under another name, where nobody reads it."""
    number = len(list(folder.parent.glob(f"{folder.name}.old*"))) + 1
    folder.rename(folder.with_name(f"{folder.name}.old{number}"))


def append_failure(folder: Path, slug: str, repeat: int, failure: Failure) -> None:
    """Record why a process ended that could not do so itself; only once it is dead."""
    log = WorkerLog(log_path(folder, slug, repeat))
    log.append({"kind": "failure", "failure": to_json(failure)})
    log.close()


def save_measurements(folder: Path, measurements: Mapping[str, Sequence[Measurement]]) -> None:
    """Write the measurements of all cells (slug -> measurements)."""
    cells = {
        slug: [measurement_to_dict(each) for each in several]
        for slug, several in measurements.items()
    }
    write_json(folder / "measurements.json", {"schema_version": SCHEMA_VERSION, "cells": cells})


def load_measurements(folder: Path) -> dict[str, tuple[Measurement, ...]]:
    """
    Read what `save_measurements` wrote. Raises HarnessError if it is absent, damaged or newer.
    """
    path = folder / "measurements.json"
    data = read_json(
        path, f"run folder {folder} has no measurements yet; score it with `voxgate gate`"
    )
    version, cells = data.get("schema_version"), data.get("cells")
    if (
        not isinstance(version, int)
        or version not in range(1, SCHEMA_VERSION + 1)
        or not isinstance(cells, dict)
    ):
        raise HarnessError(
            f"{path} has schema {version!r}, this voxgate reads up to {SCHEMA_VERSION}; score the "
            "run again"
        )
    return {slug: _measurements(path, slug, several) for slug, several in cells.items()}


def save_transcripts(folder: Path, heard: HeardTexts) -> None:
    """
    Write what was heard in a run (slug -> request id -> text). Raises HarnessError if there is no
    room.
    """
    cells = {
        slug: {name: to_json(each) for name, each in texts.items()} for slug, texts in heard.items()
    }
    try:
        write_json(folder / TRANSCRIPTS, {"schema_version": SCHEMA_VERSION, "cells": cells})
    except OSError as error:
        raise HarnessError(
            f"cannot keep what was heard in {folder}: {error.strerror}; make room, then run this "
            "again"
        ) from error


def load_transcripts(folder: Path) -> HeardTexts:
    """
    Read what `save_transcripts` wrote; empty where nobody listened. Raises HarnessError if it is
    damaged or newer.
    """
    path = folder / TRANSCRIPTS
    if not path.exists():
        return {}
    data = from_json(_Transcripts, read_json(path, f"{path} vanished"), str(path))
    if data.schema_version > SCHEMA_VERSION:
        raise HarnessError(
            f"{path} has schema {data.schema_version}, this voxgate reads up to {SCHEMA_VERSION}; "
            "score the run again"
        )
    return data.cells


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transcripts:
    """The file `transcripts.json`."""

    schema_version: Annotated[int, Range(least=1)]
    cells: Mapping[str, Mapping[str, HeardText]]


def write_json(path: Path, data: object) -> None:
    """Write a JSON file whole or not at all. Raises OSError."""
    write_atomic(path, json.dumps(data, indent=1, allow_nan=False))


def read_json(path: Path, absent: str) -> dict[str, Any]:
    """
    Read a JSON object. Raises HarnessError: `absent` if there is no such file, else what is wrong
    with it.
    """
    try:
        data = parse_json(read_bytes(path), str(path))
    except FileNotFoundError as error:
        raise HarnessError(absent) from error
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error.strerror}") from error
    if not isinstance(data, dict):
        raise HarnessError(f"{path} must hold a JSON object, not {type(data).__name__}")
    return data


def cut_torn_line(path: Path) -> None:
    """Cut off a last line that a crash left without its end; nothing if there is no file."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)


def effect_to_json(effect: OptionCheck) -> dict[str, Any]:
    """Return an effect as plain JSON values."""
    data: dict[str, Any] = to_json(effect)
    return data


def sample_to_json(sample: Iteration) -> dict[str, Any]:
    """Return a sample as plain JSON values."""
    data: dict[str, Any] = to_json(sample)
    return data


def energy_to_json(energy: Energy | Missing) -> dict[str, Any]:
    """Return what a process drew, or why that is not known, as plain JSON values."""
    data: dict[str, Any] = to_json(energy)
    return data


def stages_to_json(stages: StageProfile | Missing) -> dict[str, Any]:
    """Return what a process told of its stages, or why that is not known, as plain JSON values."""
    data: dict[str, Any] = to_json(stages)
    return data


def _header_from_json(data: Mapping[str, Any]) -> RunHeader:
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
        year = datetime.fromisoformat(created).year
    except ValueError:
        year = 0
    if not 1970 <= year < 9000:
        raise HarnessError(
            f"created: {created[:60]!r} is no time; write it as 2026-11-20T02:00:00+00:00"
        )


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
    found = {
        int(match["part"]): each
        for each in path.parent.glob(f"{path.name}.part*")
        if (match := LOG.fullmatch(each.name))
    }
    return [found[number] for number in sorted(found)]


def _begun(folder: Path) -> set[tuple[str, int]]:
    """
    Return (slug, repeat) of all processes that left a file. Raises HarnessError for a round that
    nobody measures.
    """
    names = [path.name for path in (folder / "processes").glob("*.jsonl*")]
    found = {
        (match["slug"], int(match["repeat"])) for name in names if (match := LOG.fullmatch(name))
    }
    wrong = next((f"{slug}.{repeat}.jsonl" for slug, repeat in found if repeat > MOST_ROUNDS), None)
    if wrong is not None:
        raise HarnessError(
            f"{folder / 'processes' / wrong} is of a round beyond {MOST_ROUNDS}; no voxgate made "
            "it, remove it"
        )
    return found


def _processes(folder: Path, header: RunHeader) -> tuple[ProcessRecord, ...]:
    begun, places = _begun(folder), {cell.slug: number for number, cell in enumerate(header.cells)}
    strange = sorted(slug for slug, _ in begun if slug not in places)
    if strange:
        raise HarnessError(
            f"{folder / 'processes'} has records of {strange[0]}, which is no cell of this run; "
            "remove them"
        )
    order = sorted(begun, key=lambda each: (each[1], places[each[0]]))
    records = [(slug, load_process(folder, slug, repeat)) for slug, repeat in order]
    for slug, record in records:
        if record is not None:
            _check_asked(header.cells[places[slug]], record)
    return tuple(record for _, record in records if record is not None)


def _check_asked(cell: Cell, record: ProcessRecord) -> None:
    """
    Raise HarnessError for a process that spoke requests of another cell, or was measured
    unobserved.
    """
    what = f"the records of {cell.slug}, repeat {record.repeat},"
    known = {request.id for request in cell.workload.requests}
    if strange := sorted({sample.request for sample in record.samples} - known):
        raise HarnessError(
            f"{what} speak {strange[0]!r}, which is no request of its workload; measure again"
        )
    measured = any(sample.phase is Phase.MEASURED for sample in record.samples)
    if record.finished and measured and not record.observed:
        raise HarnessError(
            f"{what} do not tell which options were observed to be in effect; measure again"
        )


def _read_lines(path: Path) -> list[tuple[str, Any]]:
    """Return the whole lines of a file, each with its place."""
    try:
        whole, newline, _torn = read_bytes(path).rpartition(b"\n")
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error.strerror}; measure again") from error
    lines = enumerate(whole.split(b"\n") if newline else (), start=1)
    try:
        return [(f"line {number}", parse_json(line, f"{path}:{number}")) for number, line in lines]
    except HarnessError as error:
        raise HarnessError(f"{error}; delete the file and run again with --resume") from error


def _records(lines: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    records = [record_of(line, where) for where, line in lines]
    return [record for record in records if record is not None]


def _measurements(path: Path, slug: str, several: object) -> tuple[Measurement, ...]:
    if not isinstance(several, list):
        raise HarnessError(f"{path}: cells.{slug} must be a list; score the run again")
    try:
        found = tuple(measurement_from_dict(each) for each in several)
    except HarnessError as error:
        raise HarnessError(f"{path}: cells.{slug}: {error}; score the run again") from error
    names = [each.metric for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise HarnessError(f"{path}: cells.{slug} has {twice} more than once; score the run again")
    return found
