"""
Transcription: each audio once under each condition, by the recogniser of its language.

The plan collects the audio of some jobs and turns transcripts into word errors;
`metrics/word_errors.py` counts them. What was written with digits is heard once more without: only
then can "one four zero seven" be told from "fourteen oh seven". The tasks are computed in child
processes that hold the recogniser, so that the parent never imports torch.

Knows files, batches and the recognition engines. Decoding is in `models/whisper.py` and
`models/faster_whisper.py`; the scorer starts the children. A child holds torch, the model and a
batch: about 700 MB, 1.2 GB with the multilingual one.
"""

import functools
import importlib.util
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from voxgate.harness.audio.condition import CONDITIONS
from voxgate.harness.audio.files import Audio, read_audio
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.spanish_numbers import form_of
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.registry import entry, full_version, needs_asr
from voxgate.harness.metrics.word_errors import ReadText, TextErrors, text_errors
from voxgate.harness.models import faster_whisper, whisper
from voxgate.harness.models.whisper import NUMERALS
from voxgate.harness.models.whisper_weights import (
    CTRANSLATE2,
    SUFFIXES,
    WeightsFile,
    check_model,
    locate_weights,
    model_files,
)
from voxgate.harness.records.cell import ENGLISH, primary_language
from voxgate.harness.records.measurement import Missing, Value, how_to_install, not_installed
from voxgate.harness.records.run import OPENAI
from voxgate.harness.scoring.cache import cache_key
from voxgate.harness.scoring.process_pool import Crashed, PoolBatch
from voxgate.harness.scoring.tasks import AudioJob

FILES_PER_TASK = 32  # two ASR batches: little enough to lose in a crash, enough to fill the batches

FASTER = "faster-whisper"
ENGINES = (OPENAI, FASTER)
"""
openai-whisper is the recogniser of the baselines; the other is a second opinion on the same
weights.
"""


WITHOUT_TORCH = (
    f"{how_to_install(OPENAI)}, or {how_to_install(FASTER)} and give the suite judge={FASTER!r}"
)
"""What helps where the recogniser of the baselines is absent; the other one needs no torch."""


class Recognizer(Protocol):
    """A recogniser: audio in, text out; its name is part of the metric's version."""

    @property
    def name(self) -> str:
        """Weights and package."""

    def name_in(self, language: str) -> str:
        """Return the name with the decoding of a language."""

    def knows(self, language: str) -> bool:
        """Return whether the weights were trained on a language."""

    def transcribe(
        self, batch: Sequence[Audio], language: str = ENGLISH, *, digits: bool = True
    ) -> list[str]:
        """Return one text for each audio (mono, 16 kHz); without `digits`, numbers are words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionTask:
    """
    Files in one language, to transcribe by an engine of ENGINES.

    `weights` are the parts of one file.
    """

    files: tuple[Path, ...]
    weights: tuple[Path, ...]
    language: str = ENGLISH
    engine: str = OPENAI
    condition: str = ""
    """Of CONDITIONS: the listening condition of the files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """
    The text by the recogniser named `judge`.

    An empty text is a result; Missing is a file without transcript.
    """

    text: str | Missing
    judge: str
    spelled: str = ""
    """The text as it is written without digits; empty where it has none."""


def recipe(engine: str = OPENAI, language: str = ENGLISH) -> str:
    """
    Return all that decides a transcript besides audio and weights; part of the cache's key.

    Raises HarnessError.
    """
    check_engine(engine)
    spoken = primary_language(language)
    decoding = whisper.decoding(spoken) if engine == OPENAI else faster_whisper.decoding()
    return decoding + _language(spoken)


def _language(language: str) -> str:
    """Return what tells a transcript in another language than English, normaliser included."""
    return "" if language == ENGLISH else f", language {language}{form_of(language)}"


def check_engine(engine: str) -> None:
    """Raise HarnessError that lists the known ones for an unknown engine."""
    if engine not in ENGINES:
        raise HarnessError(
            f"unknown judge {engine!r}; known are {', '.join(ENGINES)}, or give the path of a "
            "Whisper model: a file or a folder"
        )


