"""
Normalise any text into spoken tokens: words and break marks.

A word is lower case with inner apostrophes ("isn't").
A token in capitals ("BBC", "W") is an acronym or a letter, and the pronouncer decides whether to
spell it.
A break is one of `,` `.` `!` `?`.
Nothing that could be spoken is dropped silently: characters without English sound (other scripts,
emoji) are reported in `NormalisedText.dropped`; quotes and formatting marks are not.
It uses neither phones nor the dictionary.

`fold` first reduces any string to the characters that the rest of the front-end handles: ASCII and
a few currency and degree signs.
Accents are folded, typographic quotes and dashes made plain, digits of any script made ASCII.
A character that cannot be spoken in English becomes a space and is reported.
"""

import re
import unicodedata
from dataclasses import dataclass

from voxgate.engine.text.english.verbalise import rewrite
from voxgate.engine.text.spoken import (
    MAX_WORD_LETTERS,
    NormalisedText,
    Token,
    add_break,
    end_sentence,
)

TOKEN = re.compile(
    r"[A-Za-z]+(?:'[A-Za-z]+)*|[.!?]+(?=(\s*[A-Z\"'(])?)|\n\s*\n|(?<=\s)-+(?=\s)|--+|[,;:()\[\]{}|]"
)
ACRONYM = re.compile(r"[A-Z]{1,5}(?:'s)?")  # longer ones (UNESCO) are said as words
# above it capitals are emphasis ("STOP THAT NOW"), below it they mark acronyms
SHOUTING_SHARE = 0.5


def normalise(text: str) -> NormalisedText:
    """
    Return the words and breaks of `text`, ending in a sentence break; no tokens if nothing is
    speakable.
    """
    folded = fold(text)
    plain = folded.text.lower() if _is_shouting(folded.text) else folded.text
    # the article; `rewrite` has a rule for a letter A that is spelled
    plain = re.sub(r"\bA(?= )", "a", plain)
    tokens: list[Token] = []
    for match in TOKEN.finditer(rewrite(plain)):
        if match.group()[0].isalpha():
            tokens += [Token(text=piece) for piece in _word(match.group())]
        else:
            add_break(tokens, _break(match))
    if tokens:
        end_sentence(tokens)
    return NormalisedText(tokens=tuple(tokens), dropped=folded.dropped)


def _is_shouting(text: str) -> bool:
    words = re.findall(r"[A-Za-z]{2,}", text)
    return len(words) > 2 and sum(word.isupper() for word in words) > SHOUTING_SHARE * len(words)


def _word(text: str) -> list[str]:
    """Return a word in the case that `Token` specifies, split if it is too long."""
    text = re.sub(r"^([A-Z]{2,5})s$", r"\1's", text)  # CDs, TVs
    if text == "I" or not ACRONYM.fullmatch(text):
        text = text.lower()
    return [
        text[start : start + MAX_WORD_LETTERS] for start in range(0, len(text), MAX_WORD_LETTERS)
    ]


def _break(match: re.Match[str]) -> str:
    mark = match.group()
    for strongest in "?!":
        if strongest in mark:
            return strongest
    if "\n" in mark:
        return "."
    if mark[0] != ".":
        return ","
    continues = match[1] is None and match.string[match.end() :].strip() != ""
    return "," if len(mark) > 1 and continues else "."


KEPT = frozenset("°£€¥¢")
PLAIN = {
    "‘": "'", "’": "'", "‚": ",", "‛": "'", "′": "'", "ʼ": "'", "´": "'", "“": '"', "”": '"',
    "„": '"', "″": '"', "«": '"',
    "»": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "−": "-", "—": " - ", "―": " - ", "…": "...", "⁄": "/",
    "∕": "/", "•": ", ",
    "·": " ",
    "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ß": "ss", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D",
    "þ": "th",
    "Þ": "Th", "ð": "th", "Ð": "Th", "ı": "i", "²": " squared ", "³": " cubed ", "×": " times ",
    "÷": " "
        "divided by ",
    "±": " plus or minus ", "≈": " about ", "≤": " at most ", "≥": " at least ", "→": ", ",
    "©": " copyright ", "®": " ",
    "™": " ",
    "º": "°", "、": ", ", "。": ". ", "¿": " ", "¡": " ", "µ": "u", "μ": "u",
}  # fmt: skip
# marks, joiners, variation selectors: part of the previous character
SILENT_CATEGORIES = frozenset({"Mn", "Me", "Cf"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Text in the front-end's characters, and the characters that had to be dropped, in order."""

    text: str
    dropped: str


def _fold_one(character: str) -> str | None:
    """Return the replacement of one non-ASCII character, or None if there is none."""
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
    ascii_part = "".join(part for part in parts if " " <= part <= "~")
    if not ascii_part.strip():
        return None
    return f" {ascii_part} " if "/" in ascii_part else ascii_part


def fold(text: str) -> Folded:
    """Fold `text` to the front-end's characters; never fails, whatever the string holds."""
    folded: list[str] = []
    dropped: list[str] = []
    for character in text:
        if " " <= character <= "~" or character == "\n":
            folded.append(character)
        elif character < " " or character == "\x7f":
            folded.append("\n" if character == "\r" else " ")
        elif (replacement := _fold_one(character)) is not None:
            folded.append(replacement)
        else:
            dropped.append(character)
            folded.append(" ")
    return Folded(text="".join(folded).replace("\n\n\n", "\n\n"), dropped="".join(dropped))
