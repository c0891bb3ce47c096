"""
The ASR floor: the error rate of the recogniser on known-good speech, on the texts of a workload.

A recogniser errs even on good speech, so 3 % means little alone: beside a teacher's 4 % it is as
good as can be shown, beside 1 % it is not. The floor is no limit and decides nothing. It lies
beside its workload, `<workload>.floor.json`, made by `voxgate floor` and reviewed like a baseline:
each text (the words to be heard, where the workload has them apart), its transcript, and the number
of errors.

    {
    "schema_version": 1,
    "workload": ..., "speaker": ...,            one line per fact
    "versions": {"cer": ..., "wer": ...},       of the metrics, the recogniser included
    "utterances": {
    "u001": {"text": ..., "heard": ..., "words": [errors, words], "chars": [errors, characters]},
    }
    }

It is shown only beside a rate of the same recogniser on the same texts; else a reason stands in its
place.

The speech is synthesised by flite or read from a folder of recordings. The scorer transcribes it,
so that a floor and a run can only differ in the speaker.
"""

import json
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from voxgate.harness import statistics
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.records.cell import Workload
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.constraints import NON_EMPTY, Range
from voxgate.harness.records.documents import parse_json
from voxgate.harness.records.files import write_file
from voxgate.harness.records.measurement import Measurement, MetricVersion, Missing
from voxgate.harness.records.run import OPENAI, Run
from voxgate.harness.runner.progress import ScoreProgress
from voxgate.harness.scoring.score_run import score_files, versions_of
from voxgate.harness.scoring.scorer import UtteranceScores
from voxgate.harness.statistics import Shift
from voxgate.harness.suite.workload import load_workload, place
from voxgate.harness.targets.flite import synthesise_workload, version_and_voices

SCHEMA_VERSION = 1
"""Of the floor files. History: 1, 2026-11, first."""
HEADER = ("workload", "speaker", "versions")


Counts = tuple[Annotated[int, Range(least=0)], Annotated[int, Range(least=1)]]
"""Errors, and the words or characters of the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    text: str
    heard: str
    words: Counts
    chars: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The JSON of a floor file."""

    schema_version: int
    workload: Annotated[str, NON_EMPTY]
    speaker: str
    versions: Mapping[str, str]
    utterances: Annotated[Mapping[str, _Line], NON_EMPTY]


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorUtterance:
    """One text, and the transcript of its known-good recording."""

    text: str
    heard: str
    words: ErrorCounts
    chars: ErrorCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """
    The error counts of a known-good speaker on a workload.

    `versions` are those of `wer` and `cer`, which name the recogniser.
    """

    workload: str
    speaker: str
    versions: Mapping[str, str]
    utterances: Mapping[str, FloorUtterance]


def rate_of(floor: Floor, metric: str) -> Shift:
    """Return the corpus rate, `wer` or `cer`, with its 95 % interval over utterances."""
    counts = [
        utterance.words if metric == "wer" else utterance.chars
        for utterance in floor.utterances.values()
    ]
    return statistics.paired_rate_difference(
        [0.0] * len(counts),
        [count.rate for count in counts],
        [float(count.reference_words) for count in counts],
    )


def floor_of_run(run: Run) -> Floor | None:
    """
    Return the floor of a run's workload: beside its file in the project, else among the workloads
    of this package.
    """
    return load_floor(floor_path(run.workload or run.cells[0].workload.name))


def floor_for_workload(
    floor: Floor, workload: Workload, measured: Measurement, judge: str = OPENAI
) -> Shift | Missing:
    """
    Return the floor under a measured `wer` or `cer`.

    Missing where another recogniser transcribed it, or other texts were spoken. `judge` is the
    recogniser that the run's suite selected.
    """
    other = "" if judge == OPENAI else f" --judge {shlex.quote(judge)}"
    again = f"voxgate floor {floor.workload}{other}"
    version = floor.versions.get(measured.metric, "")
    if version != measured.version:
        theirs, ours = (
            _differing_parts(version, measured.version),
            _differing_parts(measured.version, version),
        )
        return Missing(f"it was heard by [{theirs}], this run by [{ours}]; make it again: {again}")
    if {r.id: r.words for r in workload.requests} != {
        name: utterance.text for name, utterance in floor.utterances.items()
    }:
        return Missing(
            f"{floor.speaker} said other texts than this workload has; make it again: {again}"
        )
    return rate_of(floor, measured.metric)


def floor_path(workload: str) -> Path:
    """
    Return the path of a workload's floor file, whether or not it exists.

    The workload is named as for `load_workload`.
    """
    return place(workload).with_suffix(".floor.json")


def load_floor(path: Path) -> Floor | None:
    """Load a floor; None where there is none. Raises HarnessError for a broken file."""
    try:
        if not path.is_file():
            return None
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(
            f"the floor {path} cannot be read: {error}; restore it, or make it again"
        ) from error
    try:
        return _parse(text, "it")
    except HarnessError as error:
        raise HarnessError(
            f"the floor {path} cannot be read ({error}); restore it, or make it again"
        ) from error


