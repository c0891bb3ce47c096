"""
Audio files to transcripts: what a child process does that holds the judge, so that the parent never imports torch.

Knows files, batches and which engine can be asked; the decoding is that engine's file's (`models/whisper.py`, `models/faster_whisper.py`), and the
children are started by the scorer. A child holds torch, the model and a batch: about 700 MB, 1.2 GB with the multilingual one.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.audio.condition import CONDITIONS
from harness.audio.files import Audio, read_audio
from harness.audio.recording import Recording
from harness.errors import HarnessError
from harness.models import faster_whisper, whisper
from harness.models.language import primary
from harness.records.cell import ENGLISH
from harness.records.measurement import Missing
from harness.records.run import OPENAI

FILES_PER_TASK = 32  # two ASR batches: little enough to lose in a crash, enough to fill the batches

FASTER = "faster-whisper"
ENGINES = (OPENAI, FASTER)
"""openai-whisper is the judge that baselines are made with; the other is a second opinion on the same weights."""


class Judge(Protocol):
    """Whoever turns audio into text; `name` belongs in the metric's version."""

    @property
    def name(self) -> str:
        """Which weights, package and decoding."""

    def knows(self, language: str) -> bool:
        """Whether the weights were trained on a language."""

    def transcribe(self, batch: Sequence[Audio], language: str = ENGLISH) -> list[str]:
        """One text for each audio (mono, 16 kHz)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenTask:
    """Files in one language, to transcribe by an engine of ENGINES with the weights in `weights` (the parts of one file)."""

    files: tuple[Path, ...]
    weights: tuple[Path, ...]
    language: str = ENGLISH
    engine: str = OPENAI
    condition: str = ""
    """Of CONDITIONS: how the files are heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What the judge named `judge` heard; an empty text is an answer, Missing is a file nobody could listen to."""

    text: str | Missing
    judge: str


def recipe(engine: str = OPENAI, language: str = ENGLISH) -> str:
    """Whatever decides a transcript besides audio and weights; belongs in the cache's key. Raises HarnessError."""
    check_engine(engine)
    decoding = whisper.DECODING if engine == OPENAI else faster_whisper.decoding()
    return decoding if primary(language) == ENGLISH else f"{decoding}, language {primary(language)}"


def check_engine(engine: str) -> None:
    """Raise HarnessError that lists the known ones for an unknown engine."""
    if engine not in ENGINES:
        raise HarnessError(f"unknown judge {engine!r}; known are {', '.join(ENGINES)}")


def listen_tasks(
    files: Sequence[Path], weights: tuple[Path, ...], language: str = ENGLISH, engine: str = OPENAI, condition: str = ""
) -> list[ListenTask]:
    """Cut the files of one language into tasks, like lengths together, since they share a batch."""
    ordered = sorted(files, key=lambda path: path.stat().st_size if path.is_file() else 0)
    groups = [tuple(ordered[start : start + FILES_PER_TASK]) for start in range(0, len(ordered), FILES_PER_TASK)]
    spoken = primary(language)
    return [ListenTask(files=group, weights=weights, language=spoken, engine=engine, condition=condition) for group in groups]


def transcribe_files(task: ListenTask) -> list[Transcript]:
    """
    In the child: one transcript for each file.

    The child works through many tasks with one loaded model, on one thread: several children share the cores better than one
    with several threads, which wait for each other whenever another program runs (five times slower, measured), and the sums
    inside do not depend on the number of cores. Raises HarnessError when the weights are not Whisper's.
    """
    judge = _judge(task.engine, task.weights)
    if isinstance(judge, Missing):
        return [Transcript(text=judge, judge="")] * len(task.files)
    name = judge.name if task.language == ENGLISH else f"{judge.name}, language {task.language}"
    if not judge.knows(task.language):
        deaf = Missing(f"{judge.name} does not know the language {task.language!r}; give other weights")
        return [Transcript(text=deaf, judge=name)] * len(task.files)
    heard = [_readable(path, task.condition) for path in task.files]
    texts = iter(judge.transcribe([each for each in heard if not isinstance(each, Missing)], task.language))
    return [Transcript(text=each if isinstance(each, Missing) else next(texts), judge=name) for each in heard]


@functools.cache
def _judge(engine: str, weights: tuple[Path, ...]) -> Judge | Missing:
    if engine == FASTER:
        return faster_whisper.build_judge(*weights)
    import torch

    torch.set_num_threads(1)
    return whisper.build_judge(*weights)


def _readable(path: Path, condition: str = "") -> Audio | Missing:
    """Mono at the judge's rate, as it is heard under the condition."""
    import soxr

    try:
        audio, rate_hz = read_audio(path)
    except HarnessError as error:
        return Missing(str(error))
    if not np.isfinite(audio).all():
        return Missing("the audio holds NaN or infinity")
    if condition:
        audio = CONDITIONS[condition].hear(Recording(audio, rate_hz)).frames.astype(np.float32)
    if rate_hz == whisper.RATE_HZ or not audio.size:
        return audio
    return np.asarray(soxr.resample(audio, rate_hz, whisper.RATE_HZ, quality="HQ"), dtype=np.float32)
