"""
Numbers in a text, as words: written with a comma or a point, counted nouns, money, units,
fractions.

Each function reads a match of a rule of `verbalise`. A region decides which of comma and point
separates thousands, and whose currency the sign $ is.
"""

import re
from dataclasses import dataclass
from re import Match

from voxgate.engine.text.spanish.nouns import counted_noun, is_feminine
from voxgate.engine.text.spanish.numbers import (
    ALONE,
    FEMININE,
    MASCULINE,
    Form,
    cardinal,
    decimals,
    digits,
    ends_in_millions,
    ordinal,
)
from voxgate.engine.text.spanish.word_tables import (
    CURRENCIES,
    DENOMINATORS,
    PER,
    POWERS,
    UNITS,
)

NUMBER = r"(?:\d{1,3}(?:[.,]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)?)"
HEAT = re.compile(r"(?i)\b(?:máxim|mínim|temperatur|termómetr|calor|frío)\w*\b[^.;]*$")
POINT_FOR_DECIMALS = frozenset({"mexico"})
# after them "1" is a name and no count
NAMED_BY_NUMBER = frozenset("el del al número páginas página capítulo día tabla canal la".split())


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: its digits, the word of its decimal sign, the digits after it."""

    whole: str
    sign: str = ""
    fraction: str = ""

    def words(self, form: Form = ALONE) -> str:
        """Return the number in words."""
        if not self.fraction:
            return cardinal(self.whole, form)
        return f"{cardinal(self.whole)} {self.sign} {decimals(self.fraction)}"

    @property
    def is_one(self) -> bool:
        """Whether its noun is singular."""
        return self.whole == "1" and not self.fraction


def parse(text: str, region: str) -> Number:
    """Return the number that `text`, a match of NUMBER, writes."""
    signs = re.findall(r"[.,]", text)
    thousands = "," if region in POINT_FOR_DECIMALS else "."
    if len(set(signs)) == 2:
        thousands = signs[0]
    elif len(signs) > 1:
        return Number(re.sub(r"[.,]", "", text))
    if signs[:1] == [thousands] and re.match(r"[1-9]\d{0,2}[.,]\d{3}(?!\d)", text):
        text = text.replace(thousands, "")
    found = re.search(r"[.,]", text)
    if not found:
        return Number(text)
    sign = "coma" if found.group() == "," else "punto"
    return Number(text[: found.start()], sign, text[found.end() :])


def counted(match: Match[str], region: str) -> str:
    """Return a number with the gender of the noun after it, and the short form before one."""
    number = parse(match.group(), region)
    noun = counted_noun(match.string[match.end() :], number.whole)
    before = match.string[: match.start()].lower().split()[-1:]
    if noun is None or (number.is_one and NAMED_BY_NUMBER.intersection(before)):
        return number.words(_before_scale(match))
    return number.words(FEMININE if is_feminine(noun) else MASCULINE)


def _before_scale(match: Match[str]) -> Form:
    """Return the form before "mil", "millones" and the like."""
    rest = match.string[match.end() :].lstrip()
    return MASCULINE if re.match(r"(?:mil|millón|millones|billón|billones)\b", rest) else ALONE


def percent(match: Match[str], region: str) -> str:
    """Return "N por ciento"."""
    words = {"%": "por ciento", "‰": "por mil"}[match["sign"]]
    return f"{parse(match['amount'], region).words()} {words}"


def temperature(match: Match[str], region: str) -> str:
    """Return "N grados Celsius"."""
    number = parse(match["amount"], region)
    scale = {"C": " celsius", "F": " fahrenheit", "K": " kelvin"}.get(match["scale"] or "", "")
    return f"{number.words(MASCULINE)} {'grado' if number.is_one else 'grados'}{scale}"


def unit(match: Match[str], region: str) -> str:
    """Return a number and its unit, with square, cubic and "per"."""
    number = parse(match["amount"], region)
    one, several = UNITS[match["unit"]]
    if match["unit"] == "hab" and len(number.whole) < 3:
        one, several = "habitación", "habitaciones"
    form = FEMININE if is_feminine(several.split()[0]) else MASCULINE
    words = [number.words(form), one if number.is_one else several]
    if match["power"]:
        words.append(POWERS[match["power"]][0 if number.is_one else 1])
    if match["per"]:
        words.append(PER[match["per"]])
    return " ".join(words)


def money(match: Match[str], region: str) -> str:
    """Return an amount of money, with its hundredths."""
    sign = (match["code"] or match["sign"]).upper()
    if sign == "$":
        sign = "US$" if region == "es" else "peso"
    one, several, cent, cents = CURRENCIES[sign]
    number = parse(match["amount"], region)
    per = f" {PER[match['per']]}" if match["per"] else ""
    if match["magnitude"]:
        return f"{_large(number, match['magnitude'])} {several}{per}"
    if len(number.fraction) == 2:
        return _with_cents(number, (one, several), (cent, cents)) + per
    noun = one if number.is_one else several
    return f"{_amount(number, several)} {noun}{per}"


def _amount(number: Number, several: str) -> str:
    words = number.words(FEMININE if is_feminine(several.split()[0]) else MASCULINE)
    many = not number.fraction and ends_in_millions(number.whole)
    return f"{words} de" if many else words


def _large(number: Number, magnitude: str) -> str:
    """Return "tres millones de" or "tres mil"."""
    if magnitude.lower() in {"mil", "k"}:
        return f"{number.words(MASCULINE)} mil"
    return f"{number.words(MASCULINE)} {'millón' if number.is_one else 'millones'} de"


def _with_cents(number: Number, whole: tuple[str, str], cents: tuple[str, str]) -> str:
    value = str(int(number.fraction))
    said = f"{cardinal(value, MASCULINE)} {cents[0] if value == '1' else cents[1]}"
    if number.whole.strip("0") == "" and value != "0":
        return said
    only = Number(number.whole)
    words = f"{_amount(only, whole[1])} {whole[0] if only.is_one else whole[1]}"
    return words if value == "0" else f"{words} con {said}"


def ordinal_number(match: Match[str], region: str) -> str:
    """
    Return an ordinal number with its gender, short before a noun; degrees where the words before
    speak of heat.
    """
    mark = match["mark"].lower()
    if mark == "º" and HEAT.search(match.string[max(0, match.start() - 40) : match.start()]):
        return f"{cardinal(match['number'], MASCULINE)} grados"
    feminine = mark in {"ª", "as"} or mark.rstrip("s")[-1] == "a"
    noun = counted_noun(match.string[match.end() :], "1")
    words = ordinal(
        match["number"], feminine=feminine, before_noun=mark == "er" or noun is not None
    )
    is_plural = mark in {"os", "as"} or (len(mark) > 2 and mark.endswith("s"))
    return words + "s" * is_plural


def fraction(match: Match[str], region: str) -> str:
    """Return a fraction, or a pair: "medio kilo", "dos y media horas", "cincuenta cincuenta"."""
    top, bottom, whole = int(match["top"]), int(match["bottom"]), match["whole"]
    if bottom == 2 and top == 1:
        return _half(match, whole)
    name = DENOMINATORS.get(bottom)
    if bottom > max(DENOMINATORS):  # Ley 39/2015
        return f"{cardinal(match['top'])} barra {cardinal(match['bottom'])}"
    if not 0 < top < bottom or not name:
        is_pair = top >= bottom or not top
        return f"{cardinal(str(top))} {'' if is_pair else 'partido por '}{cardinal(str(bottom))}"
    words = f"{cardinal(str(top), MASCULINE)} {name}{'s' if top > 1 else ''}"
    return f"{cardinal(whole)} y {words}" if whole else words


def _half(match: Match[str], whole: str | None) -> str:
    following = match.string[match.end() :]
    noun = counted_noun(" " + following.lstrip(), "1")
    half = "media" if noun and is_feminine(noun) else "medio"
    if whole:
        return f"{cardinal(whole, Form(feminine=half == 'media'))} y {half}"
    return half if noun else "un medio"


def fraction_of_unit(match: Match[str], region: str) -> str:
    """Return "medio litro", "un cuarto de kilogramo", "dos kilos y medio"."""
    one, several = UNITS[match["unit"]]
    whole, top, bottom = match["whole"], match["top"], int(match["bottom"])
    name = DENOMINATORS.get(bottom)
    if not name or int(top) >= bottom:
        return f"{fraction(match, region)} {several}"
    feminine = is_feminine(several)
    part = f"{cardinal(top, MASCULINE)} {name}{'s' if top != '1' else ''}"
    if bottom == 2:
        part = "media" if feminine else "medio"
    if whole:
        form = FEMININE if feminine else MASCULINE
        return f"{cardinal(whole, form)} {one if whole == '1' else several} y {part}"
    return f"{part} {one}" if bottom == 2 else f"{part} de {one}"


def millions(match: Match[str], region: str) -> str:
    """Return "1,2 M" as "uno coma dos millones"."""
    return _large(parse(match["amount"], region), "M").removesuffix(" de")


def prime(match: Match[str], region: str) -> str:
    """Return the sign of 5' or 6" as minutes or inches, where it closes no quotation."""
    sign = match.group()
    if match.string[: match.start()].count(sign) % 2:
        return sign
    return "minutos" if sign == "'" else "pulgadas"


def telephone(match: Match[str], region: str) -> str:
    """Return the groups of a telephone number, digit by digit."""
    groups = re.findall(r"\d+", match.group())
    if len(groups) == 1:
        groups = re.findall(r"\d{3}", groups[0])
    plus = "más " if match.group().startswith("+") else ""
    return plus + ", ".join(digits(group) for group in groups)


def dotted(match: Match[str], region: str) -> str:
    """Return a version or an address: its numbers with "punto" between them."""
    return " punto ".join(cardinal(part) for part in match.group().split("."))


def power_of_ten(match: Match[str], region: str) -> str:
    """Return "1e-5" as "uno por diez elevado a menos cinco"."""
    minus = "menos " if match["minus"] == "-" else ""
    return (
        f"{parse(match['amount'], region).words()} por diez elevado a {minus}"
        f"{cardinal(str(int(match['exponent'])))}"
    )


def first_to(match: Match[str], region: str) -> str:
    """Return the first number of a range or a score, and "a"."""
    return f"{parse(match['first'], region).words()} a"
