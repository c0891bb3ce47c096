"""
The checks of a text that every pipeline and every language shares: whether there is one, how long
it is, whether anything in it can be said, and whether it holds tags.

Tags are instructions to another engine: SSML and other markup (`<emphasis>`, `<break/>`,
`<|laugh|>`) and words of performance in square or curly brackets (`[slow]`, `{pause 500ms}`). No
voice here follows them, and read aloud they would be words that nobody wrote. They are refused, and
not taken out, because a text that asks for a whisper is not served by a plain voice.

A tag by its form: an element with an attribute, a slash or a known name; a bracket that closes
(`[slow]...[/slow]`), that sets a known property (`[speed: 0.8]`), or that holds words of
performance alone. All else is an ordinary bracket: "[1]", "[sic]", "[he] said", "<3", "x < y",
"<name>". Round brackets are always prose.
"""

import re
import unicodedata

from voxgate.engine.errors import EngineError
from voxgate.engine.python310 import StrEnum
from voxgate.engine.text.tag_words import (
    ELEMENTS,
    MODIFIERS,
    PERFORMANCE,
    PLACES,
    PROPERTIES,
)

MAX_CHARACTERS = 5_000
"""About five minutes of speech; longer texts are a document, to be split by the caller."""
SHOWN_CHARACTERS = 40


class TextFault(StrEnum):
    """Why a text cannot be spoken."""

    EMPTY = "empty_text"
    TOO_LONG = "text_too_long"
    UNSPEAKABLE = "unspeakable_text"
    TAGGED = "tagged_text"
    """It holds markup or a prosody tag."""


class TextError(EngineError):
    """A text that cannot be spoken; `kind` says why, for programs."""

    def __init__(self, kind: TextFault, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    def at(self, where: str) -> "TextError":
        """Return the same fault with its place in front."""
        return TextError(self.kind, f"{where}: {self}")


def check_text(text: str) -> None:
    """Raise TextError for a text that is empty or too long, or that holds a tag."""
    if not text.strip():
        raise TextError(TextFault.EMPTY, "the text is empty; give at least one word")
    if len(text) > MAX_CHARACTERS:
        raise TextError(
            TextFault.TOO_LONG,
            f"the text has {len(text)} characters, the limit is {MAX_CHARACTERS}; split it and "
            "speak the parts",
        )
    tag = find_tag(text)
    if tag:
        raise TextError(
            TextFault.TAGGED,
            f"the text holds the tag {tag[:SHOWN_CHARACTERS]!a}, and this voice follows no markup "
            "and no prosody tags; take it out (an option such as speed does what it can), or "
            "write the word without brackets to have it read",
        )


def check_letters(text: str) -> None:
    """
    Raise TextError for a text without a letter or digit: for pipelines that read characters as they
    are.
    """
    if not any(map(str.isalnum, text)):
        raise unspeakable(text, "words, letters or digits")


def unspeakable(text: str, wanted: str) -> TextError:
    """Return the error of a text of which nothing can be said."""
    excerpt = text.strip()[:SHOWN_CHARACTERS]
    return TextError(TextFault.UNSPEAKABLE, f"nothing in {excerpt!a} can be spoken; give {wanted}")


def find_tag(text: str) -> str:
    """
    Return the first tag of a text as it is written; empty where there is none.

    >>> find_tag("Well [slow] then."), find_tag("As he said [sic], x < y.")
    ('[slow]', '')
    """
    if not any(sign in text for sign in OPENING):
        return ""
    found = [match for match in map(_first, (_elements(text), _brackets(text))) if match]
    return min(found, key=re.Match.start)[0] if found else ""


OPENING = "<[{\uff1c\uff3b\uff5b\u3010"
"""The last four are the wide forms, which the front-ends would make plain."""
NAME = r"[A-Za-z][\w:.-]*"
ELEMENT = re.compile(
    r"[<\uff1c](?:"
    r"(?:!--|!\[CDATA\[|!DOCTYPE\b|\?xml\b)"
    r"|\|[^<>|\n]{1,40}\|[>\uff1e]"
    rf"|/\s*{NAME}\s*[>\uff1e]"
    rf"|(?P<name>{NAME})(?P<given>(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+))*"
    r"\s*/?)[>\uff1e])"
)
BRACKET = re.compile(
    r"[\[{\uff3b\uff5b\u3010]\s*(?P<end>/?)(?P<held>[^\[\]{}\u3010\u3011]{1,60}?)"
    r"[\]}\uff3d\uff5d\u3011]"
)
SETTING = re.compile(r"\s*([^\W\d][\w-]*)\s*[:=]\s*\S.*", re.DOTALL)
WORD = re.compile(r"[^\W\d_]+|\d[\d.,]*\s?(?:ms|s|x|%)?|\S")
KNOWN = PERFORMANCE | PROPERTIES | MODIFIERS | PLACES
AMOUNT = re.compile(r"\d[\d.,]*\s?(?:ms|s|x|%)?")


def _first(found: "list[re.Match[str]]") -> "re.Match[str] | None":
    return found[0] if found else None


def _elements(text: str) -> "list[re.Match[str]]":
    return [match for match in ELEMENT.finditer(text) if _is_element(match)]


def _is_element(match: "re.Match[str]") -> bool:
    """Whether it is markup and no placeholder such as <name>: by its form, or by a known name."""
    if match["name"] is None or match["given"].strip():
        return True
    name = _plain(match["name"])
    return name in ELEMENTS or name in PERFORMANCE


def _brackets(text: str) -> "list[re.Match[str]]":
    found = list(BRACKET.finditer(text))
    ended = {_plain(match["held"]) for match in found if match["end"]}
    return [match for match in found if _is_bracket_tag(match, ended)]


def _is_bracket_tag(match: "re.Match[str]", ended: set[str]) -> bool:
    held = _plain(match["held"])
    setting = SETTING.fullmatch(held)
    if setting and setting[1] in PROPERTIES:
        return True
    words = WORD.findall(held)
    if words and words[0] in ended and not match["end"]:
        return True  # [narrator] ... [/narrator]
    others = {word for word in words if not AMOUNT.fullmatch(word)}
    # a property alone is a placeholder; an amount, or a place, sets it
    is_set = bool(others & PLACES) or len(others) < len(set(words))
    named = bool(others & PERFORMANCE) or (is_set and bool(others & PROPERTIES))
    return named and others <= KNOWN


def _plain(text: str) -> str:
    """Return a text in lower case and without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part)).strip()
