"""
From letters to sounds: the orthography of Spanish, one rule a spelling.

A sound is a consonant's phone or a vowel letter. Vowel letters keep their written accent, for the
stress; `syllables` turns them into vowels and glides.
Three sounds are no phones of their own: `hy` ("hielo", "paranoia": a glide by the River Plate, else
a `y`), `Y` (the y that ends a diphthong, "rey") and the `sh` of loanwords.
"""

import re
import unicodedata

VOWEL_LETTERS = "aeiouáéíóú"
FRONT = "[eiéíy]"
NEXT_VOWEL = f"(?=[{VOWEL_LETTERS}])"
# letters of other languages, by the sound that a Spanish reader gives them
FOREIGN = str.maketrans({
    "ç": "s", "ß": "ss", "æ": "e", "œ": "e", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "z",
    "š": "sh", "ş": "sh", "ś": "sh", "č": "ch", "ć": "ch", "ž": "y", "ż": "y", "ź": "y", "ğ": "",
    "ã": "an", "õ": "on", "ï": "i", "ı": "i", "ª": "a", "º": "o",
})  # fmt: skip
KEPT_LETTERS = frozenset("áéíóúñü")

RULES: tuple[tuple[str, str], ...] = (
    # silent or changed at the start of a word
    (rf"^ps{NEXT_VOWEL}", "s"), (r"^pt", "t"), (r"^[gmp]n", "n"), (r"^x", "s"), (r"^dj", "y"),
    (r"^s(?=[bcdfgjklmnpqtv])(?!c[eiéí])(?!ch)", "e s"),  # spray, stop: Spanish puts an e before
    (r"^hié", "hy é"), (r"^hie", "hy e"), (r"(?<=[nsd])hie", "hy e"), (r"(?<=[nsd])hié", "hy é"),
    (r"(?<=^de)s(?=h)|(?<=^di)s(?=h)|(?<=^tra)s(?=h)", "s"),  # des-hacer, tras-humante
    (rf"hu{NEXT_VOWEL}", "w"),  # a consonant: cacahuete, Chihuahua
    (r"ch(?=[rln])", "k"), (r"^sch|sh", "sh"), (r"ch|tx", "ch"),
    (r"ph", "f"), (r"th", "t"), (r"gh", "g"), (r"kh", "k"), (r"zh", "y"),
    (r"zz|tz", "t s"), (r"cc(?=[eiéí])", "k th"), (r"cc|ck|cq(?=u)", "k"),
    (r"sc(?=[eiéí])", "s th"), (r"xc(?=[eiéí])", "k s th"), (rf"c(?={FRONT})", "th"), (r"c", "k"),
    (r"z", "th"), (r"qu(?=[eiéí])|q", "k"),
    (r"gu(?=[eiéí])", "g"), (r"gü", "g u"), (rf"gg?(?={FRONT})", "x"), (r"(?<=n)g$", ""),
    (r"gg?", "g"), (r"j", "x"),
    (rf"ll(?=[{VOWEL_LETTERS}y])", "ll"), (r"ll?", "l"), (r"ñ", "ny"),
    (r"rrh?", "rr"), (r"^rh?|(?<=[nls])r|(?<=^sub)r(?!$)", "rr"), (r"rh?", "r"),
    (r"n(?=[bvp])", "m"), (r"n", "n"), (r"mm?", "m"),
    (r"bb?|v", "b"), (r"dd?", "d"), (r"ff?", "f"), (r"kk?", "k"), (r"pp?", "p"), (r"ss?", "s"),
    (r"tt?", "t"), (r"w", "w"), (r"x", "k s"),
    (rf"^y$|(?<=[^{VOWEL_LETTERS}])y(?![{VOWEL_LETTERS}])", "i"),
    (rf"(?<=[{VOWEL_LETTERS}])y(?![{VOWEL_LETTERS}])", "Y"), (r"(?<=[kptmrgf])y", "i"),
    (r"y", "y"), (r"ü", "u"),
    *((letter, letter) for letter in VOWEL_LETTERS),
)  # fmt: skip
PATTERN = re.compile("|".join(f"({pattern})" for pattern, _ in RULES))


def plain(word: str) -> str:
    """Return `word` in the letters of Spanish, lower case: foreign marks and letters replaced."""
    replaced = unicodedata.normalize("NFC", word.lower()).translate(FOREIGN)
    return "".join(
        letter if letter in KEPT_LETTERS else unicodedata.normalize("NFKD", letter)[0]
        for letter in replaced
    )


def sounds(word: str) -> tuple[str, ...]:
    """Return the sounds of a word in the letters of `plain`; what is no letter is silent."""
    found: list[str] = []
    for match in PATTERN.finditer(word):
        found += RULES[(match.lastindex or 1) - 1][1].split()
    return tuple(found)
