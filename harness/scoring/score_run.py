"""
Score a run folder: pair each audio with its references, and locate the cache of scores.

Runs after measuring, never inside it. Knows where a run keeps its audio; `scoring/scorer.py` knows
how to score.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from voxgate.harness.analysis.available_inputs import region_of
from voxgate.harness.analysis.caveats import takes_differ
from voxgate.harness.machine.profiles import cpu_count
from voxgate.harness.metrics.metric import Need, SpokenSegment
from voxgate.harness.metrics.registry import GOLDEN, check_selection, entry, select_metrics
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.records.cell import Cell, Request
from voxgate.harness.records.files import cache_folder, files_sha256, inside
from voxgate.harness.records.measurement import NO_GOLDEN, Missing, MissingKind, Value
from voxgate.harness.records.run import (
    MOST_CHARACTERS,
    MOST_NOTICES,
    SPOKEN,
    HeardText,
    HeardTexts,
    Iteration,
    Run,
)
from voxgate.harness.runner.progress import ScoreProgress
from voxgate.harness.scoring.own_models import RecordedModels, check_models, located, recorded
from voxgate.harness.scoring.scorer import UtteranceScores, score_quality
from voxgate.harness.scoring.tasks import AudioJob
from voxgate.harness.scoring.transcription import recognizer_options
from voxgate.harness.suite.suite import Suite

FirstIterations = dict[tuple[str, str], Iteration]
"""(slug, request id) -> iteration."""
TAKES_DIFFER = Missing("the engine has no seed, and its takes differ", MissingKind.TAKES_DIFFER)
"""
The reason why audio is compared with no other recording: two performances of one text are two
performances.
"""
NO_CAPTIONS = Missing("the engine does not tell where the segments of the reel stand")
NO_STATEMENT = "there is no audio of the statement that it is held against"
MOST_WORKERS = 4
"""Scoring processes; each may hold a recogniser and the models of other metrics, about 1.2 GB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScores:
    """
    The scores of a run's audio: (slug, request id) -> metric -> value.

    With the version of each metric, and the transcripts. `values` has the mean over several takes.
    """

    values: Mapping[tuple[str, str], Mapping[str, Value]]
    versions: Mapping[str, str]
    heard: HeardTexts = field(default_factory=dict)
    takes: Mapping[tuple[str, str], tuple[Mapping[str, Value], ...]] = field(default_factory=dict)
    """Of cells that sample: the scores of each take, in place of one value for all of them."""


def score_run(
    run: Run,
    golden: Path,
    *,
    cache_dir: Path | None = None,
    workers: int | None = None,
    progress: ScoreProgress | None = None,
) -> RunScores:
    """
    Score all audio of a run against its reference cell's and against the golden audio in
    `golden`.

    The run's suite selects metrics and recogniser. `workers` is the number of cores to use; by
    default those available. Raises HarnessError as `score_quality` does, and for a metric that
    does not exist.
    """
    jobs, takes = audio_jobs(run, golden), further_takes(run, golden)
    scored = score_quality(
        [*jobs.values(), *chain.from_iterable(takes.values())],
        cache_dir=cache_dir or default_cache_dir(),
        judge=recognizer_options(run.judge),
        metrics=[metric.name for metric in select_metrics(run.metrics, run.conditions, run.models)],
        workers=workers or min(cpu_count(), MOST_WORKERS),
        progress=progress,
    )
    scores = {name: scored[job.key] for name, job in jobs.items()}
    values = {
        name: _values(scores[name], has_golden=jobs[name].golden is not None) for name in jobs
    }
    apart: dict[tuple[str, str], tuple[Mapping[str, Value], ...]] = {}
    for name, jobs_of_takes in takes.items():
        further = [
            _values(scored[job.key], has_golden=job.golden is not None) for job in jobs_of_takes
        ]
        if name[0] in run.takes:
            apart[name] = (_without_golden(values[name]), *further)
        values[name] = _over_takes([values[name], *further])
    return RunScores(
        values=values,
        versions=_with_voices(versions_of(scores.values()), jobs.values()),
        heard=_heard(scores),
        takes=apart,
    )


def _without_golden(values: Mapping[str, Value]) -> dict[str, Value]:
    """
    Return the scores of the first take without those against golden audio: by the same seed, that
    is the same take, and would be no spread of takes.
    """
    return {name: value for name, value in values.items() if not name.startswith(GOLDEN)}


def _heard(scores: Mapping[tuple[str, str], UtteranceScores]) -> HeardTexts:
    transcripts: dict[str, dict[str, HeardText]] = {}
    for (slug, request), utterance in scores.items():
        if isinstance(utterance.transcript, str):
            transcripts.setdefault(slug, {})[request] = HeardText(
                text=utterance.transcript, recogniser=utterance.recogniser
            )
    return transcripts


