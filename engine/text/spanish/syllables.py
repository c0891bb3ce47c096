"""
Vowels, glides, stress and syllables of a word.

The rules are those of the Ortografía de la lengua española (RAE, 2010): an unaccented i or u beside
another vowel is a glide, two of a, e, o are two syllables, and so is an accented í or ú beside one
of them ("día"). An h between vowels changes nothing ("prohibir").
The stress is on the written accent; without one on the last syllable but one after a vowel, n or s,
else on the last.
"""

from collections.abc import Sequence
from itertools import pairwise

VOWELS = frozenset({"a", "e", "i", "o", "u", "a1", "e1", "i1", "o1", "u1"})
GLIDES = {"i": "j", "u": "w", "Y": "j"}
UNACCENTED = str.maketrans("áéíóú", "aeiou")
LETTERS = frozenset("aeiouáéíóú")
ONSET_FIRST = frozenset({"p", "b", "t", "d", "k", "g", "f"})


def vowels_and_glides(sounds: Sequence[str]) -> tuple[str, ...]:
    """Return `sounds` with each weak vowel that is no syllable of its own as a glide."""
    done: list[str] = []
    for place, sound in enumerate(sounds):
        after = sounds[place + 1] if place + 1 < len(sounds) else ""
        before = done[-1] if done else ""
        is_on_glide = after in LETTERS and after.translate(UNACCENTED) != sound
        is_off_glide = before in LETTERS and before.translate(UNACCENTED) != sound
        if sound == "i" and is_on_glide and before in LETTERS:
            done.append("hy")  # paranoia
        elif sound == "Y" or (sound in GLIDES and (is_on_glide or is_off_glide)):
            done.append(GLIDES[sound])
        else:
            done.append(sound)
    return tuple(done)


def stressed_vowel(sounds: Sequence[str], *, last_letters: str) -> int:
    """
    Return the place of the stressed vowel among `sounds`, which have glides; -1 if none has one.

    last_letters: the last two letters of the word as written.
    """
    places = [place for place, sound in enumerate(sounds) if sound in LETTERS]
    accented = [place for place in places if sounds[place] in "áéíóú"]
    if accented or not places:
        return accented[-1] if accented else -1
    after_vowel = last_letters[:1] in LETTERS or last_letters[:1] in {"y", "ü"}
    ends_open = last_letters[-1:] in LETTERS or (last_letters[-1:] in {"n", "s"} and after_vowel)
    if last_letters[-1:] == "y":  # whisky, but virrey
        ends_open = not after_vowel
    return places[-2] if ends_open and len(places) > 1 else places[-1]


def syllables(phones: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """
    Split the phones of a word into syllables; one without a vowel is one syllable.

    Of the consonants between two vowels the last begins the next syllable, and the last two where
    they can begin a word ("pa-dre").
    """
    starts = [0]
    nuclei = [place for place, phone in enumerate(phones) if phone in VOWELS]
    for left, right in pairwise(nuclei):
        starts.append(_onset(phones, left + 1, right))
    ends = [*starts[1:], len(phones)]
    return tuple(tuple(phones[start:end]) for start, end in zip(starts, ends, strict=True))


def _onset(phones: Sequence[str], first: int, nucleus: int) -> int:
    """Return where the syllable of `nucleus` begins, at or after `first`."""
    start = nucleus
    if start > first and phones[start - 1] in {"j", "w"}:
        start -= 1
    consonants = [place for place in range(first, start) if phones[place] not in {"j", "w"}]
    if not consonants:
        return start
    start = consonants[-1]
    is_cluster = phones[start] in {"r", "l"} and start > first
    return start - 1 if is_cluster and _begins_cluster(phones, start) else start


def _begins_cluster(phones: Sequence[str], liquid: int) -> bool:
    first = phones[liquid - 1]
    return first in ONSET_FIRST and not (phones[liquid] == "l" and first in {"d", "t"})
