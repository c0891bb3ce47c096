"""
The run folder: create, append, read, resume. It computes nothing and starts nothing.

    runs/0001/run.json                        what was asked, where (RunHeader)
              processes/<slug>.<n>.jsonl      one record a line, appended by the worker, on disk before the next command
              processes/<slug>.<n>.jsonl.part1   what an interrupted process left; read together with its continuation
              torn/<slug>.<n>.jsonl.1   what an interrupted round of a comparison left; kept, and never read
              audio/<slug>/<request>.wav      the audio of the first repeat
              audio/<slug>/takes/<n>/<request>.wav   what an engine without a seed said otherwise
              voices/<speaker>.flac           recordings of the voices that it should sound like, as the workload names them
              transcripts.json                what was heard, by whom; written by scoring
              measurements.json               written by scoring; a gate needs nothing else
              scored.json                     the records, audio, panel that those were made from; else they are made anew
              complete                        written last

A line that was torn by a crash is ignored on reading and cut off before the file is continued. SCHEMA_VERSION and its
history stand in `sample.py`.
"""

import errno
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from harness.atomic import write_atomic
from harness.cell import Cell, cell_from_json, cell_to_json
from harness.codec import Range, from_json
from harness.errors import HarnessError
from harness.measurement import Measurement, Missing, measurement_from_dict, measurement_to_dict
from harness.sample import (
    OPENAI,
    SCHEMA_VERSION,
    ColdStart,
    Effect,
    Energy,
    Failure,
    HeardText,
    HeardTexts,
    Phase,
    Piece,
    ProcessRecord,
    Run,
    Sample,
    StagePass,
    Work,
)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where nothing more can be written: the disk, the quota, or the limit of a file's size."""
FINAL_FAILURES = frozenset({"refused", "error", "not in effect", "foreign files"})
"""Failures that are the cell's own answer; all others (killed, died, timeout, disk) are tried again by a resume."""
TRANSCRIPTS = "transcripts.json"
YOUNGER = ("min_time_s", "metrics", "conditions", "parts", "judge")
"""Facts of the header that older folders lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """What a run was asked to do, and where: everything that is known before its first process."""

    suite: str
    question: str
    reference: str
    cells: tuple[Cell, ...]
    excluded: Mapping[str, str]
    profile: str
    environment: Mapping[str, object]
    created: str
    repeats: int
    iterations: int
    command: str
    min_time_s: float = 0.0
    """The least that a process measures; what is missing then is filled with whole passes through the workload."""
    metrics: tuple[str, ...] | None = None
    conditions: tuple[str, ...] = ()
    parts: int = 1
    """Into how many the workload is cut; each round speaks one, in turn. 1: every round speaks all of it."""
    judge: str = OPENAI

    def spoken(self, cell: Cell, repeat: int) -> tuple[str, ...]:
        """Give the ids of the requests that a process of this round speaks in a pass."""
        return tuple(request.id for request in cell.workload.requests)[repeat % self.parts :: self.parts]


class WorkerLog:
    """One process's file, open for appending; every record is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        cut_torn_line(path)
        self._file = path.open("ab", buffering=0)

    def append(self, record: Mapping[str, object]) -> None:
        """Write one record. Raises OSError (ENOSPC) if the disk is full; no half line stays."""
        line = memoryview(json.dumps(record, allow_nan=False).encode() + b"\n")
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
    numbers = [int(path.name) for path in root.glob("[0-9]*") if path.name.isdigit()]
    return root / f"{max(numbers, default=0) + 1:04}"


def latest_run_folder(root: Path) -> Path:
    """Name the youngest run below `root`. Raises HarnessError if there is none."""
    folders = [path for path in root.glob("[0-9]*") if path.name.isdigit() and (path / "run.json").is_file()]
    if not folders:
        raise HarnessError(f"no run below {root}; measure one with `voxgate run SUITE`")
    return max(folders, key=lambda path: int(path.name))


def create_run(folder: Path, header: RunHeader) -> None:
    """Make the run folder. Raises HarnessError if it is in use or cannot be written."""
    if (folder / "run.json").exists():
        raise HarnessError(f"run folder {folder} is in use; choose another --out, or continue it with --resume")
    try:
        (folder / "processes").mkdir(parents=True, exist_ok=True)
        (folder / "audio").mkdir(exist_ok=True)
        kept = replace(header, cells=tuple(_with_voices(cell, folder) for cell in header.cells))
        write_json(folder / "run.json", {"schema_version": SCHEMA_VERSION, **_header_to_json(kept)})
    except OSError as error:
        raise HarnessError(f"cannot make run folder {folder}: {error.strerror}; choose another --out or make room") from error


