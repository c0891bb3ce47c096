"""
A cell: one configuration of an engine x one workload. It knows no machine.

Its slug is the join key of everything that follows (samples, audio, measurements, baselines,
reports); its digest says whether two cells of that name really ask for the same.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath, PurePosixPath
from typing import Annotated, Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.command_line import CommandLine
from voxgate.harness.records.constraints import NON_EMPTY, OmitDefault, TextPattern, Unique

ENGLISH = "en"
Option = str | int | float | bool
"""A value of an engine option: a scalar of JSON."""
DETECTABLE = ("perth",)
"""Watermarks that the harness has a detector of."""
_RULE = "letters, digits, '.', '_' and '-', not beginning with '.' or '-'"
NAME = TextPattern(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", f"a name of {_RULE}")
Name = Annotated[str, NAME]
"""Of a suite, profile, option or speaker: it becomes part of a file's name."""
RequestId = Annotated[str, TextPattern(r"[a-z0-9_-][a-z0-9._-]{0,99}", "an id of [a-z0-9._-]")]
WorkloadName = Annotated[
    str, TextPattern(r"[^/\\\x00-\x1f\x7f.][^/\\\x00-\x1f\x7f]{0,99}", "a file's name without '/'")
]
Language = Annotated[
    str, TextPattern(r"[a-z]{2,3}([-_][A-Za-z0-9]+)*", "a code such as en, es or es-MX")
]


Sha256 = Annotated[str, TextPattern(r"([0-9a-f]{64})?", "a SHA-256 in hex")]

SPEAKER = "speaker"
"""The option whose value a segment of a reel names, and the recordings of a workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSegment:
    """One segment of a reel: a text and who speaks it."""

    speaker: Name
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecording:
    """The recording that a request converts into another voice."""

    path: Annotated[str, OmitDefault()] = ""
    """Of its file; in a run folder, relative to it. Empty while it is still to be made."""
    sha256: Annotated[Sha256, OmitDefault()] = ""
    """Of the file's bytes; empty while it is still to be made."""
    made_by: Annotated[str, OmitDefault()] = ""
    """`flite:slt` where that voice speaks the request's text; empty for a file."""
    speaker: Annotated[Name | None, OmitDefault()] = None
    """Who is heard; a name for people."""

    @property
    def content(self) -> str:
        """All that the digest of a workload depends on: the bytes, however they were made."""
        return self.sha256 or self.made_by


SHORT, MEDIUM, LONG = LENGTHS = ("short", "medium", "long")
SHORT_CHARACTERS = 60
"""Up to a sentence."""
MEDIUM_CHARACTERS = 200
"""Up to a few sentences; a longer text is a paragraph."""


