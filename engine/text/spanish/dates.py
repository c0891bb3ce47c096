"""
Dates and times of day in Spanish words.

Days are cardinal; the first of a month is "primero" in America. The clock is read as people say it
up to twelve ("dos y media de la tarde"), and as a timetable has it above ("catorce treinta").
"""

from re import Match

from voxgate.engine.text.spanish.numbers import FEMININE, MASCULINE, cardinal
from voxgate.engine.text.spanish.word_tables import MONTHS, SHORT_MONTHS

CENTURY_TURN = 50  # "25" is 2025 and "75" is 1975
PARTS_OF_HOUR = {15: "cuarto", 30: "media"}
NOON, EVENING, DAY = 12, 8, 24


def ends_sentence(match: Match[str]) -> str:
    """Return the full stop that a match has swallowed, where it ends a sentence too."""
    after = match.string[match.end() :].lstrip()
    ends = not after or after[0].isupper() or after[0] in "¿¡"
    return ". " if match.group().endswith(".") and ends else ""


def day_of(day: int, month: str, region: str) -> str:
    """Return "tres de abril"."""
    words = "primero" if day == 1 and region != "es" else cardinal(str(day))
    return f"{words} de {month}"


def _year(text: str) -> str:
    if len(text) == 2:
        text = ("20" if int(text) < CENTURY_TURN else "19") + text
    return f" de {cardinal(text)}"


def numeric_date(match: Match[str], region: str) -> str:
    """Return 3/4/2025, day first; month first only where the day cannot be a month."""
    day, month = int(match["day"]), int(match["month"])
    if month > 12 >= day:
        day, month = month, day
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match.group().replace("/", " barra ").replace("-", " ").replace(".", " ")
    return day_of(day, MONTHS[month - 1], region) + _year(match["year"])


def short_date(match: Match[str], region: str) -> str:
    """Return "el 15/8" as a day of a month, where it is one."""
    day, month = int(match["day"]), int(match["month"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match.group()
    return f"{match['before']} {day_of(day, MONTHS[month - 1], region)}"


def named_date(match: Match[str], region: str) -> str:
    """Return "12 dic. 2025", or the first day of a month."""
    name = match["month"].lower()
    month = name if name in MONTHS else SHORT_MONTHS[name[:4] if name[:4] == "sept" else name[:3]]
    year = _year(match["year"]) if match["year"] else ""
    return day_of(int(match["day"]), month, region) + year + ends_sentence(match)


def clock(match: Match[str], region: str) -> str:
    """Return a time of day, with half ("p. m.") or unit ("h") where written."""
    hour, minute, half = int(match["hour"]), int(match["minute"] or 0), match["half"]
    if hour > DAY or minute > 59:
        return f"{cardinal(match['hour'])} a {cardinal(match['minute'] or '0')}"
    if half:
        return _spoken(hour, minute) + _part_of_day(hour, half.lower()) + ends_sentence(match)
    if match["hours"]:
        return f"{_timetable(hour, minute)} horas{ends_sentence(match)}"
    if 0 < hour <= NOON:
        return _spoken(hour, minute)
    return _timetable(hour, minute) + ("" if minute else " horas")


def _hour(hour: int) -> str:
    return cardinal(str(hour), FEMININE)


def _spoken(hour: int, minute: int) -> str:
    if not minute:
        return _hour(hour)
    return f"{_hour(hour)} y {PARTS_OF_HOUR.get(minute) or cardinal(str(minute))}"


def _timetable(hour: int, minute: int) -> str:
    if not minute:
        return _hour(hour)
    return f"{_hour(hour)} {'cero ' if minute < 10 else ''}{cardinal(str(minute))}"


def _part_of_day(hour: int, half: str) -> str:
    if half == "a":
        return " de la noche" if hour == NOON else " de la mañana"
    return " de la noche" if EVENING <= hour < NOON else " de la tarde"


def duration(match: Match[str], region: str) -> str:
    """Return 1:23:45 as hours, minutes and seconds."""
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    words = [
        f"{cardinal(str(hour), FEMININE)} {'hora' if hour == 1 else 'horas'}",
        f"{cardinal(str(minute), MASCULINE)} {'minuto' if minute == 1 else 'minutos'}",
        f"y {cardinal(str(second), MASCULINE)} {'segundo' if second == 1 else 'segundos'}",
    ]
    return " ".join(words)
