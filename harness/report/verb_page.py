"""
The page of a verb that measures something else than a run: a verdict with its facts, and parts of
pictures, tables and remarks. `load`, `selftest` and `doctor` fill it.

It is one HTML file that needs only a browser, as the page of a run.
"""

from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.records.files import write_file
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.pictures.matrix import SignMatrix
from voxgate.harness.report.pictures.panel import Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTable:
    """
    A table. The first `words` columns are text, the others numbers; those in `commands` are to be
    copied. `marks` holds the mark of each row, or nothing.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    commands: tuple[int, ...] = ()
    marks: tuple[Badge, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePart:
    """
    A section: `pictures` are (caption, panels beside each other); `folded` are tables that stand
    closed.
    """

    name: str
    title: str
    lines: tuple[str, ...] = ()
    pictures: tuple[tuple[str, tuple[Panel, ...]], ...] = ()
    matrices: tuple[SignMatrix, ...] = ()
    tables: tuple[PageTable, ...] = ()
    folded: tuple[PageTable, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbPage:
    """All that the page shows; `tiles` are (number, what it counts, kind of a verdict or "")."""

    title: str
    crumb: str
    mark: Badge
    heading: str
    line: str
    tiles: tuple[tuple[str, str, str], ...]
    facts: tuple[tuple[str, str], ...]
    parts: tuple[PagePart, ...]
    command: str = ""
    """What to type next, with `advice` before it."""
    advice: str = ""


def verb_page(page: VerbPage) -> str:
    """Write the page as text."""
    # only when a page is written: the template engine takes a tenth of a second to load
    from voxgate.harness.report.html import standalone

    return standalone("verb.html", (), page=page)


def write_verb_page(page: VerbPage, path: Path) -> None:
    """Write the page, whole or not at all. Raises HarnessError if it cannot be written."""
    write_file(path, verb_page(page), "name another --html FILE")
