"""
Pronounce the words of a phrase: dictionary, inflection, compounds, letters, in this order.

Then the changes that a neighbouring word causes.
Contractions, weak forms and homographs follow the training voices (flite), because the acoustic
model was trained on those.
It uses phone names, not phone ids.

`inflected` pronounces an inflected word through its stem: "foxes" is "fox" + `ax z`.
The caller passes the function that looks up a stem.
It is used twice: for unknown words, and when the dictionary is built, to leave out the forms that
it derives exactly.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from voxgate.engine.text.english.letter_to_sound import load_letters, spell
from voxgate.engine.text.english.lexicon import load_lexicon
from voxgate.engine.text.english.word_tables import words_of

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
    """Return the phones of -s and 's after `stem`: `s`, `z` or `ax z`."""
    if stem[-1] in SIBILANTS:
        return ("ax", "z")
    return ("s",) if stem[-1] in VOICELESS else ("z",)


def past_ending(stem: Phones) -> Phones:
    """Return the phones of -ed after `stem`: `t`, `d` or `ih d`."""
    if stem[-1] in {"t", "d"}:
        return ("ih", "d")
    return ("t",) if stem[-1] in VOICELESS else ("d",)


def _join_ending(stem: Phones, ending: Phones) -> Phones:
    """Join stem and ending, with a single l where two meet ("really")."""
    return stem + (ending[1:] if stem[-1] == ending[0] == "l" else ending)


def _possible_stems(trunk: str) -> Iterator[str]:
    """
    Yield the words that `trunk` can be the stem of: "mak" of make, "runn" of run, "happi" of happy.
    """
    yield trunk
    yield trunk + "e"
    if len(trunk) > 2 and trunk[-1] == trunk[-2]:
        yield trunk[:-1]
    if trunk.endswith("i"):
        yield trunk[:-1] + "y"


def _stem_phones(trunk: str, find_stem: Find) -> Phones | None:
    for stem in _possible_stems(trunk):
        if (
            len(stem) >= MIN_STEM_LETTERS
            and (phones := find_stem(stem))
            and VOWELS.intersection(phones)
        ):
            return phones
    return None


def inflected(word: str, find_stem: Find) -> Phones | None:
    """
    Return the phones of `word` from those of its stem, or None if no ending leaves a known stem.
    """
    if word.endswith("s") and not word.endswith("ss"):
        trunks = [word[:-1]] + ([word[:-2]] if word.endswith("es") else [])
        trunks = [word[:-3] + "y"] if word.endswith("ies") else trunks
        for trunk in trunks:
            if (
                len(trunk) >= MIN_STEM_LETTERS
                and (stem := find_stem(trunk))
                and VOWELS.intersection(stem)
            ):
                return stem + plural_ending(stem)
    if word.endswith("ed") and (stem := _stem_phones(word[:-2], find_stem)):
        return stem + past_ending(stem)
    for ending, phones in ENDINGS:
        if word.endswith(ending) and (stem := _stem_phones(word[: -len(ending)], find_stem)):
            return _join_ending(stem, phones)
    return None


