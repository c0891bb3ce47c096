"""
The doctor's examination as text: what speaks against the machine first, each with the command that sets it right.

Knows no knob; the verdict's own line is the caller's last word.
"""

from harness.machine.checks.check import State
from harness.machine.doctor import Examination, Finding

GAP = "  "


def examination_lines(examination: Examination) -> list[str]:
    """Lay the examination out: a line per finding, and below those that are not fit what was expected and the command."""
    width = max((len(each.requirement.knob) for each in examination.findings), default=0)
    lines = [f"profile {examination.profile}{GAP}machine {examination.machine}"]
    for finding in examination.findings:
        lines += _finding_lines(finding, width)
    return lines


def _finding_lines(finding: Finding, width: int) -> list[str]:
    answer = finding.answer
    first = f"{answer.state.value:<7}{GAP}{finding.requirement.knob:<{width}}{GAP}{answer.shown}"
    if answer.state is State.FIT:
        return [first]
    if not finding.counts:
        return [f"{first} (not needed)"]
    indent = " " * 7 + GAP
    refuses = ", or a run is refused" if answer.state is State.UNFIT and finding.requirement.action == "refuse" else ""
    return [first, f"{indent}expected: {finding.expects}{refuses}", f"{indent}{finding.advice}"]


def examination_to_dict(examination: Examination) -> dict[str, object]:
    """Give an examination as plain JSON values."""
    return {
        "profile": examination.profile,
        "machine": examination.machine,
        "fit": examination.exit_code == 0,
        "exit_code": examination.exit_code,
        "line": examination.line,
        "findings": [_finding_to_dict(each) for each in examination.findings],
    }


def _finding_to_dict(finding: Finding) -> dict[str, object]:
    requirement = finding.requirement
    return {
        "knob": requirement.knob,
        "state": finding.answer.state.value,
        "shown": finding.answer.shown,
        "expects": finding.expects,
        "advice": finding.advice,
        "counts": finding.counts,
        "action": requirement.action.value,
        "want": requirement.want,
    }
