"""
Initialisms: which capitals are read as a word (OTAN) and which are spelt (DVD).

A list decides, then the shape: three letters or more that could be a Spanish word are read.
"""

import re

from voxgate.engine.text.spanish.loanwords import RESPELT

READ = frozenset(
    "COVID SIDA OVNI PYME PYMES PIB LED VIP IMSS LASER JSON AMPA OK IBEX PDVSA".split()
)
SPELT = frozenset("SOS API UVI USB UHF IES UAM UOC EPA AEE AFA OEA IEE UEFI".split())
ONSET = "(?:[bcdfgptv]r|[bcfgp]l|ch|qu|[bcdfghjklmnñprstvwxyz])"
READABLE = re.compile(rf"(?:{ONSET}?[aeiou]{{1,2}}[nslrdzxcm]?)+", re.IGNORECASE)
SPEAKABLE = re.compile(rf"(?:{ONSET}?[aeiouyáéíóúü]{{1,3}}(?:[nr]s|bs|[^aeiou])?)+", re.IGNORECASE)
LEAST_READ = 3
# above it capitals are emphasis ("NO LO TOQUES"), below it they mark initialisms
SHOUTING_SHARE = 0.5
LONGEST_SPELT = 5


def is_shouting(text: str) -> bool:
    """Whether the words of a text are in capitals: all, or most of more than three."""
    words = re.findall(r"[^\W\d_]{2,}", text)
    count = sum(word.isupper() for word in words)
    return (
        len(words) > 2
        and count > SHOUTING_SHARE * len(words)
        and (len(words) > 3 or count == len(words))
    )


def is_spelt(word: str) -> bool:
    """Whether a word in capitals is said letter by letter."""
    if len(word) == 1 or word in SPELT:
        return True
    if word in READ or word.lower() in RESPELT:
        return False
    return len(word) < LEAST_READ or not READABLE.fullmatch(word)


def calmed(text: str) -> str:
    """Return a text in capitals in lower case, but for the initialisms that are spelt."""
    return re.sub(
        r"[^\W\d_]{2,}",
        lambda match: match.group() if _is_initialism(match.group()) else match.group().lower(),
        text,
    )


def _is_initialism(word: str) -> bool:
    return len(word) <= LONGEST_SPELT and (word in SPELT or not SPEAKABLE.fullmatch(word))


def case_of(word: str) -> str:
    """Return a word in lower case, or in capitals if it is spelt."""
    return word if word.isupper() and is_spelt(word) else word.lower()
