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
    accept_command,
    accept_hint,
    columns,
    energy_line,
    floor_line,
    gain_line,
    heading,
    rows,
)


def markdown(contents: Report) -> str:
    """Write the whole report, ending in a newline."""
    table = rows(contents)
    judgement = contents.judgement
    parts = [
        f"**{escaped(judgement.line)}**",
        " · ".join(escaped(part) for part in heading(contents)),
        _table(table, columns(contents)),
        "\n".join(_remark(row) for row in table if row.reasons),
        escaped(energy_line(contents)),
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
        _value(text, row.missing.get(column.title))
        for text, column in zip(row.full, across, strict=True)
    ]
    word = row.verdict.value.replace("_", " ")
    return [escaped(row.label), *values, word if row.verdict is Verdict.PASS else f"**{word}**"]


def _value(text: str, why: str | None) -> str:
    return escaped(text if why is None else f"missing: {why}")


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _remark(row: TableRow) -> str:
    return f"- **{escaped(row.label)}**: {escaped('; '.join(row.reasons))}"


def _hint(contents: Report) -> str:
    if not accept_hint(contents):
        return ""
    return (
        f"No speed baseline on this machine yet; if this run is good: `{accept_command(contents)}`"
    )
