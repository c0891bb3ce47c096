"""
Lines and marks of a document: lists, headings, wrapped prose, Markdown.

A line break is a pause where a new item, heading or sentence begins, and a space where an editor
wrapped the text. Marks that only format (bullets, `**`, `#` before a heading) are not spoken.
"""

import re
from itertools import pairwise
from re import Match

BULLET = re.compile(
    r"^\s*(?:[-*+\u2022\u2023\u25aa\u25cf\u25e6]\s+(?:\[[ xX]\]\s+)?|>\s?(?=[A-Za-z\"'(]))(?=\S)"
)
NUMBERED = re.compile(r"^\s*\(?(\d{1,3}(?=[.)])|[A-Za-z](?=\)))[.)]\s+(?=\S)")
HEADING = re.compile(r"^\s*#{1,6}\s+(?=\S)")
RULE = re.compile(r"^(?:[-*_=]{3,}|`{3,}\w*|~{3,}\w*|\|?(?:\s*:?-{3,}:?\s*\|)+.*)$")
EMPHASIS = re.compile(r"(?<!\w)(\*{1,3}|_{1,3}|~~|`{1,2})(?=\S)(.{1,400}?)(?<=\S)\1(?!\w)")
LINK = re.compile(r"!?\[([^\[\]\n]{1,200})\]\((https?://[^()\s]{1,500}|[\w./#-]{1,200})\)")
SHORT_LINE = 40
"""Characters; an editor that wraps prose wraps it wider."""
LONGEST_ITEM = 25
"""Characters of an item in a list; a longer line before small letters is an open sentence."""
ITEM = "\n\n"


def link_targets(text: str) -> tuple[str, ...]:
    """Return the addresses behind the links of a Markdown text; only their names are spoken."""
    return tuple(match[2] for match in LINK.finditer(text))


def join_lines(text: str) -> str:
    """Return the text without formatting, with a blank line at each break that is a pause."""
    text = LINK.sub(lambda match: match[1], text)
    lines = [line for line in text.split("\n") if not RULE.match(line.strip())]
    width = max(map(len, lines), default=0)
    joined = [_content(lines[0])] if lines else []
    for line, after in pairwise(lines):
        joined += [_joint(line, after, width), _content(after)]
    return EMPHASIS.sub(lambda match: match[2], "".join(joined))


def _content(line: str) -> str:
    line = HEADING.sub("", BULLET.sub("", line))
    return NUMBERED.sub(_number, line)


def _number(match: Match[str]) -> str:
    return f"{match[1].upper()}. "


def _joint(line: str, after: str, width: int) -> str:
    """Return the separator of two lines: a pause, a short pause or a space."""
    end, start = line.rstrip(), after.lstrip()
    if not end or not start:
        return ITEM
    if HEADING.match(line) or any(mark.match(after) for mark in (BULLET, NUMBERED, HEADING)):
        return ITEM
    is_short = len(end) <= SHORT_LINE
    if start[0].islower():
        return ", " if len(end) <= LONGEST_ITEM and end[-1].isalnum() else " "
    first_word = start.split(None, 1)[0]
    wrapped = not is_short and len(end) + 1 + len(first_word) > width
    return " " if wrapped else ITEM