# a schwa stands before them after a consonant
CLITICS: dict[str, Phones] = {"ll": ("l",), "ve": ("v",), "d": ("d",)}
DETERMINERS = frozenset(
    words_of("the a an some this each another those every all any these both neither no many")
)
POSSESSIVES = frozenset(words_of("my your his its our their"))
PREPOSITIONS = frozenset(
    words_of("of in for on with by at from as into without after before during per")
)
BEFORE_NOUNS = DETERMINERS | POSSESSIVES | PREPOSITIONS
BEFORE_VERBS = frozenset(
    words_of(
        "to will would can could should must may might ought shall do does did don't doesn't "
        "didn't can't cannot couldn't won't wouldn't shouldn't let's please i you he she we they "
        "who never always"
    )
)
AFTER_VERBS = DETERMINERS | POSSESSIVES | frozenset(words_of("it them him me us her"))
# pronounced "reed", "leed" only after these words, whatever follows
READ_LIKE = frozenset({"read", "lead"})
READ_BEFORE = frozenset(words_of("to can can't cannot could couldn't will shall"))
INTERJECTIONS: dict[str, Phones] = {
    "hm": ("hh", "ax", "m"), "hmm": ("hh", "ax", "m"), "hmmm": ("hh", "ax", "m"),
    "mm": ("m", "ax", "m"), "mmm": ("m", "ax", "m"), "mhm": ("m", "ax", "hh", "m"),
    "sh": ("sh", "ax"), "shh": ("sh", "ax"), "shhh": ("sh", "ax"), "psst": ("p", "s", "t"),
    "brr": ("b", "er"), "brrr": ("b", "er"), "grr": ("g", "er"), "grrr": ("g", "er"),
    "tsk": ("t", "ih", "s", "k"), "pfft": ("p", "f", "t"), "zzz": ("z", "z"),
}  # fmt: skip
"""Sounds that people write without a vowel; letter names are no reading of them."""
MIN_COMPOUND_PART = 4  # letters; shorter parts meet by accident
CACHED_WORDS = 20_000


def pronounce(words: Sequence[str]) -> tuple[Phones, ...]:
    """Return the phones of each word of one phrase (between two breaks); none is empty."""
    phones_of_words: list[Phones] = []
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        after = words[place + 1] if place + 1 < len(words) else ""
        phones_of_words.append(_in_context(word, before, after))
    for place in range(len(words) - 1):
        if words[place] == "the" and phones_of_words[place + 1][0] in VOWELS:
            phones_of_words[place] = ("dh", "iy")
    return tuple(phones_of_words)


def _in_context(word: str, before: str, after: str) -> Phones:
    if word == "a" and not after:
        return ("ey",)
    lexicon = load_lexicon()
    verb, noun = lexicon.verbs.get(word), lexicon.nouns.get(word)
    if verb and _is_verb(word, before, after):
        return verb
    if noun and (before in BEFORE_NOUNS or before.endswith("'s")):
        return noun
    return pronounce_word(word)


def _is_verb(word: str, before: str, after: str) -> bool:
    if word in READ_LIKE:
        return before in READ_BEFORE
    if before in BEFORE_NOUNS:
        return False
    return before in BEFORE_VERBS or after in AFTER_VERBS


@lru_cache(maxsize=CACHED_WORDS)
def pronounce_word(word: str) -> Phones:
    """Return the phones of one word without context, or of its letters if in capitals."""
    stem, _, tail = word.rpartition("'")
    if stem and tail == "s":
        return _possessive(pronounce_word(stem))
    if stem and tail in CLITICS:
        return _clitic(pronounce_word(stem), CLITICS[tail])
    if word[0].isupper():
        return spell(word.lower())
    if word in INTERJECTIONS:
        return INTERJECTIONS[word]
    return look_up(word) or look_up(word.replace("'", "")) or _guess(word.replace("'", ""))


def look_up(word: str) -> Phones | None:
    """Return the phones of a dictionary word or of its regular inflection, else None."""
    return load_lexicon().words.get(word) or inflected(word, look_up)


def _possessive(stem: Phones) -> Phones:
    return stem + plural_ending(stem)


def _clitic(stem: Phones, tail: Phones) -> Phones:
    return stem + (tail if stem[-1] in VOWELS else ("ax", *tail))


def _guess(word: str) -> Phones:
    if not re.search(r"[aeiouy]", word):
        return spell(word)
    for split_at in range(len(word) - MIN_COMPOUND_PART, MIN_COMPOUND_PART - 1, -1):
        if (head := load_lexicon().words.get(word[:split_at])) and (
            tail := look_up(word[split_at:])
        ):
            return head + tail
    return load_letters().pronounce(word) or spell(word)
