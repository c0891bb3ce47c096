"""
The scorer: audio files in, one record of quality per file out.

Runs after the measurement, never inside it. Plans the necessary scores, reads cached ones, computes
each remaining one exactly once, however many cells made the same audio. Knows the order of the
work; metrics, processes and the cache are their modules' business.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from voxgate.harness.audio.files import promised_duration_s
from voxgate.harness.metrics.registry import entry, full_version, select_metrics, version_of
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.models.own_model import ModelFile
from voxgate.harness.records.files import file_sha256
from voxgate.harness.records.measurement import Missing, Value, value_from_json, value_to_json
from voxgate.harness.runner.progress import ScoreProgress
from voxgate.harness.scoring.cache import ScoreCache
from voxgate.harness.scoring.process_pool import Crashed, PoolBatch, run_batches
from voxgate.harness.scoring.task import AudioTask, Uncacheable, compute
from voxgate.harness.scoring.tasks import AudioJob, share_reference, task_key, tasks_of
from voxgate.harness.scoring.transcription import RecognizerOptions, Transcript, TranscriptionPlan

LIMIT_S, LIMIT_PER_AUDIO_S = 60.0, 2.0
"""
Time limit of one metric of one audio: to load its model on a busy machine, and ten times the need
of the slowest.
"""
QUICK = ""
"""The kind of work that loads no model."""
UNHEARD = Missing("nobody was asked to listen")


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceScores:
    """
    The scores of one audio file: the value of every applicable quality metric, and the version
    of each.

    `words`, `chars` and `verbatim` are the counts behind wer, cer and wer_verbatim, from which
    corpus rates are computed; `transcript` is the recogniser's text.
    """

    key: str
    utterance: str
    values: Mapping[str, Value]
    versions: Mapping[str, str]
    words: ErrorCounts | Missing
    chars: ErrorCounts | Missing
    transcript: str | Missing
    recogniser: str = ""
    """The name of the recogniser."""
    verbatim: ErrorCounts | Missing = UNHEARD

    @property
    def counts(self) -> Mapping[str, ErrorCounts | Missing]:
        """The counts by the name of the helper that holds their weights."""
        return {
            "wer_words": self.words,
            "cer_chars": self.chars,
            "verbatim_words": self.verbatim,
        }


def score_quality(
    jobs: Sequence[AudioJob],
    *,
    cache_dir: Path,
    judge: RecognizerOptions | None = None,
    metrics: Collection[str] | None = None,
    workers: int = 2,
    progress: ScoreProgress | None = None,
    on_plan: Callable[[int, int], None] | None = None,
) -> dict[str, UtteranceScores]:
    """
    Score every job; return the scores by the job's key.

    A value that cannot be computed is Missing with its reason. `metrics` are names of the
    registry (by default all without condition); `workers` is the number of cores to use; `on_plan`
    is called once with (cached scores, scores to compute). Raises HarnessError for an explicit
    weights file that is unusable and for a cache that cannot be written.
    """
    names = (
        [metric.name for metric in select_metrics(None, ())] if metrics is None else list(metrics)
    )
    jobs = share_reference(jobs)
    digests = _digests(jobs)
    transcription = TranscriptionPlan(jobs, names, judge or RecognizerOptions(), digests)
    plan = _planned(jobs, names, digests)
    work = _Work(plan.tasks, transcription, ScoreCache(cache_dir), progress)
    if on_plan is not None:
        on_plan(*work.counts)
    try:
        work.do(workers)
    finally:
        work.cache.close()
    return {job.key: _scores(job, plan.keys[job.key], transcription, work) for job in jobs}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The tasks by the key of their value; and by job, the key of each metric's value."""

    tasks: Mapping[str, AudioTask]
    keys: Mapping[str, Mapping[str, str | Missing]]


