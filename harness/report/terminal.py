"""
The report on a terminal: the main table with reasons, an A/B comparison, and the doctor's
examination.

Colours only on a terminal that supports them; the verdict is always a word. A narrow terminal loses
intervals first, one column after the other, then columns, so that lines never wrap inside the
table. A command is never broken, so that it can be copied.

A comparison of two revisions shows the shift of each cell with its interval, the verdict, and the
reason below its cell. The examination lists unfit settings with the command that sets each right.
"""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rich.console import Console
from rich.text import Text

from voxgate.harness.judging import phrases
from voxgate.harness.machine.checks.check import CheckState
from voxgate.harness.machine.doctor import CheckedRequirement, Examination
from voxgate.harness.records.measurement import Missing, Value
from voxgate.harness.records.verdict import CellVerdict, Comparison, Verdict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.findings import FALLS, RISES, gain_line, next_step
from voxgate.harness.report.format import GAP, plain, plain_columns
from voxgate.harness.report.tables import (
    TableColumn,
    TableRow,
    budget_line,
    columns,
    energy_line,
    floor_line,
    grouped_missing,
    heading,
    rows,
    shared_remarks,
    text_line,
)
from voxgate.harness.report.worst_utterances import spread_lines

STYLES = {
    Verdict.PASS: "green",
    Verdict.IMPROVED: "bold green",
    Verdict.REGRESSED: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.UNRESOLVED: "yellow",
    Verdict.NO_BASELINE: "yellow",
    Verdict.INCOMPARABLE: "yellow",
}
CHANGE_STYLES = {"good": "green", "open": "yellow", "bad": "bold red"}
INDENT = "   "


ASCII = str.maketrans({RISES: "^", FALLS: "v"})
"""Signs for a terminal that has no others."""
CHANGE = -1
"""Place of the column of changes among the columns, before the first of them."""
CHANGE_RANK = 1
"""Its interval stays longer than that of a percentile or of the word errors."""


def print_report(contents: Report, console: Console, page: str | None = None) -> None:
    """
    Print all but the verdict's own line, which is the caller's last word; `page` is where the HTML
    page lies.
    """
    has_signs = "utf" in console.encoding.lower()
    for line in report_lines(contents, console.width, page, has_signs=has_signs):
        console.print(line, soft_wrap=True, highlight=False)


def report_lines(
    contents: Report, width: int, page: str | None = None, *, has_signs: bool = True
) -> list[Text]:
    """Lay the report out for a number of columns; without signs, arrows are ASCII."""
    table = rows(contents)
    step = next_step(contents)
    gain = "" if step is not None and step.tells_gain else gain_line(contents)
    lines = [Text(line) for line in _wrapped(INDENT.join(heading(contents)), width, "")]
    spreads = {cell.cell: spread_lines(cell) for cell in contents.judgement.cells}
    lines += _table(
        _Grid(table=table, across=columns(contents), has_signs=has_signs), width, spreads
    )
    below = (budget_line, energy_line, text_line, floor_line)
    for told in (*(line(contents) for line in below), gain):
        lines += [Text(line) for line in _wrapped(told, width, "")]
    lines += [Text(f"report {page}")] if page else []
    for each in () if step is None else step.all:
        lines += [Text(line) for line in _wrapped(each.text, width, "")]
        lines += [Text(f"{INDENT}{each.command}")] if each.command else []
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """The rows and columns of the table, of which a narrow terminal shows a part."""

    table: Sequence[TableRow]
    across: Sequence[TableColumn]
    has_signs: bool

    @property
    def all_columns(self) -> list[int]:
        """The places of all columns; that of changes only where any cell has one."""
        first = [CHANGE] if any(row.change for row in self.table) else []
        return [*first, *range(len(self.across))]

    def title(self, index: int) -> str:
        """Return the title of a column."""
        return "change" if index == CHANGE else self.across[index].title

    def has_interval(self, index: int) -> bool:
        """Whether a column shows an interval where there is room."""
        return index == CHANGE or self.across[index].interval

    def rank(self, index: int) -> int:
        """Return the order in which columns and intervals yield, the highest first."""
        return CHANGE_RANK if index == CHANGE else self.across[index].rank

    def text(self, row: TableRow, index: int, bounded: Collection[int]) -> str:
        """Return the text of one row in a column."""
        if index != CHANGE:
            return row.full[index] if index in bounded else row.short[index]
        if row.change is None:
            return NOTHING
        told = row.change.text(interval=index in bounded)
        return told if self.has_signs else told.translate(ASCII)

    def texts(self, kept: Sequence[int], bounded: Collection[int]) -> list[list[str]]:
        """Return the titles and the rows of some columns, labels and verdicts beside them."""
        lines = [["cell", *map(self.title, kept), "verdict"]]
        for row in self.table:
            shown = [self.text(row, index, bounded) for index in kept]
            lines.append([row.label, *shown, row.verdict.value])
        return lines

    def style(self, row: TableRow, index: int) -> str:
        """Return the style of one row in a column; empty for the usual one."""
        if index == CHANGE:
            return CHANGE_STYLES.get(row.change.kind, "") if row.change else ""
        return STYLES[Verdict.REGRESSED] if self.across[index].title in row.broken else ""


