"""
The texts of a folder of recordings, in whatever form people keep them.

A list of texts is read in every form that its content allows, and the form whose ids name most of
the recordings is taken; so a file is recognised by its shape and not by its name. Knows names of
recordings and no audio. Everything that is not understood is counted and named.
"""

import csv
import json
import re
import stat
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePosixPath

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.files import read_bytes, reason
from voxgate.harness.suite.workload import load_workload

MOST_BYTES = 2**26
"""Of a list of texts: a hundred thousand sentences are a tenth of it."""
MOST_CHARACTERS = 20_000
"""Of one text: more than twenty minutes of speech."""
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".w64")
"""Of recordings, as libsndfile reads them."""
_STEMS = ("texts", "metadata", "transcripts", "transcript", "prompts")
_ENDS = (".toml", ".jsonl", ".json", ".csv", ".tsv", ".txt")
LISTS = (*map("".join, product(_STEMS, _ENDS)), "text", "txt.done.data")
"""Names under which a list of texts is looked for in a folder, in this order."""
BESIDE = (".txt", ".lab", ".normalized.txt")
"""Ends of the name of a text that lies beside its recording."""
NO_TEXTS = re.compile(r"(read.?me|licen[cs]e|copying|changes|changelog|notice)", re.IGNORECASE)
"""Files of a folder that end in .txt and belong to no recording."""
TAKE = re.compile(r"[-_](take|mic)?\d{1,3}$")
"""End of the name of one of several takes of a text."""
IDS = (
    *("id", "utt", "utt_id", "utterance", "utterance_id", "name", "key", "request"),
    *("file", "file_name", "filename", "audio", "audio_file", "audio_filepath", "audio_path"),
    *("path", "wav", "wav_filename", "clip"),
)
TEXTS = ("text", "sentence", "transcript", "transcription", "raw_text", "prompt", "label")
SPOKEN = ("spoken", "normalized_text", "normalised_text", "text_normalized", "normalized")
"""Columns (keys) that hold an id, a text, and the words of that text as they are to be heard."""
LANGUAGES = ("language", "lang", "locale")
FESTIVAL = re.compile(r'\(\s*(\S+)\s+"(.*)"\s*\)')
COLON = re.compile(r"([^:\s][^:]*):\s+(\S.*)")
TIMED = re.compile(r"\s*\d+\s+\d+\s+\S+")
"""A line of a label file that holds phones with their times."""
NUMBER = re.compile(r"-?\d+")
SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusText:
    """One text: as written, the words to be heard where those are told, and its language."""

    text: str
    spoken: str = ""
    language: str = ""
    """Empty: that of the corpus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSource:
    """The texts by id, the form they had, and what of it could not be understood."""

    form: str
    path: str = ""
    """The list; empty where texts lie beside their recordings."""
    texts: Mapping[str, CorpusText] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def find(self, name: str) -> str | None:
        """
        Return the id of a recording's text: of its path, of its file's name, or of that without
        the number of a take.
        """
        base = PurePosixPath(name).name
        candidates = (name, base, TAKE.sub("", name), TAKE.sub("", base))
        return next((each for each in candidates if each in self.texts), None)


NO_SOURCE = TextSource(form="none")


@dataclass(slots=True)
class _Reading:
    """Texts that are being read: those understood, and the lines that were not."""

    texts: dict[str, CorpusText] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    named: int = 0
    """Lines that have an id, whether or not their text can be used."""

    def add(self, number: int, name: str, text: CorpusText) -> None:
        """Keep a text under its id, without folder marks and the recording's suffix."""
        name = _id(name)
        spoken = text.text.strip()
        self.named += bool(name)
        if not name or not spoken:
            self.faults.append(f"line {number} has no {'text' if name else 'id'}")
        elif len(spoken) > MOST_CHARACTERS:
            self.faults.append(f"line {number} has {len(spoken)} characters")
        elif name in self.texts and self.texts[name].text != spoken:
            self.faults.append(f"line {number} gives {name!r:.60} another text; the first is kept")
        else:
            self.texts[name] = CorpusText(
                text=spoken, spoken=text.spoken.strip(), language=text.language.strip()
            )


Form = Callable[[Sequence[str]], _Reading]


def find_list(folder: Path, files: Collection[Path]) -> Path | None:
    """
    Return the list of texts among the files of a folder; None where it has none under a usual name.
    """
    return next((folder / name for name in LISTS if folder / name in files), None)


def read_list(path: Path, recordings: Collection[str]) -> TextSource:
    """
    Read a list of texts in the form whose ids name most of the recordings.

    Raises HarnessError for a file that cannot be read, and for one that names none of them.
    """
    if path.suffix == ".toml":
        return _workload(path)
    content = _content(path)
    readings = {form: read(content.splitlines()) for form, read in _forms(content).items()}
    counts = {form: _matches(reading, recordings) for form, reading in readings.items()}
    best = max(counts, key=lambda form: counts[form], default="")
    if not best or not counts[best]:
        raise HarnessError(_nothing(path, readings.values(), recordings))
    reading = readings[best]
    return TextSource(
        form=best,
        path=str(path),
        texts=_with_base_names(reading.texts),
        notes=_counted(reading.faults, "not understood"),
    )


