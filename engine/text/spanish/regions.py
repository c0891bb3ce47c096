"""
How a region says the sounds of Spanish: a table of replaced phones, and where an s weakens.

`es` (Castile) keeps what the letters say: z and s differ, ll and y differ; the sh of loanwords is
an s, as the voice's teacher has it.
All others have seseo: RAE and ASALE, Nueva gramática de la lengua española: fonética y fonología
(2011), chapter 5.
`rioplatense` (Buenos Aires): ll and y are the voiceless `sh` of today's speakers (Chang 2008,
"Variation in palatal production in Buenos Aires Spanish"), the i of "hielo" and "paranoia" stays a
glide (Lipski 1994, Latin American Spanish), and an s is breathed before a consonant, in the word
and across words, but kept before a vowel and a pause (Terrell 1978, "La aspiración y elisión de /s/
en el español porteño").
`mexico` and `colombia` (the two capitals): ll is y, and every s is kept (Lipski 1994).
"""

from collections.abc import Sequence
from itertools import pairwise

from voxgate.engine.errors import EngineError
from voxgate.engine.text.spanish.syllables import VOWELS

Phones = tuple[str, ...]
REGIONS = ("es", "rioplatense", "mexico", "colombia")
CASTILE = {"hy": "y", "sh": "s"}
AMERICA = {"hy": "y", "th": "s", "ll": "y"}
RIVER_PLATE = {"hy": "j", "th": "s", "ll": "sh", "y": "sh"}
REPLACED = {"es": CASTILE, "rioplatense": RIVER_PLATE, "mexico": AMERICA, "colombia": AMERICA}
BREATHED = "x"  # nearest phone of the voice to [h]


def check_region(region: str) -> None:
    """
    Check that `region` is one of REGIONS.

    Raises: EngineError naming them.
    """
    if region not in REGIONS:
        raise EngineError(f"region {region!a} is unknown; it is one of {', '.join(REGIONS)}")


def regional(words: Sequence[Phones], region: str) -> tuple[Phones, ...]:
    """Return the phones of the words of one phrase as `region` says them."""
    check_region(region)
    table = REPLACED[region]
    said = [_once([table.get(phone, phone) for phone in word]) for word in words]
    if region != "rioplatense":
        return tuple(said)
    following = [*(word[0] for word in said[1:]), ""]
    return tuple(_aspirated(word, after) for word, after in zip(said, following, strict=True))


def _once(phones: list[str]) -> Phones:
    """Return `phones` with a single s where two meet: the sc of "piscina" under seseo."""
    said = phones[:1]
    for before, phone in pairwise(phones):
        if not before == phone == "s":
            said.append(phone)
    return tuple(said)


def _aspirated(phones: Phones, after: str) -> Phones:
    said = list(phones)
    for place, phone in enumerate(phones):
        before = phones[place - 1] if place else ""
        follower = phones[place + 1] if place + 1 < len(phones) else after
        closes = before in VOWELS or before in {"j", "w"}
        if phone == "s" and closes and follower and not _is_open(follower):
            said[place] = BREATHED
    return tuple(said)


def _is_open(phone: str) -> bool:
    return phone in VOWELS or phone in {"j", "w", "s", "sh"}
