"""
The lines that a process wrote, checked and joined to its record. A pure function of data; knows no
file.

A line is checked against its record's annotations (`records/run.py`), then beside the others: that
it is of this cell and round, that no iteration stands there twice, and that no stage took longer
than the whole.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Option
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.constraints import Key, Range
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import (
    ColdStart,
    Count,
    Energy,
    Failure,
    Iteration,
    OptionCheck,
    Phase,
    ProcessRecord,
    StageProfile,
)

SLACK = 0.02
"""
Share by which the stages of an iteration may exceed the whole: both are read from one clock, at
moments of their own.
"""
SLACK_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A process that is ready."""

    import_s: Annotated[float, Range(0.0)]
    load_s: Annotated[float, Range(0.0)]
    alone: bool
    """Whether nothing else was starting beside it."""
    effective: Mapping[str, Option | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One iteration."""

    iteration: Annotated[Iteration, Key("sample")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Options that were observed to be in effect."""

    effects: tuple[OptionCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Reason for the end of a process."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Normal end of a process."""

    peak_rss_bytes: Count | None
    peak_cuda_bytes: Count | None


KINDS: Mapping[str, Any] = {
    "loaded": Loaded,
    "sample": Sampled,
    "effects": Observed,
    "failure": Failed,
    "finished": Finished,
    "energy": Energy | Missing,
    "stages": StageProfile | Missing,
}
"""
Word in `kind` -> what such a line holds; lines of other kinds are a younger voxgate's, and are left
out.
"""


def record_of(line: object, where: str) -> Any:
    """Return the record of one line of a process; None for one of a kind that is not known."""
    if not isinstance(line, Mapping) or not isinstance(line.get("kind"), str):
        raise HarnessError(f"{where} is no record: it has no kind")
    kind = KINDS.get(line["kind"])
    held = {name: value for name, value in line.items() if name != "kind"}
    return None if kind is None else (line["kind"], from_json(kind, held, where))


def process_of(slug: str, repeat: int, logs: Sequence[Sequence[tuple[str, Any]]]) -> ProcessRecord:
    """
    Join the logs of one repeat: all iterations; the first cold start; the last word on success or
    failure.
    """
    everything = list(chain.from_iterable(logs))
    loaded, last = _of("loaded", everything), logs[-1]
    failed, finished = _of("failure", last), _of("finished", last)
    process = ProcessRecord(
        cell=slug,
        repeat=repeat,
        cold=next((cold for log in logs if (cold := _cold(log)) is not None), None),
        effective=loaded[-1].effective if loaded else {},
        effects=tuple(effect for record in _of("effects", last) for effect in record.effects),
        iterations=tuple(record.iteration for record in _of("sample", everything)),
        peak_rss_bytes=finished[0].peak_rss_bytes if finished else None,
        peak_cuda_bytes=finished[0].peak_cuda_bytes if finished else None,
        energy=next(reversed(_of("energy", last)), None),
        stages=next(reversed(_of("stages", last)), None),
        failure=failed[-1].failure if failed else None,
        finished=bool(finished),
        observed=bool(_of("effects", last)),
    )
    _check(process)
    return process


def _of(kind: str, records: Sequence[tuple[str, Any]]) -> list[Any]:
    return [record for name, record in records if name == kind]


def _cold(log: Sequence[tuple[str, Any]]) -> ColdStart | None:
    """
    Return the cold start of one process, if it started alone on the machine and lived to its first
    synthesis.
    """
    loaded = next((record for record in _of("loaded", log) if record.alone), None)
    first = next(
        (
            record.iteration
            for record in _of("sample", log)
            if record.iteration.phase is Phase.FIRST
        ),
        None,
    )
    if loaded is None or first is None:
        return None
    return ColdStart(import_s=loaded.import_s, load_s=loaded.load_s, first_synthesis_s=first.wall_s)


def _check(process: ProcessRecord) -> None:
    """Raise HarnessError for what each record may say by itself, and these may not say together."""
    seen: set[int] = set()
    for iteration in process.iterations:
        where = f"iteration {iteration.iteration}"
        if (iteration.cell, iteration.repeat) != (process.cell, process.repeat):
            raise HarnessError(f"{where} is of cell {iteration.cell!r}, repeat {iteration.repeat}")
        if iteration.iteration in seen:
            raise HarnessError(f"{where} stands there more than once")
        seen.add(iteration.iteration)
        _check_times(iteration, where)


def _check_times(iteration: Iteration, where: str) -> None:
    if math.fsum(iteration.stages_s.values()) > iteration.wall_s * (1.0 + SLACK) + SLACK_S:
        raise HarnessError(
            f"{where}: its stages took longer than the {iteration.wall_s:g} s of the whole"
        )
    if iteration.first_audio_s > iteration.wall_s * (1.0 + SLACK) + SLACK_S:
        raise HarnessError(
            f"{where}: its first audio came after the {iteration.wall_s:g} s of the whole"
        )
    _check_files(iteration, where)


def _check_files(iteration: Iteration, where: str) -> None:
    """Raise HarnessError for audio that is kept under another name than its own."""
    number = iteration.take or iteration.repeat
    first, take, marked, marked_take = (
        f"audio/{iteration.cell}/{part}{iteration.request}.wav"
        for part in ("", f"takes/{number}/", "marked/", f"marked/takes/{number}/")
    )
    if iteration.audio_file not in (None, first, take):
        raise HarnessError(f"{where}: audio_file is {iteration.audio_file!r}, not {first}")
    if iteration.marked_file not in (None, marked, marked_take):
        raise HarnessError(f"{where}: marked_file is {iteration.marked_file!r}, not {marked}")
