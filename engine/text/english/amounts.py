"""Amounts: numbers in their written forms, money, units, telephone numbers, fractions."""

import re
from re import Match

from voxgate.engine.text.english.dates import spoken_date
from voxgate.engine.text.english.numbers import cardinal, decimal, digits, ordinal, plural, year
from voxgate.engine.text.english.rules import Rule, may_start_sentence, rule, stop
from voxgate.engine.text.english.word_tables import (
    CODES,
    CURRENCIES,
    DENOMINATORS,
    DOLLARS,
    DOTTED_UNITS,
    MAGNITUDES,
    MONTHS,
    PERIODS,
    SPOKEN_DENOMINATORS,
    UNCHANGED_PLURALS,
    UNITS,
)

NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
YEARS = range(1100, 2100)
MAGNITUDE = r"(?:\s?(?P<magnitude>(?i:thousand|million|billion|trillion|bn|mn|tn|k|m|b|t))\b)?"
SIGN = "[" + "".join(CURRENCIES) + "]"
CODE = "|".join(CODES)


def _either(names: object) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))  # type: ignore[call-overload]


LONG_UNIT = _either(unit for unit in UNITS if len(unit) > 1 or not unit.isascii())
PART_UNIT = _either({unit for unit in (*DOTTED_UNITS, *UNITS) if len(unit) > 1} - {"in"})
"""Units of which there are halves and quarters; a bare "in" is a word."""
TOUCHING_UNITS = frozenset("mghLWV")
"""Single letters that are a unit though they touch the number: "10m", but not "iPhone 5s"."""
PERIOD = rf"(?:\s?/\s?(?P<period>{_either(PERIODS)})\b)?"
PER = rf"(?:\s?/\s?(?P<per>{_either([*UNITS, *PERIODS])})(?P<per_power>\^?[23])?(?!\w))?"
POWER = r"(?P<power>\^?[23])?"
ONE = r"(?:(?P<one>\b[Aa]n? ))?"
IRREGULAR_PLURALS = {"foot": "feet", "real": "reais"}
NOUNS = frozenset(UNITS.values())
POWERS = {"2": "square", "3": "cubic"}


def verbalise_number(text: str, *, years: bool = False) -> str:
    """Return "1,234.5" or "42" in words; with `years`, four bare digits such as 1999 are a year."""
    whole, point, fraction = text.replace(",", "").partition(".")
    if point:
        return decimal(whole, fraction)
    if years and len(text) == 4 and int(text) in YEARS:
        return year(text)
    return cardinal(whole)


def counted(amount: str, noun: str) -> str:
    """Return a noun in the number that goes with an amount."""
    head, _, tail = noun.partition(" per ")
    if tail:
        return f"{counted(amount, head)} per {tail}"
    if amount == "1" or noun in UNCHANGED_PLURALS or noun.endswith("hertz"):
        return noun
    head, _, last = noun.rpartition(" ")
    return f"{head} {IRREGULAR_PLURALS.get(last) or plural(last)}".strip()


def _modifies(match: Match[str]) -> bool:
    """Return whether an amount after "a" describes the next word: "a 5 km (3 mi) run"."""
    after = match.string[match.end() : match.end() + 3]
    if match.groupdict().get("one"):
        return bool(re.match(r"[ -][a-z(]", after))
    before = re.search(r"\b[Aa]n? [^()]{1,60}?(?P<noun>[a-z]+) +\($", match.string[: match.start()])
    return bool(before and before["noun"] in NOUNS and re.match(r"\) [a-z]", after))


def _money(match: Match[str]) -> str:
    unit, part = CURRENCIES[match["sign"]]
    return _priced(match, unit, part)


def _dollars(match: Match[str]) -> str:
    unit = DOLLARS[match["country"]]
    return _priced(match, unit, "cent" if unit.endswith("dollar") else "centavo")


def _coded(match: Match[str]) -> str:
    return _priced(match, *CODES[match["code"]])


def _priced(match: Match[str], unit: str, part: str) -> str:
    amount, magnitude = match["amount"], match["magnitude"]
    whole, _, cents = amount.partition(".")
    before = match.groupdict().get("one") or ""
    period = match.groupdict().get("period")
    per = f" per {PERIODS[period]}" if period else ""
    plural_of = "1" if _modifies(match) else "2"
    if magnitude:
        name = MAGNITUDES.get(magnitude.lower(), magnitude.lower())
        return f"{before}{verbalise_number(amount)} {name} {counted(plural_of, unit)}{per}"
    if len(cents) != 2 or not part:
        number = plural_of if plural_of == "1" else amount
        return f"{before}{verbalise_number(amount)} {counted(number, unit)}{per}"
    words = (
        [] if whole == "0" and cents != "00" else [verbalise_number(whole), counted(whole, unit)]
    )
    if cents != "00":
        cents = str(int(cents))
        words += [cardinal(cents), counted(cents, part)]
    return before + " ".join(words) + per


