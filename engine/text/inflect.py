"""
Says an inflected word through its stem: "foxes" is "fox" + `ax z`. It knows spelling rules, no dictionary.

The caller gives the function that finds a stem. Used twice: for unknown words, and when the dictionary is built, to
leave out the forms that come out right this way.
"""

from collections.abc import Callable, Iterator

from engine.text.word_tables import words_of

Phones = tuple[str, ...]
Find = Callable[[str], Phones | None]

VOWELS = frozenset(words_of("aa ae ah ao aw ax axr ay eh er ey ih iy ow oy uh uw"))
VOICELESS = frozenset(words_of("p t k f th s sh ch hh"))
SIBILANTS = frozenset(words_of("s z sh zh ch jh"))
ENDINGS: tuple[tuple[str, Phones], ...] = (
    ("ing", ("ih", "ng")),
    ("ly", ("l", "iy")),
    ("ness", ("n", "ax", "s")),
    ("less", ("l", "ax", "s")),
    ("er", ("er",)),
    ("ers", ("er", "z")),
)  # fmt: skip
MIN_STEM_LETTERS = 3  # shorter ones ("br" of "bring") are accidents


def plural_ending(stem: Phones) -> Phones:
    """Give the sound of -s and 's after `stem`: `s`, `z` or `ax z`."""
    if stem[-1] in SIBILANTS:
        return ("ax", "z")
    return ("s",) if stem[-1] in VOICELESS else ("z",)


def past_ending(stem: Phones) -> Phones:
    """Give the sound of -ed after `stem`: `t`, `d` or `ih d`."""
    if stem[-1] in {"t", "d"}:
        return ("ih", "d")
    return ("t",) if stem[-1] in VOICELESS else ("d",)


def _joined(stem: Phones, ending: Phones) -> Phones:
    """Join, with one l where two meet ("really")."""
    return stem + (ending[1:] if stem[-1] == ending[0] == "l" else ending)


def _stems(rest: str) -> Iterator[str]:
    """Give the words that `rest` can be the stem of: "mak" of make, "runn" of run, "happi" of happy."""
    yield rest
    yield rest + "e"
    if len(rest) > 2 and rest[-1] == rest[-2]:
        yield rest[:-1]
    if rest.endswith("i"):
        yield rest[:-1] + "y"


def _first(rest: str, find: Find) -> Phones | None:
    for stem in _stems(rest):
        if len(stem) >= MIN_STEM_LETTERS and (phones := find(stem)) and VOWELS.intersection(phones):
            return phones
    return None


def inflected(word: str, find: Find) -> Phones | None:
    """Give the phones of `word` from those of its stem, or None where no ending leaves a known stem."""
    if word.endswith("s") and not word.endswith("ss"):
        rests = [word[:-1]] + ([word[:-2]] if word.endswith("es") else [])
        rests = [word[:-3] + "y"] if word.endswith("ies") else rests
        for rest in rests:
            if len(rest) >= MIN_STEM_LETTERS and (stem := find(rest)) and VOWELS.intersection(stem):
                return stem + plural_ending(stem)
    if word.endswith("ed") and (stem := _first(word[:-2], find)):
        return stem + past_ending(stem)
    for ending, phones in ENDINGS:
        if word.endswith(ending) and (stem := _first(word[: -len(ending)], find)):
            return _joined(stem, phones)
    return None
