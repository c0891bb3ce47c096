"""The two shipped tables: whole, small, and refused in one line when damaged."""

from collections.abc import Callable
from importlib.resources import files

import pytest

from voxgate.engine.alphabet import PHONE_IDS
from voxgate.engine.errors import EngineError
from voxgate.engine.text.english import letter_to_sound, lexicon


def test_every_phone_of_the_shipped_tables_is_in_the_alphabet() -> None:
    known = lexicon.load_lexicon()
    used = {
        phone
        for table in (known.words, known.verbs, known.nouns)
        for phones in table.values()
        for phone in phones
    }
    assert used | set(letter_to_sound.load_letters().phones) <= set(PHONE_IDS)
    assert len(known.words) > 40_000


@pytest.mark.parametrize(
    ("name", "limit_bytes"), [(lexicon.TABLE, 300_000), (letter_to_sound.TABLE, 200_000)]
)
def test_tables_stay_small(name: str, limit_bytes: int) -> None:
    assert len(files("voxgate.engine.text.english").joinpath(name).read_bytes()) <= limit_bytes


def test_lexicon_survives_packing() -> None:
    words = {"cat": ("k", "ae", "t"), "use": ("y", "uw", "z")}
    packed = lexicon.pack(
        "here", lexicon.Lexicon(words=words, verbs={}, nouns={"use": ("y", "uw", "s")})
    )
    back = lexicon.unpack(packed)
    assert (dict(back.words), dict(back.verbs), dict(back.nouns)) == (
        words,
        {},
        {"use": ("y", "uw", "s")},
    )


def test_letters_survive_packing() -> None:
    table = letter_to_sound.Letters(("k", "s"), {"c": "a", "ce": "b", "ce#": "a"})
    assert letter_to_sound.unpack(letter_to_sound.pack(table)) == table


@pytest.mark.parametrize("unpack", [lexicon.unpack, letter_to_sound.unpack])
@pytest.mark.parametrize("data", [b"", b"nonsense"])
def test_a_damaged_table_is_refused(unpack: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(EngineError, match="damaged"):
        unpack(data)


def test_a_dictionary_with_a_foreign_phone_is_refused() -> None:
    packed = lexicon.pack("here", lexicon.Lexicon(words={"cat": ("k", "qq")}, verbs={}, nouns={}))
    with pytest.raises(EngineError, match="qq"):
        lexicon.unpack(packed)