def _price_range(match: Match[str]) -> str:
    unit = CURRENCIES[match["sign"]][0]
    name = MAGNITUDES.get((match["magnitude"] or "").lower(), (match["magnitude"] or "").lower())
    first, last = verbalise_number(match["first"]), verbalise_number(match["last"])
    return f"{first} to {last} {name} {counted('2', unit)}"


def _unit(match: Match[str]) -> str:
    noun = UNITS[match["unit"]]
    if power := match["power"]:
        noun = f"{POWERS[power[-1]]} {noun}"
    one = "1" if _modifies(match) else match["amount"]
    words = f"{match['one'] or ''}{verbalise_number(match['amount'])} {counted(one, noun)}"
    per, per_power = match["per"], match["per_power"]
    if not per:
        return words
    below = PERIODS.get(per) or UNITS[per]
    if per_power and below in ("second", "hour", "minute"):
        return f"{words} per {below} squared"
    return f"{words} per {POWERS[per_power[-1]] + ' ' if per_power else ''}{below}"


def _short_unit(match: Match[str]) -> str | None:
    return _unit(match) if match["gap"] or match["unit"] in TOUCHING_UNITS else None


def _dotted_unit(match: Match[str]) -> str:
    noun = DOTTED_UNITS[match["unit"]]
    return (
        f"{verbalise_number(match['amount'])} {counted(match['amount'], noun)}"
        f"{stop(match, may_start_sentence(match))}"
    )


def _compound_unit(match: Match[str]) -> str:
    return f"{verbalise_number(match['amount'])} {UNITS[match['unit']]}"


def _temperature(match: Match[str]) -> str:
    scale = {"C": " celsius", "F": " fahrenheit", "K": " kelvin"}.get(match["scale"] or "", "")
    noun = "degree" if match["amount"] == "1" else "degrees"
    return f"{verbalise_number(match['amount'])} {noun}{scale}"


def _height(match: Match[str]) -> str:
    feet, inches = match["feet"], match["inches"]
    words = f"{cardinal(feet)} {counted(feet, 'foot')}"
    return f"{words} {verbalise_number(inches)} {counted(inches, 'inch')}" if inches else words


def _inches(match: Match[str]) -> str | None:
    """Return "3 inches"; None where the mark closes a quotation."""
    if match.string[: match.start()].count('"') % 2:
        return None
    noun = "inch" if _modifies(match) else counted(match["amount"], "inch")
    return f"{match['one'] or ''}{verbalise_number(match['amount'])} {noun}"


def _position(match: Match[str]) -> str:
    words = [f"{verbalise_number(match['degrees'])} degrees"]
    for name in ("minutes", "seconds"):
        if match[name]:
            words.append(f"{verbalise_number(match[name])} {name}")
    return f"{' '.join(words)} {match['side']}"


def _telephone(match: Match[str]) -> str:
    plus = "plus " if match.group().startswith("+") else ""
    return plus + ", ".join(digits(group) for group in re.findall(r"\d+", match.group()))


def _fraction(match: Match[str]) -> str:
    top, bottom = int(match["top"]), int(match["bottom"])
    if (top, bottom) in (
        (24, 7),
        (9, 11),
        (50, 50),
        (20, 20),
        (7, 11),
        (60, 40),
        (80, 20),
        (70, 30),
    ):
        return f"{cardinal(str(top))} {cardinal(str(bottom))}"
    if top == bottom and bottom in (5, 10, 20, 100):
        return f"{cardinal(str(top))} out of {cardinal(str(bottom))}"
    if not 0 < top < bottom or bottom not in SPOKEN_DENOMINATORS:
        date = spoken_date(MONTHS[top - 1], match["bottom"], None) if 1 <= top <= 12 else None
        return date or f"{cardinal(str(top))} slash {cardinal(str(bottom))}"
    name = DENOMINATORS.get(bottom) or ordinal(str(bottom))
    if top > 1:
        name = "halves" if name == "half" else plural(name)
    count = "a" if bottom == 2 else cardinal(str(top))
    return ("and " if match["whole"] else "") + f"{count} {name}"


