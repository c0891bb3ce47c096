"""
The tasks of one audio file, and the cache keys of their scores.

A metric whose input the job does not provide is not applicable, and is left out; where the job
should provide it and cannot, the value is Missing. Knows the registry and the content of files;
computes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.harness.audio.files import read_audio
from voxgate.harness.audio.spanish_phones import slot_kinds
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.accent import BY_SLOT
from voxgate.harness.metrics.metric import MetricSpec, Need, SpokenSegment
from voxgate.harness.metrics.registry import entry, full_version, installed
from voxgate.harness.models.own_model import ModelFile
from voxgate.harness.records.measurement import Missing, not_installed
from voxgate.harness.scoring.cache import cache_key
from voxgate.harness.scoring.task import AudioTask
from voxgate.harness.suite.sentence_kind import sentence_kind

ROUNDING = 2.0**-22
"""
Largest difference of samples when a recording is written as 24-bit FLAC and read again: libsndfile
rounds, and scales by 2^23 - 1 on the way out and 2^23 on the way in.
"""
KINDS_SINCE = "missing values have kinds"
"""
Part of the key of parity metrics: scores that were cached before do not hold the kind of a missing
value.
"""
FIELDS = {
    Need.VOICE: "voice",
    Need.STATEMENT: "statement",
    Need.JOINS: "joins_s",
    Need.MARKED: "marked",
    Need.UNMARKED: "marked",
    Need.SOURCE: "source",
    Need.ACCENT: "region",
}
"""The field of a job that meets a need."""
NO_REFERENCE = Missing("the reference cell has no audio for this utterance")
NO_MODEL = Missing("no file was named for the network")
NO_GOLDEN = Missing("there is no golden audio for this utterance")


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioJob:
    """
    One audio file to score.

    `key` is the caller's own and unique; `text` is the reference text; `reference` is the same
    utterance by the run's reference cell, `golden` the golden audio; the others are as in
    `MetricInput`.
    """

    key: str
    utterance: str
    path: Path
    text: str
    language: str = "en"
    reference: Path | Missing | None = None
    golden: Path | Missing | None = None
    take: Path | Missing | None = None
    golden_take: Path | Missing | None = None
    """
    The same two as other takes, where `reference` and `golden` tell why they are no reference; None
    where they are one.
    """
    voice: Path | None = None
    statement: Path | Missing | None = None
    joins_s: tuple[float, ...] | None = None
    emphasis: str | None = None
    spoken: str = ""
    """The words to be heard, where they are not those of the text."""
    marked: Path | None = None
    """As delivered, where a watermark is asked for; `path` where nothing else was handed over."""
    segments: tuple[SpokenSegment, ...] | Missing | None = None
    source: Path | None = None
    """What the audio was converted from."""
    voices: tuple[tuple[str, Path], ...] = ()
    models: tuple[tuple[str, ModelFile | Missing], ...] = ()
    """The user's own networks, by name."""
    region: str | None = None
    """The accent that is asked for; None where none is, or an unknown one."""

    @property
    def words(self) -> str:
        """The words to be heard: `spoken`, or the text."""
        return self.spoken or self.text

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that may be read."""
        voices = (path for _, path in self.voices)
        paths = (self.path, self.reference, self.golden, self.take, self.golden_take, self.voice)
        others = (self.statement, self.marked, self.source, *voices)
        return tuple(path for path in (*paths, *others) if isinstance(path, Path))


def share_reference(jobs: Sequence[AudioJob]) -> list[AudioJob]:
    """
    Replace golden audio by the reference's own file where both are the same recording.

    Nothing is then compared twice. That is so in every run of an engine whose reference cell
    has not changed.
    """
    pairs = {
        (job.reference, job.golden)
        for job in jobs
        if isinstance(job.reference, Path) and isinstance(job.golden, Path)
    }
    same = {pair for pair in pairs if _same_sound(*pair)}
    return [
        replace(job, golden=job.reference) if (job.reference, job.golden) in same else job
        for job in jobs
    ]


def _same_sound(first: Path, second: Path) -> bool:
    try:
        (frames, rate_hz), (others, other_rate_hz) = read_audio(first), read_audio(second)
    except HarnessError:
        return False  # the task that needs it reports why
    if rate_hz != other_rate_hz or len(frames) != len(others):
        return False
    return bool((np.abs(frames - others) <= ROUNDING).all())


def tasks_of(job: AudioJob, metrics: Collection[str]) -> dict[str, AudioTask | Missing]:
    """
    Return the task of each applicable audio metric, by its name; Missing where it lacks an
    input.
    """
    tasks: dict[str, AudioTask | Missing] = {}
    for name in metrics:
        line = entry(name)
        if line.source is not None and _is_applicable(line.source.need, job):
            tasks[name] = _missing_package(line) or _task(line, job)
    return tasks


def task_key(task: AudioTask, digests: Mapping[Path, str | Missing]) -> str | Missing:
    """
    Return the cache key: content, not path, so the same audio under two names is one score.

    Missing for unreadable files.
    """
    contents = [digests[path] for path in task.files]
    missing = next((content for content in contents if isinstance(content, Missing)), None)
    if missing is not None:
        return missing
    text = [task.text, task.language, *filter(None, [task.spoken])] if task.text else []
    joins = [repr(task.joins_s)] if task.joins_s is not None else []
    stressed = [task.emphasis] if task.emphasis is not None else []
    model = [] if task.model is None else [task.model.model.dependency]
    reel = [repr([task.segments, [s for s, _ in task.voices]])] if task.segments else []
    kinds = [KINDS_SINCE] if task.reference is not None else []
    region = [task.region] if task.region is not None else []
    return cache_key(
        task.metric,
        full_version(task.metric),
        *map(str, contents),
        *text,
        *joins,
        *stressed,
        *reel,
        *kinds,
        *model,
        *region,
    )


def _is_applicable(need: Need, job: AudioJob) -> bool:
    """Return whether the run provides the metric's input; a reference is always due."""
    slots = slot_kinds(job.text, job.language) if need in BY_SLOT or need is Need.ACCENT else ()
    offered = {
        Need.VOICE: job.voice is not None,
        Need.STATEMENT: job.statement is not None,
        Need.JOINS: bool(job.joins_s),
        Need.EMPHASIS: job.emphasis is not None,
        Need.MARKED: job.marked is not None,
        Need.UNMARKED: job.marked not in (None, job.path),
        Need.SEGMENTS: job.segments is not None,
        Need.SOURCE: job.source is not None,
        Need.CONVERSION: None not in (job.source, job.voice),
        Need.INTONATION: sentence_kind(job.text, job.language) is not None,
        Need.ACCENT: bool(slots) and job.region is not None,
        **{each: slot in slots for each, slot in BY_SLOT.items()},
    }
    return offered.get(need, True)


