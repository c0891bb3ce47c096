"""
Rewrites what is not a word (numbers, dates, money, addresses, abbreviations) as words, one rule
after another.

A rule is a pattern and a function that says its match. The order matters: the most specific pattern
comes first, and the plain number last. Letters to be spelled come out as single capitals ("U S A").
Works on folded text (`characters.fold`).
"""

import re
from collections.abc import Callable
from functools import partial
from re import Match

from voxgate.engine.text.english.numbers import cardinal, decimal, digits, ordinal, plural, year
from voxgate.engine.text.english.word_tables import (
    ADDRESS_SIGNS,
    CURRENCIES,
    DENOMINATORS,
    MAGNITUDES,
    MONTH_OF,
    MONTH_PATTERN,
    MONTHS,
    SIGNS,
    SPOKEN_DENOMINATORS,
    TAILS,
    TITLES,
    TOP_LEVEL,
    UNCHANGED_PLURALS,
    UNITS,
    WEEKDAYS,
)

NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
YEARS = range(1100, 2100)
MAGNITUDE = r"(?:\s?(?P<magnitude>(?i:thousand|million|billion|trillion|bn|mn|k|m|b))\b)?"
LONG_UNIT = "|".join(sorted((unit for unit in UNITS if len(unit) > 1), key=len, reverse=True))
ORDINAL_DAY = r"(?P<day>\d\d?)(?:st|nd|rd|th)?"
OPTIONAL_YEAR = r"(?:,? (?P<year>\d{4})\b)?"


def verbalise_number(text: str, *, years: bool = False) -> str:
    """Return "1,234.5" or "42" in words; with `years`, four bare digits such as 1999 are a year."""
    whole, point, fraction = text.replace(",", "").partition(".")
    if point:
        return decimal(whole, fraction)
    if years and len(text) == 4 and int(text) in YEARS:
        return year(text)
    return cardinal(whole)


def _counted(amount: str, noun: str) -> str:
    if amount == "1" or noun in UNCHANGED_PLURALS or noun.endswith("hertz"):
        return noun
    return "feet" if noun == "foot" else plural(noun)


def _address(match: Match[str]) -> str:
    text = re.sub(r"^https?://", "", match.group(), flags=re.IGNORECASE)
    text = re.sub(r"^www\.", " W W W dot ", text, flags=re.IGNORECASE)
    text = "".join(ADDRESS_SIGNS.get(character, character) for character in text.rstrip("/"))
    return re.sub(
        r"\b(?:uk|io|tv|eu|fr|de|ai)\b", lambda part: " ".join(part.group().upper()), text
    )


def _clock(match: Match[str]) -> str:
    hour, minute, half = int(match["hour"]), match["minute"] or "00", match["half"]
    if hour > 24 or int(minute) > 59:
        return match.group() if half is None else f"{hour} {minute} {half.upper()} M"
    words = [cardinal(str(hour))]
    if minute != "00":
        words.append(f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute))
    elif half is None:
        words.append("o'clock" if 1 <= hour <= 12 else "hundred")
    if half is not None:
        words.append(f"{half.upper()} M")
    end = match.string[match.end() :].lstrip()
    return " ".join(words) + (
        ". " if match.group().endswith(".") and (not end or end[0].isupper()) else ""
    )


def _date(month: str, day: str, years: str | None, *, day_first: bool = False) -> str | None:
    if not 1 <= int(day) <= 31:
        return None
    words = (
        f"{ordinal(str(int(day)))} of {month}" if day_first else f"{month} {ordinal(str(int(day)))}"
    )
    if not years:
        return words
    return f"{words} {year(years) if len(years) == 4 else cardinal(years)}"


def _numeric_date(match: Match[str]) -> str:
    month, day = int(match["month"]), int(match["day"])
    if month > 12 >= day and "/" in match.group():
        month, day = day, month
    spoken = _date(MONTHS[month - 1], str(day), match["year"]) if 1 <= month <= 12 else None
    return spoken or match.group().replace("/", " slash ").replace("-", " ")


def _named_date(match: Match[str], *, day_first: bool) -> str:
    month = MONTH_OF[match["month"][:3].lower()]
    return _date(month, match["day"], match["year"], day_first=day_first) or match.group()


def _money(match: Match[str]) -> str:
    unit, part = CURRENCIES[match["sign"]]
    amount, magnitude = match["amount"], match["magnitude"]
    whole, _, cents = amount.partition(".")
    if magnitude:
        name = MAGNITUDES.get(magnitude.lower(), magnitude.lower())
        return f"{verbalise_number(amount)} {name} {_counted('2', unit)}"
    if len(cents) != 2:
        return f"{verbalise_number(amount)} {_counted(amount, unit)}"
    words = (
        [] if whole == "0" and cents != "00" else [verbalise_number(whole), _counted(whole, unit)]
    )
    if cents != "00":
        cents = str(int(cents))
        words += [cardinal(cents), _counted(cents, part)]
    return " ".join(words)


