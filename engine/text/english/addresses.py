"""
Addresses and names of the computer: mail, web, files and paths, versions, codes.

Their signs are said by name ("dot", "slash"); what has no vowel is spelt.
"""

import re
from re import Match

from voxgate.engine.text.english.numbers import cardinal, digits
from voxgate.engine.text.english.rules import Rule, rule
from voxgate.engine.text.english.word_tables import ADDRESS_SIGNS, TOP_LEVEL, words_of

SPELT_PARTS = frozenset(
    words_of(
        "uk io tv eu fr de ai ca au us me md py js ts rs cc sh gz xz rb go pl db id ip id q k md "
        "ch nl be at it es jp cn ru br se fi dk nz ie"
    )
)
"""Ends of addresses and of file names that look like words."""
SUFFIXES = "|".join(
    words_of(
        "7z aac avi bak bash bat bin bz2 c cfg conf cpp cs csv cu dat db dll dmg doc docx env "
        "epub exe flac gif go gz h hpp html? ico ini ipynb iso jar java jpe?g js json jsonl jsx "
        "lock log m4a md mkv mov mp3 mp4 mpe?g npy npz odt ogg onnx opus otf pdf php pkl png ppt "
        "pptx ps1 pt pth py r rar rb rs rst rtf safetensors sh so sql srt svg sys tar tex tgz "
        "tiff? toml ts tsv tsx ttf txt wav webm webp wheel whl xlsx? xml xz ya?ml zip zst"
    )
)
HEX_PAIR = "[0-9A-Fa-f]{2}"
RELEASED = "|".join(
    words_of(
        "[Vv]ersions? [Vv]er\\.? [Rr]elease Python python Ubuntu Java Node Debian Fedora Android "
        "iOS macOS Windows Linux kernel CUDA PyTorch NumPy Django Rust Go PHP Ruby Firefox Chrome"
    )
)


def spelt(text: str) -> str:
    """Return each character of a code as a digit's word or a letter."""
    return " ".join(digits(each) if each.isdecimal() else each.upper() for each in text)


def _signs(text: str) -> str:
    named = "".join(ADDRESS_SIGNS.get(character, character) for character in text)
    return re.sub(r"(?<=dot )[A-Za-z]+", _part, named)


def _part(match: Match[str]) -> str:
    part = match.group()
    return " ".join(part.upper()) if part.lower() in SPELT_PARTS else part


def _address(match: Match[str]) -> str:
    text = re.sub(r"^(?:https?|ftp)://", "", match.group(), flags=re.IGNORECASE)
    text = re.sub(r"^www\.", " W W W dot ", text, flags=re.IGNORECASE).rstrip("/")
    port = re.search(r":(\d{2,5})(?=/|$)", text)
    if port:
        text = f"{text[: port.start()]} colon {digits(port[1])} {text[port.end() :]}"
    return _signs(text)


def _file(match: Match[str]) -> str:
    return _signs(re.sub(r"(?<=\d)(?=[A-Za-z])", " ", match.group()))


def _hash_tag(match: Match[str]) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_", " ", match["words"])
    return f"hash {words.lower() if ' ' in words else words}"


def _mac(match: Match[str]) -> str:
    return ", ".join(spelt(pair) for pair in re.split("[:-]", match.group()))


def _host(match: Match[str]) -> str | None:
    groups = match["host"].split(".")
    if any(int(group) > 255 for group in groups):
        return None
    port = f" colon {digits(match['port'])}" if match["port"] else ""
    mask = f" slash {cardinal(match['mask'])}" if match["mask"] else ""
    return " dot ".join(map(digits, groups)) + port + mask


def _internet_6(match: Match[str]) -> str:
    groups = re.sub(":", " colon ", match.group()).split()
    return " ".join(group if group == "colon" else spelt(group) for group in groups)


def _version(match: Match[str]) -> str:
    parts = match["parts"].split(".")
    tail = re.sub(r"[-.+_]", " ", match["tail"] or "")
    return " point ".join(map(cardinal, parts)) + " " + re.sub(r"(?<=[a-z])(?=\d)", " ", tail)


def _named_version(match: Match[str]) -> str:
    name = re.sub(r"^[Vv]er\.?$|^[Vv]$", "version", match["name"])
    return f"{name} {_version(match)}"


