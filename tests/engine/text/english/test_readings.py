"""How English is read: texts that people write, each with its reading."""

import re
from pathlib import Path

import pytest

from voxgate.engine.text.english.fold import KEPT
from voxgate.engine.text.english.letter_to_sound import spell
from voxgate.engine.text.english.normalise import normalise
from voxgate.engine.text.english.pronounce import pronounce_word
from voxgate.harness.records.documents import parse_toml

READINGS = parse_toml((Path(__file__).parent / "readings.toml").read_text(encoding="utf-8"))


def read(text: str) -> str:
    """Return the tokens of a text, with the letters of a spelt word apart."""
    tokens = " ".join(token.text for token in normalise(text).tokens)
    return re.sub(r"\b[A-Z]{2,}\b", lambda match: " ".join(match.group()), tokens)


@pytest.mark.parametrize("kind", READINGS)
def test_texts_are_read_as_people_read_them(kind: str) -> None:
    assert {text: read(text) for text in READINGS[kind]} == READINGS[kind]


def test_there_are_at_least_300_texts() -> None:
    assert sum(map(len, READINGS.values())) >= 300


@pytest.mark.parametrize("character", sorted(KEPT | set("&+=@#%/\\^~<>$")))
def test_no_sign_is_silent(character: str) -> None:
    result = normalise(f"one {character} two")
    assert len(result.tokens) > len("one two .".split())
    assert result.dropped == ""


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ("Nice :) really", ":)"),
        ("Oh no :-(", ":-("),
        ("I <3 you 😀", "<3😀"),
        ("see [the docs](https://example.com)", "https://example.com"),
        ("Ελλάδα and π", "Ελλάδα"),
        ("5 ≠ 6 ∈ ℝ, ₹5, ₥3", ""),
        ("\u2713 done", "\u2713"),
    ],
)
def test_what_is_not_said_is_told(text: str, dropped: str) -> None:
    assert normalise(text).dropped == dropped


def test_letters_and_words_sound_as_they_are_read() -> None:
    for token in normalise("The CEO of NASA emailed JSON, an SUV and a GIF to my PhD.").tokens:
        if not token.is_break:
            letters = "".join(filter(str.isalpha, token.text)).lower()
            assert (pronounce_word(token.text) == spell(letters)) is token.text.isupper()


@pytest.mark.parametrize(("word", "phones"), [("shh", "sh ax"), ("hmm", "hh ax m")])
def test_interjections_are_not_spelt(word: str, phones: str) -> None:
    assert " ".join(pronounce_word(word)) == phones


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems_are_one(line_end: str) -> None:
    assert read(f"a long line that an editor wrapped at its{line_end}width, as they do") == (
        "a long line that an editor wrapped at its width , as they do ."
    )
