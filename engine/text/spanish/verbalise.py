"""
Rewrites what is not a word (numbers, dates, money, addresses, abbreviations) as words, one rule
after another.

A rule is a pattern and a function from its match and the region to words. The order matters: the
most specific pattern comes first, and the plain number last. Letters to be spelt come out as
capitals ("W W W"). Works on folded text (`normalise.fold`).
"""

import re
from collections.abc import Callable, Iterable
from re import Match

from voxgate.engine.text.spanish import dates, quantities
from voxgate.engine.text.spanish.dates import ends_sentence
from voxgate.engine.text.spanish.numbers import ordinal
from voxgate.engine.text.spanish.pronounce import NAMES_OF_REGION
from voxgate.engine.text.spanish.quantities import NUMBER
from voxgate.engine.text.spanish.roman import ROMAN, roman
from voxgate.engine.text.spanish.word_tables import (
    ADDRESS_SIGNS,
    FILE_ENDINGS,
    LETTER_BEFORE,
    MONTHS,
    NUMBERED,
    PER,
    PLURAL_INITIALS,
    SHORT_MONTHS,
    SIGNS,
    SPELT_DOMAINS,
    TAILS,
    TITLES,
    TOP_LEVEL,
    UNITS,
    WEEKDAYS,
)

Say = Callable[[Match[str], str], str]


def _any(names: Iterable[str]) -> str:
    """Return the pattern of any of `names`, the longest first."""
    return "|".join(map(re.escape, sorted(names, key=len, reverse=True)))


LONG_UNITS = _any(unit for unit in UNITS if len(unit) > 1)
SHORT_UNITS = _any(unit for unit in UNITS if len(unit) == 1)
PER_UNIT = rf"(?:/(?P<per>{_any(PER)})(?!\w))?"
FRACTION = r"(?<![\w/.,])(?:(?P<whole>\d{1,4})\s+)?(?P<top>\d{1,3})/(?P<bottom>\d{1,4})(?!\d)"
SIGN = r"(?P<sign>US\$|U\$S|[$£€¥])"
CODES = "EUR|USD|GBP|MXN|ARS|COP|CLP"
CODE = rf"(?P<sign>[€£¥$]|{CODES})(?P<code>(?!))?"
MAGNITUDE = r"(?:\s?(?P<magnitude>mil|millones|millón|mill\.|[MK])(?: de)?\b)?"
YEAR = r"(?:(?: de|,|/|-)? ?(?P<year>\d{4})\b)?"


def _address(match: Match[str], region: str) -> str:
    text = re.sub(r"^https?://", "", match.group(), flags=re.IGNORECASE)
    text = re.sub(r"^www\.", " W W W punto ", text, flags=re.IGNORECASE)
    text = "".join(ADDRESS_SIGNS.get(character, character) for character in text.rstrip("/"))
    spelt = "|".join(SPELT_DOMAINS)
    return re.sub(rf"(?<=punto )(?:{spelt})\b", lambda part: " ".join(part.group().upper()), text)


def _title(match: Match[str], region: str) -> str:
    return TITLES[match["name"].lower()]


def _tail(match: Match[str], region: str) -> str:
    return TAILS[match["name"].lower()] + ends_sentence(match)


def _plural_initials(match: Match[str], region: str) -> str:
    return PLURAL_INITIALS[f"{match['one'].upper()} {match['two'].upper()}"] + ends_sentence(match)


def _era(match: Match[str], region: str) -> str:
    words = {"a": "antes de cristo", "d": "después de cristo"}[match["era"]]
    return words + ends_sentence(match)


def _initials(match: Match[str], region: str) -> str:
    at_end = not match.string[match.end() :].strip()
    return " ".join(re.findall(r"[^\W\d_]", match.group())) + (". " if at_end else "")


def _initial(match: Match[str], region: str) -> str:
    before = match.string[: match.start()].split()[-1:]
    named = not before or (before[0][0].isupper() and before[0].lower() not in LETTER_BEFORE)
    return match["letter"] if named else match.group()


def _don(match: Match[str], region: str) -> str:
    before = match.string[: match.start()].rstrip().split(" ")[-1]
    return "D " if before[:1].isupper() else "don"


def _single_vowel(match: Match[str], region: str) -> str:
    """Return a capital A, E, O, U or Y in lower case, unless it is the name of a thing."""
    before = re.findall(r"[^\W\d_]+", match.string[max(0, match.start() - 20) : match.start()])
    named = before and before[-1].lower() in LETTER_BEFORE
    return match.group() if named else match.group().lower()


