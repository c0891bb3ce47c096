"""
Rewrites what is not a word (numbers, dates, money, addresses, abbreviations) as words, one rule
after another.

The order matters: the most specific pattern comes first, and the plain number last. Letters to be
spelled come out as single capitals ("U S A"). Works on folded text (`normalise.fold`).
"""

from voxgate.engine.text.english import abbreviations, addresses, amounts, dates, maths
from voxgate.engine.text.english.amounts import english_numbers
from voxgate.engine.text.english.roman import read_numerals
from voxgate.engine.text.english.rules import Rule, apply
from voxgate.engine.text.english.word_tables import SIGNS

BEFORE_NUMERALS: tuple[Rule, ...] = (*addresses.RULES, *abbreviations.EARLY)
AFTER_NUMERALS: tuple[Rule, ...] = (
    *dates.RULES,
    *amounts.TELEPHONES,
    *maths.FORMULAS,
    *amounts.PRICE_RANGES,
    *maths.RANGES,
    *amounts.MONEY,
    *amounts.MEASURES,
    *maths.EXPONENTS,
    *amounts.NUMBERS,
    *maths.REST,
    *abbreviations.LATE,
)


def rewrite(text: str) -> str:
    """Rewrite folded text into words, capitals to spell, and punctuation; never fails."""
    text = apply(BEFORE_NUMERALS, text)
    text = apply(AFTER_NUMERALS, read_numerals(english_numbers(text)))
    return "".join(SIGNS.get(character, character) for character in text)
