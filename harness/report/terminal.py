"""
The report on a terminal: the main table, the reasons below the cells that need one, and the counts.

Colours only on a terminal that wants them; the verdict always stands there as a word. A narrow terminal loses the
intervals first, then columns, so that lines never wrap inside the table; a command is never broken, so that it can be copied.
"""

import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from harness.judgement import Verdict
from harness.report.contents import Contents
from harness.report.floor import floor_line
from harness.report.table import (
    Column,
    Row,
    accept_hint,
    columns,
    energy_line,
    gain_line,
    grouped_missing,
    heading,
    rows,
)

STYLES = {
    Verdict.PASS: "green",
    Verdict.IMPROVED: "bold green",
    Verdict.REGRESSED: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.UNRESOLVED: "yellow",
    Verdict.NO_BASELINE: "yellow",
    Verdict.INCOMPARABLE: "yellow",
}
GAP = "  "
INDENT = "   "


def print_report(contents: Contents, console: Console, page: str | None = None) -> None:
    """Print all but the verdict's own line, which is the caller's last word; `page` is where the HTML page lies."""
    for line in report_lines(contents, console.width, page):
        console.print(line, soft_wrap=True, highlight=False)


def report_lines(contents: Contents, width: int, page: str | None = None) -> list[Text]:
    """Lay the report out for a number of columns."""
    table = rows(contents)
    lines = [Text(line) for line in _wrapped(INDENT.join(heading(contents)), width, "")]
    lines += _table(table, columns(contents), width)
    lines += [Text(line) for line in _wrapped(energy_line(contents), width, "")]
    lines += [Text(line) for line in _wrapped(floor_line(contents), width, "")]
    lines += [Text(line) for line in _wrapped(gain_line(contents), width, "")]
    lines += [Text(line) for line in accept_hint(contents)]
    return [*lines, Text(f"report {page}")] if page else lines


def _table(table: Sequence[Row], across: Sequence[Column], width: int) -> list[Text]:
    intervals, kept = _fitting(table, across, width)
    grid = [[row.label, *(_values(row, intervals)[index] for index in kept)] for row in table]
    titles = ["cell", *(across[index].title for index in kept)]
    widths = [max(map(len, column)) for column in zip(titles, *grid, strict=True)]
    lines = [Text(GAP.join([*_aligned(titles, widths), "verdict"]), style="bold")]
    said = ""
    for row, texts in zip(table, grid, strict=True):
        line = Text(GAP.join([*_aligned(texts, widths), ""]))
        lines.append(line.append(row.verdict.value, style=STYLES[row.verdict]))
        remarks = " | ".join([*row.reasons, *grouped_missing(row)])
        lines += [Text(each) for each in _remarks(row, width)] if remarks != said or not said else [Text(f"{INDENT}as above")]
        said = remarks
    return lines


def _remarks(row: Row, width: int) -> list[str]:
    return [line for remark in (*row.reasons, *grouped_missing(row)) for line in _wrapped(remark, width, INDENT)]


def _fitting(table: Sequence[Row], across: Sequence[Column], width: int) -> tuple[bool, list[int]]:
    """Choose what fits: all with intervals, else without them, else ever fewer columns; the first always stays."""
    kept = list(range(len(across)))
    if _width(table, across, kept, intervals=True) <= width:
        return True, kept
    while len(kept) > 1 and _width(table, across, kept, intervals=False) > width:
        kept.remove(max(kept, key=lambda index: across[index].rank))
    return False, kept


def _width(table: Sequence[Row], across: Sequence[Column], kept: Sequence[int], *, intervals: bool) -> int:
    label = max(len("cell"), *(len(row.label) for row in table)) if table else len("cell")
    verdict = max((len(row.verdict.value) for row in table), default=len("verdict"))
    sizes = [max([len(across[i].title), *(len(_values(row, intervals)[i]) for row in table)]) for i in kept]
    return label + sum(len(GAP) + each for each in sizes) + len(GAP) + max(verdict, len("verdict"))


def _values(row: Row, intervals: bool) -> tuple[str, ...]:
    return row.full if intervals else row.short


def _aligned(texts: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Set the label to the left and numbers to the right."""
    return [texts[0].ljust(widths[0]), *(text.rjust(size) for text, size in zip(texts[1:], widths[1:], strict=True))]


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, max(20, width), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
