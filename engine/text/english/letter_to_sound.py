"""
Guess the phones of a word from its letters, for words that no dictionary has.

Each letter is looked up by the longest known context around it: the letter, then its neighbours one
by one, nearest first, as far as the table goes.
The table `letters_en.txt.xz` is learned from the dictionary by `voxgate.engine.training.letters`.
(An information-gain tree: Daelemans, van den Bosch and Weijters 1997.)
It contains no words.
"""

import lzma
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from voxgate.engine.errors import EngineError
from voxgate.engine.text.english.lexicon import PHONE_LETTERS

TABLE = "letters_en.txt.xz"
# positions of the context letters, in the order of the look-up
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
    Context (a letter, then its neighbours in the order NEIGHBOURS) to coded phones.

    Every prefix of a context is in the table.
    """

    phones: tuple[str, ...]
    phones_of: dict[str, str]

    def pronounce(self, word: str) -> tuple[str, ...]:
        """
        Return the phones of a word of the letters a-z; empty only if all its letters are silent.
        """
        padded = EDGE * REACH + word + EDGE * REACH
        coded = "".join(self._phones_at(padded, place) for place in range(REACH, REACH + len(word)))
        return tuple(self.phones[PHONE_LETTERS.index(letter)] for letter in coded)

    def _phones_at(self, padded: str, place: int) -> str:
        context = padded[place]
        phones = self.phones_of.get(context, "")
        for offset in NEIGHBOURS:
            context += padded[place + offset]
            longer_match = self.phones_of.get(context)
            if longer_match is None:
                break
            phones = longer_match
        return phones


def spell(word: str) -> tuple[str, ...]:
    """Return the phones of the letters' names, in order."""
    return tuple(" ".join(LETTER_NAMES[letter] for letter in word).split())


def pack(letters: Letters) -> bytes:
    """
    Serialise the table: phone names, then the last letter, length and phones of every context, in
    order.
    """
    contexts = sorted(letters.phones_of)
    last = "".join(context[-1] for context in contexts)
    length = "".join(str(len(context)) for context in contexts)
    lines = (
        " ".join(letters.phones),
        last,
        length,
        " ".join(letters.phones_of[context] for context in contexts),
    )
    return lzma.compress("\n".join(lines).encode("ascii"), preset=9 | lzma.PRESET_EXTREME)


def unpack(data: bytes) -> Letters:
    """
    Parse the bytes that `pack` wrote.

    Raises: EngineError for a damaged table.
    """
    try:
        names, last, lengths, coded = lzma.decompress(data).decode("ascii").split("\n")
        phones_of: dict[str, str] = {}
        context = ""
        for letter, length, phones in zip(last, lengths, coded.split(" "), strict=True):
            context = context[: int(length) - 1] + letter
            phones_of[context] = phones
    except (lzma.LZMAError, ValueError) as error:
        raise EngineError(
            f"the letter table {TABLE} is damaged ({error}); install the package again"
        ) from error
    return Letters(tuple(names.split(" ")), phones_of)


@cache
def load_letters() -> Letters:
    """Load the shipped table, once."""
    return unpack(files("voxgate.engine.text.english").joinpath(TABLE).read_bytes())