def transcription_tasks(
    files: Sequence[Path],
    weights: tuple[Path, ...],
    language: str = ENGLISH,
    engine: str = OPENAI,
    condition: str = "",
) -> list[TranscriptionTask]:
    """
    Split the files of one language into tasks, like lengths together, since they share a batch.
    """
    ordered = sorted(files, key=lambda path: path.stat().st_size if path.is_file() else 0)
    groups = [
        tuple(ordered[start : start + FILES_PER_TASK])
        for start in range(0, len(ordered), FILES_PER_TASK)
    ]
    spoken = primary_language(language)
    return [
        TranscriptionTask(
            files=group, weights=weights, language=spoken, engine=engine, condition=condition
        )
        for group in groups
    ]


def transcribe_files(task: TranscriptionTask) -> list[Transcript]:
    """
    Transcribe the files of one task; runs in the child.

    The child works through many tasks with one loaded model, on one thread: several children
    share the cores better than one with several threads, which wait for each other whenever
    another program runs (five times slower, measured), and the sums inside do not depend on the
    number of cores. Raises HarnessError when the weights are not Whisper's.
    """
    judge = _recognizer(task.engine, task.weights)
    if isinstance(judge, Missing):
        return [Transcript(text=judge, judge="")] * len(task.files)
    name = judge.name_in(task.language) + _language(task.language)
    if not judge.knows(task.language):
        deaf = Missing(
            f"{judge.name} does not know the language {task.language!r}; give other weights"
        )
        return [Transcript(text=deaf, judge=name)] * len(task.files)
    recordings = [_readable(path, task.condition) for path in task.files]
    readable = [each for each in recordings if not isinstance(each, Missing)]
    texts = judge.transcribe(readable, task.language)
    numbered = [index for index, text in enumerate(texts) if NUMERALS.search(text)]
    spelled = judge.transcribe([readable[index] for index in numbered], task.language, digits=False)
    without = dict(zip(numbered, spelled, strict=True))
    heard = (
        Transcript(text=text, judge=name, spelled=without.get(index, ""))
        for index, text in enumerate(texts)
    )
    return [
        Transcript(text=each, judge=name) if isinstance(each, Missing) else next(heard)
        for each in recordings
    ]


@functools.cache
def _recognizer(engine: str, weights: tuple[Path, ...]) -> Recognizer | Missing:
    if engine == FASTER:
        return faster_whisper.load_recognizer(*weights)
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("whisper") is None:
        return not_installed(OPENAI, WITHOUT_TORCH)
    import torch

    torch.set_num_threads(1)
    return whisper.load_recognizer(*weights)


def _readable(path: Path, condition: str = "") -> Audio | Missing:
    """Read mono audio at the recogniser's rate, under the condition."""
    import soxr

    try:
        audio, rate_hz = read_audio(path)
    except HarnessError as error:
        return Missing(str(error))
    if not np.isfinite(audio).all():
        return Missing("the audio holds NaN or infinity")
    if condition:
        audio = CONDITIONS[condition].hear(Recording(audio, rate_hz)).samples.astype(np.float32)
    if rate_hz == whisper.RATE_HZ or not audio.size:
        return audio
    return np.asarray(
        soxr.resample(audio, rate_hz, whisper.RATE_HZ, quality="HQ"), dtype=np.float32
    )


