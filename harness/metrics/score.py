"""
The scorer: audio files in, one record of quality per file out; runs after the measurement, never inside it.

Plans which scores are needed, takes from the cache what is known, computes each remaining one exactly once, however many
cells made the same audio. Knows the order of the work; the metrics, processes and the cache are their modules' business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.measurement import Missing, Value, value_from_json, value_to_json
from harness.metrics.asr import DECODING
from harness.metrics.audio_task import INTRINSIC, AudioTask, compute
from harness.metrics.intelligibility import ErrorCounts, char_errors, word_errors
from harness.metrics.isolation import Crashed, run_isolated
from harness.metrics.listen import Transcript, listen
from harness.metrics.panel import GOLDEN, full_version
from harness.metrics.parity import PARITY
from harness.metrics.score_cache import ScoreCache, cache_key
from harness.metrics.whisper_weights import WeightsFile, file_sha256, locate_weights

Progress = Callable[[int, int], None]  # (scores done, scores to compute)

NO_REFERENCE = {"": "the reference cell has no audio for this utterance", GOLDEN: "there is no golden audio for this utterance"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioJob:
    """
    One audio file to score.

    `key` is the caller's own and unique; `text` is what should have been said; `reference` is the same utterance by the
    run's reference cell, `golden` the accepted one.
    """

    key: str
    utterance: str
    path: Path
    text: str
    reference: Path | None = None
    golden: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """Which speech recogniser: a weights file of the user's, and whether one may be downloaded."""

    weights: Path | None = None
    allow_download: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceScores:
    """
    Everything known about one audio file: a value for every quality metric of the panel, and the version of each.

    `words` and `chars` are the counts behind wer and cer, from which corpus rates are made; `transcript` is as heard.
    """

    key: str
    utterance: str
    values: Mapping[str, Value]
    versions: Mapping[str, str]
    words: ErrorCounts | Missing
    chars: ErrorCounts | Missing
    transcript: str | Missing