def read_beside(recordings: Mapping[str, Path], others: Collection[Path], root: Path) -> TextSource:
    """
    Read the texts that lie beside recordings, `recordings` by name; `others` are the further files
    of the folder, among them texts whose recording is absent.
    """
    found, notes = dict[str, CorpusText](), list[str]()
    taken = set[Path]()
    for name, path in recordings.items():
        beside = _beside(path, others)
        if beside is not None:
            taken.add(beside)
            text = _text_of(beside)
            if isinstance(text, CorpusText):
                found[name] = text
            else:
                notes.append(text)
    for path in others:
        if path not in taken and path.name.endswith(BESIDE) and not NO_TEXTS.match(path.name):
            name = path.relative_to(root).as_posix()
            stem = next(name.removesuffix(end) for end in reversed(BESIDE) if name.endswith(end))
            if isinstance(text := _text_of(path), CorpusText):
                found.setdefault(stem, text)
    if not taken:
        return NO_SOURCE
    return TextSource(
        form="a text beside each recording", texts=found, notes=_counted(notes, "not read")
    )


def _beside(path: Path, files: Collection[Path]) -> Path | None:
    stems = (path.stem, TAKE.sub("", path.stem))
    names = map("".join, product(dict.fromkeys(stems), BESIDE))
    return next((each for name in names if (each := path.with_name(name)) in files), None)


def _text_of(path: Path) -> CorpusText | str:
    """Return the text of a file that holds one, or why it holds none."""
    try:
        lines = _content(path, MOST_CHARACTERS * 4).split("\n")
    except HarnessError as error:
        return str(error)
    words = " ".join(" ".join(lines).split())
    if not words or all(TIMED.match(line) for line in lines if line.strip()):
        return f"{path.name} holds no text"
    if len(words) > MOST_CHARACTERS:
        return f"{path.name} has {len(words)} characters"
    return CorpusText(text=words)


def _content(path: Path, most: int = MOST_BYTES) -> str:
    """Return a file's text. Raises HarnessError for anything that is none."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise HarnessError(f"texts {path} are no regular file; give one")
        data = read_bytes(path, most)
        code = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        return data.decode(code).replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise HarnessError(f"cannot read texts {path}: {reason(error)}") from error
    except UnicodeError as error:
        raise HarnessError(f"texts {path} are not in UTF-8; convert them") from error


def _workload(path: Path) -> TextSource:
    """Read a workload, whose requests are named like the recordings."""
    workload = load_workload(str(path.absolute()))
    texts = {
        request.id: CorpusText(text=request.text, spoken=request.spoken, language=request.language)
        for request in workload.requests
    }
    return TextSource(form="a workload", path=str(path), texts=texts)


def _forms(content: str) -> dict[str, Form]:
    """Return the readers that the content allows, the more specific ones first."""
    start = content.lstrip()[:1]
    if start in ("{", "["):
        return {"JSON": _json if _is_one_document(content) else _json_lines}
    return {
        'festival\'s (id "text")': _festival,
        "id|text, as of LJSpeech": lambda lines: _table(_split(lines, "|")),
        "TSV": lambda lines: _table(_split(lines, "\t")),
        "CSV": lambda lines: _table(_comma_separated(lines)),
        "id: text": _colon,
        "id and text, as of Kaldi": _kaldi,
    }


def _is_one_document(content: str) -> bool:
    """Whether the text is one JSON document, and no single line of JSONL."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, list) or not {str(key).lower() for key in data} & set(IDS)


def _json_lines(lines: Sequence[str]) -> _Reading:
    reading = _Reading()
    for number, line in _filled(lines):
        try:
            _add_record(reading, number, json.loads(line))
        except (ValueError, RecursionError):
            reading.faults.append(f"line {number} is no JSON")
    return reading


def _json(lines: Sequence[str]) -> _Reading:
    """Read one document: a list of records, or an object of texts by id."""
    reading, data = _Reading(), json.loads("\n".join(lines))
    if isinstance(data, dict) and all(isinstance(value, str) for value in data.values()):
        for number, (name, text) in enumerate(data.items(), start=1):
            reading.add(number, name, CorpusText(text=text))
        return reading
    for number, record in enumerate(data if isinstance(data, list) else [data], start=1):
        _add_record(reading, number, record)
    return reading


def _add_record(reading: _Reading, number: int, record: object) -> None:
    fields = record if isinstance(record, dict) else {}
    words = {str(key).lower(): value for key, value in fields.items() if isinstance(value, str)}
    reading.add(number, _first(words, IDS), _named(words))


def _named(words: Mapping[str, str]) -> CorpusText:
    spoken = _first(words, SPOKEN)
    text = _first(words, TEXTS) or spoken
    return CorpusText(text=text, spoken=spoken, language=_first(words, LANGUAGES))


