import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.engine.alphabet import PHONE_IDS
from voxgate.engine.text.english.pronounce import inflected, pronounce, pronounce_word


@pytest.mark.parametrize(
    ("words", "phones"),
    [
        ("the apple", "dh iy ae p ax l"),
        ("the table", "dh ax t ey b ax l"),
        ("a", "ey"),
        ("a cat", "ax k ae t"),
        ("to record", "t ax r ax k ao r d"),
        ("the record", "dh ax r eh k er d"),
        ("will read", "w ih l r iy d"),
        ("church's", "ch er ch ax z"),
        ("cat's", "k ae t s"),
        ("it'd", "ih t ax d"),
        ("BBC", "b iy b iy s iy"),
        ("US", "y uw eh s"),
        ("OK", "ow k ey"),
        ("nasa", "n ae s ax"),
        ("CD's", "s iy d iy z"),
        ("A", "ey"),
        ("xkcd", "eh k s k ey s iy d iy"),
        ("snowtable", "s n ow t ey b ax l"),
    ],
)
def test_phrase_is_said_in_context(words: str, phones: str) -> None:
    assert " ".join(phone for word in pronounce(words.split()) for phone in word) == phones


@pytest.mark.parametrize(
    ("word", "stem", "phones"),
    [
        ("foxes", {"fox": ("f", "aa", "k", "s")}, "f aa k s ax z"),
        ("cats", {"cat": ("k", "ae", "t")}, "k ae t s"),
        ("tries", {"try": ("t", "r", "ay")}, "t r ay z"),
        ("making", {"make": ("m", "ey", "k")}, "m ey k ih ng"),
        ("planned", {"plan": ("p", "l", "ae", "n")}, "p l ae n d"),
        ("wanted", {"want": ("w", "aa", "n", "t")}, "w aa n t ih d"),
        ("really", {"real": ("r", "iy", "l")}, "r iy l iy"),
    ],
)
def test_an_inflection_is_said_through_its_stem(
    word: str, stem: dict[str, tuple[str, ...]], phones: str
) -> None:
    assert inflected(word, stem.get) == tuple(phones.split())


@pytest.mark.parametrize("word", ["bring", "bed", "glass", "her"])
def test_a_word_without_a_known_stem_is_not_an_inflection(word: str) -> None:
    assert inflected(word, {"br": ("b", "r")}.get) is None


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=40))
def test_any_run_of_letters_gets_phones_of_the_alphabet(word: str) -> None:
    phones = pronounce_word(word)
    assert phones
    assert all(phone in PHONE_IDS for phone in phones)
