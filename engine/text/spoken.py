"""
Spoken tokens, which the normaliser of each language makes: words and break marks.

A break is one of `,` `.` `!` `?`. Of adjacent breaks the strongest remains.
"""

from dataclasses import dataclass

BREAKS = ",.!?"  # from weakest to strongest
MAX_WORD_LETTERS = (
    # longer runs of letters are no words; they are split, so that a chunk has a bound
    # ("antidisestab..." has 28)
    40
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One spoken word, or one break mark (`text` is one of BREAKS)."""

    text: str

    @property
    def is_break(self) -> bool:
        """Whether this is a pause and not a word."""
        return self.text in BREAKS


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedText:
    """The tokens of a text, and its characters that cannot be spoken."""

    tokens: tuple[Token, ...]
    dropped: str


def add_break(tokens: list[Token], mark: str) -> None:
    """Append a break; never at the start, and of adjacent breaks keep the strongest."""
    if not tokens:
        return
    if not tokens[-1].is_break:
        tokens.append(Token(text=mark))
    elif BREAKS.index(mark) > BREAKS.index(tokens[-1].text):
        tokens[-1] = Token(text=mark)


def end_sentence(tokens: list[Token]) -> None:
    """Append a sentence break, unless the tokens end in one."""
    if tokens[-1].text == ",":
        tokens[-1] = Token(text=".")
    elif not tokens[-1].is_break:
        tokens.append(Token(text="."))
