"""
One form of Spanish texts that sound alike: numbers as words, since one speaks words and a
recogniser writes digits, and no accents that nobody hears.

Made to compare texts, not to be spoken: gender and apocope are not looked at, so that "1" is
"uno" in every place.
"""

import re
from collections.abc import Callable

UNITS = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro "
    "veinticinco veintiséis veintisiete veintiocho veintinueve"
).split()
TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
HUNDREDS = (
    "cien doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos "
    "novecientos"
).split()
ORDINALS = "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo".split()
MOST_DIGITS = 12
"""Of a number that is read as one; a longer one is read digit by digit, as one says it."""
SIGNS = {"%": "por ciento", "€": "euros", "$": "dólares", "£": "libras", "º": "grados"}
NUMBER = re.compile(
    r"(?P<money>[$€£]\s?)?(?<![\w.,])(?P<minus>-)?"
    r"(?P<whole>\d{1,3}(?:[., \u00a0]\d{3})+(?!\d)|\d+)"
    r"(?:(?P<mark>[.,])(?P<part>\d+))?(?P<ordinal>\.?[ºª])?(?P<sign>\s?[%€$£])?"
)
TIME = re.compile(r"(?<!\d)(\d{1,2}):(\d{2})(?!\d)")


FORM = "numbers as words r1"
"""
Part of the version of word error rates in Spanish. Raise it whenever one text would get another
form.
"""
ALIKE = dict(
    pair.split("/")
    for pair in (
        "él/el tú/tu mí/mi sí/si sé/se té/te dé/de más/mas aún/aun sólo/solo qué/que quién/quien "
        "quiénes/quienes cuál/cual cuáles/cuales cuándo/cuando cómo/como cuánto/cuanto "
        "cuánta/cuanta cuántos/cuantos cuántas/cuantas dónde/donde adónde/adonde éste/este "
        "ésta/esta éstos/estos éstas/estas ése/ese ésa/esa ésos/esos ésas/esas aquél/aquel "
        "aquélla/aquella aquéllos/aquellos aquéllas/aquellas un/uno una/uno veintiún/veintiuno "
        "veintiuna/veintiuno"
    ).split()
)
"""
Words that sound like another, and the gender of a number: accents that tell words apart on paper
alone. Any other accent is a stress that is heard, and stays.
"""
FEMININE = re.compile(r"(?:dos|tres|cuatro|seis|sete|ocho|nove)cientas|quinientas")


def form_of(language: str) -> str:
    """Return what is done to texts of a primary language here, after a comma; empty for others."""
    return f", {FORM}" if language == "es" else ""


def sounding_alike(word: str) -> str:
    """
    Return the one form of words in lower case that sound alike, and of hundreds of either gender.

    >>> sounding_alike("dónde"), sounding_alike("doscientas"), sounding_alike("está")
    ('donde', 'doscientos', 'está')
    """
    return word[:-2] + "os" if FEMININE.fullmatch(word) else ALIKE.get(word, word)


def numbers_as_words(text: str) -> str:
    """
    Write the numbers of a text as words; all else stays as it is.

    >>> numbers_as_words("El 25 % de 1.234, a las 14:30, 3,5 y 2º")
    'El veinticinco por ciento de mil doscientos treinta y cuatro, a las catorce treinta, tres coma cinco y segundo'
    """  # noqa: E501
    hours = TIME.sub(lambda match: f"{match[1]} {match[2] if match[2] != '00' else ''}", text)
    return NUMBER.sub(_spoken, hours)


def cardinal(number: int) -> str:
    """
    Return the words of a number from 0 to below 10 ** MOST_DIGITS.

    >>> cardinal(21), cardinal(100), cardinal(101), cardinal(2_001_531)
    ('veintiuno', 'cien', 'ciento uno', 'dos millones mil quinientos treinta y uno')
    """
    if number < 30:
        return UNITS[number]
    if number < 100:
        ten, unit = divmod(number, 10)
        return TENS[ten - 3] + (f" y {UNITS[unit]}" if unit else "")
    if number < 1000:
        hundred, rest = divmod(number, 100)
        head = "ciento" if hundred == 1 and rest else HUNDREDS[hundred - 1]
        return f"{head} {cardinal(rest)}" if rest else head
    if number < 1_000_000:
        return _group(number, 1000, lambda count: "mil" if count == 1 else f"{cardinal(count)} mil")
    return _group(
        number,
        1_000_000,
        lambda count: "un millón" if count == 1 else f"{cardinal(count)} millones",
    )


def _group(number: int, size: int, name: Callable[[int], str]) -> str:
    count, rest = divmod(number, size)
    return f"{name(count)} {cardinal(rest)}" if rest else name(count)


def _spoken(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match["whole"])
    if match["ordinal"]:
        ending = "a" if "ª" in match["ordinal"] else "o"
        number = int(digits)
        if match["part"] is None and 0 < number <= len(ORDINALS):
            return ORDINALS[number - 1][:-1] + ending
    words = [cardinal(int(digits)) if len(digits) <= MOST_DIGITS else _one_by_one(digits)]
    if match["minus"]:
        words.insert(0, "menos")
    if match["part"]:
        part = match["part"]
        zeros = len(part) - len(part.lstrip("0"))
        words += ["coma" if match["mark"] == "," else "punto", *["cero"] * zeros]
        words += [cardinal(int(part))] if part.strip("0") and len(part) <= MOST_DIGITS else []
    after = match.string[match.end() : match.end() + 1]
    sign = (match["sign"] or match["money"] or "").strip()
    said = " ".join([*words, *([SIGNS[sign]] if sign else [])])
    return f"{said} " if after.isalpha() else said


def _one_by_one(digits: str) -> str:
    return " ".join(UNITS[int(digit)] for digit in digits)
