from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.engine.text.english.normalise import normalise
from voxgate.engine.text.spoken import BREAKS, MAX_WORD_LETTERS

CASES = (
    # numbers
    ("I have 12 cats", "i have twelve cats ."),
    ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven ."),
    ("3.14 and .5", "three point one four and point five ."),
    ("-5 or −7", "minus five or minus seven ."),
    ("the 2nd, 21st and 100th", "the second , twenty first and one hundredth ."),
    ("in 1999 and 2026", "in nineteen ninety nine and twenty twenty six ."),
    ("the 1990s and the '80s", "the nineteen nineties and the eighties ."),
    ("1/2, 3/4, 2/3, 3½", "a half , three quarters , two thirds , three and a half ."),
    ("24/7", "twenty four seven ."),
    ("1.2.3", "one point two point three ."),
    ("20% off", "twenty percent off ."),
    ("٣ and ５", "three and five ."),
    ("5-10 people", "five to ten people ."),
    ("3*4=12", "three times four equals twelve ."),
    ("007", "zero zero seven ."),
    # times
    ("at 7 o'clock", "at seven o'clock ."),
    ("at 7:00", "at seven o'clock ."),
    ("at 7:05 p.m. on", "at seven oh five P M on ."),
    ("at 10AM", "at ten A M ."),
    ("at 19:30", "at nineteen thirty ."),
    ("16:9", "sixteen to nine ."),
    # dates
    ("21 Nov", "twenty first of november ."),
    ("Nov. 21, 2026", "november twenty first twenty twenty six ."),
    ("11/21", "november twenty first ."),
    ("11/21/2026", "november twenty first twenty twenty six ."),
    ("21/11/2026", "november twenty first twenty twenty six ."),
    ("2026-11-21", "november twenty first twenty twenty six ."),
    ("May 5 may be fine", "may fifth may be fine ."),
    ("13/40", "thirteen slash forty ."),
    # money
    ("It costs $5", "it costs five dollars ."),
    ("$1 or $5.50 or $0.99", "one dollar or five dollars fifty cents or ninety nine cents ."),
    ("£3m and €2 billion", "three million pounds and two billion euros ."),
    ("$1999, 5€, 50¢", "one thousand nine hundred ninety nine dollars , five euros , fifty cents "
        "."),
    ("-$5", "minus five dollars ."),
    # units
    ("5 km, 1 km", "five kilometers , one kilometer ."),
    ("60 mph, 100 km/h", "sixty miles per hour , one hundred kilometers per hour ."),
    ("-5 °C or 1 ft", "minus five degrees celsius or one foot ."),
    ("5 m²", "five square meters ."),
    # telephone
    ("call 555-1234", "call five five five , one two three four ."),
    ("+44 20 7946 0958", "plus four four , two zero , seven nine four six , zero nine five eight "
        "."),
    # abbreviations
    ("Dr. Smith and Mrs. Jones", "doctor smith and missus jones ."),
    ("Elm St. near St. Paul's", "elm street near saint paul's ."),
    ("pets, e.g. dogs, i.e. those", "pets , for example dogs , that is those ."),
    ("cats vs. dogs, etc.", "cats versus dogs , et cetera ."),
    ("No. 5 and #1", "number five and number one ."),
    ("George W. Bush", "george W bush ."),
    # acronyms
    ("The BBC in the U.S.A.", "the BBC in the U S A ."),
    ("NASA bought CDs", "nasa bought CD's ."),
    ("STOP THAT NOW", "stop that now ."),
    # addresses
    ("https://www.example.com/a-b", "W W W dot example dot com slash a dash B ."),
    ("see example.org.", "see example dot org ."),
    ("mail me@foo.co.uk now", "mail me at foo dot co dot U K now ."),
    # symbols
    ("salt & pepper + oil = food @ home", "salt and pepper plus oil equals food at home ."),
    ("#tag and/or foo_bar", "hash tag and slash or foo bar ."),
    ("well — I think… Yes", "well , i think . yes ."),
    ("wait... what?!", "wait , what ?"),
    ("“It’s” (really) ‘fine’!", "it's , really , fine !"),
    ("naïve café straße", "naive cafe strasse ."),
    ("One.\n\nTwo", "one . two ."),
    ("mp3 and B2B", "MP three and B two B ."),
    ("A dog, vitamin A.", "a dog , vitamin A ."),
)  # fmt: skip


def spoken(text: str) -> str:
    return " ".join(token.text for token in normalise(text).tokens)


@pytest.mark.parametrize(("text", "words"), CASES)
def test_text_becomes_words_and_breaks(text: str, words: str) -> None:
    assert spoken(text) == words


def test_what_cannot_be_spoken_is_dropped_and_reported() -> None:
    result = normalise("I ❤️ 你好 world 😀")
    assert [token.text for token in result.tokens] == ["i", "world", "."]
    assert result.dropped == "❤你好😀"


@pytest.mark.parametrize("text", ["", " ", "...", "😀", "你好", "\"'()", "\ud800", "\x00"])
def test_nothing_speakable_gives_no_tokens(text: str) -> None:
    assert normalise(text).tokens == ()


def test_an_endless_word_is_cut_and_kept_whole() -> None:
    pieces = [token.text for token in normalise("x" * 100).tokens if not token.is_break]
    assert "".join(pieces) == "x" * 100
    assert max(map(len, pieces)) == MAX_WORD_LETTERS


@given(st.text(max_size=60))
def test_any_string_gives_plain_words_and_single_breaks(text: str) -> None:
    tokens = normalise(text).tokens
    for token in tokens:
        assert token.text in BREAKS or token.text.replace("'", "").isascii()
        assert token.text in BREAKS or token.text.replace("'", "").isalpha()
    assert not any(one.is_break and other.is_break for one, other in pairwise(tokens))
    assert not tokens or (not tokens[0].is_break and tokens[-1].text in ".!?")
