"""
Brings any string down to the characters that the rest of the front-end knows: ASCII and a few currency and degree signs.

Accents are folded, typographic quotes and dashes made plain, digits of any script made ASCII. A character that cannot be
spoken in English (another script, an emoji) becomes a space and is reported. It knows nothing of words.
"""

import unicodedata
from dataclasses import dataclass

KEPT = frozenset("°£€¥¢")
PLAIN = {
    "‘": "'", "’": "'", "‚": ",", "‛": "'", "′": "'", "ʼ": "'", "´": "'", "“": '"', "”": '"', "„": '"', "″": '"', "«": '"',
    "»": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "−": "-", "—": " - ", "―": " - ", "…": "...", "⁄": "/", "∕": "/", "•": ", ",
    "·": " ",
    "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ß": "ss", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    "þ": "th",
    "Þ": "Th", "ð": "th", "Ð": "Th", "ı": "i", "²": " squared ", "³": " cubed ", "×": " times ", "÷": " divided by ",
    "±": " plus or minus ", "≈": " about ", "≤": " at most ", "≥": " at least ", "→": ", ", "©": " copyright ", "®": " ",
    "™": " ",
    "º": "°", "、": ", ", "。": ". ", "¿": " ", "¡": " ", "µ": "u", "μ": "u",
}  # fmt: skip
SILENT_CATEGORIES = frozenset({"Mn", "Me", "Cf"})  # marks, joiners, variation selectors: part of what stands before them


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Text in known characters, and the characters that had to be left out, in order."""

    text: str
    dropped: str


def _fold_one(character: str) -> str | None:
    """Give what stands for one non-ASCII character, or None where nothing can."""
    if character in KEPT:
        return character
    if character in PLAIN:
        return PLAIN[character]
    if character.isspace():
        return "\n" if character in "\x85\u2028\u2029" else " "
    if unicodedata.category(character) in SILENT_CATEGORIES:
        return ""
    value = unicodedata.decimal(character, None)
    if value is not None:
        return str(value)
    parts = unicodedata.normalize("NFKD", character).replace("\u2044", "/")
    spoken = "".join(part for part in parts if " " <= part <= "~")
    if not spoken.strip():
        return None
    return f" {spoken} " if "/" in spoken else spoken


def fold(text: str) -> Folded:
    """Fold `text` to known characters; never fails, whatever the string holds."""
    folded: list[str] = []
    dropped: list[str] = []
    for character in text:
        if " " <= character <= "~" or character == "\n":
            folded.append(character)
        elif character < " " or character == "\x7f":
            folded.append("\n" if character == "\r" else " ")
        elif (known := _fold_one(character)) is not None:
            folded.append(known)
        else:
            dropped.append(character)
            folded.append(" ")
    return Folded(text="".join(folded).replace("\n\n\n", "\n\n"), dropped="".join(dropped))