def _table(grid: _Grid, width: int, spreads: Mapping[str, Sequence[str]]) -> list[Text]:
    table = grid.table
    kept, bounded = _fitting(grid, width)
    texts = grid.texts(kept, bounded)
    head, *laid = plain_columns(texts, left=(0, len(kept) + 1))
    ends = list(accumulate(max(map(len, column)) + len(GAP) for column in zip(*texts, strict=True)))
    lines = [Text(head, style="bold")]
    shared = shared_remarks([(row.label, _remarks(row)) for row in table])
    known = {remark.text for remark in shared}
    for row, line in zip(table, laid, strict=True):
        lines.append(_styled(grid, row, line, kept, ends))
        own = [remark for remark in _remarks(row) if remark not in known]
        for remark in (*own, *spreads.get(row.cell, ())):
            lines += [Text(part) for part in _wrapped(remark, width, INDENT)]
    return [*lines, *(Text(part) for each in shared for part in _wrapped(str(each), width, ""))]


def _styled(
    grid: _Grid, row: TableRow, line: str, kept: Sequence[int], ends: Sequence[int]
) -> Text:
    """Return a line of the table in its colours; `ends` are the places where its columns end."""
    word = row.verdict.value
    styled = Text(line.removesuffix(word)).append(word, style=STYLES[row.verdict])
    for place, index in enumerate(kept):
        if style := grid.style(row, index):
            styled.stylize(style, ends[place], ends[place + 1] - len(GAP))
    return styled


def _remarks(row: TableRow) -> tuple[str, ...]:
    return (*row.causes, *row.reasons, *grouped_missing(row))


def _fitting(grid: _Grid, width: int) -> tuple[list[int], list[int]]:
    """
    Choose the columns that fit, and those that show their intervals. Of the columns the change
    yields last, and the first of the others never.
    """
    kept = grid.all_columns
    bounded = [index for index in kept if grid.has_interval(index)]
    while _width(grid, kept, bounded) > width:
        narrowed = bounded or [index for index in kept if index not in (CHANGE, 0)] or kept[:-1]
        if not narrowed:
            break
        loser = max(narrowed, key=grid.rank)
        (bounded if bounded else kept).remove(loser)
    return kept, bounded


def _width(grid: _Grid, kept: Sequence[int], bounded: Collection[int]) -> int:
    texts = grid.texts(kept, bounded)
    sizes = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return sum(sizes) + len(GAP) * (len(sizes) - 1)


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        max(20, width),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


TITLES = ("cell", "base p50 ms", "head p50 ms", "p50 shift", "rtf shift", "pairs", "verdict")
NOTHING = "-"


