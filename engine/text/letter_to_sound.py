"""
Guesses the phones of a word from its letters alone, for words that no dictionary has.

Each letter is answered by the longest known context around it: the letter, then its neighbours one
by one, nearest first, as far as the table goes. The table `letters_en.txt.xz` is learned by
`engine.training.letters` from the dictionary. (An information-gain tree: Daelemans, van den Bosch
and Weijters 1997.) It knows no words.
"""

import lzma
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from engine.errors import EngineError
from engine.text.lexicon import PHONE_LETTERS

TABLE = "letters_en.txt.xz"
# places of the context letters, in the order in which they are asked
NEIGHBOURS = (1, -1, 2, -2, 3, -3, 4, -4)
EDGE = "#"
REACH = max(NEIGHBOURS)
LETTER_NAMES = {
    "a": "ey", "b": "b iy", "c": "s iy", "d": "d iy", "e": "iy", "f": "eh f", "g": "jh iy",
    "h": "ey ch", "i": "ay",
    "j": "jh ey",
    "k": "k ey", "l": "eh l", "m": "eh m", "n": "eh n", "o": "ow", "p": "p iy", "q": "k y uw",
    "r": "aa r", "s": "eh s",
    "t": "t iy", "u": "y uw", "v": "v iy", "w": "d ah b ax l y uw", "x": "eh k s", "y": "w ay",
    "z": "z iy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letters:
    """
    Context (a letter, then its neighbours in the order NEIGHBOURS) to coded phones; every prefix of
    a context is in it.
    """

    phones: tuple[str, ...]
    answers: dict[str, str]

    def say(self, word: str) -> tuple[str, ...]:
        """
        Give the phones of a word of the letters a-z; empty only for letters that are all silent.
        """
        padded = EDGE * REACH + word + EDGE * REACH
        coded = "".join(self._one(padded, place) for place in range(REACH, REACH + len(word)))
        return tuple(self.phones[PHONE_LETTERS.index(letter)] for letter in coded)

    def _one(self, padded: str, place: int) -> str:
        context = padded[place]
        answer = self.answers.get(context, "")
        for offset in NEIGHBOURS:
            context += padded[place + offset]
            longer = self.answers.get(context)
            if longer is None:
                break
            answer = longer
        return answer


def spell(word: str) -> tuple[str, ...]:
    """Give the phones of the letters' names, one after another."""
    return tuple(phone for letter in word for phone in LETTER_NAMES[letter].split())


def pack(letters: Letters) -> bytes:
    """
    Write the table: phone names, then per context, in order, its last letter, its length, its
    answer.
    """
    contexts = sorted(letters.answers)
    last = "".join(context[-1] for context in contexts)
    length = "".join(str(len(context)) for context in contexts)
    lines = (
        " ".join(letters.phones),
        last,
        length,
        " ".join(letters.answers[context] for context in contexts),
    )
    return lzma.compress("\n".join(lines).encode("ascii"), preset=9 | lzma.PRESET_EXTREME)


def unpack(data: bytes) -> Letters:
    """Read what `pack` wrote; raises EngineError where the table is damaged."""
    try:
        names, last, lengths, coded = lzma.decompress(data).decode("ascii").split("\n")
        answers: dict[str, str] = {}
        context = ""
        for letter, length, answer in zip(last, lengths, coded.split(" "), strict=True):
            context = context[: int(length) - 1] + letter
            answers[context] = answer
    except (lzma.LZMAError, ValueError) as error:
        raise EngineError(
            f"the letter table {TABLE} is damaged ({error}); install the package again"
        ) from error
    return Letters(tuple(names.split(" ")), answers)


@cache
def load_letters() -> Letters:
    """Read the shipped table, once."""
    return unpack(files("engine.text").joinpath(TABLE).read_bytes())
