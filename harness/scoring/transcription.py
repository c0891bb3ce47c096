"""
What has to be listened to: each audio once under each condition, by the judge of its language; and what its words are worth.

Plans and adds up; `listen.py` listens and `metrics/word_errors.py` counts errors.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.audio.condition import CONDITIONS
from harness.errors import HarnessError
from harness.metrics.registry import entry, full_version, is_heard
from harness.metrics.word_errors import ErrorCounts, char_errors, rates, word_errors
from harness.models.language import primary
from harness.models.whisper_weights import WeightsFile, locate_weights
from harness.records.measurement import Missing, Value
from harness.records.run import OPENAI
from harness.scoring.cache import cache_key
from harness.scoring.listen import ListenTask, Transcript, check_engine, listen_tasks, recipe, transcribe_files
from harness.scoring.process_pool import Batch, Crashed
from harness.scoring.tasks import AudioJob

KIND = "listening"
LIMIT_S = 900.0
"""For the files of one task: they take half a minute on a core, and a machine may be busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """Which speech recogniser: a weights file of the user's, whether one may be downloaded, and which engine runs it."""

    weights: Path | None = None
    allow_download: bool = False
    engine: str = OPENAI


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was heard of one audio, and the errors in it; `values` are those of every metric of words, by its name."""

    transcript: Transcript
    words: ErrorCounts | Missing
    chars: ErrorCounts | Missing
    values: Mapping[str, Value]


class Hearing:
    """Everything that must be listened to for some jobs, by the key of its transcript."""

    def __init__(
        self, jobs: Sequence[AudioJob], metrics: Collection[str], options: JudgeOptions, digests: Mapping[Path, str | Missing]
    ) -> None:
        """Raises HarnessError for an unknown engine and for an explicit weights file that is unusable."""
        check_engine(options.engine)
        self._options, self._digests = options, digests
        self._metrics = [name for name in metrics if is_heard(name)]
        self.conditions = tuple(dict.fromkeys(_condition(name) for name in self._metrics))
        languages = {primary(job.language) for job in jobs} if self._metrics else set()
        self._weights = {each: locate_weights(options.weights, options.allow_download, each) for each in languages}
        self.files: dict[str, tuple[AudioJob, str]] = {}
        """Key -> a job with that audio, and the condition."""
        for job in jobs:
            for condition in self.conditions:
                key = self._key(job, condition)
                if isinstance(key, str):
                    self.files.setdefault(key, (job, condition))

    def batches(self, keys: Collection[str]) -> list[Batch[ListenTask]]:
        """Give the work of hearing some of the files."""
        groups: dict[tuple[str, str], list[Path]] = {}
        for key in keys:
            job, condition = self.files[key]
            groups.setdefault((primary(job.language), condition), []).append(job.path)
        tasks = [
            task
            for (language, condition), files in groups.items()
            for task in listen_tasks(files, self._weights_of(language), language, self._options.engine, condition)
        ]
        return [Batch(work=transcribe, pieces=(task,), kind=KIND, limit_s=LIMIT_S) for task in tasks]

    def answers(self, task: ListenTask, result: list[Transcript] | Crashed) -> dict[str, Transcript]:
        """Give the transcripts of a task by key."""
        if isinstance(result, Crashed):
            lost = Missing(f"the speech recogniser {result.reason}; is there memory for it?")
            result = [Transcript(text=lost, judge="")] * len(task.files)
        keys = {(job.path, primary(job.language), condition): key for key, (job, condition) in self.files.items()}
        places = [(path, task.language, task.condition) for path in task.files]
        return {keys[place]: transcript for place, transcript in zip(places, result, strict=True)}

    def heard(self, job: AudioJob, transcripts: Mapping[str, Transcript], condition: str = "") -> Heard:
        """Count the errors in what was heard of a job."""
        key = self._key(job, condition)
        transcript = Transcript(text=key, judge="") if isinstance(key, Missing) else transcripts[key]
        text = transcript.text
        errors = (
            (text, text)
            if isinstance(text, Missing)
            else (word_errors(job.text, text, job.language), char_errors(job.text, text, job.language))
        )
        named = rates(*errors)
        values = {name: named[entry(name).base] for name in self._metrics if _condition(name) == condition}
        return Heard(transcript=transcript, words=errors[0], chars=errors[1], values=values)

    def _key(self, job: AudioJob, condition: str) -> str | Missing:
        """Give the key of a transcript: whatever decides it; Missing where nobody can listen."""
        language = primary(job.language)
        weights, digest = self._weights[language], self._digests[job.path]
        if isinstance(digest, Missing):
            return digest
        if isinstance(weights, Missing):
            return weights
        version = full_version(f"{CONDITIONS[condition].prefix if condition else ''}wer")
        return cache_key("transcript", recipe(self._options.engine, language), version, weights.sha256, digest)

    def _weights_of(self, language: str) -> tuple[Path, ...]:
        weights = self._weights[language]
        assert isinstance(weights, WeightsFile), "there is no key without weights"
        return (weights.path, *weights.more)


def _condition(name: str) -> str:
    condition = entry(name).condition
    return "" if condition is None else condition.name


def transcribe(tasks: Sequence[ListenTask]) -> Iterator[list[Transcript]]:
    """In the child: the transcripts of each task. Raises HarnessError for weights that are not Whisper's."""
    for task in tasks:
        try:
            yield transcribe_files(task)
        except HarnessError:
            raise
        except Exception as error:  # torch says by many what it lacks
            failed = Missing(f"the speech recogniser failed: {type(error).__name__}: {error}")
            yield [Transcript(text=failed, judge="")] * len(task.files)
