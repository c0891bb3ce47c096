"""
The report on a terminal: the main table, the reasons below the cells that need one, and the counts.

Colours only on a terminal that wants them; the verdict always stands there as a word. A narrow terminal loses intervals first,
one column after the other, then columns, so that lines never wrap inside the table; a command is never broken, so that it
can be copied.
"""

import textwrap
from collections.abc import Collection, Sequence

from rich.console import Console
from rich.text import Text

from harness.records.verdict import Verdict
from harness.report.contents import Contents
from harness.report.floor import floor_line
from harness.report.tables import Column, Row, accept_hint, columns, energy_line, gain_line, grouped_missing, heading, rows

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
    kept, bounded = _fitting(table, across, width)
    grid = [[row.label, *(_value(row, index, bounded) for index in kept)] for row in table]
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


def _fitting(table: Sequence[Row], across: Sequence[Column], width: int) -> tuple[list[int], list[int]]:
    """Choose what fits: the columns, of which the first always stays, and those of them that show their intervals."""
    kept, bounded = list(range(len(across))), [index for index, column in enumerate(across) if column.interval]
    while len(kept) > 1 and _width(table, across, kept, bounded) > width:
        narrowed = bounded or kept
        narrowed.remove(max(narrowed, key=lambda index: across[index].rank))
    return kept, bounded


def _width(table: Sequence[Row], across: Sequence[Column], kept: Sequence[int], bounded: Collection[int]) -> int:
    label = max(len("cell"), *(len(row.label) for row in table)) if table else len("cell")
    verdict = max((len(row.verdict.value) for row in table), default=len("verdict"))
    sizes = [max([len(across[i].title), *(len(_value(row, i, bounded)) for row in table)]) for i in kept]
    return label + sum(len(GAP) + each for each in sizes) + len(GAP) + max(verdict, len("verdict"))


def _value(row: Row, index: int, bounded: Collection[int]) -> str:
    return row.full[index] if index in bounded else row.short[index]


def _aligned(texts: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Set the label to the left and numbers to the right."""
    return [texts[0].ljust(widths[0]), *(text.rjust(size) for text, size in zip(texts[1:], widths[1:], strict=True))]


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, max(20, width), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
