"""
The floor beside a word error rate: how well the judge understands somebody who is known to speak well, on the same texts.

A recogniser errs even on good speech, so 3 % means little alone: beside a teacher's 4 % it is as good as can be shown, beside
1 % it is not. The floor is no limit and decides nothing. It lies beside its workload, `<workload>.floor.json`, made by
`voxgate floor` and reviewed like a baseline: what was to be said, what was heard, and how many errors that is.

    {
    "schema_version": 1,
    "workload": ..., "speaker": ...,            one line per fact
    "versions": {"cer": ..., "wer": ...},       of the metrics, the judge included
    "utterances": {
    "u001": {"text": ..., "heard": ..., "words": [errors, words], "chars": [errors, characters]},
    }
    }

It is shown only beside a rate of the same judge on the same texts; else there is a reason in its place.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from harness import statistics
from harness.errors import HarnessError
from harness.metrics.word_errors import ErrorCounts
from harness.records.cell import Workload
from harness.records.codec import NON_EMPTY, Range, from_json, parse_json
from harness.records.files import write_file
from harness.records.measurement import Measurement, Missing
from harness.records.run import OPENAI
from harness.statistics import Shift
from harness.suite.workload import place

SCHEMA_VERSION = 1
"""Of the floor files. History: 1, 2026-11, first."""
HEADER = ("workload", "speaker", "versions")


Counts = tuple[Annotated[int, Range(least=0)], Annotated[int, Range(least=1)]]
"""Errors, and the words or characters that were to be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    text: str
    heard: str
    words: Counts
    chars: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A floor as its file has it."""

    schema_version: int
    workload: Annotated[str, NON_EMPTY]
    speaker: str
    versions: Mapping[str, str]
    utterances: Annotated[Mapping[str, _Line], NON_EMPTY]


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorUtterance:
    """One text: what the judge heard when the speaker of the floor said it."""

    text: str
    heard: str
    words: ErrorCounts
    chars: ErrorCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """How well a speaker is understood on a workload; `versions` are those of `wer` and `cer`, which name the judge."""

    workload: str
    speaker: str
    versions: Mapping[str, str]
    utterances: Mapping[str, FloorUtterance]


def rate_of(floor: Floor, metric: str) -> Shift:
    """Give the corpus rate, `wer` or `cer`, with its 95 % interval over utterances."""
    counts = [each.words if metric == "wer" else each.chars for each in floor.utterances.values()]
    return statistics.paired_rate_difference(
        [0.0] * len(counts), [each.rate for each in counts], [float(each.reference_words) for each in counts]
    )


def beside(floor: Floor, workload: Workload, measured: Measurement, judge: str = OPENAI) -> Shift | Missing:
    """
    Give the floor under a measured `wer` or `cer`; Missing where another judge heard it, or other texts were said.

    `judge` is the one that the run's suite chose.
    """
    again = f"voxgate floor {floor.workload}" + ("" if judge == OPENAI else f" --judge {judge}")
    version = floor.versions.get(measured.metric, "")
    if version != measured.version:
        theirs, ours = _unlike(version, measured.version), _unlike(measured.version, version)
        return Missing(f"it was heard by [{theirs}], this run by [{ours}]; make it again: {again}")
    if {r.id: r.text for r in workload.requests} != {name: each.text for name, each in floor.utterances.items()}:
        return Missing(f"{floor.speaker} said other texts than this workload has; make it again: {again}")
    return rate_of(floor, measured.metric)


def floor_path(workload: str) -> Path:
    """Name the floor's file of a workload, given as `load_workload` takes it; whether there is one is not looked at."""
    return place(workload).with_suffix(".floor.json")


def load_floor(path: Path) -> Floor | None:
    """Read a floor; None where there is none. Raises HarnessError for a broken file."""
    try:
        if not path.is_file():
            return None
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"the floor {path} cannot be read: {error}; restore it, or make it again") from error
    try:
        return _parse(text, "it")
    except HarnessError as error:
        raise HarnessError(f"the floor {path} cannot be read ({error}); restore it, or make it again") from error


def save_floor(path: Path, floor: Floor) -> None:
    """Write a floor; the same one always gives the same text. Raises HarnessError if it cannot be written."""
    head = [f"{_line(name, dict(value) if isinstance(value, Mapping) else value)}," for name, value in _header(floor)]
    lines = [_line(name, _utterance_to_json(floor.utterances[name])) for name in sorted(floor.utterances)]
    text = "\n".join(["{", *head, '"utterances": {', ",\n".join(lines), "}", "}", ""])
    write_file(path, text, "make its folder writable", what="the floor ")


def _unlike(version: str, other: str) -> str:
    """Give the parts of a version that another one lacks; both hold metric, normaliser and judge."""
    return "; ".join(part for part in version.split("; ") if part not in other.split("; ")) or version


def _header(floor: Floor) -> list[tuple[str, Any]]:
    return [("schema_version", SCHEMA_VERSION), *((name, getattr(floor, name)) for name in HEADER)]


def _line(key: str, value: object) -> str:
    return f"{json.dumps(key)}: {json.dumps(value, sort_keys=True, ensure_ascii=False)}"


def _utterance_to_json(each: FloorUtterance) -> dict[str, object]:
    counts = {name: [count.errors, count.reference_words] for name, count in (("words", each.words), ("chars", each.chars))}
    return {"text": each.text, "heard": each.heard, **counts}


def _parse(text: str, where: str) -> Floor:
    data = parse_json(text, where)
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise HarnessError(f"{where} has schema {version!r}, this voxgate reads {SCHEMA_VERSION}")
    kept = from_json(_File, data, where)
    utterances = {
        name: FloorUtterance(text=each.text, heard=each.heard, words=_counts(each.words), chars=_counts(each.chars))
        for name, each in kept.utterances.items()
    }
    return Floor(workload=kept.workload, speaker=kept.speaker, versions=kept.versions, utterances=utterances)


def _counts(pair: tuple[int, int]) -> ErrorCounts:
    return ErrorCounts(errors=pair[0], reference_words=pair[1])
