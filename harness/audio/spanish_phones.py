"""
The phones of Spanish words, and the places in them by which accents differ.

Spanish spelling is regular, so a page of rules is enough to know which sounds to look for; whether
they are there is for `accent.py`. The rules are the judge's own and share nothing with an engine's:
a mistake of an engine's front-end is to be found, and not repeated. Phones are broad (no stress):
"th" is the sound of c and z in Castilian, "ll" and "y" are kept apart as they are spelled.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.harness.audio.spanish_numbers import numbers_as_words
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.cell import primary_language

SPANISH = "es"
VOWELS = frozenset("aeiou")
FRONT = frozenset("eiéí")
PLAIN = {
    "b": "b", "d": "d", "f": "f", "j": "x", "k": "k", "l": "l", "m": "m", "n": "n", "p": "p",
    "s": "s", "t": "t", "v": "b", "w": "w", "z": "th", "\u00f1": "ny",
}  # fmt: skip
ACCENTS = str.maketrans("áéíóúü", "aeiouu")
SILENT_U = re.compile(r"[qg]u$")


class Slot(StrEnum):
    """A place in a text that accents fill with different sounds."""

    LL = "ll"
    """ll, and y before a vowel: an approximant, or "sh" or "zh" by the River Plate."""
    THETA = "theta"
    """z, and c before e or i: th in Castilian, s elsewhere."""
    CODA_S = "coda_s"
    """s before another consonant: s, or a breath by the River Plate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPlace:
    """A slot by the index of its word, and of its phone in that word."""

    slot: Slot
    word: int
    phone: int


def spanish_words(text: str) -> tuple[str, ...]:
    """
    Return the words of a text in lower case, numbers as words; signs are left out.

    >>> spanish_words("¿Qué? ¡El niño 2!")
    ('qué', 'el', 'niño', 'dos')
    """
    plain = numbers_as_words(unicodedata.normalize("NFC", text)).lower()
    return tuple(re.findall(r"[a-záéíóúüñ]+", plain))


def slot_kinds(text: str, language: str) -> frozenset[Slot]:
    """
    Return the kinds of slots that a text has; none in other languages than Spanish.

    >>> sorted(slot_kinds("La calle", "es-MX")), slot_kinds("La calle", "it")
    ([<Slot.LL: 'll'>], frozenset())
    """
    if primary_language(language) != SPANISH:
        return frozenset()
    return frozenset(place.slot for place in slots_of(spanish_words(text)))


def phones_of(word: str) -> tuple[str, ...]:
    """
    Return the phones of one word in lower case.

    >>> phones_of("calle"), phones_of("zapato"), phones_of("guerra"), phones_of("ciudad")
    (('k', 'a', 'll', 'e'), ('th', 'a', 'p', 'a', 't', 'o'), ('g', 'e', 'rr', 'a'), ('th', 'j', 'u', 'd', 'a', 'd'))
    """  # noqa: E501
    found: list[str] = []
    at = 0
    while at < len(word):
        phones, length = _phone_at(word, at)
        found += phones
        at += length
    return tuple(found)


def slots_of(words: Sequence[str]) -> tuple[SlotPlace, ...]:
    """
    Return the slots of a text, in order.

    An s before another s, a c, a z or an r is none: it is hardly heard in any accent.
    """
    spoken = [phones_of(word) for word in words]
    places = []
    for at, phones in enumerate(spoken):
        after = spoken[at + 1][:1] if at + 1 < len(spoken) else ()
        for index, phone in enumerate(phones):
            following = (*phones[index + 1 : index + 2], *after, "")[0]
            slot = _slot(phone, following)
            if slot is not None:
                places.append(SlotPlace(slot=slot, word=at, phone=index))
    return tuple(places)


def _slot(phone: str, following: str) -> Slot | None:
    if phone in ("ll", "y"):
        return Slot.LL
    if phone == "th":
        return Slot.THETA
    # before a vowel it is no coda, and before these it melts with them
    if phone == "s" and following and following not in {*VOWELS, "j", "w", "s", "th", "rr", "x"}:
        return Slot.CODA_S
    return None


def _phone_at(word: str, at: int) -> tuple[tuple[str, ...], int]:
    """Return the phones that begin at a letter, and the number of letters that spell them."""
    letter, rest = word[at], word[at + 1 :]
    following = rest[:1]
    if letter + following in ("ch", "ll", "rr"):
        return (letter + following,), 2
    if letter == "q" or (letter == "g" and following == "u"):
        return _before_u(letter, rest)
    if letter in "cg" and following in FRONT and following:
        return (("th",) if letter == "c" else ("x",)), 1
    if letter == "r":
        return (("rr",) if at == 0 or word[at - 1] in "lns" else ("r",)), 1
    if letter == "y":
        before_vowel = following and following.translate(ACCENTS) in VOWELS
        return ("y" if before_vowel else "i" if word == "y" else "j",), 1
    if letter in "hxcg":
        return {"h": ((), 1), "x": (("s",) if at == 0 else ("k", "s"), 1)}.get(
            letter, (("k",) if letter == "c" else ("g",), 1)
        )
    if letter in PLAIN:
        return (PLAIN[letter],), 1
    return (_vowel(word, at),), 1


def _before_u(letter: str, rest: str) -> tuple[tuple[str, ...], int]:
    """Return the phones of qu and gu, whose u is silent before e and i; that of gü is not."""
    stop = "k" if letter == "q" else "g"
    if rest[:1] == "u" and rest[1:2] in FRONT and rest[1:2]:
        return (stop,), 2
    return (stop,), 1


def _vowel(word: str, at: int) -> str:
    """Return a vowel or, beside another one and without an accent, the glide of i and u."""
    plain = word[at].translate(ACCENTS)
    before, after = word[max(at - 1, 0) : at], word[at + 1 : at + 2]
    if SILENT_U.search(word[:at]):
        before = ""
    near = any(each.translate(ACCENTS) in VOWELS for each in before + after)
    # of "iu" and "ui" the first is the glide
    if word[at] not in "iu\u00fc" or not near or (before and before in "iu\u00fc"):
        return plain
    return "j" if plain == "i" else "w"