def _first(words: Mapping[str, str], names: Iterable[str]) -> str:
    return next((words[name] for name in names if words.get(name, "").strip()), "")


Row = tuple[int, list[str]]
"""The number of the line, and its cells."""


def _split(lines: Sequence[str], mark: str) -> list[Row]:
    return [(number, line.split(mark)) for number, line in _filled(lines) if mark in line]


def _comma_separated(lines: Sequence[str]) -> list[Row]:
    """Return the rows of CSV; none where it is damaged."""
    try:
        rows = csv.reader(lines, strict=True)
        return [(rows.line_num, row) for row in rows if len(row) > 1]
    except csv.Error:
        return []


def _table(rows: Sequence[Row]) -> _Reading:
    """Read rows by the names of their columns, or by their places where there are none."""
    reading = _Reading()
    if not rows:
        return reading
    head = [cell.strip().lower() for cell in rows[0][1]]
    if set(head) & set(IDS) and set(head) & {*TEXTS, *SPOKEN}:
        for number, cells in rows[1:]:
            words = dict(zip(head, cells, strict=False))
            reading.add(number, _first(words, IDS), _named(words))
        return reading
    text, spoken = _places([cells for _, cells in rows])
    for number, cells in rows:
        told = cells[spoken] if spoken is not None and len(cells) > spoken else ""
        reading.add(
            number, cells[0], CorpusText(text=cells[text] if len(cells) > text else "", spoken=told)
        )
    return reading


def _places(rows: Sequence[Sequence[str]]) -> tuple[int, int | None]:
    """
    Return the columns of text and spoken words: `id|text`, `id|text|words`, `id|text|speaker` or
    `id|speaker|text`.
    """
    full = [row for row in rows if len(row) > 2]
    if 2 * len(full) < len(rows):
        return 1, None
    if all(NUMBER.fullmatch(row[2].strip()) for row in full):
        return 1, None
    if all(" " not in row[1].strip() for row in full) and any(" " in row[2] for row in full):
        return 2, None
    return 1, 2


def _festival(lines: Sequence[str]) -> _Reading:
    return _by_line(lines, FESTIVAL.fullmatch)


def _colon(lines: Sequence[str]) -> _Reading:
    return _by_line([line for line in lines if line[:1] not in ";#"], COLON.fullmatch)


def _kaldi(lines: Sequence[str]) -> _Reading:
    return _by_line(lines, re.compile(r"(\S+)\s+(\S.*)").fullmatch)


def _by_line(lines: Sequence[str], match: Callable[[str], re.Match[str] | None]) -> _Reading:
    reading = _Reading()
    for number, line in _filled(lines):
        found = match(line.strip())
        if found is None:
            reading.faults.append(f"line {number} has another form")
        else:
            reading.add(number, found[1], CorpusText(text=found[2]))
    return reading


def _filled(lines: Sequence[str]) -> Iterable[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _id(name: str) -> str:
    """Return an id without `./` before it and a recording's suffix behind it."""
    plain = name.strip().replace("\\", "/").removeprefix("./")
    end = next((end for end in SUFFIXES if plain.lower().endswith(end)), "")
    return plain[: len(plain) - len(end)]


def _with_base_names(texts: Mapping[str, CorpusText]) -> dict[str, CorpusText]:
    """Replace ids that are paths by their last part, where each such part has one text."""
    by_base: dict[str, list[str]] = {}
    for name in texts:
        by_base.setdefault(PurePosixPath(name).name, []).append(name)
    alone = {names[0]: base for base, names in by_base.items() if len(names) == 1}
    return {alone.get(name, name): text for name, text in texts.items()}


def _matches(reading: _Reading, recordings: Collection[str]) -> int:
    source = TextSource(form="", texts=_with_base_names(reading.texts))
    return sum(source.find(name) is not None for name in recordings)


def _counted(faults: Sequence[str], what: str) -> tuple[str, ...]:
    """Return one note on all faults: how many, and the first of them."""
    if not faults:
        return ()
    some = "; ".join(faults[:SHOWN]) + (" ..." if len(faults) > SHOWN else "")
    return (f"{len(faults)} texts {what}: {some}",)


def _nothing(path: Path, readings: Iterable[_Reading], recordings: Collection[str]) -> str:
    longest = max(readings, key=lambda each: (len(each.texts), each.named), default=_Reading())
    ids = ", ".join(repr(name[:40]) for name in list(longest.texts)[:SHOWN]) or "nothing"
    theirs = ", ".join(repr(name[:40]) for name in sorted(recordings)[:SHOWN])
    faults = "; ".join(longest.faults[:SHOWN])
    why = f" ({faults})" if faults else ""
    return (
        f"{path} names none of the recordings: it names {ids}{why}, and they are {theirs}; name "
        "each text by its recording's file, in a form such as id|text, TSV, CSV, JSONL or a "
        "workload"
    )
