"""
Says numbers in American English words, as the training voices do ("one hundred five", no "and").

Everything here takes and gives plain values; it knows nothing of text around a number.
"""

from engine.text.word_tables import words_of

ONES = words_of(
    "zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
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
    Say each digit of `text` ("407" gives "four zero seven"); other characters are passed over.
    """
    return " ".join(ONES[int(character)] for character in text if character.isdecimal())


def _below_thousand(value: int) -> str:
    words = []
    if value >= 100:
        words += [ONES[value // 100], "hundred"]
    rest = value % 100
    if rest >= 20:
        words.append(TENS[rest // 10 - 2])
        rest %= 10
    if rest:
        words.append(ONES[rest])
    return " ".join(words)


def cardinal(text: str) -> str:
    """
    Say a string of digits as a number; leading zeros ("007") and very long numbers are said digit
    by digit.
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
    """Say a string of digits as a place in an order ("21" gives "twenty first")."""
    head, _, last = cardinal(text).rpartition(" ")
    if last in IRREGULAR_ORDINALS:
        last = IRREGULAR_ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return f"{head} {last}".strip()


def decimal(whole: str, fraction: str) -> str:
    """Say "3", "14" as "three point one four"."""
    return f"{cardinal(whole or '0')} point {digits(fraction)}"


def year(text: str) -> str:
    """
    Say four digits as a year ("1999" nineteen ninety nine, "1905" nineteen oh five, "2007" two
    thousand seven).
    """
    century, rest = text[:2], text[2:]
    if century[1] == "0" and rest[0] == "0":
        return cardinal(text)
    if rest == "00":
        return f"{cardinal(century)} hundred"
    if rest[0] == "0":
        return f"{cardinal(century)} oh {ONES[int(rest[1])]}"
    return f"{cardinal(century)} {cardinal(rest)}"


def plural(words: str) -> str:
    """Put the last of `words` into the plural ("nineteen ninety" gives "nineteen nineties")."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "s", "ch", "sh")) else "s")
