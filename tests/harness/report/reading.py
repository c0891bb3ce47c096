"""
A reader who has never seen the pages. It knows the words that are visible in the first 900 px,
where they stand and how large they are, and the terms of the field; it knows no markup, no class,
no colour, and nothing of what was planted.

It reads as people do: words on one height are a line; a line with a size and a word for worse (or
a word for broken) is a finding; cells, machines, a limit and a date belong to the finding that they
stand nearest to.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

FOLD_PX = 900
NEAR_PX = 110
"""How far below its first line the words of a finding may stand."""

WORDS = """(fold) => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = (parent, box) => {
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const top = document.elementFromPoint(x, y);
    return top && (top === parent || parent.contains(top) || top.contains(parent));
  };
  const clipped = (parent, box) => {
    for (let at = parent; at !== document.body; at = at.parentElement) {
      if (getComputedStyle(at).overflowX === 'visible') continue;
      const around = at.getBoundingClientRect();
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      if (x < around.x || x > around.right || y < around.y || y > around.bottom) return true;
    }
    return false;
  };
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const size = parseFloat(getComputedStyle(parent).fontSize);
    for (const word of node.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const box = range.getBoundingClientRect();
      if (box.width < 2 || box.y < 0 || box.bottom > fold || box.x < 0) continue;
      if (box.right > innerWidth || !seen(parent, box) || clipped(parent, box)) continue;
      found.push({ text: word[0], x: box.x, y: box.y, width: box.width, height: box.height, size });
    }
  }
  return found;
}"""
"""Returns every visible word above the fold with its box, in px."""


@dataclass(frozen=True, slots=True)
class Word:
    """A visible word and its box, in px."""

    text: str
    x: float
    y: float
    width: float
    height: float
    size: float


@dataclass(frozen=True, slots=True)
class Line:
    """Words on one height, from left to right."""

    y: float
    size: float
    """The largest size of its letters, px."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that the reader takes for worse than it was."""

    what: str
    """The term that it found: a metric, or `slower`; empty for something broken."""
    cells: frozenset[str]
    machines: frozenset[str]
    size: float | None
    limit: float | None
    since: str
    said: str
    """The words that it was read from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the first screen tells."""

    title: str
    """The line of the largest letters."""
    count: int | None
    """The number of things in the title, where it tells one."""
    findings: tuple[Finding, ...]


def words_of(tab: Any) -> list[Word]:
    """Return the visible words of the first 900 px of a page that is open in a browser."""
    return [Word(**each) for each in tab.evaluate(WORDS, FOLD_PX)]


def lines_of(words: Sequence[Word]) -> list[Line]:
    """Join words whose middles are on one height."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda each: each.y + each.height / 2):
        middle = word.y + word.height / 2
        row = rows[-1] if rows else []
        if row and abs(middle - (row[0].y + row[0].height / 2)) < 0.4 * row[0].height:
            row.append(word)
        else:
            rows.append([word])
    return [_line(sorted(row, key=lambda each: each.x)) for row in rows]


def _line(row: Sequence[Word]) -> Line:
    return Line(
        y=min(each.y for each in row),
        size=max(each.size for each in row),
        text=" ".join(each.text for each in row),
    )


NUMBER = r"(\d+(?:\.\d+)?)"
UNIT = r"(?:%|MOS(?:-LQO)?|dB|ms|s\b)"
WORSE = r"(?:slower|worse|lower|higher|longer|larger|below|more)"
SIZE = re.compile(rf"{NUMBER}\s?{UNIT}?\s{WORSE}\b")
BROKEN = re.compile(r"\b(?:killed|died|crashed|ended by|timed out|not in effect)\b")
LIMIT = re.compile(rf"limit(?: of)?:? ?[-+±−]?{NUMBER}")
CELL = re.compile(
    r"\b[a-z_]+=[\w.-]*\w(?: [a-z_]+=[\w.-]*\w)*(?![\w-])(?! [a-z_]+=)(?! \(reference)"
)
MACHINE = re.compile(r"(?:\bon|\band|,) ([a-z]+[a-z0-9]*(?:-[a-z0-9]+){2,})(?![\w=])")
"""A name of three parts or more on which, a reader understands, something ran."""
DAY = re.compile(r"\b(\d{4}-\d\d-\d\d)\b")
SINCE = re.compile(r"(?:since|baseline\D{0,24}?|against\D{0,24}?) ?(?:\w+, )?(\d{4}-\d\d-\d\d)")
TERMS = ("latency_p50", "latency", "p50", "slower", "pesq", "stoi", "wer", "snr", "rss", "memory")
"""Words of the field for what may get worse."""
QUIET = re.compile(r"\b(?:advisory|acknowledged|known|informs)\b", re.IGNORECASE)
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "nothing": 0, "no": 0}


def read(tab: Any) -> Reading:
    """Read the first screen of a page that is open in a browser."""
    lines = lines_of(words_of(tab))
    title = max(lines, key=lambda line: (line.size, -line.y))
    starts = _begun([number for number, line in enumerate(lines) if _starts(line.text)], lines)
    findings = [_finding(lines, at, until) for at, until in _spans(lines, starts)]
    day = _day(" ".join(line.text for line in lines), SINCE)
    return Reading(
        title=title.text,
        count=_count(title.text),
        findings=tuple(each if each.since else replace(each, since=day) for each in findings),
    )


def _starts(text: str) -> bool:
    return bool(SIZE.search(text) or BROKEN.search(text)) and not QUIET.search(text)


def _begun(starts: Sequence[int], lines: Sequence[Line]) -> list[int]:
    """Return where findings begin: one line above, where the first one has its cell there."""
    if not starts or starts[0] == 0 or CELL.search(lines[starts[0]].text):
        return list(starts)
    return [at - bool(CELL.search(lines[starts[0] - 1].text)) for at in starts]


def _spans(lines: Sequence[Line], starts: Sequence[int]) -> list[tuple[int, int]]:
    """Return where the words of each finding begin and end: it ends where the next one begins."""
    spans = []
    for at, following in zip(starts, [*starts, len(lines)][1:], strict=True):
        until = at + 1
        while until < following and lines[until].y < lines[at].y + NEAR_PX:
            until += 1
        spans.append((at, until))
    return spans


def _finding(lines: Sequence[Line], at: int, until: int) -> Finding:
    said = " ".join(line.text for line in lines[at:until])
    size, limit = SIZE.search(said), LIMIT.search(said)
    low = said.lower()
    terms = [(low.index(term), term) for term in TERMS if term in low]
    return Finding(
        what=min(terms)[1] if terms else "",
        cells=frozenset(CELL.findall(said)),
        machines=frozenset(MACHINE.findall(said)),
        size=float(size[1]) if size else None,
        limit=float(limit[1]) if limit else None,
        since=_day(said, SINCE) or _day(said, DAY),
        said=said,
    )


def _day(said: str, pattern: re.Pattern[str]) -> str:
    found = pattern.search(said)
    return found[1] if found else ""


def _count(title: str) -> int | None:
    found = re.search(rf"\b(\d+|{'|'.join(COUNTS)})\b", title.lower())
    return None if not found else COUNTS.get(found[1]) if found[1] in COUNTS else int(found[1])