class _Work:
    """The scores and transcripts that are known, and the outstanding ones."""

    def __init__(
        self,
        tasks: Mapping[str, AudioTask],
        transcription: TranscriptionPlan,
        cache: ScoreCache,
        progress: ScoreProgress | None,
    ) -> None:
        self.cache, self._transcription, self._progress = cache, transcription, progress
        cached = cache.get([*tasks, *transcription.files])
        self.values: dict[str, Value] = {
            key: value_from_json(cached[key]) for key in tasks if key in cached
        }
        self.transcripts = {
            key: Transcript(**cached[key]) for key in transcription.files if key in cached
        }
        self._keys = {task: key for key, task in tasks.items() if key not in cached}
        self._untranscribed = [key for key in transcription.files if key not in cached]
        self._done = 0

    @property
    def counts(self) -> tuple[int, int]:
        """Return the numbers of known and of outstanding values and transcripts."""
        return (
            len(self.values) + len(self.transcripts),
            len(self._keys) + len(self._untranscribed),
        )

    def do(self, workers: int) -> None:
        """Compute the outstanding values, in at most `workers` child processes."""
        batches: list[PoolBatch[Any]] = [
            *self._transcription.batches(self._untranscribed),
            *_batches(self._keys),
        ]
        for piece, result in run_batches(batches, workers):
            if isinstance(piece, AudioTask):
                self._keep_value(piece, result)
            else:
                for key, transcript in self._transcription.answers(piece, result).items():
                    self._keep_transcript(key, transcript)

    def _keep_value(self, task: AudioTask, result: Value | Uncacheable | Crashed) -> None:
        """Store a value; a crash is not cached, since it may not come again."""
        key = self._keys[task]
        if isinstance(result, Crashed):
            self.values[key] = Missing(f"{task.metric} {result.reason}")
        elif isinstance(result, Uncacheable):
            self.values[key] = Missing(result.reason, result.kind)
        else:
            self.values[key] = result
            self.cache.put(key, value_to_json(result))
        self._step()

    def _keep_transcript(self, key: str, transcript: Transcript) -> None:
        """Store a transcript; files without one are not cached."""
        self.transcripts[key] = transcript
        if isinstance(transcript.text, str):
            self.cache.put(key, asdict(transcript))
        self._step()

    def _step(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, len(self._keys) + len(self._untranscribed))


def _digests(jobs: Sequence[AudioJob]) -> dict[Path, str | Missing]:
    """Return the SHA-256 of each file's bytes; Missing for a file that cannot be read."""
    return {path: _digest(path) for path in set(chain.from_iterable(job.files for job in jobs))}


def _digest(path: Path) -> str | Missing:
    try:
        return file_sha256(path)
    except OSError as error:
        return Missing(f"cannot read audio {path}: {error.strerror}")


def _planned(
    jobs: Sequence[AudioJob], names: Collection[str], digests: Mapping[Path, str | Missing]
) -> _Plan:
    """
    Plan utterance by utterance, so that a worker reads the same reference several times in a
    row.
    """
    tasks: dict[str, AudioTask] = {}
    keys: dict[str, dict[str, str | Missing]] = {job.key: {} for job in jobs}
    for job in sorted(jobs, key=lambda job: job.utterance):
        for name, task in tasks_of(job, names).items():
            key = task if isinstance(task, Missing) else task_key(task, digests)
            keys[job.key][name] = key
            if isinstance(task, AudioTask) and isinstance(key, str):
                tasks.setdefault(key, task)
    return _Plan(tasks=tasks, keys=keys)


def _batches(tasks: Iterable[AudioTask]) -> list[PoolBatch[AudioTask]]:
    """
    Group tasks that share an audio, so that its features are computed once.

    Tasks that load models are apart, by package.
    """
    groups: dict[tuple[str, Path], list[AudioTask]] = {}
    for task in tasks:
        groups.setdefault((_kind(task), task.audio), []).append(task)
    return [
        PoolBatch(work=compute, pieces=tuple(batch), kind=kind, limit_s=_limit_s(audio))
        # longest work first
        for (kind, audio), batch in sorted(groups.items(), key=lambda group: group[0][0] == QUICK)
    ]


def _kind(task: AudioTask) -> str:
    source = entry(task.metric).source
    assert source is not None, "tasks are of metrics of audio"
    return (source.package or "a model") if source.heavy else QUICK


def _limit_s(audio: Path) -> float:
    return LIMIT_S + LIMIT_PER_AUDIO_S * promised_duration_s(audio)


def _scores(
    job: AudioJob, keys: Mapping[str, str | Missing], plan: TranscriptionPlan, work: _Work
) -> UtteranceScores:
    values = {
        name: key if isinstance(key, Missing) else work.values[key] for name, key in keys.items()
    }
    models = {name: file.model for name, file in job.models if isinstance(file, ModelFile)}
    versions = {name: full_version(name, models) for name in values}
    errors_by_condition = {
        condition: plan.errors_of(job, work.transcripts, condition) for condition in plan.conditions
    }
    for errors in errors_by_condition.values():
        values |= errors.values
        versions |= {
            name: str(version_of(name).depending_on(errors.transcript.judge))
            for name in errors.values
        }
    first = next(iter(errors_by_condition.values()), None)
    return UtteranceScores(
        key=job.key,
        utterance=job.utterance,
        values=values,
        versions=versions,
        words=UNHEARD if first is None else first.errors.words,
        chars=UNHEARD if first is None else first.errors.chars,
        verbatim=UNHEARD if first is None else first.errors.verbatim,
        transcript=UNHEARD if first is None else first.transcript.text,
        recogniser="" if first is None else first.transcript.judge,
    )