def _unit(match: Match[str]) -> str:
    words = f"{verbalise_number(match['amount'])} {_counted(match['amount'], UNITS[match['unit']])}"
    return words + {None: "", "h": " per hour", "s": " per second"}[match["per"]]


def _temperature(match: Match[str]) -> str:
    scale = {"C": " celsius", "F": " fahrenheit"}.get(match["scale"] or "", "")
    noun = "degree" if match["amount"] == "1" else "degrees"
    return f"{verbalise_number(match['amount'])} {noun}{scale}"


def _telephone(match: Match[str]) -> str:
    plus = "plus " if match.group().startswith("+") else ""
    return plus + ", ".join(digits(group) for group in re.findall(r"\d+", match.group()))


def _fraction(match: Match[str]) -> str:
    top, bottom = int(match["top"]), int(match["bottom"])
    if (top, bottom) == (24, 7):
        return "twenty four seven"
    if not 0 < top < bottom or bottom not in SPOKEN_DENOMINATORS:
        date = (
            _date(MONTHS[top - 1], match["bottom"], None) if 1 <= top <= 12 and bottom > 0 else None
        )
        return date or f"{cardinal(str(top))} slash {cardinal(str(bottom))}"
    name = DENOMINATORS.get(bottom) or ordinal(str(bottom))
    if top > 1:
        name = "halves" if name == "half" else plural(name)
    count = "a" if bottom == 2 else cardinal(str(top))
    return ("and " if match["whole"] else "") + f"{count} {name}"


def _mixed_fraction(match: Match[str]) -> str:
    whole = cardinal(match["whole"]) + " " if match["whole"] else ""
    return whole + _fraction(match)


def _title(match: Match[str]) -> str:
    return TITLES[match["name"].lower()]


def _tail(match: Match[str]) -> str:
    after = match.string[match.end() :].lstrip()
    ends = match.group().endswith(".") and (not after or after[0].isupper())
    return TAILS[match["name"].lower()] + (". " if ends else "")


def _saint_or_street(match: Match[str]) -> str:
    name, after = match["name"].lower(), match.string[match.end() :].lstrip()
    before = match.string[: match.start()].rstrip()
    named = (
        bool(re.search(r"(?:\b[A-Z][a-z]+|\d(?:st|nd|rd|th))$", before)) and not after[:1].isupper()
    )
    pair = {"st": ("saint", "street"), "dr": ("doctor", "drive")}[name]
    return pair[named] + (". " if named and not after else "")


def _initials(match: Match[str]) -> str:
    after = match.string[match.end() :].lstrip()
    return " ".join(re.findall(r"[A-Za-z]", match.group())).upper() + ("" if after else ". ")


def _initial(match: Match[str]) -> str:
    before = match.string[: match.start()].split()
    named = not before or before[-1][0].isupper()
    return match["letter"] if named else match.group()


def _spaced(replacement: Callable[[Match[str]], str]) -> Callable[[Match[str]], str]:
    return lambda match: f" {replacement(match)} "


def _rule(
    pattern: str, replacement: Callable[[Match[str]], str] | str
) -> tuple[re.Pattern[str], Callable[[Match[str]], str]]:
    if isinstance(replacement, str):
        words = replacement
        return re.compile(pattern), lambda match: f" {words} "
    return re.compile(pattern), _spaced(replacement)


