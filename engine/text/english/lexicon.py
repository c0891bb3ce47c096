"""
The pronouncing dictionary: words and the phones that the training voices use for them.

It has no context.
The table `lexicon_en.txt.xz` is built by `voxgate.engine.training.lexicon`, and read on first use,
once per process. Lines: origin, phone names (each written as the letter at its index in
PHONE_LETTERS), then words and their phones, three times: all words, those that differ as a verb,
those that differ as a noun. Inflected forms that
`voxgate.engine.text.english.pronounce.inflected` derives exactly are left out.
"""

import lzma
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from voxgate.engine.alphabet import PHONE_IDS
from voxgate.engine.errors import EngineError

TABLE = "lexicon_en.txt.xz"
PHONE_LETTERS = string.ascii_letters  # 52: enough for the 40 phones that occur inside words


Phones = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """
    Word to phone names.

    `verbs` and `nouns` hold the readings of homographs ("record", "use") that differ there.
    """

    words: Mapping[str, Phones]
    verbs: Mapping[str, Phones]
    nouns: Mapping[str, Phones]


class _Coded(Mapping[str, Phones]):
    """
    A mapping to phones that stores one letter per phone: reading 47,000 words takes 30 ms, not 200.
    """

    def __init__(self, names: Sequence[str], coded: dict[str, str]) -> None:
        self._name_of = dict(zip(PHONE_LETTERS, names, strict=False))
        self._coded = coded

    def __getitem__(self, word: str) -> Phones:
        return tuple(self._name_of[letter] for letter in self._coded[word])

    def __iter__(self) -> Iterator[str]:
        return iter(self._coded)

    def __len__(self) -> int:
        return len(self._coded)


def pack(origin: str, lexicon: Lexicon) -> bytes:
    """Serialise a dictionary as the bytes that `unpack` parses."""
    tables = (lexicon.words, lexicon.verbs, lexicon.nouns)
    used: set[str] = set()
    for table in tables:
        used.update(*table.values())
    names = sorted(used)
    letter_of = dict(zip(names, PHONE_LETTERS, strict=False))
    lines = [origin, " ".join(names)]
    for table in tables:
        words = sorted(table)
        coded = ["".join(map(letter_of.__getitem__, table[word])) for word in words]
        lines += [" ".join(words), " ".join(coded)]
    return lzma.compress("\n".join(lines).encode("ascii"), preset=9 | lzma.PRESET_EXTREME)


def unpack(data: bytes) -> Lexicon:
    """
    Parse the bytes that `pack` wrote.

    Raises: EngineError for a damaged table, and for a phone that the voice lacks.
    """
    try:
        _, header, *columns = lzma.decompress(data).decode("ascii").split("\n")
        names = header.split()
        pairs = zip(columns[::2], columns[1::2], strict=True)
        words, verbs, nouns = (
            dict(zip(keys.split(), values.split(), strict=True)) for keys, values in pairs
        )
    except (lzma.LZMAError, ValueError) as error:
        raise EngineError(
            f"the pronouncing dictionary {TABLE} is damaged ({error}); install the package again"
        ) from error
    unknown = [name for name in names if name not in PHONE_IDS]
    if unknown:
        raise EngineError(
            f"the pronouncing dictionary uses phones the voice lacks: {', '.join(unknown)}; "
            f"rebuild {TABLE}"
        )
    return Lexicon(
        words=_Coded(names, words), verbs=_Coded(names, verbs), nouns=_Coded(names, nouns)
    )


@cache
def load_lexicon() -> Lexicon:
    """Load the shipped dictionary, once."""
    return unpack(files("voxgate.engine.text.english").joinpath(TABLE).read_bytes())
