"""
Roman numerals: of kings and popes, centuries, chapters, congresses.

Up to ten they are ordinals after a name ("Felipe sexto") and a century ("siglo quinto"), above
cardinals; before the noun they count they are ordinals ("segunda guerra mundial").
"""

import re
from re import Match

from voxgate.engine.text.spanish.nouns import is_feminine
from voxgate.engine.text.spanish.numbers import cardinal, ordinal
from voxgate.engine.text.spanish.word_tables import (
    KINGS,
    QUEENS,
    ROMAN_COUNTED,
    ROMAN_NUMBERED,
)

ROMAN = (
    r"\b(?=[IVXLCDM]+\b)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
    r"(?<=[IVXLCDM])\b"
)
VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
LAST_ORDINAL = 10  # Alfonso décimo, Alfonso once


def value_of(numeral: str) -> int:
    """Return the value of a Roman numeral in capitals."""
    values = [VALUES[letter] for letter in numeral]
    following = [*values[1:], 0]
    return sum(-v if v < after else v for v, after in zip(values, following, strict=True))


def roman(match: Match[str], region: str) -> str:
    """Return a Roman numeral in words, as the words around it ask, or unchanged."""
    value = str(value_of(match.group()))
    before = re.findall(r"[^\W\d_]+", match.string[max(0, match.start() - 40) : match.start()])
    after = re.match(r"\s+([^\W\d_]+)", match.string[match.end() :])
    last = before[-1].lower() if before else ""
    if after and after[1].lower() in ROMAN_COUNTED:
        return ordinal(value, feminine=is_feminine(after[1].lower()), before_noun=True)
    if before and before[-1][0].isupper() and last in KINGS | QUEENS:
        if int(value) > LAST_ORDINAL:
            return cardinal(value)
        return ordinal(value, feminine=last in QUEENS)
    if last in ROMAN_NUMBERED:
        is_early = last == "siglo" and int(value) <= LAST_ORDINAL
        return ordinal(value) if is_early else cardinal(value)
    is_plain = len(match.group()) > 1 and set(match.group()) <= set("IVX")
    return cardinal(value) if is_plain else match.group()