def save_floor(path: Path, floor: Floor) -> None:
    """
    Write a floor; the same one always yields the same text.

    Raises HarnessError if it cannot be written.
    """
    head = [
        f"{_line(name, dict(value) if isinstance(value, Mapping) else value)},"
        for name, value in _header(floor)
    ]
    lines = [
        _line(name, _utterance_to_json(floor.utterances[name])) for name in sorted(floor.utterances)
    ]
    text = "\n".join(["{", *head, '"utterances": {', ",\n".join(lines), "}", "}", ""])
    write_file(path, text, "make its folder writable", what="the floor ")


def _differing_parts(version: str, other: str) -> str:
    """
    Return the parts of a version that another one lacks.

    Both hold metric, normaliser and recogniser.
    """
    parts = MetricVersion.parse(version).parts_beyond(MetricVersion.parse(other))
    return "; ".join(parts) or version


def _header(floor: Floor) -> list[tuple[str, Any]]:
    return [("schema_version", SCHEMA_VERSION), *((name, getattr(floor, name)) for name in HEADER)]


def _line(key: str, value: object) -> str:
    return f"{json.dumps(key)}: {json.dumps(value, sort_keys=True, ensure_ascii=False)}"


def _utterance_to_json(utterance: FloorUtterance) -> dict[str, object]:
    counts = {
        name: [count.errors, count.reference_words]
        for name, count in (("words", utterance.words), ("chars", utterance.chars))
    }
    return {"text": utterance.text, "heard": utterance.heard, **counts}


def _parse(text: str, where: str) -> Floor:
    data = parse_json(text, where)
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise HarnessError(f"{where} has schema {version!r}, this voxgate reads {SCHEMA_VERSION}")
    kept = from_json(_File, data, where)
    utterances = {
        name: FloorUtterance(
            text=utterance.text,
            heard=utterance.heard,
            words=_counts(utterance.words),
            chars=_counts(utterance.chars),
        )
        for name, utterance in kept.utterances.items()
    }
    return Floor(
        workload=kept.workload, speaker=kept.speaker, versions=kept.versions, utterances=utterances
    )


def _counts(pair: tuple[int, int]) -> ErrorCounts:
    return ErrorCounts(errors=pair[0], reference_words=pair[1])


SUFFIXES = (".flac", ".wav")
METRICS = ("wer", "cer")


def make_floor(
    name: str,
    recordings: Path | None = None,
    speaker: str | None = None,
    progress: ScoreProgress | None = None,
    judge: str = OPENAI,
) -> tuple[Path, Floor]:
    """
    Make and write the floor of a workload; return its path and the floor.

    The texts are spoken by flite or by the `speaker` of a folder of `recordings`, and
    transcribed by `judge`. Raises HarnessError if a text has no audio or no transcript: a floor
    with gaps would be too high.
    """
    if speaker and recordings is None:
        raise HarnessError("--speaker says who speaks in --recordings FOLDER; give both")
    workload = load_workload(name)
    with tempfile.TemporaryDirectory() as folder:
        files = (
            synthesise_workload(workload, Path(folder))
            if recordings is None
            else find_recordings(workload, recordings)
        )
        scores = score_files(workload.requests, files, METRICS, judge, progress)
    who = (speaker or recordings.name) if recordings is not None else version_and_voices(workload)
    floor = Floor(
        workload=name,
        speaker=who,
        versions={
            metric: version
            for metric, version in versions_of(scores.values()).items()
            if metric in METRICS
        },
        utterances={r.id: _utterance(r.words, r.id, scores[r.id]) for r in workload.requests},
    )
    path = floor_path(name)
    save_floor(path, floor)
    return path, floor


def find_recordings(workload: Workload, folder: Path) -> dict[str, Path]:
    """Return one recording per request, named after it."""
    files = {}
    for request in workload.requests:
        candidates = [
            path for suffix in SUFFIXES if (path := folder / f"{request.id}{suffix}").is_file()
        ]
        if len(candidates) != 1:
            many = "several recordings" if candidates else "no recording"
            raise HarnessError(
                f"{folder} holds {many} of {request.id}; it needs one file {request.id}.wav or "
                ".flac"
            )
        files[request.id] = candidates[0]
    return files


def _utterance(text: str, name: str, scores: UtteranceScores) -> FloorUtterance:
    for score in (scores.transcript, scores.words, scores.chars):
        if isinstance(score, Missing):
            raise HarnessError(f"there can be no floor: {name} has no value: {score.reason}")
    assert isinstance(scores.transcript, str), "Missing was refused above"
    assert isinstance(scores.words, ErrorCounts) and isinstance(scores.chars, ErrorCounts), (
        "Missing was refused above"
    )
    return FloorUtterance(
        text=text, heard=scores.transcript, words=scores.words, chars=scores.chars
    )
