"""
Reads workloads: `workloads/<name>.toml` of this package (or of another copy of it), or any TOML
file by its path.

A file is a list of `[[request]]` tables with `id` and `text`. Of the further keys `language`,
`statement`, `emphasis` and `spoken` say something about the text (`cell.Request`); `source` names a
recording to convert, and `source_speaker` who is heard in it; every other one is an option of that
request. A table `[voices]` names, for values of the option `speaker`, a recording of that speaker.
Recordings are files relative to the workload, or `flite:VOICE`: spoken by flite before measuring
(`targets/sources.py`). A request with `[[request.segment]]` tables, each with `speaker` and `text`,
is a reel, and has no text of its own.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import (
    ENGLISH,
    SPEAKER,
    Request,
    RequestSegment,
    SourceRecording,
    Workload,
    primary_language,
)
from voxgate.harness.records.documents import parse_toml
from voxgate.harness.records.files import file_sha256

FOLDER = Path(__file__).parents[1] / "workloads"
MARKS = ("language", "statement", "emphasis", "spoken")
"""Keys of a request that are no options of the engine."""
MOST_SPOKEN = 20_000
"""Characters: more than twenty minutes of speech."""
SEGMENT = "segment"
"""Key of a request under which the segments of a reel stand."""
SOURCE, SOURCE_SPEAKER = "source", "source_speaker"
SOURCE_SUFFIXES = (".wav", ".flac")
FLITE = re.compile(r"flite:([a-z0-9_]{1,40})")
"""A recording that flite makes, by the voice of that name."""
SPEAKER_NAME = r"[A-Za-z0-9._-]+"
LANGUAGE = r"[a-z]{2,3}([-_][A-Za-z0-9]+)*"


ABBREVIATIONS = (
    r"(?<!\w)(?:(?:[^\W\d_]\.){2,}|Nos?\.(?=\s?\d)|(?:Mrs?|Ms|Dr|Sta?|Prof|Jr|Sr|Sra|Srta|Uds?|vs|"
    r"etc|approx|dept|[Nn]úm|Inc|Ltd|Corp|Ave|Avda|Blvd|Rd|Mt|Gen|Capt|Lt|Sgt|Rev|Gov|Sen|figs?|"
    r"vol|pp|pág|[Tt]el|Jan|Feb|Aug|Sept?|Oct|Nov|Dec|bzw|usw|Nr)\.(?!\w))"
)
UNCLEAR: Mapping[str, str] = {
    "digits": r"\d",
    "brackets": r"[\[\](){}<>]",
    "abbreviations": ABBREVIATIONS,
    "symbols": r"[%$£€¥&@#°=+*/\\^~|]",
}
"""Kind of text that engines read in different ways -> its pattern."""
SHOWN_IDS = 5


def known_workloads() -> tuple[str, ...]:
    """Name the workloads that come with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_workload(name: str, root: Path | None = None) -> Workload:
    """
    Read a workload by name, or by path if it ends in `.toml`. Raises HarnessError if it is absent
    or malformed.

    `root` is a project's folder: relative paths begin there, and if it has a harness of its own,
    its workloads come first.
    """
    path = place(name, root)
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for a name that is too long
        raise HarnessError(
            f"unknown workload {name!r}; known are {', '.join(known_workloads())}, or give the "
            "path of a .toml file"
        )
    try:
        data = parse_toml(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error.strerror}; make it readable") from error
    return Workload(
        name=path.stem, requests=_requests(path, data), voices=_voices(path, data.get("voices", {}))
    )


def reading_notices(workload: Workload) -> tuple[str, ...]:
    """
    Return a notice for each kind of UNCLEAR text that occurs without its reading: what is to be
    heard is then a guess, and so is a word error rate. The words of `spoken` are looked at too.
    """
    notices = []
    for kind, pattern in UNCLEAR.items():
        ids = [each.id for each in workload.requests if re.search(pattern, each.words)]
        if ids:
            shown = ", ".join(ids[:SHOWN_IDS])
            more = f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
            told = all(each.spoken for each in workload.requests if each.id in ids)
            notices.append(
                f"workload {workload.name}: {kind} in {'spoken of ' if told else ''}{shown}{more}, "
                "which engines read in different ways; "
                + (
                    "write them as words there"
                    if told
                    else 'give each of them spoken = "the words to be heard"'
                )
            )
    return tuple(notices)


