"""Formulas, signs between numbers, ranges and what else is left of numbers."""

import re
from re import Match

from voxgate.engine.text.english.amounts import LONG_UNIT, NUMBER, SIGN, counted, verbalise_number
from voxgate.engine.text.english.numbers import cardinal, digits, plural
from voxgate.engine.text.english.rules import Rule, rule
from voxgate.engine.text.english.word_tables import MAGNITUDES, UNITS

OPERATOR = r"(?:[<>!=]=|[<>=*^+]|\u221a)"
POWERS = {"2": "squared", "3": "cubed"}
LABELLED = (
    r"(?i:room|apt|apartment|unit|flat|section|grade|gate|seat|suite|platform|building|hall|row)"
)
OPERAND = r"(?:(?<=[\w)])|(?<=[\w)] ))"


def _variable(match: Match[str]) -> str:
    return match.group().upper()


def _power(match: Match[str]) -> str:
    sign = "minus " if match["sign"] == "-" else ""
    exponent = match["exponent"]
    if not sign and exponent in POWERS:
        return POWERS[exponent]
    spoken = exponent.upper() if exponent.isalpha() else verbalise_number(exponent)
    return f"to the power of {sign}{spoken}{_measured(match)}"


def _measured(match: Match[str]) -> str:
    """Return the unit after a power of ten or the sides of a thing, for many."""
    unit = match.groupdict().get("unit")
    return f" {counted('2', UNITS[unit])}" if unit else ""


def _scientific(match: Match[str]) -> str:
    sign = "minus " if match["sign"] == "-" else ""
    exponent = cardinal(match["exponent"].lstrip("0") or "0")
    words = f"{verbalise_number(match['mantissa'])} times ten to the power of {sign}{exponent}"
    return words + _measured(match)


def _sides(match: Match[str]) -> str:
    sides = [side.strip() for side in re.split("[xX]", match["sides"])]
    in_pairs = all(len(side) == 4 and side[2] != "0" for side in sides)
    words = " by ".join(
        f"{cardinal(side[:2])} {cardinal(side[2:])}" if in_pairs else verbalise_number(side)
        for side in sides
    )
    return words + _measured(match)


def _decade(match: Match[str]) -> str:
    """Return "the 90s", "60s TV" and "'80s" as a decade, and "wait 10s" as seconds."""
    before = match.string[max(0, match.start() - 12) : match.start()]
    number = cardinal(match["number"])
    lasts = "'" not in match.group() and re.search(SECONDS_BEFORE, before)
    return f"{number} seconds" if lasts else plural(number)


def _magnitude(match: Match[str]) -> str | None:
    """Return "5k runs" and "100K" in words; "4K", "room 4B" and "5k" alone keep the letter."""
    amount, letter = match["amount"], match["letter"]
    before = match.string[max(0, match.start() - 12) : match.start()]
    if re.search(rf"{LABELLED} $", before):
        return None
    if letter == "K":
        counts = len(amount) >= 3
    else:
        noun = re.match(r" (?:[a-z]{2,}s|people|and|to)\b", match.string[match.end() :])
        counts = noun is not None or "." in amount
    return f"{verbalise_number(amount)} {MAGNITUDES[letter.lower()]}" if counts else None


