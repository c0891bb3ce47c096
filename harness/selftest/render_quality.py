"""
The results of a selftest of quality as text, Markdown and JSON.

A terminal shows one letter per metric, a document their names. Computes nothing but counts.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from voxgate.harness.records import codec
from voxgate.harness.report.format import escaped, plain_columns
from voxgate.harness.selftest.quality_result import (
    Compares,
    FaultResult,
    Matrix,
    MetricColumn,
    QualityTrust,
    Sight,
    failing,
    false_alarms,
    hidden,
    is_trustworthy,
    overlooked,
)
from voxgate.harness.selftest.specimens import Kind

SCHEMA_VERSION = 3
"""
Of the JSON. History: 1, 2026-11, first. 2, 2026-11, what each metric saw, on several kinds of
audio. 3, 2026-11, without parity too.
"""
LETTERS = {
    Sight.SEEN: "#",
    Sight.ADVISED: "+",
    Sight.UNPROVEN: "?",
    Sight.UNSEEN: ".",
    Sight.ABSENT: " ",
}
WORDS = {
    Sight.SEEN: "**seen**",
    Sight.ADVISED: "advised",
    Sight.UNPROVEN: "not proven",
    Sight.UNSEEN: "not seen",
}
LEGEND = (
    "# seen, blocks   + seen, advises   ? beyond its margin, not proven   . not seen   (blank) no "
    "value"
)
NOTE = (
    "Judged by the policy as every run is, each audio against the same audio without the fault. "
    "The first cell of the suite that is not the reference holds the faults, so metrics against "
    "the reference begin at what that cell costs; its further cells are settings, which stand in "
    "place of the reference, as if the engine had not done what it was asked for. A fault counts "
    "as seen if a metric that blocks saw it at its greatest strength in every utterance. Without "
    "parity: by one that needs no recording of the very same performance, which an engine that "
    "samples never has; metrics between takes get another take of the reference, made by "
    "resynthesis with another pace and melody. What is resynthesised throughout is held against "
    "the same resynthesis without the fault. Metrics against golden audio are left out: here they "
    "would read as those against the reference do."
)
SUMMARY_LEGEND = (
    "any: any metric; free: any that needs no parity; one: the same two, the fault in one "
    "utterance only"
)


def text(trust: QualityTrust) -> str:
    """Write everything as plain text; the last line is the verdict."""
    parts = [
        heading(trust),
        *(_letters(matrix, trust.columns) for matrix in trust.matrices),
        f"{LEGEND}\n{SUMMARY_LEGEND}",
        *_families(trust.columns),
    ]
    return "\n\n".join([*parts, *remarks(trust), *unseeable(trust), line(trust)])


def markdown(trust: QualityTrust, command: str, picture: str = "") -> str:
    """
    Write everything as a Markdown page, with the command that made it and a picture of that name,
    ending in a newline.
    """
    parts = [
        "# Which metric sees which fault",
        f"Measured {escaped(heading(trust))}, by one command:",
        f"```\n{command}\n```",
    ]
    parts += [
        f"**{escaped(line(trust))}**",
        *([f"![The tables below as a picture]({picture})"] if picture else []),
        escaped(NOTE),
    ]
    for matrix in trust.matrices:
        parts += [f"## Faults: {escaped(_title(matrix))}", _named(matrix, trust.columns)]
    parts += [
        "## Faults that cannot be seen without parity",
        "\n".join(f"- {escaped(each)}" for each in unseeable(trust)) or "None.",
        "## Metrics: what each sees, and from which strength on",
        _by_metric(trust),
    ]
    return "\n\n".join([*parts, *(f"- {escaped(remark)}" for remark in remarks(trust))]) + "\n"


def to_json(trust: QualityTrust) -> dict[str, Any]:
    """Return the results as plain JSON values."""
    document = codec.to_json(trust)
    for matrix, shown in zip(trust.matrices, document["matrices"], strict=True):
        for row, finding in zip(matrix.findings, shown["findings"], strict=True):
            finding["seen_by"] = list(row.by)
            finding["seen_without_parity_by"] = list(row.free(trust.columns).by)
    return {
        "schema_version": SCHEMA_VERSION,
        **document,
        "line": line(trust),
        "exit_code": exit_code(trust),
    }


def heading(trust: QualityTrust) -> str:
    """Return the date, suite, profile, machine and revision."""
    return (
        f"{trust.created[:10]}, suite {trust.suite}, profile {trust.profile}, machine "
        f"{trust.machine}, head {trust.head}"
    )


def remarks(trust: QualityTrust) -> list[str]:
    """
    Return the notes: metrics never judged, false alarms, overlooked faults, and faults that could
    not be planted, with the reason.
    """
    without = {
        "never judged": trust.unjudged,
        "without a value for any of the audio": trust.valueless,
    }
    notes = [
        f"{why}, and so not shown: {', '.join(names)}" for why, names in without.items() if names
    ]
    for matrix in trust.matrices:
        notes += [
            f"false alarm: {_place(matrix, each)}: {', '.join(each.by)}"
            for each in false_alarms(matrix)
        ]
        advice = [row for row in matrix.rows if row.kind is Kind.HARMLESS and row.advised_by]
        notes += [
            f"false advice: {_place(matrix, each)}: {', '.join(each.advised_by)}" for each in advice
        ]
        notes += [f"overlooked: {matrix.audio}: {fault}" for fault in overlooked(matrix)]
        notes += [
            f"seen by parity alone: {matrix.audio}: {fault}"
            for fault in hidden(matrix, trust.columns)
            if fault not in overlooked(matrix)
        ]
        notes += [
            f"not planted: {matrix.audio}: {fault}: {why}" for fault, why in matrix.left_out.items()
        ]
    return notes


def unseeable(trust: QualityTrust) -> list[str]:
    """Return each fault that cannot be seen without parity and was planted, with the reason."""
    planted = {row.fault for row in _rows(trust)}
    missed = set(chain.from_iterable(hidden(each, trust.columns) for each in trust.matrices))
    return [
        f"{fault}: {why}" + ("" if fault in missed else " (here it was seen all the same)")
        for fault, why in trust.unseeable.items()
        if fault in planted
    ]


def line(trust: QualityTrust) -> str:
    """Return the verdict in one line."""
    word = "TRUSTWORTHY" if exit_code(trust) == 0 else "NOT TRUSTWORTHY"
    seen = [_counts(matrix, trust.columns) for matrix in trust.matrices]
    clean = [row for row in _rows(trust) if row.kind is Kind.HARMLESS]
    false = list(chain.from_iterable(map(false_alarms, trust.matrices)))
    missed = failing(trust)
    parts = [*seen, f"{len(false)} false alarms in {len(clean)} harmless changes"]
    parts += [f"overlooked even at its greatest: {', '.join(missed)}"] if missed else []
    return f"{word} for quality: {'; '.join(parts)}"


def _counts(matrix: Matrix, columns: Sequence[MetricColumn]) -> str:
    faults = [row for row in matrix.greatest if row.kind is Kind.FAULT]
    free = len(faults) - len(hidden(matrix, columns))
    every = len(matrix.greatest)
    return (
        f"{every - len(overlooked(matrix))} of {every} faults seen by a metric that blocks, {free} "
        f"of {len(faults)} without parity ({matrix.audio})"
    )


def exit_code(trust: QualityTrust) -> int:
    """
    Return 0 if no harmless change was found and each fault was at its greatest, without parity
    where it can be; 3 if not, or if none was planted.
    """
    return 0 if is_trustworthy(trust) else 3


def _title(matrix: Matrix) -> str:
    return f"{matrix.audio}, {matrix.utterances} utterances"


def _place(matrix: Matrix, finding: FaultResult) -> str:
    return f"{matrix.audio}: {finding.fault}, {finding.strength}"


def _by_family(columns: Sequence[MetricColumn]) -> dict[str, list[MetricColumn]]:
    families: dict[str, list[MetricColumn]] = {}
    for column in columns:
        families.setdefault(column.family, []).append(column)
    return families


def _families(columns: Sequence[MetricColumn]) -> list[str]:
    """Return the legend from letters to metrics; blocking ones are marked."""
    families = _by_family(columns)
    lines = [
        f"{family}: {' '.join(c.metric + '*' * c.blocks for c in members)}"
        for family, members in families.items()
    ]
    return ["\n".join(["letters from left to right, * blocks:", *lines])] if lines else []


def _letters(matrix: Matrix, columns: Sequence[MetricColumn]) -> str:
    """
    Write a matrix with a letter per metric, grouped by family, behind those that sum them up:
    SUMMARY_LEGEND.
    """
    families = _by_family(columns)
    rows = [("fault", "strength", "any", "free", "one", *families)]
    for row in matrix.rows:
        alone = matrix.alone(row)
        free, in_one = row.free(columns), ""
        if alone is not None:
            in_one = LETTERS[alone.summed] + LETTERS[alone.free(columns).summed]
        summed = (LETTERS[row.summed], LETTERS[free.summed], in_one)
        letters = [_letters_of(row, family) for family in families.values()]
        rows.append((row.fault, row.strength, *summed, *letters))
    return "\n".join([_title(matrix), *plain_columns(rows, left=range(len(rows[0])))])


def _letters_of(row: FaultResult, family: Iterable[MetricColumn]) -> str:
    return "".join(LETTERS[_sight(row, column)] for column in family)


def _metrics(columns: Iterable[MetricColumn]) -> list[str]:
    return [column.metric for column in columns]


def _rows(trust: QualityTrust) -> Iterable[FaultResult]:
    return chain.from_iterable(matrix.rows for matrix in trust.matrices)


def _named(matrix: Matrix, columns: Sequence[MetricColumn]) -> str:
    """
    Write a matrix as a Markdown table with the names of the metrics, those that block in bold.
    """
    families = _by_family(columns)
    head = ["fault", "strength", "without parity", *families, "in one utterance"]
    rows = [head, ["---"] * len(head)]
    for row in matrix.rows:
        cells = [_names(row, _metrics(family)) for family in families.values()]
        free = WORDS[row.free(columns).summed]
        in_one = _in_one(matrix.alone(row), columns)
        rows.append([escaped(row.fault), escaped(row.strength), free, *cells, in_one])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _in_one(alone: FaultResult | None, columns: Sequence[MetricColumn]) -> str:
    """Name the blocking metrics that saw it in one utterance: without parity, then with it."""
    if alone is None:
        return ""
    blocking = [column for column in columns if column.blocks]
    parity = [column for column in blocking if column.compares is Compares.PERFORMANCES]
    free = [column for column in blocking if column not in parity]
    by_parity = _names(alone, _metrics(parity))
    found = [_names(alone, _metrics(free)), f"parity: {by_parity}" if by_parity else ""]
    return "; ".join(each for each in found if each) or "not seen"


def _names(finding: FaultResult, metrics: Sequence[str]) -> str:
    """Name those of the metrics that saw it."""
    seen = [f"**{escaped(name)}**" for name in metrics if name in finding.by]
    advised = [escaped(name) for name in metrics if name in finding.advised_by]
    unproven = [
        f"({escaped(name)}?)" for name in metrics if finding.sights.get(name) is Sight.UNPROVEN
    ]
    return " ".join([*seen, *advised, *unproven])


def _by_metric(trust: QualityTrust) -> str:
    """
    Return a table of the faults that every metric sees, from the weakest strength on, and of those
    it does not.
    """
    rows = [["family", "metric", "blocks", "sees", "does not see"], ["---"] * 5]
    for column in trust.columns:
        seen, blind = _sees(trust, column.metric)
        cells = [
            column.family,
            column.metric,
            "yes" if column.blocks else "",
            "; ".join(seen),
            "; ".join(blind),
        ]
        rows.append([escaped(cell) for cell in cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _sees(trust: QualityTrust, metric: str) -> tuple[list[str], list[str]]:
    """
    Return the faults that a metric sees on any of the audio, with the weakest strength, and those
    that it never sees.
    """
    rows = [row for row in _rows(trust) if row.kind is not Kind.HARMLESS]
    caught = [row for row in rows if _sight_of(row, metric) in (Sight.SEEN, Sight.ADVISED)]
    weakest = {row.fault: row.strength for row in reversed(caught)}
    tried = dict.fromkeys(row.fault for row in rows if _sight_of(row, metric) is not Sight.ABSENT)
    return [f"{fault} {weakest[fault]}" for fault in tried if fault in weakest], [
        f for f in tried if f not in weakest
    ]


def _sight(row: FaultResult, column: MetricColumn) -> Sight:
    return _sight_of(row, column.metric)


def _sight_of(row: FaultResult, metric: str) -> Sight:
    return row.sights.get(metric, Sight.ABSENT)