def paired_lines(
    contents: Report, sides: tuple[str, str], control: str, notes: Sequence[str], width: int
) -> list[str]:
    """
    Lay the comparison out for a number of columns; `sides` names BASE and HEAD, `control` says how
    far it moved.
    """
    judgement, state = contents.judgement, contents.machine
    head = (
        judgement.suite,
        judgement.profile,
        f"machine {judgement.machine} ({state.status})",
        f"base {sides[0]}",
        f"head {sides[1]}",
        f"control {control}",
    )
    lines = _wrapped(INDENT.join(map(plain, head)), width, "")
    for note in notes:
        lines += _wrapped(note, width, "")
    rows = [_row(cell, contents.run.reference) for cell in judgement.cells]
    titles, *laid = plain_columns([TITLES, *rows], left=(0, len(TITLES) - 1))
    lines.append(titles)
    for cell, row in zip(judgement.cells, laid, strict=True):
        lines.append(row)
        if cell.verdict is not Verdict.PASS:
            lines += _wrapped(plain(cell.reason), width, INDENT)
    return lines


def evidence_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay the steps of a bisection out as a table."""
    return plain_columns(rows, left=range(len(rows[0]))) if rows else []


def _row(cell: CellVerdict, reference: str) -> tuple[str, ...]:
    compared = {
        metric.metric: metric.comparison for metric in cell.metrics if metric.comparison is not None
    }
    p50, rtf = compared.get("latency_p50"), compared.get("rtf")
    label = plain(cell.label) + (" (reference)" if cell.cell == reference else "")
    times = (NOTHING, NOTHING) if p50 is None else (_ms(p50.baseline), _ms(p50.current))
    return (label, *times, _shift(p50), _shift(rtf), _pairs(p50), cell.verdict.value)


def _ms(value: Value) -> str:
    return NOTHING if isinstance(value, Missing) else f"{value * 1000:.4g}"


def _shift(comparison: Comparison | None) -> str:
    return NOTHING if comparison is None or comparison.shift is None else phrases.size(comparison)


def _pairs(comparison: Comparison | None) -> str:
    return (
        NOTHING
        if comparison is None or comparison.freedom is None
        else f"{comparison.freedom + 1:.0f}"
    )


def examination_lines(examination: Examination) -> list[str]:
    """
    Return the examination as text: a line per finding, and below an unfit one the expected value
    and the command.
    """
    width = max((len(checked.requirement.check) for checked in examination.findings), default=0)
    lines = [f"profile {examination.profile}{GAP}machine {examination.machine}"]
    for finding in examination.findings:
        lines += _finding_lines(finding, width)
    return lines


def _finding_lines(finding: CheckedRequirement, width: int) -> list[str]:
    answer = finding.answer
    first = f"{answer.state.value:<7}{GAP}{finding.requirement.check:<{width}}{GAP}{answer.shown}"
    if answer.state is CheckState.FIT:
        return [first]
    if not finding.counts:
        return [f"{first} (not needed)"]
    indent = " " * 7 + GAP
    refuses = (
        ", or a run is refused"
        if answer.state is CheckState.UNFIT and finding.requirement.action == "refuse"
        else ""
    )
    return [first, f"{indent}expected: {finding.expects}{refuses}", f"{indent}{finding.advice}"]


def examination_to_dict(examination: Examination) -> dict[str, object]:
    """Return an examination as plain JSON values."""
    return {
        "profile": examination.profile,
        "machine": examination.machine,
        "fit": examination.exit_code == 0,
        "exit_code": examination.exit_code,
        "line": examination.line,
        "findings": [_finding_to_dict(finding) for finding in examination.findings],
    }


def _finding_to_dict(finding: CheckedRequirement) -> dict[str, object]:
    requirement = finding.requirement
    return {
        "knob": requirement.check,
        "state": finding.answer.state.value,
        "shown": finding.answer.shown,
        "expects": finding.expects,
        "advice": finding.advice,
        "counts": finding.counts,
        "action": requirement.action.value,
        "want": requirement.want,
    }