def _part_of_unit(match: Match[str]) -> str | None:
    """Return "half a gallon", "three quarters of an inch"; None for what is no fraction of one."""
    top, bottom = int(match["top"]), int(match["bottom"])
    name = DENOMINATORS.get(bottom)
    if not 0 < top < bottom or name is None:
        return None
    noun = {**UNITS, **DOTTED_UNITS}[match["unit"]]
    article = "an" if noun[0] in "aeiou" or noun.startswith("hour") else "a"
    if name == "half":
        words = f"half {article} {noun}"
    else:
        words = f"{cardinal(str(top))} {plural(name) if top > 1 else name} of {article} {noun}"
    dotted = match.group().endswith(".")
    return words + (stop(match, may_start_sentence(match)) if dotted else "")


def _mixed_fraction(match: Match[str]) -> str:
    whole = cardinal(match["whole"]) + " " if match["whole"] else ""
    return whole + _fraction(match)


def _rated(match: Match[str]) -> str:
    top, bottom = verbalise_number(match["top"].strip()), cardinal(match["bottom"])
    return f"{match['before']} {top} out of {bottom}"


def _english(match: Match[str]) -> str:
    """Return a number of another country's form in the English one."""
    whole, point, fraction = match.group().rpartition(",")
    if not point:
        whole, fraction = match.group(), ""
    return re.sub(r"\D", "", whole) + ("." + fraction if fraction else "")


def _ungrouped(match: Match[str]) -> str:
    return match.group().replace(",", "")


