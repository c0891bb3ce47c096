"""
Normalise any text into spoken tokens: words and break marks.

A word is lower case with its accents. A token in capitals ("DVD", "B") is spelt.
A break is one of `,` `.` `!` `?`; a "?" has the kind of its question.
Nothing that could be spoken is dropped silently: characters without Spanish sound (other scripts,
emoji) are reported in `NormalisedText.dropped`; quotes and formatting marks are not.

`fold` first reduces any string to Latin letters, ASCII digits and a few signs.
"""

import re
import unicodedata
from dataclasses import dataclass

from voxgate.engine.text.questions import spanish_kind
from voxgate.engine.text.spanish.initialisms import calmed, case_of, is_shouting
from voxgate.engine.text.spanish.letters import FOREIGN
from voxgate.engine.text.spanish.verbalise import rewrite
from voxgate.engine.text.spoken import (
    MAX_WORD_LETTERS,
    NormalisedText,
    QuestionKind,
    Token,
    add_break,
    break_of,
    end_sentence,
)

TOKEN = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)*"
    r"|(?P<open>[¿¡]+)|[.!?]+(?=(\s*[^\W\d_a-záéíóúñü]|\s*[¿¡\"'(])?)"
    r"|\n\s*\n|(?<=\s)-+(?=\s)|--+|[,;:()\[\]{}|]"
)
SENTENCE_ENDS = frozenset(".!?")


def normalise(text: str, region: str = "es") -> NormalisedText:
    """
    Return the words and breaks of `text`, ending in a sentence break; no tokens if nothing is
    speakable.
    """
    folded = fold(text)
    plain = calmed(folded.text) if is_shouting(folded.text) else folded.text
    spoken = _Spoken(tokens=[])
    for match in TOKEN.finditer(rewrite(plain, region)):
        if match.group()[0].isalpha():
            spoken.add_word(case_of(match.group()))
        elif match["open"]:
            spoken.open_question(match["open"])
        else:
            spoken.add_break(break_of(match, sentence_follows=match[2] is not None))
    if spoken.tokens:
        end_sentence(spoken.tokens)
    return NormalisedText(tokens=tuple(spoken.tokens), dropped=folded.dropped)


@dataclass(slots=True)
class _Spoken:
    """Tokens so far, and where the question that is under way began."""

    tokens: list[Token]
    sentence: int = 0
    question: int | None = None

    def add_word(self, word: str) -> None:
        """Append a word, split if it is too long."""
        for start in range(0, len(word), MAX_WORD_LETTERS):
            self.tokens.append(Token(text=word[start : start + MAX_WORD_LETTERS]))

    def open_question(self, marks: str) -> None:
        """Note a ¿; neither it nor ¡ is a pause of its own."""
        if "¿" in marks:
            self.question = len(self.tokens)

    def add_break(self, mark: str) -> None:
        """Append a break, and at a "?" the kind of its question."""
        kind = QuestionKind.NONE
        if mark == "?":
            opened = self.question is not None
            start = self.question if self.question is not None else self.sentence
            kind = spanish_kind(self.tokens[start:], opened=opened)
        add_break(self.tokens, mark, kind)
        if mark in SENTENCE_ENDS:
            self.sentence, self.question = len(self.tokens), None


KEPT = frozenset("•°ºª£€¥¢¿¡²³×÷±≈≤≥≠‰√§")
PLAIN = {
    "‘": "'", "’": "'", "‚": ",", "‛": "'", "′": "'", "ʼ": "'", "´": "'", "“": '"', "”": '"',
    "„": '"', "″": '"', "«": '"', "»": '"', "‹": '"', "›": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "−": " menos ",
    "—": " - ", "―": " - ", "…": "...", "⁄": "/",
    "∕": "/", "·": " ", "→": ", ", "®": " ", "™": " ", "©": " ", "、": ", ", "。": ". ",
    "π": " pi ", "α": " alfa ", "β": " beta ", "γ": " gamma ", "Δ": " delta ", "δ": " delta ",
    "λ": " lambda ", "σ": " sigma ", "Ω": " ohmios ", "µ": "u", "μ": "u", "∞": " infinito ",
}  # fmt: skip
# joiners and variation selectors: part of the previous character
SILENT_CATEGORIES = frozenset({"Mn", "Me", "Cf"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Text in the front-end's characters, and the characters that had to be dropped, in order."""

    text: str
    dropped: str


def _fold_one(character: str) -> str | None:
    """Return the replacement of one non-ASCII character, or None if there is none."""
    if character in KEPT:
        return character
    if character in PLAIN:
        return PLAIN[character]
    if character.isspace():
        return "\n" if character in "\x85\u2028\u2029" else " "
    if unicodedata.category(character) in SILENT_CATEGORIES:
        return ""
    if character.isalpha() and ord(character.lower()) in FOREIGN:
        return character
    value = unicodedata.decimal(character, None)
    return str(value) if value is not None else _decomposed(character)


def _decomposed(character: str) -> str | None:
    parts = unicodedata.normalize("NFKD", character).replace("\u2044", "/")
    ascii_part = "".join(part for part in parts if " " <= part <= "~")
    if not ascii_part.strip():
        return None
    if "/" in ascii_part:
        return f" {ascii_part} "
    return character if character.lower() in "áéíóúñü" else ascii_part


def fold(text: str) -> Folded:
    """Fold `text` to the front-end's characters; never fails, whatever the string holds."""
    folded: list[str] = []
    dropped: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        if " " <= character <= "~" or character == "\n":
            folded.append(character)
        elif character < " " or character == "\x7f":
            folded.append("\n" if character == "\r" else " ")
        elif (replacement := _fold_one(character)) is not None:
            folded.append(replacement)
        else:
            dropped.append(character)
            folded.append(" ")
    plain = re.sub(" {2,}", " ", "".join(folded))
    return Folded(text=re.sub(r"(?: ?\n){2,}", "\n\n", plain), dropped="".join(dropped))
