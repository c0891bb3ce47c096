"""
Reduce any string to the characters that the rest of the front-end handles.

Those are ASCII and a few signs of money, measures and maths. Accents are folded, typographic quotes
and dashes made plain, digits of any script made ASCII, other signs of money and maths named.
A character that cannot be spoken in English becomes a space and is reported.
"""

import re
import unicodedata

from voxgate.engine.text.english.word_tables import CURRENCIES

KEPT = frozenset("\u00b0\u00a2\u00b5\u221a\u03a9\u00a7") | frozenset(CURRENCIES) - {"$"}
PLAIN = {
    "‘": "'", "’": "'", "‚": ",", "‛": "'", "′": "'", "ʼ": "'", "´": "'", "“": '"', "”": '"',
    "„": '"', "″": '"', "«": '"', "»": '"', "‹": '"', "›": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "−": " minus ",
    "—": " - ", "―": " - ", "…": "...", "⁄": "/",
    "∕": "/", "•": ", ", "‣": ", ", "▪": ", ", "●": ", ", "◦": ", ", "·": " ", "〜": "~", "～": "~",
    "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ß": "ss", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th", "ð": "th", "Ð": "Th", "ı": "i",
    "×": " times ", "÷": " divided by ", "±": " plus or minus ", "∓": " minus or plus ",
    "≈": " about ", "≃": " about ", "≤": " less than or equal to ",
    "≥": " greater than or equal to ",
    "⩽": " less than or equal to ", "⩾": " greater than or equal to ", "≠": " not equal to ",
    "→": ", ", "←": ", ", "↔": ", ", "⇒": ", ", "⇐": ", ", "↑": " up ", "↓": " down ",
    "∑": " sum ", "∏": " product ", "∆": " delta ", "∙": " times ", "⋅": " times ", "∗": "*",
    "∣": "|", "∶": ":", "‰": " per mille ", "№": " no. ", "©": " copyright ", "®": " ", "™": " ",
    "º": "\u00b0", "ª": "", "、": ", ", "。": ". ", "¿": " ", "¡": " ", "Ω": "\u03a9",
    "℃": "\u00b0C", "℉": "\u00b0F",
}  # fmt: skip
# marks, joiners, variation selectors: part of the previous character
SILENT_CATEGORIES = frozenset({"Mn", "Me", "Cf"})
NAMED_CATEGORIES = frozenset({"Sc", "Sm"})  # money and maths
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
SUPERSCRIPT = re.compile("(?<=[\\w)])[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
DIGIT_SPACE = re.compile("(?<=\\d)[\u00a0\u2007\u2009\u202f](?=\\d{3}(?!\\d))")
EMOTICON = re.compile(
    r"(?<![\w:;])(?:[:;=][-o^']?[)(\]\[DPpO/|*](?![\w/])|[xX]D\b|<3(?=\s+"
    r"(?![\d+*/=<>-])|$|[.,!?])"
    r"|</3|\^_\^|-_-|o_O|O_o|T_T|\u00af\\_\(\u30c4\)_/\u00af|:'\()"
)
GREEK = re.compile("GREEK (?:SMALL|CAPITAL) LETTER ([A-Z]+)")


def _greek(character: str, neighbours: str) -> str | None:
    """Return the name of a Greek letter that stands alone, as in a formula."""
    match = GREEK.fullmatch(unicodedata.name(character, ""))
    if match is None or any(GREEK.match(unicodedata.name(each, "")) for each in neighbours):
        return None
    return f" {match[1].lower().replace('lamda', 'lambda')} "


def _named(character: str) -> str | None:
    """Return the name of a sign of money or maths."""
    if unicodedata.category(character) not in NAMED_CATEGORIES:
        return None
    name = unicodedata.name(character, "").removesuffix(" SIGN").replace("-", " ").lower()
    return f" {name} " if name.replace(" ", "").isalpha() else None


def _fold_one(character: str, neighbours: str) -> str | None:
    """Return the replacement of one non-ASCII character, or None if there is none."""
    if character == "\u03bc" and not GREEK.match(unicodedata.name(neighbours[-1:] or " ", "")):
        return "\u00b5"
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
        return _greek(character, neighbours) or _named(character)
    return f" {ascii_part} " if "/" in ascii_part else ascii_part


def fold(text: str) -> tuple[str, str]:
    """
    Return `text` in the front-end's characters, and what had to be dropped of it, in order.

    Never fails, whatever the string holds.
    """
    folded: list[str] = []
    dropped: list[str] = []
    start = 0
    for match in EMOTICON.finditer(text):
        _fold_into(folded, dropped, text[start : match.start()])
        folded.append(" ")
        dropped.append(match.group())
        start = match.end()
    _fold_into(folded, dropped, text[start:])
    return "".join(folded).replace("\n\n\n", "\n\n"), "".join(dropped)


def _fold_into(folded: list[str], dropped: list[str], text: str) -> None:
    text = re.sub(r"\r\n?", "\n", text)
    text = DIGIT_SPACE.sub(",", text)
    text = SUPERSCRIPT.sub(lambda match: "^" + match.group().translate(SUPERSCRIPTS), text)
    for place, character in enumerate(text):
        if " " <= character <= "~" or character == "\n":
            folded.append(character)
        elif character < " " or character == "\x7f":
            folded.append(" ")
        elif (
            replacement := _fold_one(
                character, text[max(0, place - 1) : place] + text[place + 1 : place + 2]
            )
        ) is not None:
            folded.append(replacement)
        else:
            dropped.append(character)
            folded.append(" ")