KIND = "listening"
LIMIT_S = 900.0
"""
Time limit for the files of one task: they take half a minute on a core, and a machine may be busy.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognizerOptions:
    """The choice of the recogniser: weights file, permission to download, and engine."""

    weights: Path | None = None
    allow_download: bool = False
    engine: str = OPENAI


def recognizer_options(judge: str) -> RecognizerOptions:
    """
    Return the recogniser that a suite names: an engine of ENGINES, or the path of the user's own
    Whisper, whose format selects the engine.

    Raises HarnessError for an unknown name, and for a path at which there is no Whisper.
    """
    path = Path(judge)
    # not Path.exists, which raises for a name that is too long
    is_path = len(path.parts) > 1 or path.suffix in SUFFIXES or os.path.exists(path)  # noqa: PTH110
    if judge in ENGINES or not is_path:
        check_engine(judge)
        return RecognizerOptions(engine=judge)
    check_model(path)
    converted = path.is_dir() and model_files(path)[0].name == CTRANSLATE2
    return RecognizerOptions(weights=path, engine=FASTER if converted else OPENAI)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrors:
    """
    The transcript of one audio, and its errors.

    `values` are those of every metric of a transcript, by its name.
    """

    transcript: Transcript
    errors: TextErrors
    values: Mapping[str, Value]


class TranscriptionPlan:
    """The audio of some jobs to transcribe, by the key of its transcript."""

    def __init__(
        self,
        jobs: Sequence[AudioJob],
        metrics: Collection[str],
        options: RecognizerOptions,
        digests: Mapping[Path, str | Missing],
    ) -> None:
        """
        Plan the transcripts of jobs.

        Raises HarnessError for an unknown engine and for an explicit weights file that is
        unusable.
        """
        check_engine(options.engine)
        self._options, self._digests = options, digests
        self._metrics = [name for name in metrics if needs_asr(name)]
        self.conditions = tuple(dict.fromkeys(_condition(name) for name in self._metrics))
        languages = {primary_language(job.language) for job in jobs} if self._metrics else set()
        self._weights = {
            language: locate_weights(options.weights, options.allow_download, language)
            for language in languages
        }
        self.files: dict[str, tuple[AudioJob, str]] = {}
        """Key -> a job with that audio, and the condition."""
        for job in jobs:
            for condition in self.conditions:
                key = self._key(job, condition)
                if isinstance(key, str):
                    self.files.setdefault(key, (job, condition))

    def batches(self, keys: Collection[str]) -> list[PoolBatch[TranscriptionTask]]:
        """Return the batches that transcribe some of the files."""
        groups: dict[tuple[str, str], list[Path]] = {}
        for key in keys:
            job, condition = self.files[key]
            groups.setdefault((primary_language(job.language), condition), []).append(job.path)
        tasks: list[TranscriptionTask] = []
        for (language, condition), files in groups.items():
            weights = self._weights_of(language)
            tasks += transcription_tasks(files, weights, language, self._options.engine, condition)
        return [
            PoolBatch(work=transcribe, pieces=(task,), kind=KIND, limit_s=LIMIT_S) for task in tasks
        ]

    def answers(
        self, task: TranscriptionTask, result: list[Transcript] | Crashed
    ) -> dict[str, Transcript]:
        """Return the transcripts of a task by key."""
        if isinstance(result, Crashed):
            crashed = Missing(f"the speech recogniser {result.reason}; is there memory for it?")
            result = [Transcript(text=crashed, judge="")] * len(task.files)
        keys = {
            (job.path, primary_language(job.language), condition): key
            for key, (job, condition) in self.files.items()
        }
        places = [(path, task.language, task.condition) for path in task.files]
        return {keys[place]: transcript for place, transcript in zip(places, result, strict=True)}

    def errors_of(
        self, job: AudioJob, transcripts: Mapping[str, Transcript], condition: str = ""
    ) -> WordErrors:
        """Count the errors in the transcript of a job."""
        key = self._key(job, condition)
        transcript = (
            Transcript(text=key, judge="") if isinstance(key, Missing) else transcripts[key]
        )
        heard = transcript.text
        errors = text_errors(
            heard
            if isinstance(heard, Missing)
            else ReadText(
                reference=job.words,
                heard=heard,
                spelled=transcript.spelled,
                language=job.language,
            )
        )
        values = {
            name: errors.values[entry(name).base]
            for name in self._metrics
            if _condition(name) == condition
        }
        return WordErrors(transcript=transcript, errors=errors, values=values)

    def _key(self, job: AudioJob, condition: str) -> str | Missing:
        """Return the key of a transcript: whatever decides it; Missing where none can be made."""
        language = primary_language(job.language)
        weights, digest = self._weights[language], self._digests[job.path]
        if isinstance(digest, Missing):
            return digest
        if isinstance(weights, Missing):
            return weights
        version = full_version(f"{CONDITIONS[condition].prefix if condition else ''}wer")
        return cache_key(
            "transcript", recipe(self._options.engine, language), version, weights.sha256, digest
        )

    def _weights_of(self, language: str) -> tuple[Path, ...]:
        weights = self._weights[language]
        assert isinstance(weights, WeightsFile), "there is no key without weights"
        return (weights.path, *weights.more)


def _condition(name: str) -> str:
    condition = entry(name).condition
    return "" if condition is None else condition.name


def transcribe(tasks: Sequence[TranscriptionTask]) -> Iterator[list[Transcript]]:
    """
    Yield the transcripts of each task; runs in the child.

    Raises HarnessError for weights that are not Whisper's.
    """
    for task in tasks:
        try:
            yield transcribe_files(task)
        except HarnessError:
            raise
        except Exception as error:  # torch raises many kinds for want of memory
            failed = Missing(f"the speech recogniser failed: {type(error).__name__}: {error}")
            yield [Transcript(text=failed, judge="")] * len(task.files)
