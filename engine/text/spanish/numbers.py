"""
Numbers in Spanish words, with gender and the short forms before a noun.

Plain strings in and out, independent of the text around a number.
"""

from dataclasses import dataclass

ONES = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro "
    "veinticinco veintiséis veintisiete veintiocho veintinueve"
).split()
TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
HUNDREDS = (
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos "
    "novecientos"
).split()
SCALES = ("", "millón", "billón", "trillón")  # of a million each
MAX_DIGITS = 6 * len(SCALES)  # longer numbers have no everyday name and are read digit by digit
ORDINAL_ONES = "primero segundo tercero cuarto quinto sexto séptimo octavo noveno".split()
ORDINAL_TENS = (
    "décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo "
    "nonagésimo"
).split()
ORDINAL_HUNDREDS = (
    "centésimo ducentésimo tricentésimo cuadringentésimo quingentésimo sexcentésimo "
    "septingentésimo octingentésimo noningentésimo"
).split()
IRREGULAR_ORDINALS = {11: "undécimo", 12: "duodécimo", 1000: "milésimo"}


@dataclass(frozen=True, slots=True)
class Form:
    """
    Form of a number beside a noun.

    feminine: "doscientas", "una".
    before_noun: the short form, "un" and "veintiún".
    """

    feminine: bool = False
    before_noun: bool = False


ALONE = Form()
MASCULINE = Form(before_noun=True)
FEMININE = Form(feminine=True, before_noun=True)


def digits(text: str) -> str:
    """Return each digit of `text` as a word; other characters are ignored."""
    return " ".join(ONES[int(character)] for character in text if character.isdecimal())


def _below_hundred(value: int) -> str:
    if value < len(ONES):
        return ONES[value]
    tens, ones = divmod(value, 10)
    return TENS[tens - 3] + (f" y {ONES[ones]}" if ones else "")


def _below_thousand(value: int, form: Form) -> str:
    hundreds, rest = divmod(value, 100)
    if value == 100:
        return "cien"
    words = [HUNDREDS[hundreds - 1]] if hundreds else []
    if form.feminine and hundreds > 1:
        words = [words[0][:-2] + "as"]
    if rest:
        words.append(_with_one(_below_hundred(rest), form))
    return " ".join(words)


def _with_one(words: str, form: Form) -> str:
    """Return `words` with its last "uno" as `form` has it."""
    if not words.endswith("uno"):
        return words
    if form.feminine:
        return words[:-1] + "a"
    if not form.before_noun:
        return words
    return words[:-3] + ("ún" if words.endswith("veintiuno") else "un")


def _below_million(value: int, form: Form) -> str:
    thousands, rest = divmod(value, 1000)
    words = []
    if thousands > 1:
        words.append(_below_thousand(thousands, Form(feminine=form.feminine, before_noun=True)))
    if thousands:
        words.append("mil")
    if rest:
        words.append(_below_thousand(rest, form))
    return " ".join(words)


def cardinal(text: str, form: Form = ALONE) -> str:
    """
    Return a string of digits as a cardinal number.

    Leading zeros ("007") and very long numbers are read digit by digit.

    >>> cardinal("21", MASCULINE), cardinal("200001", FEMININE)
    ('veintiún', 'doscientas mil una')
    """
    if len(text) > MAX_DIGITS or (len(text) > 1 and text[0] == "0"):
        return digits(text)
    value = int(text)
    if not value:
        return ONES[0]
    groups = []
    for scale in SCALES:
        value, group = divmod(value, 1_000_000)
        if group and scale:
            groups.append(f"{_below_million(group, MASCULINE)} {plural_scale(scale, group)}")
        elif group:
            groups.append(_below_million(group, form))
    return " ".join(reversed(groups))


def plural_scale(scale: str, count: int) -> str:
    """Return "millón" or "millones"."""
    return scale if count == 1 else scale.replace("ó", "o") + "es"


def ends_in_millions(text: str) -> bool:
    """Whether the number's last word is a scale, after which a noun needs "de"."""
    return 6 < len(text) <= MAX_DIGITS and text[0] != "0" and text.endswith("000000")


def ordinal(text: str, *, feminine: bool = False, before_noun: bool = False) -> str:
    """
    Return a string of digits as an ordinal number; from 1001 on it is the cardinal.

    before_noun: "primer" and "tercer", of a masculine noun.

    >>> ordinal("3", before_noun=True), ordinal("21", feminine=True)
    ('tercer', 'vigésima primera')
    """
    value = int(text)
    if not 0 < value <= 1000:
        return cardinal(text, Form(feminine=feminine, before_noun=before_noun))
    words = IRREGULAR_ORDINALS.get(value) or _regular_ordinal(value)
    if feminine:
        return " ".join(word[:-1] + "a" for word in words.split())
    short = before_noun and words.endswith(("primero", "tercero"))
    return words[:-1] if short else words


def _regular_ordinal(value: int) -> str:
    hundreds, tens, ones = value // 100, value // 10 % 10, value % 10
    words = [ORDINAL_HUNDREDS[hundreds - 1]] if hundreds else []
    words += [ORDINAL_TENS[tens - 1]] if tens else []
    words += [ORDINAL_ONES[ones - 1]] if ones else []
    return " ".join(words)


def decimals(text: str) -> str:
    """
    Return the digits after a decimal sign: as a number where there are two at most and no leading
    zero ("14" is catorce), else digit by digit.
    """
    return cardinal(text) if len(text) < 3 and text[0] != "0" else digits(text)
