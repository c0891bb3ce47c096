"""
Text from outside, made harmless: one printable line for a terminal, a line of Markdown that GitHub shows as it stands, and no
more lines than GitHub takes.

Needs nothing but the standard library.
"""

import re
from collections.abc import Callable, Sequence

LIMIT = 65_000
"""Characters of a comment or an issue; GitHub refuses more than 65,536."""
BREAK = "\u200b"
"""A zero-width space. GitHub looks for mentions, references and addresses after it has read Markdown and entities, so that
neither a backslash nor an entity stops it; only a character in between does."""
LIVE = re.compile(r"(?<=@)|(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=#)(?=\d)|(?<=\bGH-)(?=\d)", re.IGNORECASE)
"""Where a mention, an address or a reference is broken."""


def plain(text: str) -> str:
    """Make one printable line of any text: control characters would move a terminal's cursor, or turn its letters round."""
    return re.sub(r"[^\S ]+", " ", "".join(char if char.isprintable() or char.isspace() else "?" for char in text)).strip()


def escaped(text: str) -> str:
    """Make text stand for itself in a Markdown line or table cell: no markup, no link, no mention, no reference."""
    harmless = LIVE.sub(BREAK, text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", harmless).replace(BREAK, "&#8203;")


def fitting(lines: Sequence[str], room: int, left_out: Callable[[int], str]) -> str:
    """Join the lines that fit into so many characters; `left_out` words the last one, which says how many are missing."""
    kept: list[str] = []
    left = room - github_length(left_out(len(lines))) - 1
    for line in lines:
        left -= github_length(line) + 1
        if left < 0:
            return "\n".join([*kept, left_out(len(lines) - len(kept))])
        kept.append(line)
    return "\n".join(kept)


def github_length(text: str) -> int:
    """Count characters as GitHub does, those beyond the first plane twice."""
    return len(text.encode("utf-16-le", "replace")) // 2
