"""Spanish numbers with their forms, and the gender of the nouns that they count."""

import pytest

from voxgate.engine.text.spanish.nouns import counted_noun, is_feminine
from voxgate.engine.text.spanish.numbers import ALONE, FEMININE, MASCULINE, Form, cardinal, ordinal
from voxgate.engine.text.spanish.roman import value_of


@pytest.mark.parametrize(
    ("digits", "form", "words"),
    [
        ("0", ALONE, "cero"), ("1", ALONE, "uno"), ("1", MASCULINE, "un"), ("1", FEMININE, "una"),
        ("21", MASCULINE, "veintiún"), ("31", FEMININE, "treinta y una"), ("100", ALONE, "cien"),
        ("101", MASCULINE, "ciento un"), ("500", FEMININE, "quinientas"), ("1000", ALONE, "mil"),
        ("21000", MASCULINE, "veintiún mil"), ("31001", ALONE, "treinta y un mil uno"),
        ("100000", ALONE, "cien mil"), ("1000000", FEMININE, "un millón"),
        ("21000000", FEMININE, "veintiún millones"),
        ("700000000", FEMININE, "setecientos millones"),
        ("1000000000000", ALONE, "un billón"), ("007", ALONE, "cero cero siete"),
        ("2000001", FEMININE, "dos millones una"), ("9" * 25, ALONE, " ".join(["nueve"] * 25)),
    ],
)  # fmt: skip
def test_a_number_has_the_form_that_its_noun_asks(digits: str, form: Form, words: str) -> None:
    assert cardinal(digits, form) == words


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("1", "primero"), ("7", "séptimo"), ("11", "undécimo"), ("20", "vigésimo"),
        ("32", "trigésimo segundo"), ("100", "centésimo"), ("1000", "milésimo"), ("0", "cero"),
        ("2001", "dos mil uno"),
    ],
)  # fmt: skip
def test_an_ordinal_has_its_words(digits: str, words: str) -> None:
    assert ordinal(digits) == words


def test_nouns_have_their_gender() -> None:
    feminine = "casas mesas canciones ciudades veces manos crisis imágenes actrices llaves"
    masculine = "días problemas aviones lápices meses turistas análisis jueces árboles coches mapas"
    assert [word for word in feminine.split() if not is_feminine(word)] == []
    assert [word for word in masculine.split() if is_feminine(word)] == []


def test_only_a_noun_changes_a_number() -> None:
    assert counted_noun(" casas grandes", "2") == "casas"
    assert counted_noun(" de mayo", "1") is None
    assert counted_noun(" votó", "21") is None
    assert counted_noun(", casas", "2") is None


def test_roman_numerals_have_their_value() -> None:
    assert [value_of(text) for text in ("IV", "IX", "XIV", "XL", "MCMXCIX")] == [4, 9, 14, 40, 1999]
