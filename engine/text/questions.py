"""
Kinds of question: one that is answered yes or no, and one that asks with a word (who, qué).

In Spanish the voice rises in the first kind only; a word of the second kind counts where it begins
the question, perhaps after a conjunction or a preposition ("¿y a qué hora?"), and not inside
("¿sabes qué hora es?"). A tag at the end ("¿verdad?", "right?") makes it the first kind.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from voxgate.engine.text.spoken import QuestionKind, Token

ENGLISH_WORDS = frozenset(
    "what who whom whose which when where why how what's who's where's how's when's why's what're "
    "who're where're how're what'd who'd where'd how'd what'll who'll how'll".split()
)
ENGLISH_BEFORE = frozenset(
    "and but so or then well now oh okay ok in at on for from to of with by about until since "
    "through under over into".split()
)
ENGLISH_TAGS = frozenset("right no yes okay ok huh eh correct".split())
ENGLISH_TAG_VERBS = frozenset(
    "is are was were do does did have has had can could will would should must am isn't aren't "
    "wasn't weren't don't doesn't didn't haven't hasn't hadn't can't couldn't won't wouldn't "
    "shouldn't mustn't".split()
)
PRONOUNS = frozenset("i you he she it we they there".split())
SPANISH_WORDS = frozenset(
    "qué quién quiénes cuál cuáles cómo cuándo cuánto cuánta cuántos cuántas dónde adónde".split()
)
# as many write them who leave out the ¿ as well
SPANISH_CARELESS = frozenset(
    "que quien quienes cual cuales como cuando cuanto cuanta cuantos cuantas donde adonde".split()
)
SPANISH_BEFORE = frozenset(
    "y e o u pero pues entonces bueno oye ah así a ante bajo con contra de desde en entre hacia "
    "hasta para por según sin sobre tras durante".split()
)
SPANISH_TAGS = frozenset("verdad no eh sí vale cierto ya ok che".split())


def _kind(
    question: Sequence[Token], words: frozenset[str], before: frozenset[str], tags: frozenset[str]
) -> QuestionKind:
    """Return the kind of the question that `question` holds, words and commas."""
    last = [token.text for token in takewhile(lambda t: not t.is_break, reversed(question))][::-1]
    has_clauses = len(last) < len([token for token in question if not token.is_break])
    if has_clauses and (" ".join(last) in tags or _is_english_tag(last)):
        return QuestionKind.YES_NO
    asked = [token.text.lower() for token in question if not token.is_break]
    while len(asked) > 1 and asked[0] in before:
        asked = asked[1:]
    return QuestionKind.WH if asked and asked[0] in words else QuestionKind.YES_NO


def _is_english_tag(words: Sequence[str]) -> bool:
    return len(words) == 2 and words[0] in ENGLISH_TAG_VERBS and words[1].lower() in PRONOUNS


def spanish_kind(question: Sequence[Token], *, opened: bool) -> QuestionKind:
    """
    Return the kind of a question, words and commas without the mark.

    opened: a ¿ stands before it. Without one, unaccented question words count too.
    """
    words = SPANISH_WORDS if opened else SPANISH_WORDS | SPANISH_CARELESS
    kind = _kind(question, words, SPANISH_BEFORE, SPANISH_TAGS)
    if kind is QuestionKind.WH or opened:
        return kind
    # "Si llueve, ¿qué hacemos?" without its ¿
    last = [*takewhile(lambda token: not token.is_break, reversed(question))][::-1]
    return _kind(last, SPANISH_WORDS, SPANISH_BEFORE, SPANISH_TAGS)


def mark_english(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Return `tokens` with the kind of each question at its mark."""
    marked: list[Token] = []
    start = 0
    for place, token in enumerate(tokens):
        if token.text == "?":
            kind = _kind(tokens[start:place], ENGLISH_WORDS, ENGLISH_BEFORE, ENGLISH_TAGS)
            token = replace(token, question=kind)
        marked.append(token)
        if token.text in {".", "!", "?"}:
            start = place + 1
    return tuple(marked)