def _version_letter(match: Match[str], region: str) -> str:
    return NAMES_OF_REGION[region]["v"]


def _say(words: str) -> Say:
    return lambda match, region: words


def _rule(pattern: str, say: Say | str) -> tuple[re.Pattern[str], Say]:
    return re.compile(pattern), _say(say) if isinstance(say, str) else say


ADDRESSES = (
    _rule(r"(?<!\w)[AEOUY](?= )(?! ?\.)", _single_vowel),
    _rule(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", _address),
    _rule(r"(?i)\b(?:https?://|www\.)[^\s<>\"]{0,500}[\w/]", _address),
    _rule(rf"(?i)(?<![\w.])(?:[a-z0-9-]{{1,63}}\.){{1,6}}(?:{TOP_LEVEL})\b"
          r"(?:/[^\s<>\"]{0,500}[\w/])?(?!\.\w)", _address),
    _rule(rf"(?i)(?<=\w)\.(?P<ending>{FILE_ENDINGS})\b",
          lambda match, _region: f"punto {match['ending'].upper()}"),
)  # fmt: skip
LISTS = (
    _rule(r"(?<=\bde )km\b", "kilómetros"),
    _rule(r"(?<=\bde )kg\b", "kilogramos"),
    _rule(r"(?<=\bpor )km\b", "kilómetro"),
    _rule(r"\by/o\b", "y o"),
    _rule(r"(?<=:)\s*\n\s*(?:[-*•]\s+)?", ""),
    _rule(r"(?<![.!?,;\s])\s*\n\s*(?:[-*•]\s+|(?=\d{1,3}[.)]\s))", "."),
    _rule(r"^\s*[-*•]\s+|\n\s*[-*•]\s+", ""),
    _rule(r"•", ","),
)
TIMES = (
    _rule(r"\b(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))?(?P<hours>(?!))?\s?"
          r"(?P<half>[aApP])\.?\s?[mM]\b\.?", dates.clock),
    _rule(r"(?<![\d:.,])(?P<hour>\d{1,2})[:.h](?P<minute>\d\d)(?P<half>(?!))?"
          r"\s?(?P<hours>horas|hrs|hs|h)\b\.?(?!\w)", dates.clock),
    _rule(r"(?<![\d:.,])(?P<hour>\d{1,2}):(?P<minute>[0-5]\d):(?P<second>[0-5]\d)(?![\d:])",
          dates.duration),
    _rule(r"(?<![\d:.,])(?P<hour>\d{1,2})[:h](?P<minute>\d\d)(?P<half>(?!))?(?P<hours>(?!))?"
          r"(?![\d:\w])", dates.clock),
    _rule(r"(?<=\blas )(?P<hour>\d{1,2})\.(?P<minute>\d\d)(?P<half>(?!))?(?P<hours>(?!))?"
          r"(?![\d.])", dates.clock),
)  # fmt: skip
DATES = (
    _rule(rf"(?i)\b(?P<day>{_any(WEEKDAYS)})\.(?=,? ?\d|,? [a-z]+ de )",
          lambda match, _region: WEEKDAYS[match["day"].lower()]),
    _rule(r"\b(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)\b", dates.numeric_date),
    _rule(r"\b(?P<day>\d\d?)(?P<sign>[/.-])(?P<month>\d\d?)(?P=sign)(?P<year>\d{4})\b",
          dates.numeric_date),
    _rule(r"\b(?P<day>\d\d?)/(?P<month>\d\d?)/(?P<year>\d\d)\b", dates.numeric_date),
    _rule(r"\b(?P<before>[Ee]l|[Aa]l|[Dd]el|[Dd]ía) (?P<day>\d\d?)/(?P<month>\d\d?)(?![/\d])",
          dates.short_date),
    _rule(rf"(?i)(?<![\d.,])(?P<day>\d\d?)[ -](?:de )?(?P<month>{_any(SHORT_MONTHS)})\b\.?{YEAR}",
          dates.named_date),
    _rule(rf"(?i)(?<![\d.,])(?P<day>1) de (?P<month>{_any(MONTHS)})\b{YEAR}", dates.named_date),
    _rule(r"\b(?P<one>\d{4})/(?P<two>\d{2}|[12]\d{3})\b",
          lambda match, _region: f"{match['one']} {match['two']}"),
)  # fmt: skip
ABBREVIATIONS = (
    _rule(rf"(?i)\b(?P<one>{'|'.join({key[:2] for key in PLURAL_INITIALS})})\.? ?"
          rf"(?P<two>{'|'.join({key[3:] for key in PLURAL_INITIALS})})\b\.?(?<=[A-Z.])",
          lambda match, region: _plural_initials(match, region)
          if f"{match['one'].upper()} {match['two'].upper()}" in PLURAL_INITIALS
          else match.group()),
    _rule(r"\b(?P<era>[ad])\. ?[CJ]\.(?: ?C\.)?", _era),
    _rule(r"\bss\. ?(?=[IVX]+\b)", "siglos"),
    _rule(r"\bs\. ?(?=[IVX]+\b)", "siglo"),
    _rule(r"\b[Nn]\.?[º°]s?(?=\s?[\dA-Z])|\b[Nn]\.?os (?=\d)|#(?=\d)", "número"),
    _rule(r"\bD\.ª|\bDª", "doña"),
    _rule(r"\bM\.ª|\bMª", "maría"),
    _rule(r"\bP\.?º(?= )", "paseo"),
    _rule(r"\bP\. ?D\.", "posdata"),
    _rule(r"\bs/n\b", "sin número"),
    _rule(r"\bc/u\b", "cada uno"),
    _rule(r"\b[Cc]/ ?(?=[A-ZÁÉÍÓÚ])", "calle"),
    _rule(r"\bS\.(?= [A-Z][a-z])(?! [AL]\.)", "san"),
    _rule(rf"\b(?P<name>{_any(NUMBERED)})\. ?(?=\d)",
          lambda match, _region: NUMBERED[match["name"]]),
    _rule(rf"\b(?P<name>(?i:{_any(key for key in NUMBERED if len(key) > 2)}))\. ?(?=\d)",
          lambda match, _region: NUMBERED.get(match["name"].lower(), match["name"])),
    _rule(r"\b[Pp]ág\.", "página"),
    _rule(rf"\b(?P<name>(?i:{_any(TITLES)}))\.", _title),
    _rule(rf"\b(?P<name>(?i:{_any(TAILS)}))\.", _tail),
    _rule(r"\betc\b", "etcétera"),
    _rule(r"\bvs\b", "contra"),
    _rule(r"\b(?:[A-ZÑ]\. ?){2,}", _initials),
    _rule(r"\bD\.(?= [A-ZÁÉÍÓÚÑ][a-záéíóúñ])", _don),
    _rule(r"\b(?P<letter>[B-DF-TV-XZ])\.(?=\s+[A-ZÁÉÍÓÚÑ])", _initial),
    _rule(ROMAN, roman),
)  # fmt: skip
TELEPHONES = (
    _rule(r"\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,6}\b", quantities.telephone),
    _rule(r"(?<![\w.,])\(\d{2,4}\) ?\d{3,4}[ -]?\d{4}\b", quantities.telephone),
    _rule(r"(?<![\w.,])[6-9]\d\d([ -])\d{3}\1\d{3}\b(?! ?\d)", quantities.telephone),
    _rule(r"(?<![\w.,])[89]\d \d{3} \d\d \d\d\b", quantities.telephone),
    _rule(r"(?<![\w.,])[6-9]\d\d \d\d \d\d \d\d\b", quantities.telephone),
    _rule(r"(?<![\w.,])\d{2,3}[ -]\d{3,4}[ -]\d{4}\b", quantities.telephone),
    _rule(r"(?<![\w.,])[6-9]\d{8}(?![\d.,]\d|\d)", quantities.telephone),
    _rule(r"(?<![\w.,])\d+(?:-\d+){2,}\b", quantities.telephone),
)
AMOUNTS = (
    _rule(r"(?<=\d)\s?[xX*×]\s?(?=\d)", "por"),
    _rule(r"(?<![\d.,] )(?<![\w.,])[1-9]\d{0,2}(?: \d{3})+(?![\w]|[ ]\d)",
          lambda match, _region: match.group().replace(" ", "")),
    _rule(rf"(?<![\w.,])(?P<amount>{NUMBER})[eE](?P<minus>[+-]?)(?P<exponent>\d{{1,3}})\b",
          quantities.power_of_ten),
    _rule(r"(?<![\w.,])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", quantities.dotted),
    _rule(r"(?<![\d.,])\d+(?:\.\d+){2,}(?<!\.\d{3})(?!\d)", quantities.dotted),
    _rule(r"(?<=\d)\s?-\s?(?=[\d.,\s+*/()-]{1,40}=)", "menos"),
    _rule(r"(?<=\d[a-zA-Z]) - (?=\d)|(?<=\b[xyznmXYZNM]) - (?=[xyznmXYZNM]\b|\d)", "menos"),
    _rule(r"(?<=[%\u20ac$])\s?-\s?(?=\d)", "a"),
    _rule(rf"(?<![\w.,])(?P<first>{NUMBER})\s?-\s?(?=\d)", quantities.first_to),
    _rule(r"(?<![\w.)])-(?=[$£€]?\d)", "menos"),
    _rule(rf"{SIGN}\s?(?P<amount>{NUMBER}){MAGNITUDE}(?:\s?(?P<code>{CODES})\b)?{PER_UNIT}",
          quantities.money),
    _rule(rf"\b(?P<amount>{NUMBER}){MAGNITUDE}\s?{CODE}{PER_UNIT}(?!\w)", quantities.money),
    _rule(rf"\b(?P<amount>{NUMBER})\s?M(?= de\b)", quantities.millions),
    _rule(rf"\b(?P<amount>{NUMBER})\s?(?P<sign>[%‰])", quantities.percent),
    _rule(rf"\b(?P<amount>{NUMBER})\s?[°º]\s?(?P<scale>[CFK])\b", quantities.temperature),
    _rule(r"(?<![\w.,])(?P<number>\d{1,2})°(?P<mark>)?(?= (?!bajo|sobre|a |de (?!"
          rf"(?:{_any(MONTHS)})\b)|en |y |norte|sur|este|oeste)[a-z])",
          lambda match, region: ordinal(match["number"], before_noun=not re.match(
              r" de\b", match.string[match.end():]))),
    _rule(rf"\b(?P<amount>{NUMBER})\s?°(?P<scale>(?!))?", quantities.temperature),
    _rule(rf"{FRACTION}\s?(?P<unit>{_any(UNITS)})(?![\w'])", quantities.fraction_of_unit),
    _rule(r"(?<=\d)['\"](?![\w'\"])", quantities.prime),
    _rule(r"(?<=[a-záéíóúñ])/(?=(?:mes|año|día|semana|hora|persona|noche|unidad|kilo|litro)\b)",
          "por"),
    _rule(r"\b[Kk]m (?=\d)", "kilómetro"),
    _rule(rf"\b(?P<amount>{NUMBER})\s?(?P<unit>{LONG_UNITS})(?P<power>[²³]|[23](?!\d))?{PER_UNIT}"
          r"(?!\w)(?:\.(?=\s+[a-záéíóúñ0-9(]|[,;:)]))?", quantities.unit),
    _rule(rf"\b(?P<amount>{NUMBER})\s?(?P<unit>{SHORT_UNITS})(?P<power>[²³]|(?<=m)[23](?!\d))?"
          rf"{PER_UNIT}(?![\w'])(?:\.(?=\s+[a-záéíóúñ0-9(]|[,;:)]))?", quantities.unit),
    _rule(r"(?<![\w.,])(?P<number>\d{1,4})\.?(?P<mark>[ºª]|er\b|os\b|as\b|[rdtmvn][oa]s?\b)",
          quantities.ordinal_number),
    _rule(r"(?<=\d) / (?=\d)", "entre"),
    _rule(rf"{FRACTION}(?![\w/])", quantities.fraction),
)  # fmt: skip
SIGNED = (
    _rule(r"\bv(?=\d)", _version_letter),
    _rule(r"(?<=[A-Za-zÁÉÍÓÚáéíóúñÑ])-(?=\d)", " "),
    _rule(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " "),
    _rule(r"<=", "menor o igual que"),
    _rule(r">=", "mayor o igual que"),
    _rule(r"!=", "distinto de"),
    _rule(r"<[-=]*>|[-=]+>", ","),
    _rule(r"~\s?(?=\d)", "aproximadamente"),
    _rule(NUMBER, quantities.counted),
)
# groups of rules, and whether each rule of the group needs a digit
GROUPS = (
    (ADDRESSES + LISTS, False), (TIMES + DATES, True), (ABBREVIATIONS, False),
    (TELEPHONES + AMOUNTS, True), (SIGNED, False),
)  # fmt: skip


def _spaced(say: Say, region: str) -> Callable[[Match[str]], str]:
    """Return a replacement that stands apart from what is around it, if it changes anything."""

    def replacement(match: Match[str]) -> str:
        words = say(match, region)
        return words if words == match.group() else f" {words} "

    return replacement


def rewrite(text: str, region: str) -> str:
    """Rewrite folded text into words, capitals to spell, and punctuation; never fails."""
    has_digit = re.search(r"\d", text) is not None
    for rules, needs_digit in GROUPS:
        for pattern, say in rules if has_digit or not needs_digit else ():
            text, count = pattern.subn(_spaced(say, region), text)
            text = re.sub(" {2,}", " ", text) if count else text
    return "".join(SIGNS.get(character, character) for character in text)