def audio_jobs(run: Run, golden: Path) -> dict[tuple[str, str], AudioJob]:
    """
    Return one job for each (cell, request) with audio, with all recordings to compare it with.
    """
    iterations = _first_audio(run)
    jobs: dict[tuple[str, str], AudioJob] = {}
    for cell in run.cells:
        for request in cell.workload.requests:
            if (cell.slug, request.id) in iterations:
                job = _job(run, cell, request, iterations, golden)
                jobs[cell.slug, request.id] = _beside(run, job, request.id, 0)
    return jobs


def further_takes(run: Run, golden: Path) -> dict[tuple[str, str], list[AudioJob]]:
    """
    Return the jobs of the further takes of cells that sample, and of an engine without a seed, by
    (slug, request id).
    """
    first, further = _first_audio(run), dict[tuple[str, str], list[AudioJob]]()
    for cell in run.cells:
        for request in cell.workload.requests:
            for number, iteration in enumerate(_takes(run, cell.slug, request.id)[1:], start=1):
                job = _job(
                    run, cell, request, {**first, (cell.slug, request.id): iteration}, golden
                )
                job = _beside(run, job, request.id, number)
                key = f"{job.key} {iteration.audio_file}"
                further.setdefault((cell.slug, request.id), []).append(replace(job, key=key))
    return further


def _beside(run: Run, job: AudioJob, request: str, number: int) -> AudioJob:
    """
    Return the job of a take with the take of the reference cell that follows, where that samples:
    no take is held against itself, which would be none of the spread of takes.
    """
    if run.reference not in run.takes or job.take is None:
        return job
    others = _takes(run, run.reference, request)
    other = others[(number + 1) % len(others)].audio_file if others else None
    return job if other is None else replace(job, take=Path(run.folder) / other)


def _takes(run: Run, slug: str, request: str) -> list[Iteration]:
    """Return the iterations of a request that kept audio, each file once, by their takes."""
    kept: dict[str, Iteration] = {}
    for process in run.processes:
        if process.cell == slug:
            for iteration in process.iterations:
                if iteration.request == request and iteration.audio_file is not None:
                    kept[iteration.audio_file] = iteration
    return sorted(kept.values(), key=lambda each: each.take)


