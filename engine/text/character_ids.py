"""
Text as published F5-TTS checkpoints expect it: characters by their index in vocab.txt.

English only: Chinese would need a pinyin front-end.
Nothing is dropped silently: a character that is not in the vocabulary is an error that names it.
"""

import re
from collections.abc import Mapping

from voxgate.engine.errors import EngineError
from voxgate.engine.text import checks

PLAIN = str.maketrans({";": ",", "“": '"', "”": '"', "‘": "'", "’": "'"})
"""Replacements of the published front-end for characters that its vocabulary lacks."""
MISSING_SPACE = re.compile(
    r"(?<=[^\sA-Za-z0-9:'\".&%+_-])(?=[A-Za-z0-9]{2}|\d(?:\.\d|%))"
    r"|(?<=[^\s:'\"])(?=\.{3})"
    r"|(?<=\.{3})(?=[A-Za-z0-9]{2})"
)
"""
Positions at which the published front-end inserts a space.

Before a word that touches a sign that does not belong to it, and around dots.
"""
LEAST_BYTES = 16
"""Of a piece of a word, however little room the recording leaves."""
CLAUSE_END = re.compile(r"(?<=[;:,.!?])\s+")


def check_text(text: str) -> str:
    """
    Return the text on one line.

    Raises: TextError for a text that `checks.check_text` refuses, and one without a letter or
    digit.
    """
    checks.check_text(text)
    checks.check_letters(text)
    return " ".join(text.split())


def check_known(text: str, normalised: str, lacking: str) -> None:
    """Raise TextError for a text of whose letters and digits a vocabulary lacks all."""
    if not any(letter.isalnum() and letter not in lacking for letter in normalised):
        raise checks.unspeakable(text, "words in the letters of the model's language")


def normalise_characters(text: str) -> str:
    """Return the text in the characters of the published front-end."""
    return MISSING_SPACE.sub(" ", text.translate(PLAIN))


def character_ids(text: str, vocabulary: Mapping[str, int]) -> tuple[int, ...]:
    """
    Return the ids of the characters, from 1; 0 is the filler.

    Raises: EngineError for unknown characters.
    """
    normalised = normalise_characters(text)
    unknown_characters = sorted(
        {character for character in normalised if character not in vocabulary}
    )
    if unknown_characters:
        examples = ", ".join(f"{character!a}" for character in unknown_characters[:5])
        raise EngineError(
            f"the checkpoint's vocab.txt has no {examples}; this front-end spells English, write "
            "it in such letters"
        )
    return tuple(vocabulary[character] + 1 for character in normalised)


def split_text(text: str, limit_bytes: int) -> tuple[str, ...]:
    """
    Split at punctuation into as few pieces as fit into `limit_bytes`.

    A clause that is too long is split between words, and a word that is too long, or longer than
    LEAST_BYTES where the limit is smaller, between characters.
    """
    clauses: list[str] = []
    for clause in CLAUSE_END.split(text):
        whole = _bytes(clause) <= limit_bytes
        clauses += [clause] if whole else _short_words(clause, max(limit_bytes, LEAST_BYTES))
    pieces = [clauses[0]]
    for clause in clauses[1:]:
        joined = f"{pieces[-1]} {clause}"
        if _bytes(joined) <= limit_bytes:
            pieces[-1] = joined
        else:
            pieces.append(clause)
    return tuple(pieces)


def _short_words(clause: str, limit_bytes: int) -> list[str]:
    """Return the words of a clause, each cut into pieces that fit."""
    words: list[str] = []
    for word in clause.split():
        size, piece = 0, ""
        for character in word:
            if size + _bytes(character) > limit_bytes:
                words.append(piece)
                size, piece = 0, ""
            size, piece = size + _bytes(character), piece + character
        words.append(piece)
    return words


def _bytes(text: str) -> int:
    return len(text.encode())
