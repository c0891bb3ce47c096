"""
Reel scripts: the segments of a long recording, each with its speaker.

A script is plain text, a line `speaker: text` for each segment (empty lines and lines that begin
with `#` are skipped), or JSON, `{"segments": [{"speaker": "slt", "text": "Good evening."}]}`, if
its name ends in `.json`. Both are checked strictly: what could not be meant is an error that names
its line or its segment. Which speakers exist is the pipeline's business.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.engine.errors import EngineError

MAX_BYTES = 2**20
MAX_SEGMENTS = 1000
SPEAKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LINE_END = re.compile(r"\r\n|\r|\n")
SURROGATE = re.compile(r"[\ud800-\udfff]")
"""Half a character, which JSON can escape and no file can hold."""
KEYS = ("speaker", "text")
EXAMPLE = "`slt: Good evening.`"
SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ReelSegment:
    """A text and who speaks it."""

    speaker: str
    text: str


def load_script(path: Path) -> tuple[ReelSegment, ...]:
    """
    Read a script, at least one segment.

    Raises: EngineError for a file that cannot be read or is no script.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise EngineError(f"script {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise EngineError(
            f"script {path} is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from None
    if len(content) > MAX_BYTES:
        raise EngineError(f"script {path} has more than {MAX_BYTES} bytes; split it")
    is_json = path.suffix.lower() == ".json"
    segments = _from_json(str(path), text) if is_json else _from_lines(str(path), text)
    if not 1 <= len(segments) <= MAX_SEGMENTS:
        raise EngineError(
            f"script {path} has {len(segments)} segments; a reel has 1 to {MAX_SEGMENTS}"
        )
    return tuple(segments)


def _from_lines(name: str, text: str) -> list[ReelSegment]:
    # an editor's lines: str.splitlines breaks at U+2028 and others, which stand within a text
    lines = enumerate(LINE_END.split(text), start=1)
    return [
        _from_line(f"script {name}, line {number}", line)
        for number, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _from_line(where: str, line: str) -> ReelSegment:
    speaker, colon, text = line.partition(":")
    if not colon:
        raise EngineError(
            f"{where}: {_excerpt(line)} has no speaker; write {EXAMPLE}, a line for each segment"
        )
    return _segment(where, speaker.strip(), text)


def _from_json(name: str, text: str) -> list[ReelSegment]:
    where = f"script {name}"
    try:
        data = json.loads(text, object_pairs_hook=_without_twice, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise EngineError(f"{where} is not valid JSON: {error}") from None
    segments = data.get("segments") if isinstance(data, dict) else None
    if not isinstance(segments, list) or set(data) != {"segments"}:
        raise EngineError(
            f'{where} must hold {{"segments": [{{"speaker": "slt", "text": "Good evening."}}]}} '
            "and nothing besides"
        )
    return [
        _from_table(f"{where}, segment {number}", table)
        for number, table in enumerate(segments, start=1)
    ]


def _from_table(where: str, table: object) -> ReelSegment:
    if not isinstance(table, Mapping) or set(table) != set(KEYS):
        held = ", ".join(map(repr, table)) if isinstance(table, Mapping) else type(table).__name__
        raise EngineError(f"{where} must have the keys {' and '.join(KEYS)}, not {held or 'none'}")
    for key in KEYS:
        if not isinstance(table[key], str):
            raise EngineError(f"{where}: {key} must be text, not {_excerpt(repr(table[key]))}")
    return _segment(where, table["speaker"], table["text"])


def _segment(where: str, speaker: str, text: str) -> ReelSegment:
    if not SPEAKER.fullmatch(speaker):
        raise EngineError(
            f"{where}: {_excerpt(speaker)} is no speaker's name, which has letters, digits, '.', "
            "'_' and '-'"
        )
    words = " ".join(text.split())
    if not words:
        raise EngineError(f"{where}: speaker {speaker} has nothing to say; give a text")
    if half := SURROGATE.search(words):
        raise EngineError(
            f"{where}: the text has {half[0]!a}, half of a character; write the whole one"
        )
    return ReelSegment(speaker=speaker, text=words)


def _without_twice(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return table


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _excerpt(text: str) -> str:
    return ascii(" ".join(text.split())[:SHOWN_CHARACTERS])
