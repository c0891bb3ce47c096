"""
What a selftest of quality found, for people and as JSON, and whether the quality verdicts can be trusted.
"""

from dataclasses import asdict
from typing import Any

from harness.report.texts import escaped
from harness.selftest.quality import EVERY, Finding, QualityTrust
from harness.selftest.shown import Table, as_markdown, plain

SCHEMA_VERSION = 1
"""Of the JSON. History: 1, 2026-11, first."""


def text(trust: QualityTrust) -> str:
    """Write everything as plain text; the last line is the verdict."""
    return "\n\n".join([heading(trust), plain(table(trust)), *remarks(trust), line(trust)])


def markdown(trust: QualityTrust) -> str:
    """Write everything as Markdown, ending in a newline."""
    parts = [f"**{escaped(line(trust))}**", escaped(heading(trust)), as_markdown(table(trust))]
    return "\n\n".join([*parts, *(f"- {escaped(remark)}" for remark in remarks(trust))]) + "\n"


def to_json(trust: QualityTrust) -> dict[str, Any]:
    """Give all of it as plain JSON values."""
    return {"schema_version": SCHEMA_VERSION, **asdict(trust), "line": line(trust), "exit_code": exit_code(trust)}


def heading(trust: QualityTrust) -> str:
    """Say what was measured where."""
    what = f"faults in {trust.utterances} utterances of cell {trust.cell}"
    return f"selftest {trust.suite}   quality   {trust.profile}   {trust.machine}   {trust.head}   {what}"


def table(trust: QualityTrust) -> Table:
    """Give one row per fault and strength."""
    head = ("fault", "strength", "planted in", "found", "by", "advisory")
    return Table(title="Planted faults", head=head, rows=tuple(map(_row, trust.findings)))


def remarks(trust: QualityTrust) -> list[str]:
    """Name the faults that could not be planted, and why."""
    return [f"not planted: {fault}: {why}" for fault, why in trust.left_out.items()]


def line(trust: QualityTrust) -> str:
    """Give the verdict in one line."""
    planted = [each for each in trust.findings if not each.harmless]
    clean = [each for each in trust.findings if each.harmless]
    false, missed = false_alarms(trust), overlooked(trust)
    word = "TRUSTWORTHY" if exit_code(trust) == 0 else "NOT TRUSTWORTHY"
    parts = [
        f"{word} for quality: {sum(bool(each.by) for each in planted)} of {len(planted)} faults found",
        f"{len(false)} false alarms in {len(clean)} harmless changes",
        f"overlooked even at its greatest: {', '.join(missed)}" if missed else "",
    ]
    return "; ".join(filter(None, parts))


def false_alarms(trust: QualityTrust) -> list[Finding]:
    """Give the harmless changes that were found."""
    return [each for each in trust.findings if each.harmless and each.by]


def overlooked(trust: QualityTrust) -> list[str]:
    """Name the faults that were not found at their greatest strength in every utterance."""
    greatest = {each.fault: each for each in trust.findings if not each.harmless and each.extent == EVERY}
    return [fault for fault, each in greatest.items() if not each.by]


def exit_code(trust: QualityTrust) -> int:
    """Give 0 if nothing harmless was found and no fault overlooked at its greatest; 3 if not, or if none was planted."""
    planted = any(not each.harmless for each in trust.findings)
    return 0 if planted and not false_alarms(trust) and not overlooked(trust) else 3


def _row(each: Finding) -> tuple[str, ...]:
    found = "yes" if each.by else "no"
    return (each.fault, each.strength, each.extent, found, ", ".join(each.by), ", ".join(each.advised_by))
