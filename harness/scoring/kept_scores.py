"""
Score a run folder and keep the scores there, with their provenance: records, audio, golden audio,
metrics, recogniser and packages.

    runs/0001/scored.json           beside measurements.json: the stamp of its inputs

A folder with an outdated stamp is scored anew. One that lost its audio (a copy, a CI artifact) is
judged by the scores that it has, as long as they were made from its records. `score_run.py`
computes the scores.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import Measurements
from voxgate.harness.analysis.metric_rules import PROCESS, STATISTICS
from voxgate.harness.audio.kept_audio import check_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.registry import (
    digest_of,
    entries,
    installed,
    own_model,
    package_of,
    select_metrics,
)
from voxgate.harness.models.own_model import ModelFile, locate
from voxgate.harness.models.whisper_weights import model_digest
from voxgate.harness.records import documents
from voxgate.harness.records.codec import to_json
from voxgate.harness.records.documents import LARGEST
from voxgate.harness.records.files import file_sha256
from voxgate.harness.records.measurement import (
    Measurement,
    lacks_package,
)
from voxgate.harness.records.run import HeardTexts, Run
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.progress import ScoreProgress
from voxgate.harness.scoring.score_run import RunScores, score_run

FILE = "scored.json"
OWN_JUDGE = "the judge's weights"
"""Name in a stamp beside the packages: what is not here counts as the same."""
SAME = ("golden", "panel", "judge", "records", "power", "models")
"""Facts of a stamp that must be equal; `models` are there only where a suite names some."""

Stamp = Mapping[str, Any]


def score_folder(folder: Path, golden: Path, progress: ScoreProgress | None = None) -> None:
    """
    Compute and keep the measurements of a run, unless those that are kept were made from just this.

    Raises HarnessError for audio that is not what the records name, and as `score_run` does.
    """
    run_folder.load_header(folder)  # before any file of it is opened, all of them were looked at
    records = run_folder.records_digest(folder)
    run = load_whole(folder)
    now = stamp_of(run, golden, records)
    if is_scored(folder, run, now):
        return
    check_audio(run)
    scores = score_run(run, golden, progress=progress)
    keep_scores(folder, measurements_of(run, scores), now, scores.heard)


def measurements_of(run: Run, scores: RunScores) -> dict[str, tuple[Measurement, ...]]:
    """Aggregate a run and the scores of its audio."""
    return aggregate(run, scores.values, versions=scores.versions, takes=scores.takes)


def score_side(run: Run, golden: Path, progress: ScoreProgress | None) -> Measurements:
    """Score the audio of a run, keep the transcripts in its folder, return its measurements."""
    scores = score_run(run, golden, progress=progress)
    run_folder.save_transcripts(Path(run.folder), scores.heard)
    return measurements_of(run, scores)


def load_scored(folder: Path) -> tuple[Run, Measurements]:
    """
    Read a scored run, with transcripts, and its measurements. Raises HarnessError if they
    contradict each other.
    """
    run = load_whole(folder)
    measurements = run_folder.load_measurements(folder)
    check_measurements(run, measurements)
    return replace(run, heard=run_folder.load_transcripts(folder)), measurements


def load_whole(folder: Path) -> Run:
    """
    Read a run that is judged by itself. Raises HarnessError if its reference is none of its cells.
    """
    run = run_folder.load_run(folder)
    slugs = [cell.slug for cell in run.cells]
    if run.reference not in slugs:
        raise HarnessError(
            f"{folder}: the reference {run.reference!r} is none of its cells, which are "
            f"{', '.join(slugs)}"
        )
    return run


def stamp_of(run: Run, golden: Path, records: str) -> Stamp:
    """
    Return the stamp of all that scores of a run depend on.

    `records` is the digest of its files from before they were read, so that records that a
    process adds meanwhile never count as scored.
    """
    metrics = select_metrics(run.metrics, run.conditions, run.models)
    folder = Path(run.folder)
    packages = sorted({package for metric in metrics if (package := package_of(metric.name))})
    return {
        "golden": golden_digest(golden),
        "panel": digest_of(metrics),
        "judge": run.judge,
        "records": records,
        "power": run.environment.power or "",
        "audio": {
            path.relative_to(folder).as_posix(): file_sha256(path)[: run_folder.DIGEST_DIGITS]
            for path in _audio(folder)
        },
        "packages": {
            **{name: installed(name) for name in packages},
            OWN_JUDGE: model_digest(run.judge),
        },
        **({"models": to_json(run.models)} if run.models else {}),
    }


def keep_scores(
    folder: Path, measurements: Measurements, stamp: Stamp, transcripts: HeardTexts | None = None
) -> None:
    """
    Write measurements and transcripts, with the stamp of their inputs.

    Raises HarnessError if the disk is full.
    """
    try:
        # after an interruption between the two, scores are computed again
        (folder / FILE).unlink(missing_ok=True)
        if transcripts is not None:
            run_folder.save_transcripts(folder, transcripts)
        run_folder.save_measurements(folder, measurements)
        documents.write_json(folder / FILE, stamp)
    except OSError as error:
        raise HarnessError(
            f"cannot keep the scores in {folder}: {error.strerror}; make room, then run this again"
        ) from error


def is_scored(folder: Path, run: Run, now: Stamp) -> bool:
    """
    Return whether the kept measurements have this stamp, or are the only ones that the folder
    can have.

    Raises HarnessError where they belong to other records and no audio is left to score.
    """
    if not (folder / "measurements.json").exists():
        return False
    kept = run_folder.load_measurements(folder)
    before = documents.read_json(folder / FILE, "") if (folder / FILE).exists() else {}
    if _same(before, now) and not _can_be_filled(kept, run):
        return True
    if any((Path(run.folder) / file).exists() for file in _named(run)):
        return False
    if "records" in before and before["records"] != now["records"]:
        raise HarnessError(
            f"the scores in {folder} were made from other records, and its audio is gone; score it "
            "where the audio is, or measure again"
        )
    return True


def golden_digest(golden: Path) -> str:
    """
    Return a digest of the golden audio's bytes; `none` where there is none. Raises HarnessError.
    """
    files = sorted(golden.glob("*.flac"))
    return run_folder.files_digest(files, "restore it, or accept a run again") if files else "none"


def _same(before: Mapping[str, Any], now: Stamp) -> bool:
    """
    Return whether everything in two stamps is equal.

    Deleted audio and packages that are not installed here are ignored.
    """
    if any(before.get(name) != now.get(name) for name in SAME):
        return False
    audio, packages = _mapping(before.get("audio")), _mapping(before.get("packages"))
    same_audio = all(audio.get(name) == digest for name, digest in now["audio"].items())
    return same_audio and all(
        packages.get(name) == version for name, version in now["packages"].items() if version
    )


def _can_be_filled(kept: Measurements, run: Run) -> bool:
    """
    Return whether values are missing for want of a package or model that is installed by now.
    """
    lacking = {
        measurement.metric
        for measurement in chain.from_iterable(kept.values())
        if lacks_package(measurement.summary)
    }
    packages = {package_of(metric) for metric in lacking}
    models = {model for metric in lacking if (model := run.models.get(own_model(metric)))}
    return any(installed(package) for package in packages if package) or any(
        isinstance(locate("", model), ModelFile) for model in models
    )


def _named(run: Run) -> list[str]:
    iterations = chain.from_iterable(process.iterations for process in run.processes)
    files = ((iteration.audio_file, iteration.marked_file) for iteration in iterations)
    return [name for name in chain.from_iterable(files) if name is not None]


def _audio(folder: Path) -> list[Path]:
    """List the audio, the sources and the recordings of voices, without drafts of a file."""
    parts = ("audio", "voices", "sources")
    files = [path for part in parts for path in sorted((folder / part).rglob("*"))]
    return [path for path in files if path.is_file() and not path.name.startswith(".")]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def check_measurements(run: Run, measurements: Measurements) -> None:
    """
    Raise HarnessError for measurements from a file that cannot be those of the run.

    They must name its cells, requests and rounds. Times, rates and sizes must be more than
    zero. A metric must have its own unit.
    """
    cells = {cell.slug: cell for cell in run.cells}
    for slug in sorted({*cells} ^ {*measurements}):
        raise HarnessError(
            f"measurements {'lack cell' if slug in cells else 'name'} {slug}, {AGAIN}"
        )
    rounds = max((1, *(each.repeat + 1 for each in run.processes), *run.takes.values()))
    for slug, cell_measurements in measurements.items():
        ids = {PROCESS, *(request.id for request in cells[slug].workload.requests)}
        for measurement in cell_measurements:
            if (wrong := _contradiction(measurement, ids, rounds)) is not None:
                raise HarnessError(
                    f"measurements of {slug}: {measurement.metric}: {wrong}, {AGAIN}"
                )


AGAIN = (
    "which this run does not hold together with; remove measurements.json, and it is scored again"
)


SMALLEST = 1 / LARGEST
"""Smallest time, rate or size: quotients of smaller ones overflow."""


def _contradiction(measurement: Measurement, ids: Collection[str], rounds: int) -> str | None:
    entry = entries().get(measurement.metric)
    if entry is not None and (entry.metric.unit, entry.metric.better) != (
        measurement.unit,
        measurement.better,
    ):
        return f"unit {measurement.unit} and better {measurement.better}"
    numbers = [measurement.summary, *(value.value for value in measurement.values)]
    if measurement.metric in STATISTICS:
        speeds = [number for number in numbers if isinstance(number, float)]
        if any(number <= 0.0 for number in speeds):
            return "a value of 0 or less"
        if any(number < SMALLEST for number in speeds):
            return f"a value below {SMALLEST:g}"
    for value in measurement.values:
        if value.id not in ids or value.repeat >= rounds:
            return f"a value of {value.id!r} in round {value.repeat}"
    return None