def is_unbegun(folder: Path) -> bool:
    """Whether a run folder was made and its run never written down: there was no room for it."""
    made = (folder / "processes").is_dir() and not (folder / "run.json").exists()
    return made and not any((folder / "processes").iterdir())


def has_no_room(error: OSError) -> bool:
    """Whether nothing could be written for want of room: a circumstance, whatever was to be written."""
    return error.errno in NO_ROOM


def _with_voices(cell: Cell, folder: Path) -> Cell:
    """Copy the recordings of voices into the run folder, so that it can be scored elsewhere; give the cell that names these."""
    voices = {}
    for speaker, source in cell.workload.voices.items():
        voices[speaker] = f"voices/{speaker}{Path(source).suffix}"
        (folder / "voices").mkdir(exist_ok=True)
        write_atomic(folder / voices[speaker], (folder / source).read_bytes())
    return replace(cell, workload=replace(cell.workload, voices=voices)) if voices else cell


def load_header(folder: Path) -> RunHeader:
    """Read what a run was asked to do. Raises HarnessError if it is no run folder or a newer one than this."""
    data = read_json(folder / "run.json", f"{folder} is no run folder: it has no run.json")
    version = data.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise HarnessError(f"run folder {folder} has schema {version!r}, which no voxgate wrote; measure again")
    if version > SCHEMA_VERSION:
        raise HarnessError(
            f"run folder {folder} has schema {version}, this voxgate reads up to {SCHEMA_VERSION}; upgrade voxgate"
        )
    try:
        return _header_from_json(data)
    except (KeyError, TypeError, AssertionError) as error:
        raise HarnessError(f"{folder / 'run.json'} is damaged ({type(error).__name__}: {error}); measure again") from error


def load_run(folder: Path) -> Run:
    """Read a whole run folder, finished or not. Raises HarnessError as `load_header` does, or if a record is damaged."""
    header = load_header(folder)
    environment = dict(header.environment)
    complete = folder / "complete"
    if complete.exists():
        environment.update(read_json(complete, f"{complete} vanished"))
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
        heard=load_transcripts(folder),
    )


def mark_complete(folder: Path, closing: Mapping[str, object]) -> None:
    """Say that nothing is left to measure; `closing` joins the environment (the state of the machine afterwards)."""
    write_json(folder / "complete", dict(closing))


def unmark_complete(folder: Path) -> None:
    """Say that there is more to measure after all."""
    (folder / "complete").unlink(missing_ok=True)


def log_path(folder: Path, slug: str, repeat: int) -> Path:
    """Name the file of one process."""
    return folder / "processes" / f"{slug}.{repeat}.jsonl"


def slug_of(log: Path) -> str:
    """Return the cell whose process left a file: the inverse of `log_path`, interrupted parts included."""
    return log.name.partition(".jsonl")[0].rpartition(".")[0]


def load_process(folder: Path, slug: str, repeat: int) -> ProcessRecord | None:
    """Read one repeat of one cell, interrupted parts included; None if it never began."""
    path = log_path(folder, slug, repeat)
    logs = [*_parts(path), *([path] if path.exists() else [])]
    if not logs:
        return None
    return _process(slug, repeat, [_read_lines(each) for each in logs])


def rounds(folder: Path) -> int:
    """Count the rounds that were begun: those that were planned, and those that were added until everything was decided."""
    names = [path.name.partition(".jsonl")[0] for path in (folder / "processes").glob("*.jsonl*")]
    return max((int(name.rpartition(".")[2]) + 1 for name in names), default=0)


def set_aside(folder: Path, slug: str, repeat: int) -> None:
    """Keep what an interrupted process left under another name, so that a fresh process can continue its work."""
    path = log_path(folder, slug, repeat)
    if path.exists():
        path.rename(path.with_name(f"{path.name}.part{len(_parts(path)) + 1}"))


def put_away(folder: Path, slug: str, repeat: int) -> None:
    """Keep what a process left, interrupted parts included, where nobody reads it: its round will be measured anew."""
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
    log.append({"kind": "failure", "failure": {"kind": failure.kind, "reason": failure.reason}})
    log.close()