def _over_takes(takes: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """
    Return the mean of each metric over the takes of one request; Missing where a take has no
    value.
    """
    common = set(takes[0]).intersection(*takes[1:])
    return {name: _mean([values[name] for values in takes]) for name in takes[0] if name in common}


def _mean(values: Sequence[Value]) -> Value:
    gap = next((value for value in values if isinstance(value, Missing)), None)
    return gap or sum(value for value in values if isinstance(value, float)) / len(values)


def check_scoring(suite: Suite) -> None:
    """Raise HarnessError for metrics, conditions, networks or a recogniser that cannot score it."""
    models = check_models(suite.models)
    check_selection(suite.metrics, suite.conditions, models)
    recognizer_options(suite.judge)


def models_of(suite: Suite) -> RecordedModels:
    """Return what a run records of a suite's networks. Raises HarnessError for an absent file."""
    return recorded(suite.models)


def score_files(
    requests: Sequence[Request],
    files: Mapping[str, Path],
    metrics: Sequence[str],
    judge: str,
    progress: ScoreProgress | None = None,
) -> dict[str, UtteranceScores]:
    """Score one audio file per request (by its id) that belongs to no run."""
    jobs = [
        AudioJob(
            key=r.id,
            utterance=r.id,
            path=files[r.id],
            text=r.text,
            spoken=r.spoken,
            language=r.language,
        )
        for r in requests
    ]
    return score_quality(
        jobs,
        cache_dir=default_cache_dir(),
        judge=recognizer_options(judge),
        metrics=metrics,
        progress=progress,
    )


def default_cache_dir() -> Path:
    """Return the folder of the score cache: `voxgate` below XDG_CACHE_HOME, or below ~/.cache."""
    return cache_folder()


def _first_audio(run: Run) -> FirstIterations:
    """Return the first iteration of each request of each cell that kept its audio."""
    iterations: FirstIterations = {}
    for process in run.processes:
        for iteration in process.iterations:
            if iteration.audio_file is not None:
                iterations.setdefault((iteration.cell, iteration.request), iteration)
    return iterations


def _job(
    run: Run, cell: Cell, request: Request, iterations: FirstIterations, golden: Path
) -> AudioJob:
    def audio(slug: str, name: str) -> Path | None:
        return (
            Path(run.folder) / str(iterations[slug, name].audio_file)
            if (slug, name) in iterations
            else None
        )

    path = audio(cell.slug, request.id)
    assert path is not None, "only what left audio is scored"
    marked_file = iterations[cell.slug, request.id].marked_file
    marked = path if marked_file is None else Path(run.folder) / marked_file
    accepted, voice = inside(golden, f"{request.id}.flac"), cell.voice_of(request)
    alone = (
        TAKES_DIFFER if takes_differ(run, cell.slug) or takes_differ(run, run.reference) else None
    )
    return AudioJob(
        key=f"{cell.slug}/{request.id}",
        utterance=request.id,
        path=path,
        text=request.text,
        language=request.language,
        reference=alone or audio(run.reference, request.id),
        golden=alone or (accepted if accepted.is_file() else None),
        take=alone and audio(run.reference, request.id),
        golden_take=alone and (accepted if accepted.is_file() else NO_GOLDEN),
        voice=None if voice is None else Path(run.folder) / voice,
        statement=None
        if request.statement is None
        else audio(cell.slug, request.statement) or Missing(NO_STATEMENT),
        joins_s=iterations[cell.slug, request.id].joins_s,
        emphasis=request.emphasis,
        spoken=request.spoken or _reading(iterations[cell.slug, request.id]),
        marked=marked if cell.asks_for_watermark(request) else None,
        segments=_segments(request, iterations[cell.slug, request.id]),
        source=None if request.source is None else Path(run.folder) / request.source.path,
        models=located(run.models),
        region=region_of(run, cell, request),
        voices=_voices(run, cell, request),
    )


def _reading(iteration: Iteration) -> str:
    """Return the words that the engine made of a text; empty where it does not tell all of them."""
    told = [notice.text for notice in iteration.notices if notice.kind == SPOKEN]
    whole = len(iteration.notices) < MOST_NOTICES and max(map(len, told), default=0)
    return " ".join(told) if 0 < whole < MOST_CHARACTERS else ""


def _voices(run: Run, cell: Cell, request: Request) -> tuple[tuple[str, Path], ...]:
    """Return the recordings of a reel's speakers, as far as the workload has them."""
    speaking = {segment.speaker for segment in request.segments}
    recorded = sorted(speaking & set(cell.workload.voices))
    return tuple((each, Path(run.folder) / cell.workload.voices[each]) for each in recorded)


def _segments(request: Request, iteration: Iteration) -> tuple[SpokenSegment, ...] | Missing | None:
    """Return the segments of a reel with their captions; None for a text."""
    if not request.segments:
        return None
    if iteration.captions is None:
        return NO_CAPTIONS
    return tuple(
        SpokenSegment(
            speaker=segment.speaker,
            text=segment.text,
            start_s=caption.start_s,
            end_s=caption.end_s,
        )
        for segment, caption in zip(request.segments, iteration.captions, strict=True)
    )


def _values(scores: UtteranceScores, *, has_golden: bool) -> dict[str, Value]:
    values: dict[str, Value] = {
        name: float(count.reference_words) if isinstance(count, ErrorCounts) else count
        for name, count in scores.counts.items()
    }
    values |= scores.values
    return (
        values
        if has_golden
        else {n: NO_GOLDEN if n.startswith(GOLDEN) else value for n, value in values.items()}
    )


def versions_of(scored: Iterable[UtteranceScores]) -> dict[str, str]:
    """
    Return each metric's version, from values that exist: a text without transcript names no
    recogniser.

    Where texts in several languages have several recognisers, the version names them all.
    """
    voiced: dict[str, set[str]] = {}
    silent: dict[str, set[str]] = {}
    for utterance in scored:
        for name, version in utterance.versions.items():
            (silent if isinstance(utterance.values[name], Missing) else voiced).setdefault(
                name, set()
            ).add(version)
    return {name: "; ".join(sorted(versions)) for name, versions in (silent | voiced).items()}


def _with_voices(versions: Mapping[str, str], jobs: Iterable[AudioJob]) -> dict[str, str]:
    """
    Add the recordings of the voices to the versions of metrics that compare with them.

    Other recordings yield other numbers.
    """
    jobs = list(jobs)
    named = {job.voice for job in jobs if job.voice is not None}
    for job in jobs:
        named |= {path for _, path in job.voices}
    files = sorted(path for path in named if path.is_file())
    if not files:
        return dict(versions)
    digest = files_sha256(*files)[:8]
    return {
        name: f"{version}; voices {digest}" if _needs_voice(name) else version
        for name, version in versions.items()
    }


def _needs_voice(name: str) -> bool:
    source = entry(name).source
    return source is not None and source.need in (Need.VOICE, Need.SEGMENTS, Need.CONVERSION)