RULES = (
    _rule(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", _address),
    _rule(r"(?i)\b(?:https?://|www\.)[^\s<>\"]{0,500}[\w/]", _address),
    _rule(rf"(?i)(?<![\w.])(?:[a-z0-9-]{{1,63}}\.){{1,6}}(?:{TOP_LEVEL})\b(?:/[^\s<>\"]{{0,500}}[\w/])?(?!\.\w)", _address),  # noqa: E501
    _rule(r"\b(?i:e\.g\.|eg\.),?", "for example"),
    _rule(r"\b(?i:i\.e\.),?", "that is"),
    _rule(r"\b(?i:a\.?k\.?a)\b\.?", "also known as"),
    _rule(r"\bw/o\b", "without"),
    _rule(r"\bw/(?=\s)", "with"),
    _rule(r"\bNos?\.\s?(?=\d)", "number"),
    _rule(r"#(?=\d)", "number"),
    _rule(r"\b[Ff]igs?\.\s?(?=\d)", "figure"),
    _rule(r"\b[Vv]ol\.\s?(?=\d)", "volume"),
    _rule(r"\bpp?\.\s?(?=\d)", "page"),
    _rule(r"\b(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::\d\d)?\s?(?P<half>[aApP])\.?[mM]\b\.?", _clock),
    _rule(r"\b(?P<hour>\d{1,2})(?P<minute>)\s?(?P<half>[aApP])\.?[mM]\b\.?", _clock),
    _rule(r"(?<![\d:])(?P<hour>\d{1,2}):(?P<minute>\d\d)(?P<half>(?!))?(?![\d:])", _clock),
    _rule(r"\b(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)\b", _numeric_date),
    _rule(r"\b(?P<month>\d\d?)/(?P<day>\d\d?)/(?P<year>\d{4}|\d\d)\b", _numeric_date),
    _rule(rf"\b{ORDINAL_DAY}(?: of)? (?P<month>{MONTH_PATTERN})\b\.?{OPTIONAL_YEAR}",
        partial(_named_date, day_first=True)),
    _rule(rf"\b(?P<month>{MONTH_PATTERN})\.? {ORDINAL_DAY}\b(?![:%]){OPTIONAL_YEAR}",
        partial(_named_date, day_first=False)),
    _rule(rf"\b(?!May|July|March)(?P<month>{MONTH_PATTERN})\.(?=\s)",
        lambda match: MONTH_OF[match["month"][:3].lower()]),
    _rule(rf"\b(?P<day>{'|'.join(WEEKDAYS)})\.(?=[\s,])", lambda match: WEEKDAYS[match["day"]]),
    _rule(r"(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}\b", _telephone),
    _rule(r"\+\d[\d ()-]{6,20}\d\b", _telephone),
    _rule(r"\b\d{3}-\d{4}\b|\b\d+(?:-\d+){2,}\b", _telephone),
    _rule(rf"(?<![$£€¥\d.,-])\b(?P<first>{NUMBER})\s?-\s?(?=\d)",
        lambda match: f"{verbalise_number(match['first'], years=True)} to"),
    _rule(r"(?<![\w.)])-(?=[$£€¥]?\.?\d)", "minus"),
    _rule(rf"(?P<sign>[$£€¥])\s?(?P<amount>{NUMBER}){MAGNITUDE}", _money),
    _rule(rf"\b(?P<amount>{NUMBER})\s?(?P<sign>[£€¥])(?P<magnitude>(?!))?", _money),
    _rule(rf"\b(?P<amount>{NUMBER})\s?¢", lambda m: f"{verbalise_number(m['amount'])} "
        f"{_counted(m['amount'], 'cent')}"),
    _rule(rf"\b(?P<amount>{NUMBER})\s?°\s?(?P<scale>[CF]\b)?", _temperature),
    _rule(rf"\b(?P<amount>{NUMBER})\s?mph\b",
        lambda match: f"{verbalise_number(match['amount'])} miles per hour"),
    _rule(rf"\b(?P<amount>{NUMBER}) (?P<unit>m|s|h|g|l|L|W|V)(?:/(?P<per>[hs]))?(?![\w'])", _unit),
    _rule(rf"\b(?P<amount>{NUMBER})\s?(?P<unit>{LONG_UNIT})(?:/(?P<per>[hs]))?\b", _unit),
    _rule(r"(?<![\w/])(?:(?P<whole>\d{1,4}) "
        r"+)?(?P<top>\d{1,3})/(?P<bottom>\d{1,3})(?![\w/])", _mixed_fraction),
    _rule(r"\b(?P<number>\d{1,15})(?:st|nd|rd|th|ST|ND|RD|TH)\b",
        lambda match: ordinal(match["number"])),
    _rule(r"\b(?P<number>\d{4})'?s\b",
        lambda match: plural(verbalise_number(match["number"], years=True))),
    _rule(r"(?<!\w)'?(?P<number>\d0)'?s\b", lambda match: plural(cardinal(match["number"]))),
    _rule(r"\b\d+(?:\.\d+){2,}",
        lambda match: " point ".join(map(cardinal, match.group().split(".")))),
    _rule(r"(?<=\d)\s?:\s?(?=\d)", "to"),
    _rule(r"(?<=\d)\s?\*\s?(?=\d)", "times"),
    _rule(r"~\s?(?=\d)", "about"),
    _rule(r"(?<!\w)\.(?P<digits>\d+)", lambda match: f"point {digits(match['digits'])}"),
    _rule(NUMBER, lambda match: verbalise_number(match.group(), years=True)),
    _rule(r"(?<=[a-z])\.(?=[a-z])", "dot"),
    _rule(r"(?:(?<=^)|(?<=[a-z. ] ))(?P<letter>[A-HJ-Z])\.(?=\s+[A-Z])", _initial),
    _rule(r"\b(?:[A-Za-z]\.){2,}(?:[A-Za-z]\b)?", _initials),
    _rule(r"\b(?P<name>St|Dr|st|dr)(?:\.|(?= [A-Z]))", _saint_or_street),
    _rule(rf"\b(?P<name>(?i:{'|'.join(TITLES)}))\.(?=\s+[A-Z])", _title),
    _rule(r"\b(?P<name>Mr|Mrs|Ms)\b", _title),
    _rule(rf"\b(?P<name>(?i:{'|'.join(TAILS)}))\.", _tail),
    _rule(r"\b(?P<name>vs|etc)\b", _tail),
)  # fmt: skip


def rewrite(text: str) -> str:
    """Rewrite folded text into words, capitals to spell, and punctuation; never fails."""
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return "".join(SIGNS.get(character, character) for character in text)