def english_numbers(text: str) -> str:
    """Rewrite "1.234,56", "1 234 567", "1'234.50" and "3,5 km" as English writes them."""
    text = re.sub(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+,\d{1,2}(?![\d.,]*\d)", _english, text)
    text = re.sub(r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![\d.,]*\d)", _english, text)
    text = re.sub(r"(?<=\u20ac)\d{1,3}(?:\.\d{3})+(?![\d.,]*\d)", _english, text)
    text = re.sub(r"(?<![\d.,])\d{1,2}(?:,\d\d)+,\d{3}(?![\d,])", _ungrouped, text)
    text = re.sub(
        rf"(?<![\d.,] )(?<![\d.,+-])\d{{1,3}} (?:000\b(?! ?\d)|\d{{3}}(?=\s?(?:{LONG_UNIT})\b))",
        _english,
        text,
    )
    text = re.sub(r"(?<![\d.,'])\d{1,3}(?:'\d{3})+(?=\.\d|\b)", _english, text)
    text = re.sub(
        r"(?<![\d.,] )(?<![\d.,+-])\d{1,3}(?: \d{3}){2,}(?![ -]?\d|[.,]\d{3})", _english, text
    )
    text = re.sub(
        rf"(?<![\d.,])(\d+),(\d{{1,2}})(?=\s?(?:{SIGN}|[%\u00b0]|(?:{LONG_UNIT})\b))",
        r"\1.\2",
        text,
    )
    text = re.sub(rf"(?<={SIGN})(\d+),(\d{{1,2}})(?![\d.,]*\d)", r"\1.\2", text)
    return re.sub(rf"(?<={SIGN})(?=\.\d)", "0", re.sub(r"(?<=\d),-(?!\w)", "", text))


TELEPHONES: tuple[Rule, ...] = (
    rule(r"(?:\+\d{1,3}[ .-]?|\b1[ .-])?(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}\b", _telephone),
    rule(r"\+\d[\d ()-]{6,20}\d\b", _telephone),
    rule(r"\b1-8\d\d-(?=[A-Z])", lambda match: _telephone(match) + ", "),
    rule(r"\b\d+(?:-\d+){2,}\b|\b\d{3}-\d{4}\b", _telephone),
    rule(r"\b0\d{1,4}(?: \d{3,4}){1,3}\b(?! ?\d)|\b\d{4}(?: \d{3}){2}\b(?! ?\d)", _telephone),
    rule(r"\b(?:\d{4} ){3}\d{4}\b|\b(?:\d\d ){3,}\d\d\b|\b\d{3} \d{3} \d{4}\b", _telephone),
    rule(r"\b(?P<before>(?i:call|dial|ring|text)) (?P<number>911|999|112|411|311|211|101|111"
         r"|000|988)\b",
         lambda match: f"{match['before']} {digits(match['number'])}"),
)  # fmt: skip
PRICE_RANGES: tuple[Rule, ...] = (
    rule(rf"(?P<sign>{SIGN})(?P<first>{NUMBER})\s?-\s?(?P<last>{NUMBER})(?![\d%]){MAGNITUDE}",
         _price_range),
    rule(rf"(?<=[\dkKmMbB])\s?-\s?(?={SIGN}\d)", "to"),
)  # fmt: skip
MONEY: tuple[Rule, ...] = (
    rule(rf"(?P<country>{_either(DOLLARS)})\s?(?P<amount>{NUMBER}){MAGNITUDE}{PERIOD}", _dollars),
    rule(rf"{ONE}(?P<sign>{SIGN})\s?(?P<amount>{NUMBER}){MAGNITUDE}{PERIOD}", _money),
    rule(rf"\b(?P<amount>{NUMBER})\s?(?P<sign>{SIGN})(?!\s?\d)(?P<magnitude>(?!))?{PERIOD}",
         _money),
    rule(rf"\b(?P<code>{CODE})\.?\s?(?P<amount>{NUMBER}){MAGNITUDE}(?!\w)", _coded),
    rule(rf"\b(?P<amount>{NUMBER})\s?(?P<magnitude>(?:thousand|million|billion|[kKmM]"
         rf"|bn)\s)?\s?(?P<code>{CODE})\b",
         _coded),
    rule(rf"\b(?P<amount>{NUMBER})\s?\u00a2", lambda m: f"{verbalise_number(m['amount'])} "
         f"{counted(m['amount'], 'cent')}"),
    rule(r"(?<![\w.])(?P<amount>\d{1,2})p\b(?!\.)", lambda m: f"{cardinal(m['amount'])} pence"),
)  # fmt: skip
MEASURES: tuple[Rule, ...] = (
    rule(r"\b(?P<feet>\d{1,2})'\s?(?P<inches>\d{1,2}(?:\.\d+)?)(?:\"|'')", _height),
    rule(r"\b(?P<feet>\d{1,2}) ?ft\.? (?P<inches>\d{1,2}(?:\.\d+)?) ?in\b\.?", _height),
    rule(r"\b(?P<feet>[3-8])'(?P<inches>\d{1,2})\b(?!\w)", _height),
    rule(r"\b(?P<degrees>\d{1,3}(?:\.\d+)?)\u00b0\s?(?:(?P<minutes>\d{1,2}(?:\.\d+)?)'\s?)?"
         r"(?:(?P<seconds>\d{1,2}(?:\.\d+)?)\"\s?)?(?P<side>[NESW])\b", _position),
    rule(r"(?<=\d/\d)\"|(?<=\d/\d\d)\"", "inch"),
    rule(rf"(?<![\w/.])(?<!\d )(?P<top>\d)/(?P<bottom>\d{{1,2}}) ?"
         rf"(?P<unit>{PART_UNIT}|in(?=\.))\b(?!/)\.?",
         _part_of_unit),
    rule(rf"{ONE}\b(?P<amount>\d{{1,3}}(?:\.\d+)?)\"(?=[\s,.)-]|$)(?!\s*$)", _inches),
    rule(rf"\b(?P<amount>{NUMBER})\s?\u00b0\s?(?P<scale>[CFK]\b)?", _temperature),
    rule(rf"\b(?P<amount>{NUMBER})-(?P<unit>{LONG_UNIT})(?=[ -][a-z])", _compound_unit),
    rule(rf"\b(?P<amount>{NUMBER})\s?(?P<unit>{_either(DOTTED_UNITS)})\.(?!\w)", _dotted_unit),
    rule(rf"{ONE}\b(?P<amount>{NUMBER})(?P<gap>\s?)(?P<unit>m|s|h|g|l|L|W|V){POWER}{PER}(?![\w'])",
         _short_unit),
    rule(rf"\bper (?P<unit>{LONG_UNIT})(?!\w)", lambda match: f"per {UNITS[match['unit']]}"),
    rule(rf"{ONE}\b(?P<amount>{NUMBER})\s?(?P<unit>{LONG_UNIT}){POWER}{PER}(?!\w)", _unit),
)  # fmt: skip

NUMBERS: tuple[Rule, ...] = (
    rule(r"\b(?P<before>(?i:(?:score|rating|mark|grade)(?: was| is| of|:)|rated|rating of"
         r"|rating|score of|scored|scores|gave it|give it|got))"
         r"(?P<top> \d{1,3}(?:\.\d)?)/(?P<bottom>5|10|20|100)\b(?!/)",
         lambda match: _rated(match)),
    rule(r"(?P<before>)\b(?P<top>\d(?:\.\d)?)/(?P<bottom>5|10)(?= stars?\b)", _rated),
    rule(r"(?<![\w/])(?:(?P<whole>\d{1,4}) "
        r"+)?(?P<top>\d{1,3})/(?P<bottom>\d{1,3})(?![\w/])", _mixed_fraction),
    rule(r"\b(?P<number>\d{1,15})(?:st|nd|rd|th|ST|ND|RD|TH)\b",
        lambda match: ordinal(match["number"])),
)  # fmt: skip
