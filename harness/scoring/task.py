"""
One score of one audio file, as a task for a child process, and the child's side of it.

Knows how to read the files and which function computes a metric; computes nothing itself. A task
holds the inputs that its metric declares, and no others. Every foreseeable failure is returned as
Missing, so that one bad file costs one value.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.metric import MetricInput, SpokenSegment
from voxgate.harness.metrics.registry import entry
from voxgate.harness.models.own_model import ModelFile
from voxgate.harness.records.measurement import Missing, MissingKind, Value, lacks_package

MOST_FRAMES = 30_000_000
"""Samples of the recordings that are cached with their features: ten minutes at 48 kHz, 240 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTask:
    """Metric `metric` (a name of the registry) of `audio`, with its inputs as in `MetricInput`."""

    metric: str
    audio: Path
    reference: Path | None = None
    voice: Path | None = None
    statement: Path | None = None
    text: str = ""
    spoken: str = ""
    language: str = "en"
    joins_s: tuple[float, ...] | None = None
    emphasis: str | None = None
    marked: Path | None = None
    segments: tuple[SpokenSegment, ...] = ()
    source: Path | None = None
    voices: tuple[tuple[str, Path], ...] = ()
    """(speaker, recording) of a reel."""
    model: ModelFile | None = None
    region: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it reads."""
        given = (self.reference, self.voice, self.statement, self.marked, self.source)
        voices = (path for _, path in self.voices)
        return tuple(path for path in (self.audio, *given, *voices) if path is not None)


@dataclass(frozen=True, slots=True)
class Uncacheable:
    """The reason for a missing value that is not cached, since the next try may yield one."""

    reason: str
    kind: MissingKind | None = None


def compute(tasks: Sequence[AudioTask]) -> Iterator[Value | Uncacheable]:
    """
    Yield the value of each task, in order; quickest where tasks of one audio follow each other.
    """
    for task in tasks:
        yield _checked_value(task.metric, _value(task))


class RecordingCache:
    """The most recently used recordings of this process, with their computed features."""

    def __init__(self, most_frames: int = MOST_FRAMES) -> None:
        self._most_frames = most_frames
        self._kept: OrderedDict[tuple[Path, int, int], Recording] = OrderedDict()

    def get(self, path: Path) -> Recording:
        """
        Return a file's recording, read again if the file has changed.

        Raises HarnessError as `read_recording` does.
        """
        try:
            facts = path.stat()
        except OSError as error:
            raise HarnessError(f"cannot read audio {path}: {error.strerror}") from error
        key = (path, facts.st_mtime_ns, facts.st_size)
        if key not in self._kept:
            self._kept[key] = read_recording(path)
        self._kept.move_to_end(key)
        while (
            len(self._kept) > 1
            and sum(len(recording.samples) for recording in self._kept.values()) > self._most_frames
        ):
            self._kept.popitem(last=False)
        return self._kept[key]


RECORDINGS = RecordingCache()


def _value(task: AudioTask) -> Value | Uncacheable:
    source = entry(task.metric).source
    assert source is not None, f"{task.metric} is no metric of audio alone"
    try:
        inputs = _subject(task)
    except HarnessError as error:
        return Missing(str(error))
    try:
        return source.score(inputs)
    except Exception as error:  # a plug-in may raise anything; ours do not
        return Uncacheable(f"{task.metric} failed: {type(error).__name__}: {error}")


def _subject(task: AudioTask) -> MetricInput:
    condition = entry(task.metric).condition

    def recording_of(path: Path | None) -> Recording | None:
        if path is None:
            return None
        return RECORDINGS.get(path) if condition is None else condition.hear(RECORDINGS.get(path))

    audio = recording_of(task.audio)
    assert audio is not None, "a task has an audio"
    return MetricInput(
        audio=audio,
        text=task.text,
        spoken=task.spoken,
        language=task.language,
        reference=recording_of(task.reference),
        voice=recording_of(task.voice),
        statement=recording_of(task.statement),
        joins_s=task.joins_s,
        emphasis=task.emphasis,
        marked=recording_of(task.marked),
        segments=task.segments,
        source=recording_of(task.source),
        model=task.model,
        region=task.region,
        voices={
            speaker: recording
            for speaker, path in task.voices
            if (recording := recording_of(path)) is not None
        },
    )


def _checked_value(metric: str, value: object) -> Value | Uncacheable:
    """Check a value against the contract of metrics: a finite number, or Missing."""
    if isinstance(value, Missing):
        return Uncacheable(value.reason, value.kind) if lacks_package(value) else value
    if isinstance(value, Uncacheable):
        return value
    if isinstance(value, int | float | np.number) and math.isfinite(value):
        return float(value)
    return Missing(f"{metric} gave {value!r:.80}, which is no number")
