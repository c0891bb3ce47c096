"""
Recognises an audio format by its first bytes, and reads a server's headers about it.

Knows the signatures of the usual containers and codecs; decodes nothing. Bare PCM has no signature:
it is the format that matches no other. As two bytes of sound may look like the sync word of MPEG
frames, those count only if a second one follows in place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

LEAST_BYTES = 32
"""Enough to recognise every signature but that of MPEG frames."""
SHOWN_CHARACTERS = 120
DIGITS = 20
"""Of a number in a header: whatever has more is beyond every limit as well."""
WAV_HEAD = re.compile(rb"RIFF.{4}WAVE", re.DOTALL)
MARKS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("a WAV file", WAV_HEAD),
    ("a WAV file", re.compile(rb"(RF64|RIFX).{4}WAVE", re.DOTALL)),
    ("an MP3 file", re.compile(rb"ID3[\x02-\x04].{2}[\x00-\x7f]{4}", re.DOTALL)),
    ("an Ogg file (Opus or Vorbis)", re.compile(rb"OggS\x00")),
    ("a FLAC file", re.compile(rb"fLaC")),
    ("a WebM file", re.compile(rb"\x1aE\xdf\xa3")),
    ("an MP4 file", re.compile(rb".{4}ftyp", re.DOTALL)),
    ("an AIFF file", re.compile(rb"FORM.{4}AIF", re.DOTALL)),
    ("an AU file", re.compile(rb"\.snd.{3}[\x18-\xff]", re.DOTALL)),
    ("gzip", re.compile(rb"\x1f\x8b\x08")),
)
TEXT = re.compile(rb"\s*[{<\[][\x20-\x7e\s]*")
"""JSON or HTML: an error that came with status 200."""
EVENTS = re.compile(rb"(data|event|id|retry|error): ?[\x20-\x7e\s]*")
"""Server-sent events, or an error in words."""
SENTENCE = re.compile(rb"[\x20-\x7e\s]{%d}" % LEAST_BYTES)
"""Any other text; of bare PCM, 16 frames in a row would have to be loud and of printable bytes."""
FEWEST_LETTERS = 8
"""Different bytes of a sentence: constant frames, of two bytes, are none."""

KINDS: Mapping[str, str] = {
    **dict.fromkeys(("wav", "x-wav", "wave", "vnd.wave"), "wav"),
    **dict.fromkeys(("pcm", "x-pcm", "l16", "raw", "x-raw"), "pcm"),
    **dict.fromkeys(("flac", "x-flac"), "flac"),
    **dict.fromkeys(("mpeg", "mp3", "x-mp3", "mpeg3", "mpa"), "mp3"),
    **dict.fromkeys(("aac", "x-aac", "aacp", "mp4", "m4a", "x-m4a"), "aac"),
    **dict.fromkeys(("ogg", "opus", "vorbis"), "ogg"),
    **dict.fromkeys(
        ("webm", "aiff", "x-aiff", "basic", "l8", "l24", "pcmu", "pcma"), "another format"
    ),
}
"""Subtype of `audio/...` -> the form it is."""
ENDIANNESS: Mapping[str, str] = {"little-endian": "little", "big-endian": "big"}
"""Value of the parameter `endianness`, which some services add to `audio/l16` -> byte order."""
KBITS_PER_S: Mapping[tuple[bool, int], tuple[int, ...]] = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(MPEG 1, layer bits: 3 is layer I) -> the rates of ISO 11172-3 and 13818-3, from index 1 on."""
RATES_HZ: Mapping[int, tuple[int, int, int]] = {
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
"""Version bits -> sampling rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderFormat:
    """The audio format by the headers; None and empty where they say nothing."""

    media: str = ""
    """The media type, in lower case, without parameters."""
    rate_hz: int | None = None
    channels: int | None = None
    bits: int | None = None
    byte_order: str = ""
    """`little` or `big`, where the headers tell it."""

    @property
    def pcm_order(self) -> str:
        """
        Return the byte order of bare PCM: as told; else the network's for `audio/L16`, by RFC 2586,
        and little endian for everything else, as the speech API defines it.
        """
        return self.byte_order or ("big" if self.media == "audio/l16" else "little")

    @property
    def form(self) -> str | None:
        """The form that the media type names; None where it leaves that open."""
        kind, _, subtype = self.media.partition("/")
        return KINDS.get(subtype) if kind == "audio" else None


def format_of_headers(headers: Mapping[str, str]) -> HeaderFormat:
    """
    Read media type, rate, channels and width from the headers of an answer, whose names are in
    lower case.
    """
    media, *parameters = headers.get("content-type", "").split(";")
    named = {
        name.strip().lower(): value.strip().strip('"')
        for name, _, value in (parameter.partition("=") for parameter in parameters)
    }

    def number(*names: str) -> int | None:
        values = [named.get(name, "") for name in names] + [
            headers.get(f"x-{name}", "") for name in names
        ]
        return next(
            (
                int(value[:DIGITS])
                for value in values
                if re.fullmatch(r"[0-9]+", value) and value.strip("0")
            ),
            None,
        )

    return HeaderFormat(
        media=media.strip().lower(),
        rate_hz=number("rate", "sample-rate", "samplerate", "sample_rate"),
        channels=number("channels"),
        bits=number("bits", "bit-depth", "bitdepth", "bits-per-sample", "bits_per_sample", "width"),
        byte_order=ENDIANNESS.get(named.get("endianness", "").lower(), ""),
    )


def bytes_to_tell(head: bytes) -> int:
    """Return how many bytes are needed before `format_of` can tell; no more than a few thousand."""
    return max(LEAST_BYTES, (_frame_bytes(head) or 0) + 6)


def format_of(head: bytes) -> str | None:
    """
    Name what begins so, such as `an MP3 file`; None where it looks like nothing known: bare frames,
    or rubbish.
    """
    for name, mark in MARKS:
        if mark.match(head):
            return name
    size = _frame_bytes(head)
    if (
        size is not None
        and _frame_bytes(head[size:]) is not None
        and head[size : size + 2] == head[:2]
    ):
        return "MP3 frames" if head[1] & 0x06 else "AAC frames (ADTS)"
    if _is_text(head[:LEAST_BYTES]):
        return f"text: {' '.join(head.decode('ascii', 'replace').split())[:SHOWN_CHARACTERS]!r}"
    return None


def _is_text(head: bytes) -> bool:
    """Return whether text begins so, and no sound."""
    if SENTENCE.fullmatch(head):
        return len(set(head)) >= FEWEST_LETTERS
    return len(head) >= 2 and bool(TEXT.fullmatch(head) or EVENTS.fullmatch(head))


def _frame_bytes(head: bytes) -> int | None:
    """Return the length of the MPEG audio or ADTS frame that begins here; None where none does."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:
        return _adts_bytes(head) if head[1] & 0xF6 == 0xF0 else None
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return None
    bits_per_s = KBITS_PER_S[version == 3, layer][bitrate - 1] * 1000
    rate_hz = RATES_HZ[version][rate]
    if layer == 3:
        return (12 * bits_per_s // rate_hz + padding) * 4
    return (72 if layer == 1 and version != 3 else 144) * bits_per_s // rate_hz + padding


def _adts_bytes(head: bytes) -> int | None:
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 and head[2] >> 2 & 15 <= 12 else None
