"""
Pronounce the Spanish words of a phrase: respelt loanwords, else the rules of the orthography.

Articles, prepositions, conjunctions, weak pronouns and possessives have no stress of their own
(RAE, Nueva gramática: fonética y fonología, chapter 9), unless they end a phrase or follow a
determiner ("el sobre"). Adverbs in -mente have two stresses.
A word in capitals, or without a vowel, is spelt by the names of its letters.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from voxgate.engine.text.spanish.letters import VOWEL_LETTERS, plain, sounds
from voxgate.engine.text.spanish.loanwords import MURMURS, RESPELT
from voxgate.engine.text.spanish.regions import check_region, regional
from voxgate.engine.text.spanish.syllables import (
    LETTERS,
    UNACCENTED,
    stressed_vowel,
    vowels_and_glides,
)

Phones = tuple[str, ...]
CACHED_WORDS = 20_000
UNSTRESSED = frozenset(
    "el la los las lo al del a ante bajo con contra de desde durante en entre hacia hasta mediante "
    "para por sin sobre tras y e o u ni que si pero mas sino pues porque aunque como cuando donde "
    "quien me te se nos os le les mi mis tu tus su sus nuestro nuestra nuestros nuestras vuestro "
    "vuestra vuestros vuestras tan cuyo cuya cuyos cuyas don doña san fray aun".split()
)
# nouns and verbs too, as which they are stressed
OF_TWO_KINDS = frozenset("bajo sobre entre para como contra cuando pero".split())
DETERMINERS = frozenset("el la los las un una este ese aquel mi tu su otro cada al del".split())
# end in -mente and are no adverbs
NO_ADVERBS = frozenset(
    "demente clemente inclemente vehemente lamente comente fomente aumente cimente alimente "
    "experimente fermente atormente incremente implemente complemente documente argumente "
    "fundamente reglamente ornamente sedimente cemente instrumente juramente ejercítemente "
    "condimente escarmente parlamente pimente tormente segmente pigmente suplemente".split()
)
LETTER_NAMES = {
    "a": "a", "b": "be", "c": "ce", "d": "de", "e": "e", "f": "efe", "g": "ge", "h": "hache",
    "i": "i", "j": "jota", "k": "ka", "l": "ele", "m": "eme", "n": "ene", "ñ": "eñe", "o": "o",
    "p": "pe", "q": "cu", "r": "erre", "s": "ese", "t": "te", "u": "u", "v": "uve",
    "w": "uve doble", "x": "equis", "y": "i griega", "z": "zeta",
}  # fmt: skip
AMERICAN_NAMES = {"v": "ve", "w": "doble u"}
RIVER_PLATE_NAMES = {"v": "ve corta", "w": "doble ve"}
NAMES_OF_REGION = {
    "es": LETTER_NAMES,
    "rioplatense": LETTER_NAMES | RIVER_PLATE_NAMES,
    "mexico": LETTER_NAMES | AMERICAN_NAMES,
    "colombia": LETTER_NAMES | AMERICAN_NAMES,
}


def pronounce(words: Sequence[str], region: str = "es") -> tuple[Phones, ...]:
    """
    Return the phones of each word of one phrase (between two breaks); none is empty.

    words: lower case with their accents; one in capitals is spelt.

    Raises: EngineError for an unknown region.
    """
    check_region(region)
    return regional(
        [
            _word(word, region, stressed=_is_stressed(words, place))
            for place, word in enumerate(words)
        ],
        region,
    )


def _is_stressed(words: Sequence[str], place: int) -> bool:
    word = words[place]
    if word not in UNSTRESSED or place == len(words) - 1:
        return True
    return word in OF_TWO_KINDS and place > 0 and words[place - 1] in DETERMINERS


@lru_cache(maxsize=CACHED_WORDS)
def _word(word: str, region: str, *, stressed: bool) -> Phones:
    letters = plain(word)
    if word in MURMURS:
        return MURMURS[word]
    if word[0].isupper() or not any(letter in VOWEL_LETTERS + "yü" for letter in letters):
        return spell(letters, region)
    letters = RESPELT.get(letters, letters)
    stem = letters[: -len("mente")]
    if letters.endswith("mente") and len(stem) > 2 and letters not in NO_ADVERBS:
        return _said(stem, stressed=True) + _said("mente", stressed=True)
    return _said(letters, stressed=stressed) or spell(letters, region)


def spell(letters: str, region: str = "es") -> Phones:
    """Return the names of `letters`; what is no letter of Spanish has none."""
    names = " ".join(NAMES_OF_REGION[region].get(letter, "") for letter in plain(letters))
    return tuple(chain.from_iterable(_said(name, stressed=True) for name in names.split()))


@lru_cache(maxsize=CACHED_WORDS)
def _said(letters: str, *, stressed: bool) -> Phones:
    """Return the phones of one word by the rules."""
    found = vowels_and_glides(sounds(letters))
    place = stressed_vowel(found, last_letters=letters[-2:]) if stressed else -1
    return tuple(
        _vowel(sound, stressed=index == place) if sound in LETTERS else sound
        for index, sound in enumerate(found)
    )


def _vowel(letter: str, *, stressed: bool) -> str:
    return letter.translate(UNACCENTED) + ("1" if stressed else "")
