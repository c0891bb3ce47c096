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
LEAST_READ = 3
# above it capitals are emphasis ("NO LO TOQUES"), below it they mark initialisms
SHOUTING_SHARE = 0.5
LONGEST_SPELT = 5


def is_shouting(text: str) -> bool:
    """Whether most words of a text are in capitals."""
    words = re.findall(r"[^\W\d_]{2,}", text)
    return len(words) > 2 and sum(word.isupper() for word in words) > SHOUTING_SHARE * len(words)


def is_spelt(word: str) -> bool:
    """Whether a word in capitals is said letter by letter."""
    if len(word) == 1 or word in SPELT:
        return True
    if word in READ or word.lower() in RESPELT:
        return False
    return len(word) < LEAST_READ or not READABLE.fullmatch(word)


def case_of(word: str, *, shouting: bool) -> str:
    """Return a word in lower case, or in capitals if it is spelt."""
    if not word.isupper():
        return word.lower()
    if shouting and (len(word) > LONGEST_SPELT or re.search("[AEIOUÁÉÍÓÚ]", word)):
        return word.lower()
    if len(word) == 1:
        return word.lower() if word in "YAEOU" else word
    return word if is_spelt(word) else word.lower()
