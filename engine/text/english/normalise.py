"""
Normalise any text into spoken tokens: words and break marks.

A word is lower case with inner apostrophes ("isn't"). A token in capitals ("BBC", "W") is spelt.
A break is one of `,` `.` `!` `?`.
Nothing that could be spoken is dropped silently: what has no English sound (other scripts, emoji,
emoticons, the address behind a link's words) is reported in `NormalisedText.dropped`; quotes and
formatting marks are not. It uses no phones.
"""

import re
from itertools import chain

from voxgate.engine.text.english.capitals import is_ordinary, spoken_form
from voxgate.engine.text.english.fold import fold
from voxgate.engine.text.english.lines import join_lines, link_targets
from voxgate.engine.text.english.verbalise import rewrite
from voxgate.engine.text.english.word_tables import words_of
from voxgate.engine.text.spoken import (
    MAX_WORD_LETTERS,
    NormalisedText,
    Token,
    add_break,
    break_of,
    end_sentence,
)

TOKEN = re.compile(
    r"[A-Za-z]+(?:'[A-Za-z]+)*|[.!?]+(?=(\s*[A-Z\"'(])?)|\n\s*\n|(?<=\s)-+(?=\s)|--+|[,;:()\[\]{}|]"
)
# above it capitals are emphasis ("STOP THAT NOW"), below it they mark acronyms
SHOUTING_SHARE = 0.5
SENTENCE = re.compile(r"(?:[^.!?\n]|[.!?](?!\s))+[.!?]*\s*|\n+")
LETTERED = "|".join(
    words_of(
        "Vitamin Plan Hepatitis Influenza Grade Class Team Group Type Option Section Appendix "
        "Exhibit Part Block Building Gate Terminal Platform Point Points Schedule Series Side "
        "Answer Figure Room Row Line Category Tier Model Version Level Formula Route Zone Step "
        "Item Question Case Company Player Person Variant Test Title Track Unit Wing Hall Lot "
        "Pool Choice Site Sample Straight Big Double Triple Single An Serie Annex Protein Factor "
        "Strain Variable Column Table"
    )
)
"""Words that a letter follows: "Vitamin A"."""
LETTER_A = re.compile(
    rf"(?P<before>\b(?i:{LETTERED}) )A\b"
    r"|\bA(?= (?:and|or|to|vs|versus|through|is|was|equals|plus|minus|B|C)\b| ?[-+=&/]"
    r"|[,;:.?!)](?:\s|$)|$)"
)
ARTICLE = re.compile(r"\bA(?= )")
LETTER_MARK = "\ue000"  # no text has it after `fold`


def normalise(text: str) -> NormalisedText:
    """
    Return the words and breaks of `text`, ending in a sentence break; no tokens if nothing is
    speakable.
    """
    folded, dropped = fold(text)
    plain = _articles(_calm(join_lines(folded)))
    tokens: list[Token] = []
    for match in TOKEN.finditer(rewrite(plain)):
        if match.group()[0].isalpha():
            tokens += _words(match.group())
        else:
            add_break(tokens, break_of(match, sentence_follows=match[1] is not None))
    if tokens:
        end_sentence(tokens)
    return NormalisedText(tokens=tuple(tokens), dropped=dropped + "".join(link_targets(folded)))


def _calm(text: str) -> str:
    """Return the text with its shouted sentences in ordinary letters."""
    return SENTENCE.sub(lambda match: _calmed(match.group()), text)


def _calmed(sentence: str) -> str:
    words = re.findall(r"[A-Za-z]{2,}", sentence)
    ordinary = [word for word in words if not word.isupper() or is_ordinary(word)]
    shouted = [word for word in ordinary if word.isupper()]
    if len(words) < 3 or len(shouted) < 2 or len(shouted) <= SHOUTING_SHARE * len(ordinary):
        return sentence
    return re.sub(r"\b[A-Z]{2,}(?:'[A-Z]+)?\b", _calm_word, sentence)


def _calm_word(match: re.Match[str]) -> str:
    word, numeral = match.group(), re.fullmatch("[IVX]{2,}", match.group())
    if numeral or spoken_form(word, shouted=True) == word:
        return word
    return word.capitalize()


def _articles(text: str) -> str:
    """Return the text with a small letter for each A that is the article."""
    kept = LETTER_A.sub(lambda match: f"{match['before'] or ''}{LETTER_MARK}", text)
    return ARTICLE.sub("a", kept).replace(LETTER_MARK, "A")


def _words(text: str) -> list[Token]:
    """Return a word in the case that `Token` specifies, split if it is too long."""
    stem, apostrophe, tail = text.partition("'")
    if plural := re.fullmatch(r"([A-Z]{2,5})s", stem):  # CDs, TVs
        stem, apostrophe, tail = plural[1], "'", "s"
    spoken = spoken_form(stem)
    if tail and spoken.isupper() and tail.lower() != "s":  # I'M, DON'T
        spoken = spoken.lower()
    words = spoken.split()
    words[-1] += apostrophe + tail.lower()
    return list(chain.from_iterable(map(_pieces, words)))


def _pieces(word: str) -> list[Token]:
    starts = range(0, len(word), MAX_WORD_LETTERS)
    return [Token(text=word[start : start + MAX_WORD_LETTERS]) for start in starts]
