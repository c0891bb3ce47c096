"""
Roman numerals: "Louis XIV" is the fourteenth, "Chapter IV" is four.

What could be letters or a word ("CD", "I", "MIX") is a numeral only where the word before says so.
"""

import re
from re import Match

from voxgate.engine.text.english.numbers import cardinal, ordinal, year
from voxgate.engine.text.english.word_tables import words_of

DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
CANONICAL = r"(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
SMALL = r"(?=[IVX]+\b)X{0,3}(?:IX|IV|V?I{0,3})\b"
NUMBERED = "|".join(
    words_of(
        "Act Annex Layer Apollo Appendix Article Band Book Canto Chapter Class Clause Column "
        "Division Episode Exhibit Factor Figure Game Grade Group Level Mark Part Phase Plate "
        "Psalm Round Scene Schedule Season Section Series Stage Step Table Tier Title Type Unit "
        "Vol Volume War Bowl Olympiad Corps Gemini Saturn Pillar Protocol Quarter Region Tome"
    )
)
"""Words with a number after them, the numerals I, V and X included."""
REGNAL = "|".join(
    words_of(
        "Abdullah Akbar Alexander Alexios Alfonso Amenhotep Benedict Boniface Carlos Catherine "
        "Charles Christian Clement Constantine Cyrus Darius David Edward Elizabeth Eugene "
        "Ferdinand Francis Franz Frederick Friedrich George Gregory Gustav Haakon Harald Henri "
        "Henry Hussein Isabella Ivan James Joao John Joseph Juan Juliana Justin Justinian Karl "
        "Leo Leopold Louis Ludwig Margaret Margrethe Mary Maximilian Mehmed Murad Napoleon "
        "Nicholas Olaf Otto Paul Pedro Peter Philip Pius Ptolemy Rama Rameses Ramesses Ramses "
        "Richard Robert Rudolf Seti Sigismund Sixtus Stephen Suleiman Theodosius Thutmose Umberto "
        "Urban Victor Victoria Vittorio Wilhelm Willem William Xerxes Davison Rockefeller"
    )
)
"""Names that a number makes a ruler's or an heir's."""
RULERS = "King|Queen|Pope|Emperor|Empress|Tsar|Czar|Kaiser|Sultan|Pharaoh|Prince|Princess|Duke|Shah"
PRONOUN_VERBS = "|".join(
    words_of(
        "am believe bet can could do doubt feel guess hate have hope know like love may mean "
        "might must need never say should suppose think want will wish wonder would"
    )
)
"""After them a lone I is the speaker: "Like Charles I was tired"."""
NOT_PRONOUN = rf"\b(?! (?:{PRONOUN_VERBS})\b|'(?!s))"


def value_of(numeral: str) -> int:
    """Return the value of a Roman numeral in capitals."""
    values = [DIGITS[letter] for letter in numeral]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < after else value for value, after in pairs)


def _cardinal(match: Match[str]) -> str:
    return f"{match['before']}{cardinal(str(value_of(match['numeral'].upper())))}"


def _ordinal(match: Match[str]) -> str:
    return f"{match['before']}the {ordinal(str(value_of(match['numeral'])))}"


def _year(match: Match[str]) -> str:
    return year(str(value_of(match.group())))


def _enumerated(match: Match[str]) -> str:
    return f" {cardinal(str(value_of(match['numeral'].upper())))} "


REPLACEMENTS = (
    (rf"(?P<before>\bWorld War )(?P<numeral>{SMALL})\b", _cardinal),
    (rf"(?P<before>\b(?i:{NUMBERED})\.? )(?P<numeral>[IVXLC]{{2,}}|[ivx]{{2,}})\b", _cardinal),
    (rf"(?P<before>\b(?:{NUMBERED})\.? )(?P<numeral>[VX]|I{NOT_PRONOUN})\b", _cardinal),
    (rf"(?P<before>\b(?:{RULERS})(?: [A-Z][a-z]+){{1,2}} )(?P<numeral>{SMALL})\b", _ordinal),
    (rf"(?P<before>\b(?:{REGNAL}) )(?P<numeral>(?!I\b){SMALL}|I\b{NOT_PRONOUN})", _ordinal),
    (rf"(?P<before>\b(?!The\b|In\b|And\b)[A-Z][a-z]+ )(?P<numeral>(?=[IVX]{{2}}){SMALL})\b",
     _cardinal),
    (r"(?P<before>\b(?i:the) )(?P<numeral>(?=[IVX]{2})[IVX]+)(?= century| Century| Congress"
         r"| Olymp)",
     lambda match: f"{match['before']}{ordinal(str(value_of(match['numeral'])))}"),
    (r"\bM{1,2}(?:CM|DC{0,3})?(?:XC|XL|L?X{1,3})(?:IX|IV|V?I{0,3})\b", _year),
    (r"(?<!\w)\((?P<numeral>(?=[ivx])x{0,2}(?:ix|iv|v?i{0,3}))\)", _enumerated),
)  # fmt: skip
RULES = tuple((re.compile(pattern), replacement) for pattern, replacement in REPLACEMENTS)


def read_numerals(text: str) -> str:
    """Write out the Roman numerals of a text in words; never fails."""
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text
