"""
Captions of a reel as SubRip (.srt), WebVTT (.vtt) or JSON (.json).

A caption is the text of one segment with its speaker and its place in the audio. Times are
cumulative, in seconds from the start of the reel.

A caption shows the text as it was spoken, whatever it holds: nothing in a text may act as markup of
a format. WebVTT has references (`&lt;`) for that. SubRip has none, and players read tags (`<b>`,
`{\\an8}`) out of it all the same, so a WORD JOINER, which is invisible, stands within what would
be one; to remove it gives the text back. JSON holds the text unchanged.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from types import MappingProxyType

from voxgate.engine.errors import EngineError

WORD_JOINER = "\u2060"
SRT_MARKUP = re.compile(r"([<{](?=\S)|-(?=->))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """One segment in the audio of a reel."""

    start_s: float
    end_s: float
    speaker: str
    text: str


def captions_text(path: PurePath, captions: Sequence[Caption]) -> str:
    """
    Return captions in the format of a path's suffix. Raises EngineError for another suffix than
    those of FORMATS.
    """
    check_format(path)
    return FORMATS[path.suffix.lower()](captions)


def check_format(path: PurePath) -> None:
    """Raise EngineError for a path whose suffix is no format of captions."""
    if path.suffix.lower() not in FORMATS:
        raise EngineError(f"captions {path} must end in {' or '.join(FORMATS)}")


def _srt(captions: Sequence[Caption]) -> str:
    blocks = [
        f"{number}\n{_time(caption.start_s, ',')} --> {_time(caption.end_s, ',')}\n"
        f"{_inert(f'{caption.speaker}: {caption.text}')}\n"
        for number, caption in enumerate(captions, start=1)
    ]
    return "\n".join(blocks)


def _vtt(captions: Sequence[Caption]) -> str:
    blocks = [
        f"{_time(caption.start_s, '.')} --> {_time(caption.end_s, '.')}\n"
        f"<v {_escaped(caption.speaker)}>{_escaped(caption.text)}</v>\n"
        for caption in captions
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _json(captions: Sequence[Caption]) -> str:
    rows = [
        {**asdict(caption), "start_s": round(caption.start_s, 6), "end_s": round(caption.end_s, 6)}
        for caption in captions
    ]
    return json.dumps({"captions": rows}, ensure_ascii=False, indent=2) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[Caption]], str]] = MappingProxyType(
    {".srt": _srt, ".vtt": _vtt, ".json": _json}
)
"""Suffix -> writer."""


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _one_line(text: str) -> str:
    """Return a text without line breaks, at which a caption would end."""
    return " ".join(text.split())


def _inert(text: str) -> str:
    """Return a text in one line that no player of SubRip takes for a tag or a time line."""
    return SRT_MARKUP.sub(rf"\1{WORD_JOINER}", _one_line(text))


def _escaped(text: str) -> str:
    line = _one_line(text)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