def place(name: str, root: Path | None = None) -> Path:
    """
    Name the file of a workload, given as `load_workload` takes it; whether there is one is not
    looked at.
    """
    if name.endswith(".toml"):
        return (root or Path()) / name
    own = None if root is None else root / "harness" / FOLDER.name / f"{name}.toml"
    # not Path.is_file, which raises for a name that is too long
    return own if own is not None and os.path.isfile(own) else FOLDER / f"{name}.toml"  # noqa: PTH113


def _requests(path: Path, data: Mapping[str, Any]) -> tuple[Request, ...]:
    tables = data.get("request")
    if not set(data) <= {"request", "voices"} or not isinstance(tables, list) or not tables:
        held = ", ".join(data) or "nothing"
        raise HarnessError(
            f"{path} must hold one or more [[request]] tables, and besides only [voices]; it holds "
            f"{held}"
        )
    requests = tuple(_request(path, number, table) for number, table in enumerate(tables, start=1))
    ids = [request.id for request in requests]
    twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    if twice:
        raise HarnessError(f"{path} uses these request ids more than once: {', '.join(twice)}")
    for request in requests:
        if request.statement is not None and (
            request.statement not in ids or request.statement == request.id
        ):
            raise HarnessError(
                f"{path}, request {request.id}: statement is {request.statement!r}, which is no "
                "other request"
            )
    return requests


def _voices(path: Path, table: object) -> dict[str, str]:
    """
    Return the path of each speaker's recording. Raises HarnessError for one that does not exist.
    """
    if not isinstance(table, Mapping) or not all(isinstance(file, str) for file in table.values()):
        raise HarnessError(f"{path}: [voices] must map speakers to audio files, not {table!r}")
    for speaker in table:
        if not re.fullmatch(SPEAKER_NAME, speaker):  # it becomes a file name
            raise HarnessError(
                f"{path}: voices.{speaker}: the name of a speaker holds letters, digits, '.', '_', "
                "'-' only"
            )
    return {
        speaker: file if FLITE.fullmatch(file) else _file(path, f"voices.{speaker}", file)
        for speaker, file in table.items()
    }


def _file(path: Path, what: str, name: str) -> str:
    """Return the path of a recording beside a workload. Raises HarnessError if there is none."""
    if name.startswith("flite:"):
        raise HarnessError(
            f"{path}: {what}: {name!r} names no voice of flite; write flite:VOICE, such as "
            "flite:slt"
        )
    file = path.parent / name
    if not os.path.isfile(file):  # noqa: PTH113 - Path.is_file raises for a name that is too long
        raise HarnessError(
            f"{path}: {what}: there is no {file}; give a path relative to {path.parent}"
        )
    return str(file.absolute())


def _request(path: Path, number: int, table: Mapping[str, Any]) -> Request:
    name = table.get("id")
    # it becomes a file name
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_-]+", name):
        raise HarnessError(f"{path}, request {number}: id must be text of [a-z0-9_-], not {name!r}")
    segments = _segments(path, name, table)
    text = table.get("text") if not segments else " ".join(each.text for each in segments)
    if not isinstance(text, str) or not text.strip():
        raise HarnessError(f"{path}, request {name}: text must be text to speak, not {text!r}")
    marks = {key: _mark(path, name, key, table[key]) for key in MARKS if key in table}
    if "emphasis" in marks and not re.search(
        rf"\b{re.escape(marks['emphasis'])}\b", text, re.IGNORECASE
    ):
        raise HarnessError(
            f"{path}, request {name}: emphasis is {marks['emphasis']!r}, which is no word of its "
            "text"
        )
    known = ("id", "text", SEGMENT, SOURCE, SOURCE_SPEAKER, *MARKS)
    options = {key: value for key, value in table.items() if key not in known}
    for key, value in options.items():
        if not isinstance(value, str | int | float | bool):
            raise HarnessError(
                f"{path}, request {name}: {key} must be one word or number, not {value!r}"
            )
    source = _source(path, name, table, marks.get("language", ENGLISH))
    return Request(id=name, text=text, options=options, segments=segments, source=source, **marks)


