"""
The kind of a text by its last sentence, in English and Spanish: a statement, a yes/no question, or
a question with "who" or "qué".

It decides how the pitch should end. Where both ways are right (alternatives, tags in English,
exclamations, other languages) there is no kind.
"""

import re
from collections.abc import Mapping

from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.cell import primary_language


class SentenceKind(StrEnum):
    """What the last sentence of a text is."""

    STATEMENT = "statement"
    YES_NO = "yes_no"
    WH = "wh"


BEFORE = r"(?:(?:a|al|de|del|con|por|para|en|desde|hasta|sobre|sin|y|e|pero|entonces)\s+)*"
BEFORE_ENGLISH = r"(?:(?:and|so|but|well|at|by|for|from|in|of|on|to|with|about|since)\s+)*"
QUESTION_WORDS: Mapping[str, re.Pattern[str]] = {
    "es": re.compile(
        rf"{BEFORE}(?:qué|quién(?:es)?|cuál(?:es)?|cuándo|cuánt[oa]s?|cómo|a?dónde)\b"
    ),
    "en": re.compile(rf"{BEFORE_ENGLISH}(?:who(?:m|se)?|what|when|where|why|how|which)\b"),
}
"""Language -> how a question begins that does not rise."""
EITHER: Mapping[str, re.Pattern[str]] = {
    "es": re.compile(r"\b[ou]\b"),
    "en": re.compile(r"\bor\b|,\s*\w+(?:n't)?\s+(?:i|you|he|she|it|we|they|there)$"),
}
"""Language -> alternatives and, in English, tags: both may rise or fall."""


def sentence_kind(text: str, language: str) -> SentenceKind | None:
    """
    Return what the last sentence of a text is; None where its end may rise or fall.

    >>> [sentence_kind(text, "es") for text in ("Sí. ¿Vienes?", "¿Con quién vas?", "¿Té o café?")]
    [<SentenceKind.YES_NO: 'yes_no'>, <SentenceKind.WH: 'wh'>, None]
    """
    spoken = primary_language(language)
    if spoken not in QUESTION_WORDS:
        return None
    whole = text.strip().rstrip("\"'”’»)").lower()
    last = re.split(r"[.!?…]+\s+|[¿¡]|[\r\n]+", whole.rstrip("?.!… "))[-1].strip(" \"'“‘«(")
    if whole.endswith("?"):
        if EITHER[spoken].search(last):
            return None
        return SentenceKind.WH if QUESTION_WORDS[spoken].match(last) else SentenceKind.YES_NO
    ends = whole[-1:].isalnum() or (whole.endswith(".") and not whole.endswith(".."))
    return SentenceKind.STATEMENT if ends else None
