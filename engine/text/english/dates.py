"""Times of day, dates, and ranges of them."""

from functools import partial
from re import Match

from voxgate.engine.text.english.numbers import cardinal, ordinal, plural, year
from voxgate.engine.text.english.rules import Rule, may_start_sentence, rule, starts_sentence, stop
from voxgate.engine.text.english.word_tables import MONTH_OF, MONTH_PATTERN, MONTHS

ORDINAL_DAY = r"(?P<day>\d\d?)(?:st|nd|rd|th)?"
OPTIONAL_YEAR = r"(?:,? (?P<year>\d{4})\b)?"
HALF = r"(?P<half>[aApP])\.?\s?[mM]\b\.?"
NO_HALF = r"(?P<half>(?!))?"
TIME_WORDS = "(?i:at|by|until|till|before|after|from|since|around|about)"
TIME_END = (
    r"(?=\s*(?:$|[;!?)]|[.,](?:\s|$)|\n)"
    r"|\s+(?:on|in|tomorrow|today|tonight|sharp|and|this|every|each|for|with|until|till|to)\b)"
)


def _clock(match: Match[str]) -> str:
    hour, minute, half = int(match["hour"]), match["minute"] or "00", match["half"]
    if hour > 24 or int(minute) > 59:
        return match.group() if half is None else f"{hour} {minute} {half.upper()} M"
    words = [cardinal(str(hour))]
    seconds = match.groupdict().get("seconds")
    if minute != "00" or seconds:
        words.append(f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute))
    elif half is None:
        words.append("o'clock" if 1 <= hour <= 12 else "hundred")
    if seconds:
        words.append(f"and {cardinal(str(int(seconds)))} seconds")
    if half is not None:
        words.append(f"{half.upper()} M")
    return " ".join(words) + stop(match, half is not None and may_start_sentence(match))


def spoken_date(month: str, day: str, years: str | None, *, day_first: bool = False) -> str | None:
    """Return a date in words, or None for a day that no month has."""
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
    spoken = spoken_date(MONTHS[month - 1], str(day), match["year"]) if 1 <= month <= 12 else None
    return spoken or match.group().replace("/", " slash ").replace("-", " ")


def _dotted_date(match: Match[str]) -> str | None:
    month = int(match["month"])
    return spoken_date(MONTHS[month - 1], match["day"], match["year"]) if 1 <= month <= 12 else None


def _named_date(match: Match[str], *, day_first: bool) -> str:
    month = MONTH_OF[match["month"][:3].lower()]
    words = spoken_date(month, match["day"], match["year"], day_first=day_first) or match.group()
    last = match.groupdict().get("last")
    if last:
        words += f" to {ordinal(last)}"
    return words


def _month(match: Match[str]) -> str:
    return MONTH_OF[match["month"][:3].lower()] + stop(match, starts_sentence(match))


def _months(match: Match[str]) -> str:
    return " to ".join(MONTH_OF[match[name][:3].lower()] for name in ("first", "last"))


def _decade(match: Match[str]) -> str:
    return plural(year(match["number"]) if int(match["number"]) >= 1100 else "one thousand")


def _years(match: Match[str]) -> str:
    return f"{match['before']} {year(match['year'])}"


CLOCK_END = r"(?=\d{1,2}(?::\d\d|\s?[aApP]\.?[mM]\b))"
RULES: tuple[Rule, ...] = (
    rule(rf"(?<=\d\d)\s?-\s?(?=\d{{1,2}}:\d\d)|(?i:(?<=\d[ap]m)|(?<=\d [ap]m)|(?<=[ap]\.m\.)"
         rf"|(?<=noon))\s?-\s?{CLOCK_END}"
         rf"|(?<=\b\d)\s?-\s?(?=\d{{1,2}}\s?[aApP]\.?[mM]\b)", "to"),
    rule(r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)T(?=\d\d:)",
         lambda match: f"{_numeric_date(match)}, "),
    rule(rf"\b(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::(?P<seconds>\d\d)(?:\.\d+)?)?\s?{HALF}",
         _clock),
    rule(rf"(?<![\d.,$])(?P<hour>\d{{1,2}})\.(?P<minute>[0-5]\d)\s?{HALF}", _clock),
    rule(rf"(?<![\d.,$])(?P<hour>\d{{1,2}})(?P<minute>)\s?{HALF}", _clock),
    rule(rf"(?<=\bat )(?<![\d.,$])(?P<hour>1?\d|2[0-3])\.(?P<minute>[0-5]\d){NO_HALF}{TIME_END}",
         _clock),
    rule(rf"(?<![\d:])(?P<hour>\d{{1,2}}):(?P<minute>\d\d):(?P<seconds>[0-5]\d){NO_HALF}Z?"
         rf"(?![\d:])", _clock),
    rule(rf"(?<![\d:])(?P<hour>\d{{1,2}}):(?P<minute>\d\d){NO_HALF}Z?(?![\d:])", _clock),
    rule(r"\b(?P<hours>\d{1,3})\s?h\s?(?P<minutes>[0-5]?\d)\s?(?:min\b|m\b)?(?!\w)",
         lambda match: f"{match['hours']} hr {match['minutes']} min"),
    rule(r"\b(?P<year>\d{4})[-/](?P<month>\d\d?)[-/](?P<day>\d\d?)\b", _numeric_date),
    rule(r"\b(?P<month>\d\d?)/(?P<day>\d\d?)/(?P<year>\d{4}|\d\d)\b", _numeric_date),
    rule(r"(?<![\d.])(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>(?:19|20)\d\d)\b(?!\.\d)",
         _dotted_date),
    rule(rf"\b{ORDINAL_DAY}(?: of)? (?P<month>{MONTH_PATTERN})\b\.?{OPTIONAL_YEAR}",
         partial(_named_date, day_first=True)),
    rule(rf"\b(?P<month>{MONTH_PATTERN})\.? {ORDINAL_DAY}\b(?![:%])(?:\s?-\s?"
         rf"(?P<last>\d\d?)\b(?!\w))?{OPTIONAL_YEAR}",
         partial(_named_date, day_first=False)),
    rule(rf"\b(?P<first>{MONTH_PATTERN})\.?\s?-\s?(?P<last>{MONTH_PATTERN})\b", _months),
    rule(rf"\b(?!May|July|March)(?P<month>{MONTH_PATTERN})(?:\.(?=[\s,;)]|$)|(?= \d{{4}}\b))",
         _month),
    rule(r"\b(?P<before>(?i:in|since|from|by|until|till|before|after|year|circa|of)) +"
         r"(?P<year>10[1-9]\d)\b(?![.,]\d)", _years),
    rule(r"(?<=\ds)\s?-\s?(?='?\d0s)", "to"),
    rule(r"\b(?P<number>\d{3}0)'?s\b", _decade),
)  # fmt: skip