def save_measurements(folder: Path, measurements: Mapping[str, Sequence[Measurement]]) -> None:
    """Write the measurements of all cells (slug -> measurements)."""
    cells = {slug: [measurement_to_dict(each) for each in several] for slug, several in measurements.items()}
    write_json(folder / "measurements.json", {"schema_version": SCHEMA_VERSION, "cells": cells})


def load_measurements(folder: Path) -> dict[str, tuple[Measurement, ...]]:
    """Read what `save_measurements` wrote. Raises HarnessError if it is absent, damaged or newer."""
    path = folder / "measurements.json"
    data = read_json(path, f"run folder {folder} has no measurements yet; score it with `voxgate gate`")
    if data.get("schema_version") not in range(1, SCHEMA_VERSION + 1) or not isinstance(data.get("cells"), dict):
        raise HarnessError(
            f"{path} has schema {data.get('schema_version')!r}, this voxgate reads up to {SCHEMA_VERSION}; score the run again"
        )
    return {slug: tuple(measurement_from_dict(each) for each in several) for slug, several in data["cells"].items()}


def save_transcripts(folder: Path, heard: HeardTexts) -> None:
    """Write what was heard in a run (slug -> request id -> text). Raises HarnessError if there is no room."""
    cells = {slug: {name: asdict(each) for name, each in texts.items()} for slug, texts in heard.items()}
    try:
        write_json(folder / TRANSCRIPTS, {"schema_version": SCHEMA_VERSION, "cells": cells})
    except OSError as error:
        raise HarnessError(
            f"cannot keep what was heard in {folder}: {error.strerror}; make room, then run this again"
        ) from error


