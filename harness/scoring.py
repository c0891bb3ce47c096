"""
The glue between a run folder and the scorer: which audio is held against which, and where known scores are kept.

Runs after measuring, never inside it. Knows where a run keeps its audio; `metrics/score.py` knows how to score.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.baseline import NO_GOLDEN
from harness.measurement import Missing, Value
from harness.metrics.intelligibility import ErrorCounts
from harness.metrics.panel import GOLDEN
from harness.metrics.score import AudioJob, JudgeOptions, Progress, UtteranceScores, score_quality
from harness.sample import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScores:
    """The scores of a run's audio: (slug, request id) -> metric -> value, and the version of each metric."""

    values: Mapping[tuple[str, str], Mapping[str, Value]]
    versions: Mapping[str, str]


def score_run(
    run: Run,
    golden: Path,
    *,
    cache_dir: Path | None = None,
    judge: JudgeOptions | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> RunScores:
    """
    Score all audio of a run against its reference cell's and against the accepted audio in the folder `golden`.

    Raises HarnessError as `score_quality` does.
    """
    jobs = audio_jobs(run, golden)
    scored = score_quality(
        list(jobs.values()), cache_dir=cache_dir or default_cache_dir(), judge=judge, workers=workers, progress=progress
    )
    found = {name: scored[job.key] for name, job in jobs.items()}
    values = {name: _values(found[name], has_golden=jobs[name].golden is not None) for name in jobs}
    return RunScores(values=values, versions=_versions(found.values()))


def audio_jobs(run: Run, golden: Path) -> dict[tuple[str, str], AudioJob]:
    """Give one job for each (cell, request) that left audio, with the reference cell's and the accepted audio."""
    files = _audio_files(run)
    texts = {(cell.slug, request.id): request.text for cell in run.cells for request in cell.workload.requests}
    jobs = {}
    for (slug, request), path in files.items():
        accepted = golden / f"{request}.flac"
        jobs[slug, request] = AudioJob(
            key=f"{slug}/{request}",
            utterance=request,
            path=path,
            text=texts[slug, request],
            reference=files.get((run.reference, request)),
            golden=accepted if accepted.is_file() else None,
        )
    return jobs


def default_cache_dir() -> Path:
    """Name the folder of known scores: `voxgate` below XDG_CACHE_HOME, or below ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "voxgate"


def _audio_files(run: Run) -> dict[tuple[str, str], Path]:
    """Give the first audio that each cell made of each request."""
    files: dict[tuple[str, str], Path] = {}
    for process in run.processes:
        for sample in process.samples:
            if sample.audio_file is not None:
                files.setdefault((sample.cell, sample.request), Path(run.folder) / sample.audio_file)
    return files


def _values(scores: UtteranceScores, *, has_golden: bool) -> dict[str, Value]:
    counts = {"wer_words": scores.words, "cer_chars": scores.chars}
    values: dict[str, Value] = {
        name: float(each.reference_words) if isinstance(each, ErrorCounts) else each for name, each in counts.items()
    }
    values |= scores.values
    return values if has_golden else {n: NO_GOLDEN if n.startswith(GOLDEN) else value for n, value in values.items()}


def _versions(scored: Iterable[UtteranceScores]) -> dict[str, str]:
    """Give each metric's version as of a value that there is: a text that nobody heard does not name its listener."""
    versions: dict[str, str] = {}
    for each in scored:
        for name, version in each.versions.items():
            if name not in versions or not isinstance(each.values[name], Missing):
                versions[name] = version
    return versions
