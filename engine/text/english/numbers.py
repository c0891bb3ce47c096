"""
Numbers in American English words, as the training voices read them ("one hundred five", no "and").

Plain strings in and out, independent of the text around a number.
"""

from voxgate.engine.text.english.word_tables import words_of

ONES = words_of(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
TENS = words_of("twenty thirty forty fifty sixty seventy eighty ninety")
SCALES = ("", "thousand", "million", "billion", "trillion")
IRREGULAR_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
MAX_DIGITS = 3 * len(SCALES)  # longer numbers have no everyday name and are read digit by digit


def digits(text: str) -> str:
    """
    Return each digit of `text` as a word; "407" is "four zero seven". Other characters are ignored.
    """
    return " ".join(ONES[int(character)] for character in text if character.isdecimal())


def _below_thousand(value: int) -> str:
    words = []
    if value >= 100:
        words += [ONES[value // 100], "hundred"]
    remainder = value % 100
    if remainder >= 20:
        words.append(TENS[remainder // 10 - 2])
        remainder %= 10
    if remainder:
        words.append(ONES[remainder])
    return " ".join(words)


def cardinal(text: str) -> str:
    """
    Return a string of digits as a cardinal number.

    Leading zeros ("007") and very long numbers are read digit by digit.
    """
    if len(text) > MAX_DIGITS or (len(text) > 1 and text[0] == "0"):
        return digits(text)
    value = int(text)
    groups = []
    for scale in SCALES:
        value, group = divmod(value, 1000)
        if group:
            groups.append(f"{_below_thousand(group)} {scale}".strip())
    return " ".join(reversed(groups)) or ONES[0]


def ordinal(text: str) -> str:
    """Return a string of digits as an ordinal number; "21" is "twenty first"."""
    head, _, last = cardinal(text).rpartition(" ")
    if last in IRREGULAR_ORDINALS:
        last = IRREGULAR_ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return f"{head} {last}".strip()


def decimal(whole: str, fraction: str) -> str:
    """Return a decimal fraction; "3" and "14" are "three point one four"."""
    return f"{cardinal(whole or '0')} point {digits(fraction)}"


def year(text: str) -> str:
    """
    Return four digits as a year.

    "1999" is nineteen ninety nine, "1905" nineteen oh five, "2007" two thousand seven.
    """
    century, year_in_century = text[:2], text[2:]
    if century[1] == "0" and year_in_century[0] == "0":
        return cardinal(text)
    if year_in_century == "00":
        return f"{cardinal(century)} hundred"
    if year_in_century[0] == "0":
        return f"{cardinal(century)} oh {ONES[int(year_in_century[1])]}"
    return f"{cardinal(century)} {cardinal(year_in_century)}"


def plural(words: str) -> str:
    """Return `words` with the last one in the plural; "nineteen ninety" is "nineteen nineties"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "s", "ch", "sh")) else "s")