def score_quality(
    jobs: Sequence[AudioJob],
    *,
    cache_dir: Path,
    judge: JudgeOptions | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> dict[str, UtteranceScores]:
    """
    The scores of every job, by its key; what cannot be scored is Missing with its reason.

    `workers` is the number of cores to use. Raises HarnessError for an explicit weights file that is unusable and for a
    cache that cannot be written.
    """
    options = judge or JudgeOptions()
    weights = locate_weights(options.weights, options.allow_download)
    digests = _digests(jobs)
    cache = ScoreCache(cache_dir)
    try:
        tasks, heard = _plan_tasks(jobs, digests), _plan_listening(jobs, digests, weights)
        known = cache.get([*tasks, *heard])
        todo = {key: task for key, task in tasks.items() if key not in known}
        unheard = {key: path for key, path in heard.items() if key not in known}
        counter = _Counter(len(todo) + len(unheard), progress)
        values = _stored_values(tasks, known) | _compute_values(todo, cache, workers, counter)
        transcripts = _stored_transcripts(heard, known) | _compute_transcripts(unheard, weights, cache, workers, counter)
    finally:
        cache.close()
    return {job.key: _scores(job, digests, weights, values, transcripts) for job in jobs}


class _Counter:
    """Tells the caller how many of the scores to compute are done."""

    def __init__(self, total: int, report: Progress | None) -> None:
        self.done, self.total, self.report = 0, total, report

    def step(self) -> None:
        self.done += 1
        if self.report is not None:
            self.report(self.done, self.total)


def _digests(jobs: Sequence[AudioJob]) -> dict[Path, str | Missing]:
    """SHA-256 of each file's bytes; Missing for a file that cannot be read."""
    paths = {path for job in jobs for path in (job.path, job.reference, job.golden) if path is not None}
    return {path: _digest(path) for path in paths}


def _digest(path: Path) -> str | Missing:
    try:
        return file_sha256(path)
    except OSError as error:
        return Missing(f"cannot read audio {path}: {error.strerror}")


def _wanted(job: AudioJob) -> dict[str, AudioTask | Missing]:
    """Every metric of the audio itself, by its name in the panel; Missing where there is nothing to compare with."""
    wanted: dict[str, AudioTask | Missing] = {name: AudioTask(metric=name, audio=job.path) for name in INTRINSIC}
    for prefix, reference in (("", job.reference), (GOLDEN, job.golden)):
        for name in PARITY:
            task = AudioTask(metric=name, audio=job.path, reference=reference)
            wanted[prefix + name] = Missing(NO_REFERENCE[prefix]) if reference is None else task
    return wanted


def _task_key(task: AudioTask, digests: Mapping[Path, str | Missing]) -> str | Missing:
    """The cache key: content, not path, so the same audio under two names is one score."""
    contents = [digests[path] for path in (task.audio, task.reference) if path is not None]
    known = [each for each in contents if isinstance(each, str)]
    missing = [each for each in contents if isinstance(each, Missing)]
    return missing[0] if missing else cache_key(task.metric, full_version(task.metric), *known)


def _plan_tasks(jobs: Sequence[AudioJob], digests: Mapping[Path, str | Missing]) -> dict[str, AudioTask]:
    tasks: dict[str, AudioTask] = {}
    for job in jobs:
        for task in _wanted(job).values():
            key = task if isinstance(task, Missing) else _task_key(task, digests)
            if isinstance(task, AudioTask) and isinstance(key, str):
                tasks.setdefault(key, task)
    return tasks


def _listening_key(digest: str, weights: WeightsFile) -> str:
    return cache_key("transcript", DECODING, full_version("wer"), weights.sha256, digest)


def _plan_listening(
    jobs: Sequence[AudioJob], digests: Mapping[Path, str | Missing], weights: WeightsFile | Missing
) -> dict[str, Path]:
    if isinstance(weights, Missing):
        return {}
    readable = [(job.path, digests[job.path]) for job in jobs]
    return {_listening_key(digest, weights): path for path, digest in readable if isinstance(digest, str)}


def _stored_values(tasks: Mapping[str, AudioTask], known: Mapping[str, object]) -> dict[str, Value]:
    return {key: value_from_json(known[key]) for key in tasks if key in known}


def _compute_values(todo: Mapping[str, AudioTask], cache: ScoreCache, workers: int, counter: _Counter) -> dict[str, Value]:
    """Each task once, in child processes; a crash becomes Missing and is not remembered, since it may not come again."""
    keys = list(todo)
    values: dict[str, Value] = {}
    for index, result in run_isolated(compute, list(todo.values()), workers):
        key = keys[index]
        if isinstance(result, Crashed):
            values[key] = Missing(f"{todo[key].metric} crashed the process")
        else:
            values[key] = result
            cache.put(key, value_to_json(result))
        counter.step()
    return values


def _stored_transcripts(heard: Mapping[str, Path], known: Mapping[str, dict[str, str]]) -> dict[str, Transcript]:
    return {key: Transcript(**known[key]) for key in heard if key in known}


def _compute_transcripts(
    unheard: Mapping[str, Path], weights: WeightsFile | Missing, cache: ScoreCache, workers: int, counter: _Counter
) -> dict[str, Transcript]:
    """Each distinct audio once, in child processes; files nobody could listen to are not remembered."""
    if isinstance(weights, Missing) or not unheard:
        return {}
    keys = {path: key for key, path in unheard.items()}
    transcripts = {}
    for path, transcript in listen(list(keys), weights.path, workers):
        transcripts[keys[path]] = transcript
        if isinstance(transcript.text, str):
            cache.put(keys[path], {"text": transcript.text, "judge": transcript.judge})
        counter.step()
    return transcripts


def _scores(
    job: AudioJob,
    digests: Mapping[Path, str | Missing],
    weights: WeightsFile | Missing,
    values: Mapping[str, Value],
    transcripts: Mapping[str, Transcript],
) -> UtteranceScores:
    heard = _heard(digests[job.path], weights, transcripts)
    words, chars = (heard.text, heard.text) if isinstance(heard.text, Missing) else _errors(job.text, heard.text)
    found = {name: _value_of(task, digests, values) for name, task in _wanted(job).items()}
    found |= {"wer": _rate(words), "cer": _rate(chars)}
    judged = {name: "; ".join(filter(None, (full_version(name), heard.judge))) for name in ("wer", "cer")}
    return UtteranceScores(
        key=job.key,
        utterance=job.utterance,
        values=found,
        versions={name: full_version(name) for name in found} | judged,
        words=words,
        chars=chars,
        transcript=heard.text,
    )


def _heard(digest: str | Missing, weights: WeightsFile | Missing, transcripts: Mapping[str, Transcript]) -> Transcript:
    for fault in (digest, weights):
        if isinstance(fault, Missing):
            return Transcript(text=fault, judge="")
    assert isinstance(digest, str), "Missing was returned above"
    assert isinstance(weights, WeightsFile), "Missing was returned above"
    return transcripts[_listening_key(digest, weights)]


def _errors(text: str, heard: str) -> tuple[ErrorCounts | Missing, ErrorCounts | Missing]:
    return word_errors(text, heard), char_errors(text, heard)


def _rate(counts: ErrorCounts | Missing) -> Value:
    return counts if isinstance(counts, Missing) else counts.rate


def _value_of(task: AudioTask | Missing, digests: Mapping[Path, str | Missing], values: Mapping[str, Value]) -> Value:
    key = task if isinstance(task, Missing) else _task_key(task, digests)
    return key if isinstance(key, Missing) else values[key]