def _source(
    path: Path, name: str, table: Mapping[str, Any], language: str
) -> SourceRecording | None:
    """Return the recording that a request converts; None for a text. Raises HarnessError."""
    where, source = f"{path}, request {name}", table.get(SOURCE)
    if source is None and SOURCE_SPEAKER not in table:
        return None
    if not isinstance(source, str) or not source:
        raise HarnessError(f"{where}: source must be an audio file or flite:VOICE, not {source!r}")
    if SEGMENT in table:
        raise HarnessError(f"{where} is a reel, which converts no source; remove one of the two")
    speaker = table.get(SOURCE_SPEAKER)
    if speaker is not None and not (
        isinstance(speaker, str) and re.fullmatch(SPEAKER_NAME, speaker)
    ):
        raise HarnessError(
            f"{where}: the name of a speaker holds letters, digits, '.', '_', '-' only, not "
            f"{speaker!r}"
        )
    if (voice := FLITE.fullmatch(source)) is not None:
        if primary_language(language) != ENGLISH:
            raise HarnessError(f"{where}: flite speaks English only, not {language}; give a file")
        return SourceRecording(made_by=source, speaker=speaker or voice[1])
    if not source.startswith("flite:") and Path(source).suffix not in SOURCE_SUFFIXES:
        raise HarnessError(f"{where}: source is {source!r}; give a .wav or .flac file")
    file = _file(path, f"request {name}: source", source)
    try:
        digest = file_sha256(Path(file))
    except OSError as error:
        raise HarnessError(
            f"{where}: cannot read source {file}: {error.strerror}; make it readable"
        ) from error
    return SourceRecording(path=file, sha256=digest, speaker=speaker)


def _segments(path: Path, name: str, table: Mapping[str, Any]) -> tuple[RequestSegment, ...]:
    """Return the segments of a reel; none for a text. Raises HarnessError."""
    if SEGMENT not in table:
        return ()
    rows, where = table[SEGMENT], f"{path}, request {name}"
    if not isinstance(rows, list) or not rows or {"text", SPEAKER, "emphasis"} & set(table):
        raise HarnessError(
            f"{where} is a reel: it holds one or more [[request.segment]] tables, and neither "
            "text, speaker nor emphasis of its own"
        )
    return tuple(
        _segment(f"{where}, segment {number}", row) for number, row in enumerate(rows, start=1)
    )


def _segment(where: str, row: object) -> RequestSegment:
    if not isinstance(row, Mapping) or set(row) != {SPEAKER, "text"}:
        raise HarnessError(f"{where} must hold speaker and text, and nothing besides, not {row!r}")
    speaker, text = row[SPEAKER], row["text"]
    if not isinstance(speaker, str) or not re.fullmatch(SPEAKER_NAME, speaker):
        raise HarnessError(
            f"{where}: the name of a speaker holds letters, digits, '.', '_', '-' only, not "
            f"{speaker!r}"
        )
    if not isinstance(text, str) or not text.strip():
        raise HarnessError(f"{where}: text must be text to speak, not {text!r}")
    return RequestSegment(speaker=speaker, text=text)


def _mark(path: Path, name: str, key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise HarnessError(f"{path}, request {name}: {key} must be text, not {value!r}")
    if key == "language" and not re.fullmatch(LANGUAGE, value):
        raise HarnessError(
            f"{path}, request {name}: language must be a code such as en, es or es-MX, not "
            f"{value!r}"
        )
    if key == "spoken" and not (any(map(str.isalnum, value)) and len(value) <= MOST_SPOKEN):
        raise HarnessError(
            f"{path}, request {name}: spoken must hold the words to be heard, at most "
            f"{MOST_SPOKEN} characters, not {value[:40]!r} ({len(value)} characters)"
        )
    return value
