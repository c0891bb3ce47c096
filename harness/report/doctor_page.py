"""The page of `voxgate doctor`: what stands against measuring here, and how to set it right."""

from collections.abc import Sequence
from pathlib import Path

from voxgate.harness.machine.checks.check import CheckState
from voxgate.harness.machine.doctor import Action, CheckedRequirement, Examination
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.verb_page import PagePart, PageTable, VerbPage, write_verb_page

HEADINGS = {
    0: "This machine is fit to measure.",
    2: "This profile is for another device.",
    3: "This machine is not fit to measure.",
}
KINDS = {CheckState.FIT: "good", CheckState.UNFIT: "bad", CheckState.UNKNOWN: "open"}


def write_doctor_page(found: Examination, path: Path) -> None:
    """Write the page, whole or not at all. Raises HarnessError if it cannot be written."""
    write_verb_page(doctor_page(found), path)


def doctor_page(found: Examination) -> VerbPage:
    """Return the page of an examination."""
    against = [each for each in found.findings if each.counts]
    others = [each for each in found.findings if not each.counts]
    fine = found.exit_code == 0
    parts = (
        _part("against", "To set right", against),
        _part("fit", "In order, or not needed", others),
    )
    return VerbPage(
        title=f"Doctor {found.machine}",
        crumb=f"doctor · {found.profile} · {found.machine}",
        mark=Badge(word="FIT" if fine else "NOT FIT", kind="good" if fine else "bad"),
        heading=HEADINGS[found.exit_code],
        line=found.line,
        tiles=tuple(_tile(found.findings, state) for state in CheckState),
        facts=(("machine", found.machine), ("profile", found.profile)),
        parts=tuple(part for part in parts if part.tables),
        advice="" if fine else "When that is set right, look again:",
        command="" if fine else f"voxgate doctor --profile {found.profile}",
    )


def _tile(findings: Sequence[CheckedRequirement], state: CheckState) -> tuple[str, str, str]:
    count = sum(each.answer.state is state for each in findings)
    return (str(count), state.value, KINDS[state] if count else "")


def _part(name: str, title: str, findings: Sequence[CheckedRequirement]) -> PagePart:
    if not findings:
        return PagePart(name=name, title=title)
    against = name == "against"
    head = ("check", "found", "expected", "what to do") if against else ("check", "found")
    return PagePart(
        name=name,
        title=title,
        tables=(
            PageTable(
                caption=f"{title}: {len(findings)} of the checks",
                head=head,
                rows=tuple(_row(each)[: len(head)] for each in findings),
                words=len(head),
                commands=(3,),
                marks=tuple(map(_mark, findings)),
            ),
        ),
    )


def _row(each: CheckedRequirement) -> tuple[str, ...]:
    refuses = each.answer.state is CheckState.UNFIT and each.requirement.action is Action.REFUSE
    expected = f"{each.expects}{', or a run is refused' if refuses else ''}"
    return (each.requirement.check, each.answer.shown, expected, each.advice)


def _mark(each: CheckedRequirement) -> Badge:
    return Badge(word=each.answer.state.value, kind=KINDS[each.answer.state])
