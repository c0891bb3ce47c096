"""
A rewriting rule: a pattern, and the words for its match.

A function that returns None leaves the match as it is.
"""

import re
from collections.abc import Callable
from re import Match

from voxgate.engine.text.english.word_tables import MONTH_PATTERN, WEEKDAY_PATTERN, words_of

Replacement = Callable[[Match[str]], str | None]
Rule = tuple[re.Pattern[str], Replacement]

STARTERS = "|".join(
    words_of(
        "A After Also Although An And Another Are As At Because Before Both But By Can Did Do "
        "Does Each Even Every First For From He Her Here His How However I I'd I'll I'm I've If "
        "In Is It It's Its Just Later Let Let's Many Maybe Meanwhile Most My Next No Not Now Of "
        "On Once One Or Other Our Please She She's Since So Some Still Such That That's The Their "
        "Then There There's These They They're This Those Though Thus Today Tomorrow Two Until "
        "Was We We're What When Where Which While Who Why Will With Yes Yesterday Yet You You're "
        "Your"
    )
)
"""Words that begin a sentence with a capital and otherwise have none."""
SENTENCE_START = re.compile(rf"""\s*(?:$|\n|["'(\[]*(?:{STARTERS})(?![\w']))""")
NAME_START = re.compile(
    rf"\s*(?:{MONTH_PATTERN}|{WEEKDAY_PATTERN}|[A-Z]{{2,4}}|Eastern|Central|Pacific)\b"
)


def rule(pattern: str, replacement: Replacement | str) -> Rule:
    """Compile a rule; its words are set off by spaces."""
    if isinstance(replacement, str):
        words = f" {replacement} "
        return re.compile(pattern), lambda match: words
    function = replacement

    def spaced(match: Match[str]) -> str:
        words = function(match)
        return match.group() if words is None else f" {words} "

    return re.compile(pattern), spaced


def apply(rules: tuple[Rule, ...], text: str) -> str:
    """Apply rules one after another."""
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)  # type: ignore[arg-type]
    return text


def starts_sentence(match: Match[str]) -> bool:
    """Return whether a sentence surely begins after the match: by a word that is no name."""
    return bool(SENTENCE_START.match(match.string, match.end()))


def may_start_sentence(match: Match[str]) -> bool:
    """Return whether a sentence may begin after the match: any capital but a day's."""
    after = match.string[match.end() : match.end() + 40].lstrip(" \"'(")
    if not match.string[match.end() :].strip() or after.startswith("\n"):
        return True
    return after[:1].isupper() and not NAME_START.match(after)


def stop(match: Match[str], ends: bool) -> str:
    """Return the sentence end that the full stop of an abbreviation also is, if it is one."""
    return ". " if match.group().rstrip().endswith(".") and ends else ""