def length_of(text: str) -> str:
    """Return the class of a text."""
    if len(text) <= SHORT_CHARACTERS:
        return SHORT
    return MEDIUM if len(text) <= MEDIUM_CHARACTERS else LONG


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One text to synthesise, or a source recording to convert. `id` is unique in its workload;
    options such as the speaker override the cell's. A request with segments is a reel: `text` then
    holds the texts of all of them. Of a request with a source, `text` is what is said in it.
    """

    id: RequestId
    text: str
    options: Mapping[Name, Option] = field(default_factory=dict)
    language: Annotated[Language, OmitDefault()] = ENGLISH
    """Of the text, as ISO 639 code; no option of the engine."""
    statement: Annotated[str | None, OmitDefault()] = None
    """Of a question: the request that says the same words as a statement."""
    emphasis: Annotated[str | None, OmitDefault()] = None
    """The word of the text that is to be emphasised."""
    spoken: Annotated[str, OmitDefault()] = ""
    """
    The words to be heard, where the text itself does not tell them: digits, brackets,
    abbreviations. Empty where it does. No option of the engine, which gets the text.
    """
    segments: Annotated[tuple[RequestSegment, ...], OmitDefault()] = ()
    """Of a reel, in order; empty for a text of one speaker."""
    source: Annotated[SourceRecording | None, OmitDefault()] = None
    """What is converted; None for a text to synthesise."""

    def marks(self) -> dict[str, str]:
        """
        Return language, statement, emphasis and spoken words of the text; empty for a plain
        English sentence.
        """
        marks = {
            "language": self.language,
            "statement": self.statement,
            "emphasis": self.emphasis,
            "spoken": self.spoken or None,
        }
        return {
            name: value
            for name, value in marks.items()
            if value is not None and (name, value) != ("language", ENGLISH)
        }

    @property
    def words(self) -> str:
        """The words to be heard: `spoken`, or the text."""
        return self.spoken or self.text

    @property
    def source_file(self) -> str:
        """Path of the source in a run folder, relative to it; empty for a text."""
        return (
            "" if self.source is None else f"sources/{self.id}{PurePath(self.source.path).suffix}"
        )

    def in_folder(self, folder: str | PurePath = "") -> "Request":
        """Return the request with the copy of its source in a run folder."""
        if self.source is None:
            return self
        path = str(PurePath(folder, self.source_file))
        return replace(self, source=replace(self.source, path=path))

    def row(self) -> list[object]:
        """Return all that the digest of a workload depends on."""
        spoken = [[segment.speaker, segment.text] for segment in self.segments]
        options = dict(sorted(self.options.items()))
        source = {} if self.source is None else {"source": self.source.content}
        return [self.id, self.text, options, *filter(None, [self.marks(), spoken, source])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A named list of requests."""

    name: WorkloadName
    requests: Annotated[tuple[Request, ...], NON_EMPTY, Unique("id")]
    voices: Annotated[Mapping[Name, str], OmitDefault()] = field(default_factory=dict)
    """
    Value of the option `speaker` -> path of a recording of that voice, in a run folder relative to
    it; or `flite:rms` while that is still to be made.
    """

    def digest(self) -> str:
        """
        Return a digest of the texts, their options and the source recordings; the name and the
        reference recordings are not part of it.
        """
        rows = [request.row() for request in self.requests]
        return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """
    One configuration x one workload. `axes` are the options that this suite varies, with this
    cell's values. `fixed` are options that the suite sets for all its cells. An option in neither
    has the target's own default, on purpose: a default that changes is a change of the engine, and
    must be visible.
    """

    suite: Name
    target: str
    pipeline: str
    workload: Workload
    axes: Mapping[Name, Option]
    fixed: Mapping[Name, Option] = field(default_factory=dict)
    command: Annotated[CommandLine | None, OmitDefault()] = None
    """Of the target `command`."""
    environment: Annotated[tuple[str, ...], OmitDefault()] = ()
    """
    Environment of the engine, as the suite names it; empty for voxgate's own. No part of the
    digest: the same request may be measured in another environment.
    """

    @property
    def options(self) -> dict[str, Option]:
        """All requested options."""
        return {**self.fixed, **self.axes}

    @property
    def requested(self) -> dict[str, object]:
        """All requested options, after the command line where there is one."""
        command = {} if self.command is None else {"command": str(self.command)}
        return {**command, **self.options}

    @property
    def slug(self) -> str:
        """
        Name of the cell within its suite, `[a-z0-9._-]` only, axes in the suite's order:
        `nfe_steps-8.precision-bf16`.
        """
        named = ".".join(f"{name}-{_word(value)}" for name, value in self.axes.items())
        return named or "default"

    @property
    def label(self) -> str:
        """Name of the cell for people: `nfe_steps=8 precision=bf16`."""
        return " ".join(f"{name}={_word(value)}" for name, value in self.axes.items()) or "default"

    def voice_of(self, request: Request) -> str | None:
        """
        Return the path of a recording of the requested voice; None where the workload has none.
        """
        speaker = {**self.options, **request.options}.get(SPEAKER)
        return None if speaker is None else self.workload.voices.get(str(speaker))

    def asks_for_watermark(self, request: Request) -> bool:
        """
        Return whether the audio of a request should carry a watermark that can be detected here:
        the option `watermark` of any target, with a value of DETECTABLE.
        """
        return {**self.options, **request.options}.get("watermark") in DETECTABLE

    def digest(self) -> str:
        """Return a digest of target, pipeline, options, texts and command line."""
        request = [
            self.target,
            self.pipeline,
            self.workload.digest(),
            dict(sorted(self.options.items())),
            *([] if self.command is None else [to_json(self.command)]),
        ]
        return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:12]


def _word(value: Option) -> str:
    """Return a value as a few letters: a path by its file name, None as "none"."""
    text = PurePosixPath(str(value)).name.lower() or "none"
    if not re.fullmatch(r"[a-z0-9._-]+", text):
        msg = (
            f"axis value {value!r} cannot stand in a cell's name; use letters, digits, '.', '_' "
            "and '-'"
        )
        raise HarnessError(msg)
    return text


def cell_to_json(cell: Cell) -> dict[str, Any]:
    """Return the cell as plain JSON values."""
    data: dict[str, Any] = to_json(cell)
    return data


def cell_from_json(data: object) -> Cell:
    """
    Read the result of `cell_to_json`. Raises HarnessError with the path of a value that is wrong.
    """
    return from_json(Cell, data, "cell")


def primary_language(tag: str) -> str:
    """
    Return the language of a tag without its region; a name in words is returned as it is.

    >>> primary_language("es-MX"), primary_language("ES_mx"), primary_language("es")
    ('es', 'es', 'es')
    """
    return re.split("[-_]", tag.strip().lower(), maxsplit=1)[0]
