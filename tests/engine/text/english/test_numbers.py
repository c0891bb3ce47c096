import pytest

from voxgate.engine.text.english.numbers import cardinal, decimal, digits, ordinal, plural, year


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0", "zero"),
        ("13", "thirteen"),
        ("21", "twenty one"),
        ("100", "one hundred"),
        ("105", "one hundred five"),
        ("1000", "one thousand"),
        ("1000001", "one million one"),
        ("2000000000003", "two trillion three"),
        ("007", "zero zero seven"),
        ("1" * 16, " ".join(["one"] * 16)),
    ],
)  # fmt: skip
def test_cardinal_says_numbers_up_to_trillions_and_digits_beyond(text: str, words: str) -> None:
    assert cardinal(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1", "first"),
        ("2", "second"),
        ("12", "twelfth"),
        ("20", "twentieth"),
        ("21", "twenty first"),
        ("100", "one hundredth"),
    ],
)
def test_ordinal(text: str, words: str) -> None:
    assert ordinal(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1999", "nineteen ninety nine"),
        ("1905", "nineteen oh five"),
        ("1900", "nineteen hundred"),
        ("2000", "two thousand"),
        ("2007", "two thousand seven"),
        ("2026", "twenty twenty six"),
    ],
)
def test_year(text: str, words: str) -> None:
    assert year(text) == words


def test_decimal_says_each_digit_after_the_point() -> None:
    assert decimal("3", "14") == "three point one four"


def test_digits_passes_over_other_characters() -> None:
    assert digits("4-0 7") == "four zero seven"


@pytest.mark.parametrize(
    ("word", "words"),
    [("ninety", "nineties"), ("six", "sixes"), ("dollar", "dollars"), ("inch", "inches")],
)
def test_plural(word: str, words: str) -> None:
    assert plural(word) == words
