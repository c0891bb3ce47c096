"""
The report as GitHub-flavoured Markdown, for pull requests and READMEs: the table, and reasons below
it.

Everything from outside is escaped: a workload or an error message must not become a link, a mention
or HTML.
"""

from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.findings import NextStep, gain_line, next_step
from voxgate.harness.report.format import escaped
from voxgate.harness.report.tables import (
    TableColumn,
    TableRow,
    budget_line,
    columns,
    energy_line,
    floor_line,
    heading,
    rows,
    shared_remarks,
    text_line,
)


def markdown(contents: Report) -> str:
    """Write the whole report, ending in a newline."""
    table = rows(contents)
    judgement, step = contents.judgement, next_step(contents)
    parts = [
        f"**{escaped(judgement.line)}**",
        " · ".join(escaped(part) for part in heading(contents)),
        _table(table, columns(contents)),
        _remarks(table),
        escaped(energy_line(contents)),
        escaped(text_line(contents)),
        escaped(budget_line(contents)),
        escaped(floor_line(contents)),
        "" if step is not None and step.tells_gain else escaped(gain_line(contents)),
        *map(_hint, () if step is None else step.all),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(table: tuple[TableRow, ...], across: tuple[TableColumn, ...]) -> str:
    has_change = any(row.change for row in table)
    head = ["cell", *(["change"] if has_change else []), *(each.title for each in across)]
    align = ["---", *("---:" for _ in head[1:]), "---"]
    rows = [_line(_texts(row, across, has_change)) for row in table]
    return "\n".join([_line([*head, "verdict"]), _line(align), *rows])


def _texts(row: TableRow, across: tuple[TableColumn, ...], has_change: bool) -> list[str]:
    values = [
        _marked(
            _value(text, None if column.title in row.explained else row.missing.get(column.title)),
            column.title in row.broken,
        )
        for text, column in zip(row.full, across, strict=True)
    ]
    change = "-" if row.change is None else escaped(row.change.text(interval=True))
    changes = [_marked(change, row.change is not None and row.change.kind == "bad")]
    word = row.verdict.value.replace("_", " ")
    verdict = _marked(word, row.verdict is not Verdict.PASS)
    return [escaped(row.label), *(changes if has_change else []), *values, verdict]


def _marked(text: str, stands_out: bool) -> str:
    return f"**{text}**" if stands_out else text


def _value(text: str, why: str | None) -> str:
    return escaped(text if why is None else f"missing: {why}")


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _remarks(table: tuple[TableRow, ...]) -> str:
    """List the remarks on each cell, and those that several cells share once."""
    told = [(row.label, (*row.causes, *row.reasons)) for row in table]
    shared = shared_remarks(told)
    known = {remark.text for remark in shared}
    own = [(label, [each for each in texts if each not in known]) for label, texts in told]
    lines = [
        f"- **{escaped(label)}**: {escaped('; '.join(texts))}" for label, texts in own if texts
    ]
    return "\n".join([*lines, *(f"- {escaped(str(remark))}" for remark in shared)])


def _hint(step: NextStep) -> str:
    sentence = escaped(step.text[:1].upper() + step.text[1:])
    return f"{sentence} `{step.command}`" if step.command else f"{sentence}."
