"""
Spoken tokens, which the normaliser of each language makes: words and break marks.

A break is one of `,` `.` `!` `?`. Of adjacent breaks the strongest remains.
"""

import re
from dataclasses import dataclass, field

from voxgate.engine.python310 import StrEnum

BREAKS = ",.!?"  # from weakest to strongest
MAX_WORD_LETTERS = (
    # longer runs of letters are no words; they are split, so that a chunk has a bound
    # ("antidisestab..." has 28)
    40
)


class QuestionKind(StrEnum):
    """Kind of a sentence: no question, one answered by yes or no, one with a question word."""

    NONE = "none"
    YES_NO = "yes_no"
    WH = "wh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """
    One spoken word, or one break mark (`text` is one of BREAKS).

    Letters that are spelt are capitals, all other words have small letters.
    question: at a "?", the kind of the question that it ends.
    """

    text: str
    question: QuestionKind = field(default=QuestionKind.NONE, compare=False)

    @property
    def is_break(self) -> bool:
        """Whether this is a pause and not a word."""
        return self.text in BREAKS


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedText:
    """The tokens of a text, and its characters that cannot be spoken."""

    tokens: tuple[Token, ...]
    dropped: str


def add_break(tokens: list[Token], mark: str, question: QuestionKind = QuestionKind.NONE) -> None:
    """Append a break; never at the start, and of adjacent breaks keep the strongest."""
    if not tokens:
        return
    if not tokens[-1].is_break:
        tokens.append(Token(text=mark, question=question))
    elif BREAKS.index(mark) > BREAKS.index(tokens[-1].text):
        tokens[-1] = Token(text=mark, question=question)


def break_of(match: re.Match[str], *, sentence_follows: bool) -> str:
    """
    Return the break, one of BREAKS, for punctuation in a text.

    `sentence_follows` tells whether the next word can begin a sentence: dots before any other are
    a pause inside one.
    """
    mark = match.group()
    for strongest in "?!":
        if strongest in mark:
            return strongest
    if "\n" in mark:
        return "."
    if mark[0] != ".":
        return ","
    continues = not sentence_follows and match.string[match.end() :].strip() != ""
    return "," if len(mark) > 1 and continues else "."


def end_sentence(tokens: list[Token]) -> None:
    """Append a sentence break, unless the tokens end in one."""
    if tokens[-1].text == ",":
        tokens[-1] = Token(text=".")
    elif not tokens[-1].is_break:
        tokens.append(Token(text="."))


SHOWN_CHARACTERS = 40


def distinct(characters: str) -> str:
    """
    Return each character once, in order.

    >>> distinct("abab")
    'ab'
    """
    return "".join(dict.fromkeys(characters))


def dropped_line(characters: str) -> str:
    """
    Return the line for characters of a text that were left out.

    >>> dropped_line("##+")
    "left out what cannot be said: '#+' (3 characters)"
    """
    shown, count = distinct(characters), len(characters)
    more = " and more" if len(shown) > SHOWN_CHARACTERS else ""
    plural = "" if count == 1 else "s"
    return (
        f"left out what cannot be said: {shown[:SHOWN_CHARACTERS]!r}{more} "
        f"({count} character{plural})"
    )