MEASURED = rf"(?: (?P<unit>{LONG_UNIT}|[msgLWV])(?![\w/^']))?"
SECONDS_BEFORE = r"(?i:\b(?:wait|for|after|every|within|takes?|took|lasts?|than|timeout) +)$"
SIDE = r"\d{1,5}(?:\.\d+)?"
FORMULAS: tuple[Rule, ...] = (
    rule(r"(?<=\d)\*\*(?=\d)|(?<=\b[a-z])\*\*(?=\d)", "^"),
    rule(r"[<>]-{1,2}[<>]?|-{1,2}>|=>", ","),
    rule(rf"(?<![\w'/])(?<!\d )[a-z](?=\s?{OPERATOR}\s?[\w(\u221a-])", _variable),
    rule(r"(?:(?<=[<>=*^+\u221a])|(?<=[<>=*^+] ))[a-z](?![\w'])", _variable),
    rule(r"(?<!\w)(?P<function>[fghFGHP])\((?P<of>[a-zA-Z])\)",
         lambda match: f"{match['function'].upper()} of {match['of'].upper()}"),
    rule(r"(?<=\d)[xyz](?=\s*[-+=^<>])|(?<=[=+-] \d)[xyz]\b", _variable),
    rule(r"(?<![\w.])(?P<mantissa>\d+(?:\.\d+)?)[eE](?P<sign>[+-]?)(?P<exponent>\d{1,3})\b"
         + MEASURED, _scientific),
    rule(r"(?<=\d)\^(?P<sign>-?)(?P<exponent>\d+)\b" + MEASURED, _power),
    rule(r"(?<!\d)(?<!\d )(?<!/)\b[a-z]{2}(?=\^)", _variable),
    rule(r"\b(?P<grade>[A-F])-(?![\w-])", lambda match: f"{match['grade']} minus"),
    rule(r"(?<=\d)!(?=\s*[-+*/=<>^)])", "factorial"),
    rule(r"\+\s?/\s?-", "plus or minus"),
    rule(r"<=|=<", "less than or equal to"),
    rule(r">=", "greater than or equal to"),
    rule(r"!=|<>|=/=", "not equal to"),
    rule(r"={2,3}", "equals"),
    rule(r"<<", "much less than"),
    rule(r">>", "much greater than"),
    rule(r"(?<=\d)\s?/\s?(?=\d+(?:\.\d+)?\s?=)", "divided by"),
    rule(r"(?<=[\d)])\s?-\s?(?=[\d.\s()+*/-]{1,40}=)|(?<=\b[A-Z]) - (?=[A-Z]\b)", "minus"),
    rule(r"(?<=\b[b-hj-z]) - (?=[b-hj-z]\b|\d)|(?<=\d [A-Z])\s+- (?=\d)", "minus"),
    rule(rf"(?<!{SIGN})(?<![\d.,])\b(?P<amount>{NUMBER})\s?(?P<letter>bn|mn|tn)\b",
         lambda match: f"{verbalise_number(match['amount'])} {MAGNITUDES[match['letter']]}"),
    rule(rf"(?<!{SIGN})(?<![\d.,])\b(?P<amount>{NUMBER})(?P<letter>[kKMB])(?![\w'-])", _magnitude),
    rule(rf"(?<![\w.])(?P<sides>{SIDE}\s?[xX]\s?{SIDE}(?:\s?[xX]\s?{SIDE}){{0,4}})"
         rf"(?:\s?(?P<unit>{LONG_UNIT}|m))?(?!\.?\w)", _sides),
    rule(r"(?<![A-Za-z.\d])(?P<times>\d+(?:\.\d+)?)[xX](?![\w/-])",
         lambda match: f"{match['times']} times"),
    rule(r"(?<=[a-z]) x (?=\d)", "by"),
)  # fmt: skip
RANGES: tuple[Rule, ...] = (
    rule(r"(?<=\d)\s?~\s?(?=\d)", "to"),
    rule(r"(?<=\d)%\s?-\s?(?=\d)", "percent to"),
    rule(rf"(?<!{SIGN})(?<![\d.,-])\b(?P<first>{NUMBER})\s?-\s?(?=\d)",
         lambda match: f"{verbalise_number(match['first'], years=True)} to"),
    rule(r"\bA-Z\b", "A to Z"),
    rule(rf"(?<![\w.)^])-(?={SIGN}?\.?\d)", "minus"),
)  # fmt: skip
EXPONENTS: tuple[Rule, ...] = (
    rule(r"(?<=[A-Za-z]{3})\^(?=\d)", ""),
    rule(r"(?<=\b[a-z][a-z])\^2(?!\d)", "squared"),
    rule(r"(?<=[\w)])\s?\^\s?[({]?(?P<sign>-?)(?P<exponent>\d+(?:\.\d+)?|[a-zA-Z]\b)[)}]?", _power),
)  # fmt: skip
REST: tuple[Rule, ...] = (
    rule(r"\b(?P<number>\d{4})'?s\b",
        lambda match: plural(verbalise_number(match["number"], years=True))),
    rule(r"(?<!\w)'?(?P<number>\d0)'?s\b", _decade),
    rule(r"\b\d+(?:\.\d+){2,}",
        lambda match: " point ".join(map(cardinal, match.group().split(".")))),
    rule(r"(?<=\d)\s?:\s?(?=\d)", "to"),
    rule(r"(?<=[\w)])\s?\*\s?(?=[\d(])|(?<=\d)\s?\*\s?(?=[A-Za-z]\b)|(?<=\b[A-Z]) ?\* ?(?=[A-Z]\b)",
         "times"),
    rule(r"(?<=inches) +x +(?=[a-z\d])|(?<=feet) +x +(?=[a-z\d])", "by"),
    (re.compile(r"(?<=[a-z])\(s\)"), lambda match: "s"),
    rule(r"~\s?(?=\d)", "about"),
    rule(r"(?<!\w)\.(?P<digits>\d+)", lambda match: f"point {digits(match['digits'])}"),
    rule(NUMBER, lambda match: verbalise_number(match.group(), years=True)),
)  # fmt: skip