def load_transcripts(folder: Path) -> HeardTexts:
    """Read what `save_transcripts` wrote; empty where nobody listened. Raises HarnessError if it is damaged or newer."""
    path = folder / TRANSCRIPTS
    if not path.exists():
        return {}
    data = from_json(_Transcripts, read_json(path, f"{path} vanished"), str(path))
    if data.schema_version > SCHEMA_VERSION:
        raise HarnessError(
            f"{path} has schema {data.schema_version}, this voxgate reads up to {SCHEMA_VERSION}; score the run again"
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
    """Read a JSON object. Raises HarnessError: `absent` if there is no such file, else what is wrong with it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HarnessError(absent) from error
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise HarnessError(f"{path} is not valid JSON: {error}") from error
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


def effect_to_json(effect: Effect) -> dict[str, object]:
    """Give an effect as plain JSON values."""
    return {field: getattr(effect, field) for field in Effect.__dataclass_fields__}


def sample_to_json(sample: Sample) -> dict[str, object]:
    """Give a sample as plain JSON values."""
    values = {field: getattr(sample, field) for field in Sample.__dataclass_fields__}
    values |= {"phase": sample.phase.value, "stages_s": dict(sample.stages_s), "disturbance": dict(sample.disturbance)}
    joins_s, chunks = values.pop("joins_s"), values.pop("chunks")
    told: dict[str, object] = {} if joins_s is None else {"joins_s": list(joins_s)}
    if chunks is not None:
        told["chunks"] = [[piece.arrived_s, piece.audio_s] for piece in chunks]
    return {**values, **told}


def energy_to_json(energy: Energy | Missing) -> dict[str, object]:
    """Give what a process drew, or why that is not known, as plain JSON values."""
    return {"missing": energy.reason} if isinstance(energy, Missing) else asdict(energy)


def stages_to_json(stages: StagePass | Missing) -> dict[str, object]:
    """Give what a process told of its stages, or why that is not known, as plain JSON values."""
    if isinstance(stages, Missing):
        return {"missing": stages.reason}
    values = {field: getattr(stages, field) for field in StagePass.__dataclass_fields__}
    alone_s = {name: list(several) for name, several in stages.alone_s.items()}
    work = {name: asdict(each) for name, each in stages.work.items()}
    return {**values, "stages_s": dict(stages.stages_s), "alone_s": alone_s, "work": work}


def _header_to_json(header: RunHeader) -> dict[str, object]:
    values = {field: getattr(header, field) for field in RunHeader.__dataclass_fields__}
    return {**values, "cells": [cell_to_json(cell) for cell in header.cells], "excluded": dict(header.excluded)}


def _header_from_json(data: Mapping[str, Any]) -> RunHeader:
    fields = {field: data[field] for field in RunHeader.__dataclass_fields__ if field in data or field not in YOUNGER}
    for name in ("metrics", "conditions"):
        if fields.get(name) is not None:
            fields[name] = tuple(fields[name])
    return RunHeader(**{**fields, "cells": tuple(cell_from_json(cell) for cell in data["cells"])})


def _parts(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.part*"), key=lambda part: int(part.name.rpartition(".part")[2]))


def _processes(folder: Path, header: RunHeader) -> tuple[ProcessRecord, ...]:
    records = (load_process(folder, cell.slug, repeat) for repeat in range(rounds(folder)) for cell in header.cells)
    return tuple(record for record in records if record is not None)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    records = []
    whole, newline, _torn = path.read_bytes().rpartition(b"\n")
    for number, line in enumerate(whole.split(b"\n") if newline else (), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise HarnessError(
                f"{path}:{number} is not valid JSON: {error}; delete the file and run again with --resume"
            ) from error
        records.append(record)
    return records


def _process(slug: str, repeat: int, logs: list[list[dict[str, Any]]]) -> ProcessRecord:
    """Join the logs of one repeat: all samples; the first cold start; the last word on success or failure."""
    everything = [record for log in logs for record in log]
    loaded = [record for record in everything if record["kind"] == "loaded"]
    failed = [record["failure"] for record in logs[-1] if record["kind"] == "failure"]
    finished = [record for record in logs[-1] if record["kind"] == "finished"]
    effects = [Effect(**each) for record in logs[-1] if record["kind"] == "effects" for each in record["effects"]]
    try:
        samples = tuple(_sample(record["sample"]) for record in everything if record["kind"] == "sample")
        return ProcessRecord(
            cell=slug,
            repeat=repeat,
            cold=next((cold for log in logs if (cold := _cold(log)) is not None), None),
            effective=loaded[-1]["effective"] if loaded else {},
            effects=tuple(effects),
            samples=samples,
            peak_rss_bytes=finished[0]["peak_rss_bytes"] if finished else None,
            peak_cuda_bytes=finished[0]["peak_cuda_bytes"] if finished else None,
            energy=_energy([record for record in logs[-1] if record["kind"] == "energy"]),
            stages=_stages([record for record in logs[-1] if record["kind"] == "stages"]),
            failure=Failure(**failed[-1]) if failed else None,
            finished=bool(finished),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise HarnessError(f"the records of {slug}, repeat {repeat}, are damaged ({error!r}); measure again") from error


def _sample(data: Mapping[str, Any]) -> Sample:
    told: dict[str, Any] = {"joins_s": tuple(data["joins_s"])} if "joins_s" in data else {}
    if "chunks" in data:
        told["chunks"] = tuple(Piece(arrived_s=arrived_s, audio_s=audio_s) for arrived_s, audio_s in data["chunks"])
    return Sample(**{**data, "phase": Phase(data["phase"]), **told})


def _energy(records: Sequence[Mapping[str, Any]]) -> Energy | Missing | None:
    if not records:
        return None
    fields = {name: value for name, value in records[-1].items() if name != "kind"}
    return Missing(fields["missing"]) if "missing" in fields else Energy(**fields)


def _stages(records: Sequence[Mapping[str, Any]]) -> StagePass | Missing | None:
    if not records:
        return None
    fields = {name: value for name, value in records[-1].items() if name != "kind"}
    if "missing" in fields:
        return Missing(fields["missing"])
    alone_s = {name: tuple(several) for name, several in fields["alone_s"].items()}
    work = {name: Work(**told) for name, told in fields.get("work", {}).items()}
    return StagePass(**{**fields, "alone_s": alone_s, "work": work})


def _cold(log: list[dict[str, Any]]) -> ColdStart | None:
    """Give the cold start of one process, if it started alone on the machine and lived to its first synthesis."""
    loaded = next((record for record in log if record["kind"] == "loaded" and record["alone"]), None)
    first = next(
        (record["sample"] for record in log if record["kind"] == "sample" and record["sample"]["phase"] == "first"), None
    )
    if loaded is None or first is None:
        return None
    return ColdStart(import_s=loaded["import_s"], load_s=loaded["load_s"], first_synthesis_s=first["wall_s"])
