"""
Create, read and complete a run folder. Computes nothing and starts no process.

    runs/0001/run.json                        request and environment of the run (RunHeader)
              processes/<slug>.<n>.jsonl      one record per line, appended by the worker and on
                                              disk before its next command
              processes/<slug>.<n>.jsonl.part1   records of an interrupted process; read together
                                                 with its continuation
              torn/<slug>.<n>.jsonl.1   records of an interrupted round of a comparison; kept, and
                                        never read
              audio/<slug>/<request>.wav      audio of the first repeat
              audio/<slug>/marked/<request>.wav      the same as delivered, where it has a watermark
              audio/<slug>/takes/<n>/<request>.wav   different audio of the same request, from an
                                                     engine without a seed
              spans/<slug>.<n>.jsonl          when each iteration and its stages ran, if asked for
              voices/<speaker>.flac           reference recordings of the voices, by the names of
                                              the workload
              sources/<request>.wav           recordings that requests convert
              transcripts.json                transcript of each request and its recogniser;
                                              written by scoring
              measurements.json               written by scoring; a gate needs nothing else
              scored.json                     digests of the records, audio and metrics that
                                              scoring read; a difference means scoring anew
              complete                        written last

`process_files.py` reads and writes the files of the processes. SCHEMA_VERSION and its history stand
in `records/run.py`.
"""

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from voxgate.harness.errors import RUNS, HarnessError
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.constraints import Range
from voxgate.harness.records.documents import read_json, write_json
from voxgate.harness.records.environment import environment_from_json, facts_of
from voxgate.harness.records.files import check_tree, file_sha256, write_atomic
from voxgate.harness.records.measurement import (
    Measurement,
    measurement_from_dict,
    measurement_to_dict,
)
from voxgate.harness.records.run import (
    SCHEMA_VERSION,
    HeardText,
    HeardTexts,
    Phase,
    ProcessRecord,
    Run,
    spec_fields,
)
from voxgate.harness.runner.process_files import begun_processes, load_process, slug_of
from voxgate.harness.runner.run_header import RunHeader, header_from_json

TRANSCRIPTS = "transcripts.json"
DIGEST_DIGITS = 16
"""Of the digests that identify records and audio."""

OWN_PARTS = ("complete", "processes", "spans", "audio", "voices", "sources", "confirm")


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


def run_or_latest(folder: Path | None) -> Path:
    """
    Return the folder, or the latest run where none is named. Raises HarnessError without a run.
    """
    return folder if folder is not None else latest_run_folder(RUNS)


def create_run(folder: Path, header: RunHeader) -> None:
    """Make the run folder. Raises HarnessError if it is in use or cannot be written."""
    if (folder / "run.json").exists():
        raise HarnessError(
            f"run folder {folder} is in use; choose another --out, or continue it with --resume"
        )
    try:
        (folder / "processes").mkdir(parents=True, exist_ok=True)
        (folder / "audio").mkdir(exist_ok=True)
        cells = (_with_voices(_with_sources(cell, folder), folder) for cell in header.cells)
        copied = replace(header, cells=tuple(cells))
        write_json(folder / "run.json", {"schema_version": SCHEMA_VERSION, **to_json(copied)})
    except OSError as error:
        raise HarnessError(
            f"cannot make run folder {folder}: {error.strerror}; choose another --out or make room"
        ) from error


def is_unbegun(folder: Path) -> bool:
    """Whether a run folder was made and its run never written down: there was no room for it."""
    has_folder = (folder / "processes").is_dir() and not (folder / "run.json").exists()
    return has_folder and not any((folder / "processes").iterdir())


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


def _with_sources(cell: Cell, folder: Path) -> Cell:
    """
    Copy the sources of requests into the run folder; return the cell that names these. Raises
    HarnessError for a file that has changed since it was checked.
    """
    requests = []
    for request in cell.workload.requests:
        if request.source is not None:
            content = (folder / request.source.path).read_bytes()
            if hashlib.sha256(content).hexdigest() != request.source.sha256:
                raise HarnessError(
                    f"{request.source.path} has changed since it was checked; measure again"
                )
            (folder / "sources").mkdir(exist_ok=True)
            write_atomic(folder / request.source_file, content)
        requests.append(request.in_folder())
    return replace(cell, workload=replace(cell.workload, requests=tuple(requests)))


