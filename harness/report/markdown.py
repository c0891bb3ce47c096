"""
The report as GitHub-flavoured Markdown, for pull requests and READMEs: the table, and reasons below
it.

Everything from outside is escaped: a workload or an error message must not become a link, a mention
or HTML.
"""

from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.format import escaped
from voxgate.harness.report.tables import (
    TableColumn,
    TableRow,
    budget_line,
    columns,
    energy_line,
    floor_line,
    gain_line,
    heading,
    next_step,
    rows,
    shared_remarks,
)


def markdown(contents: Report) -> str:
    """Write the whole report, ending in a newline."""
    table = rows(contents)
    judgement = contents.judgement
    parts = [
        f"**{escaped(judgement.line)}**",
        " · ".join(escaped(part) for part in heading(contents)),
        _table(table, columns(contents)),
        _remarks(table),
        escaped(energy_line(contents)),
        escaped(budget_line(contents)),
        escaped(floor_line(contents)),
        escaped(gain_line(contents)),
        _hint(contents),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(table: tuple[TableRow, ...], across: tuple[TableColumn, ...]) -> str:
    head = ["cell", *(column.title for column in across), "verdict"]
    align = ["---", *("---:" for _ in across), "---"]
    lines = [_line(head), _line(align), *(_line(_texts(row, across)) for row in table)]
    return "\n".join(lines)


def _texts(row: TableRow, across: tuple[TableColumn, ...]) -> list[str]:
    values = [
        _value(text, None if column.title in row.explained else row.missing.get(column.title))
        for text, column in zip(row.full, across, strict=True)
    ]
    word = row.verdict.value.replace("_", " ")
    return [escaped(row.label), *values, word if row.verdict is Verdict.PASS else f"**{word}**"]


def _value(text: str, why: str | None) -> str:
    return escaped(text if why is None else f"missing: {why}")


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _remarks(table: tuple[TableRow, ...]) -> str:
    """List the remarks on each cell, and those that several cells share once."""
    shared = shared_remarks([(row.label, row.reasons) for row in table])
    known = {remark.text for remark in shared}
    own = [(row.label, [each for each in row.reasons if each not in known]) for row in table]
    lines = [
        f"- **{escaped(label)}**: {escaped('; '.join(texts))}" for label, texts in own if texts
    ]
    return "\n".join([*lines, *(f"- {escaped(str(remark))}" for remark in shared)])


def _hint(contents: Report) -> str:
    step = next_step(contents)
    if step is None:
        return ""
    sentence = step.sentence[:1].upper() + step.sentence[1:]
    return f"{escaped(sentence)} `{step.command}`" if step.command else f"{escaped(sentence)}."