def _missing_package(line: MetricSpec) -> Missing | None:
    """Return the package that is not installed, as Missing; None if all are."""
    if not line.package or installed(line.package):
        return None
    return not_installed(line.package)


def _task(line: MetricSpec, job: AudioJob) -> AudioTask | Missing:
    """Return the task of one metric, with only the inputs that the metric declares."""
    source = line.source
    assert source is not None, "speeds and words are not computed from audio alone"
    inputs: dict[str, Any] = {}
    if source.need is Need.REFERENCE:
        inputs["reference"] = (
            (job.golden or NO_GOLDEN) if line.golden else (job.reference or NO_REFERENCE)
        )
    elif source.need is Need.TAKE:
        inputs["reference"] = (
            (job.golden_take or job.golden or NO_GOLDEN)
            if line.golden
            else (job.take or job.reference or NO_REFERENCE)
        )
    elif source.need is Need.EMPHASIS:
        inputs |= {"emphasis": job.emphasis, "text": job.text, "language": job.language}
    elif source.need is Need.SEGMENTS:
        inputs |= {"segments": job.segments, "voices": job.voices, "language": job.language}
    elif source.need is Need.CONVERSION:
        inputs |= {"source": job.source, "voice": job.voice}
    elif source.need not in (Need.NOTHING, Need.INTONATION, *BY_SLOT):
        field = FIELDS[source.need]
        inputs[field] = getattr(job, field)
    if line.own_model:
        inputs["model"] = dict(job.models).get(line.own_model, NO_MODEL)
    if source.reads_text:
        inputs |= {"text": job.text, "spoken": job.spoken, "language": job.language}
    missing = next((value for value in inputs.values() if isinstance(value, Missing)), None)
    return missing or AudioTask(
        metric=line.base if line.golden else line.name, audio=job.path, **inputs
    )