def load_header(folder: Path) -> RunHeader:
    """
    Read the header of a run. Raises HarnessError if it is no run folder or a newer one than this.
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
        return header_from_json(data)
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
        **{**spec_fields(header), "environment": environment},
        schema_version=SCHEMA_VERSION,
        processes=_processes(folder, header),
        folder=str(folder),
        complete=complete.exists(),
        heard=load_transcripts(folder),
    )


def mark_complete(folder: Path, closing: Mapping[str, object]) -> None:
    """
    Mark a run as complete; `closing` joins the environment (the state of the machine afterwards).
    """
    write_json(folder / "complete", dict(closing))


def unmark_complete(folder: Path) -> None:
    """Mark a run as incomplete again."""
    (folder / "complete").unlink(missing_ok=True)


def put_folder_away(folder: Path) -> None:
    """Rename a folder, so that it is no longer read."""
    number = len(list(folder.parent.glob(f"{folder.name}.old*"))) + 1
    folder.rename(folder.with_name(f"{folder.name}.old{number}"))


def records_digest(folder: Path, slugs: Collection[str] | None = None) -> str:
    """
    Return a digest of the request files and the processes' records; with `slugs`, of these
    cells.
    """
    logs = sorted((folder / "processes").glob("*.jsonl*"))
    kept = [log for log in logs if slugs is None or slug_of(log) in slugs]
    return files_digest((folder / "run.json", *kept), "measure again")


def files_digest(files: Iterable[Path], remedy: str) -> str:
    """
    Return a digest of files' names and bytes; a stranger's name may be no text. Raises HarnessError
    with the remedy for a file that cannot be read.
    """
    whole = hashlib.sha256()
    try:
        for file in files:
            whole.update(os.fsencode(file.name) + f" {file_sha256(file)}\n".encode())
    except OSError as error:
        raise HarnessError(f"cannot read {error.filename}: {error.strerror}; {remedy}") from error
    return whole.hexdigest()[:DIGEST_DIGITS]


def save_measurements(folder: Path, measurements: Mapping[str, Sequence[Measurement]]) -> None:
    """Write the measurements of all cells (slug -> measurements)."""
    cells = {slug: list(map(measurement_to_dict, of)) for slug, of in measurements.items()}
    write_json(folder / "measurements.json", {"schema_version": SCHEMA_VERSION, "cells": cells})


def load_measurements(folder: Path) -> dict[str, tuple[Measurement, ...]]:
    """
    Read the result of `save_measurements`. Raises HarnessError if it is absent, damaged or newer.
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
    return {slug: _measurements(path, slug, data_of_cell) for slug, data_of_cell in cells.items()}


def save_transcripts(folder: Path, transcripts: HeardTexts) -> None:
    """
    Write the transcripts of a run (slug -> request id -> text). Raises HarnessError if there is no
    room.
    """
    cells = {}
    for slug, texts in transcripts.items():
        cells[slug] = {name: to_json(text) for name, text in texts.items()}
    try:
        write_json(folder / TRANSCRIPTS, {"schema_version": SCHEMA_VERSION, "cells": cells})
    except OSError as error:
        raise HarnessError(
            f"cannot keep what was heard in {folder}: {error.strerror}; make room, then run this "
            "again"
        ) from error


def load_transcripts(folder: Path) -> HeardTexts:
    """
    Read the result of `save_transcripts`; empty where nothing was transcribed. Raises HarnessError
    if it is damaged or newer.
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


def _processes(folder: Path, header: RunHeader) -> tuple[ProcessRecord, ...]:
    begun, places = (
        begun_processes(folder),
        {cell.slug: number for number, cell in enumerate(header.cells)},
    )
    strange = sorted(slug for slug, _ in begun if slug not in places)
    if strange:
        raise HarnessError(
            f"{folder / 'processes'} has records of {strange[0]}, which is no cell of this run; "
            "remove them"
        )
    order = sorted(begun, key=lambda key: (key[1], places[key[0]]))
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
    ids = {request.id for request in cell.workload.requests}
    if strange := sorted({iteration.request for iteration in record.iterations} - ids):
        raise HarnessError(
            f"{what} speak {strange[0]!r}, which is no request of its workload; measure again"
        )
    measured = any(iteration.phase is Phase.MEASURED for iteration in record.iterations)
    if record.finished and measured and not record.observed:
        raise HarnessError(
            f"{what} do not tell which options were observed to be in effect; measure again"
        )


def _measurements(path: Path, slug: str, data: object) -> tuple[Measurement, ...]:
    if not isinstance(data, list):
        raise HarnessError(f"{path}: cells.{slug} must be a list; score the run again")
    try:
        measurements = tuple(measurement_from_dict(measurement) for measurement in data)
    except HarnessError as error:
        raise HarnessError(f"{path}: cells.{slug}: {error}; score the run again") from error
    names = [measurement.metric for measurement in measurements]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise HarnessError(f"{path}: cells.{slug} has {twice} more than once; score the run again")
    return measurements
