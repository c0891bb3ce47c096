"""
Text as published F5-TTS checkpoints read it: characters by their number in vocab.txt, and cut where
sentences end.

English only: Chinese would need a pinyin front-end. Nothing is left out in silence: a character
that the checkpoint does not know is an error that names it.
"""

import re
from collections.abc import Mapping

from engine.errors import EngineError
from engine.text.frontend import MAX_CHARACTERS

PLAIN = str.maketrans({";": ",", "“": '"', "”": '"', "‘": "'", "’": "'"})
"""What the published front-end replaces, since its vocabulary lacks it."""
TOUCHING = re.compile(
    r"(?<=[^\sA-Za-z0-9:'\".&%+_-])(?=[A-Za-z0-9]{2}|\d(?:\.\d|%))"
    r"|(?<=[^\s:'\"])(?=\.{3})"
    r"|(?<=\.{3})(?=[A-Za-z0-9]{2})"
)
"""
Where the published front-end puts a space: before a word that touches a sign that is no part of it,
and round dots.
"""
ENDS = re.compile(r"(?<=[;:,.!?])\s+")


def checked_text(text: str) -> str:
    """Give the text in one line. Raises EngineError for an empty or endless one."""
    if not text.strip():
        raise EngineError("the text is empty; give at least one word")
    if len(text) > MAX_CHARACTERS:
        raise EngineError(
            f"the text has {len(text)} characters, the limit is {MAX_CHARACTERS}; split it and "
            "speak the parts"
        )
    return " ".join(text.split())


def spelt(text: str) -> str:
    """Give the text in the letters that the model is told."""
    return TOUCHING.sub(" ", text.translate(PLAIN))


def spell(text: str, vocabulary: Mapping[str, int]) -> tuple[int, ...]:
    """
    Give the numbers of the characters, from 1; 0 is the filler. Raises EngineError for unknown
    characters.
    """
    told = spelt(text)
    unknown = sorted({character for character in told if character not in vocabulary})
    if unknown:
        shown = ", ".join(f"{character!a}" for character in unknown[:5])
        raise EngineError(
            f"the checkpoint's vocab.txt has no {shown}; this front-end spells English, write it "
            "in such letters"
        )
    return tuple(vocabulary[character] + 1 for character in told)


def cut(text: str, limit_bytes: int) -> tuple[str, ...]:
    """
    Cut at signs, as few pieces as fit into `limit_bytes`; a clause that is too long is cut between
    words.
    """
    clauses: list[str] = []
    for clause in ENDS.split(text):
        clauses += [clause] if _bytes(clause) <= limit_bytes else clause.split()
    pieces = [clauses[0]]
    for clause in clauses[1:]:
        joined = f"{pieces[-1]} {clause}"
        if _bytes(joined) <= limit_bytes:
            pieces[-1] = joined
        else:
            pieces.append(clause)
    return tuple(pieces)


def _bytes(text: str) -> int:
    return len(text.encode())