def _code(match: Match[str]) -> str | None:
    return spelt(match.group()) if len(re.findall("[a-f]", match.group())) > 1 else None


PARTS = r"(?P<parts>\d+(?:\.\d+)+)(?P<tail>[-+.]?(?:rc|alpha|beta|dev|a|b|post)[-.]?\d*)?(?![\w])"
RULES: tuple[Rule, ...] = (
    rule(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", _address),
    rule(r"(?i)\b(?:(?:https?|ftp)://|www\.)[^\s<>\"]{0,500}[\w/]", _address),
    rule(rf"(?i)(?<![\w.@])(?:[a-z0-9-]{{1,63}}\.){{1,6}}(?:{TOP_LEVEL})\b(?::\d{{2,5}})?"
         r"(?:/[^\s<>\"]{0,500}[\w/])?(?!\.\w)", _address),
    rule(r"\blocalhost(?::\d{2,5})?(?:/[^\s<>\"]{0,500}[\w/])?", _address),
    rule(r"(?<![\w./:])(?:~|\.{1,2})?/(?:[\w.-]{1,64}/)+[\w.-]{0,63}\w(?!\w)", _file),
    rule(rf"(?i)(?<![\w.])(?![a-z]\.[a-z]\b)(?:\.?[a-z0-9_][\w-]{{0,63}}"
         rf"(?:\.[\w-]{{1,63}}){{0,3}})\.(?:{SUFFIXES})\b"
         r"(?![\w@])(?!\.[\w])", _file),
    rule(r"(?<!\w)[A-Z]:\\(?:[\w. -]{1,64}\\){0,16}[\w.-]{0,64}\w", _file),
    rule(r"(?<!\w)(?:~/)?\.(?=[a-z]{3,})[a-z]\w{2,30}(?!\.?\w)", _file),
    rule(r"\b(?:Node|Vue|React|Next|D3|Three)\.js\b", _file),
    rule(r"(?<!\w)\.NET\b", "dot net"),
    rule(rf"(?<![\w:])(?:{HEX_PAIR}[:-]){{5}}{HEX_PAIR}(?![\w:])", _mac),
    rule(r"(?<![\w.])(?P<host>\d{1,3}(?:\.\d{1,3}){3})(?::(?P<port>\d{2,5}))?(?:/(?P<mask>\d\d?))?"
         r"(?!\.?\w)", _host),
    rule(r"(?<![\w:])(?=[\da-fA-F:]*[a-fA-F])(?=[^:]*:[^:]*:)[\da-fA-F]{1,4}"
         r"(?:::?[\da-fA-F]{1,4}){2,7}(?![\w:])",
         _internet_6),
    rule(r"\b0[xX](?=[\da-fA-F]+\b)", "zero X"),
    rule(r"(?<=zero X  )[\da-fA-F]+\b", lambda match: spelt(match.group())),
    rule(r"(?<!\w)#(?=[A-Fa-f]*\d|[A-F]{6}|[A-F]{3}\b)(?:[\dA-Fa-f]{6}|[\dA-Fa-f]{3}(?=[^\w]"
         r"|$)(?<!\d{3}))\b",
         lambda match: "hash " + spelt(match.group()[1:])),
    rule(r"\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b",
         lambda match: ", ".join(map(spelt, match.group().split("-")))),
    rule(r"\b(?=[a-f]*\d)[\da-f]{7,40}\b", _code),
    rule(r"(?<!\w)#(?P<words>[A-Za-z]\w{1,60})", _hash_tag),
    rule(r"\b(?P<before>[Ff]light )(?P<line>[A-Z]{2}) ?(?P<number>\d{2,4})\b",
         lambda match: f"{match['before']}{match['line']} {digits(match['number'])}"),
    rule(rf"\b(?P<name>{RELEASED}|[Vv](?=\d)) ?{PARTS}", _named_version),
    rule(r"\bv(?P<number>\d{1,4})\b", lambda match: f"version {cardinal(match['number'])}"),
    rule(r"(?<![\w.])(?P<parts>\d+(?:\.\d+)+)(?P<tail>[-+.]?(?:rc|alpha|beta|dev|post)[-.]?\d*)\b",
         _version),
)  # fmt: skip
