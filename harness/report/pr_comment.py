"""
The comment on a pull request: a heading with the one number, three counted signs, the metrics that
broke their limits, where to listen; folded below, the reasons, a picture, and the commands that
reproduce and accept.

It is made from the JSON document of a judgement, because the job that may comment is not the one
that measured: code of the pull request made that document. So all of it is untrusted. Types are
checked, the verdict is counted again from the cells, texts are escaped, and commands are built only
from words of a checked form. Needs only the standard library.
"""

import re
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.judging import phrases
from voxgate.harness.records.verdict import (
    EXIT_CODES,
    WORST_FIRST,
    CellVerdict,
    RemarkKind,
    RunVerdict,
    Verdict,
    judgement_from_dict,
)
from voxgate.harness.report.comment_parts import (
    DETAILED,
    SHARE,
    SHORT,
    counts,
    heading,
    hear,
    left_out_lines,
    moved_too,
    one_line,
    picture,
    reason_lines,
    status_line,
    table,
    whole_cells,
)
from voxgate.harness.report.format import LIMIT, github_length
from voxgate.harness.report.worst_utterances import comment_lines

MARKER = "<!-- voxgate: pull request -->"
"""
The first line of a comment that is about no suite, by which it is found again; `marker` gives that
of a suite's comment.
"""
RERUN_CELLS = 3
"""
So many cells are named in the command that reproduces; where there are more, all are measured
again.
"""
ACCEPTABLE = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.NO_BASELINE, Verdict.INCOMPARABLE)
COMMIT, NAME, SLUG = (
    r"[0-9a-f]{12,64}",
    r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}",
    r"[a-z0-9][a-z0-9._-]{0,199}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentLinks:
    """What the comment points to; said by whoever posts it, never by the document."""

    page: str = ""
    """Address of the page with both voices."""
    shifts: str = ""
    """Address of the picture of the shifts."""
    spectrograms: str = ""
    """Address of the picture of both voices at the worst moment."""
    log: str = ""
    """Address of the run that measured."""
    fetch: str = ""
    """A command that makes the revisions known to a clone: `git fetch origin pull/12/merge`."""
    by_comment: bool = False
    """Whether a comment on the pull request can accept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDocument:
    """What a document says, checked."""

    judgement: RunVerdict
    base: str = ""
    """
    As a word of a command; empty where the judgement is against a stored baseline, or where the
    document has none.
    """
    head: str = ""
    control: str = ""
    notes: tuple[str, ...] = ()
    in_effect: Mapping[str, tuple[str, ...]]
    """Slug -> what was asked and was not so."""


def read(document: object) -> CheckedDocument:
    """Read a judgement's document. Raises HarnessError for anything that is none."""
    if not isinstance(document, Mapping):
        raise _no_judgement(f"it is no object but {type(document).__name__}")
    fields = {
        name: document[name]
        for name in ("schema_version", *RunVerdict.__dataclass_fields__)
        if name in document
    }
    try:
        judgement = judgement_from_dict(fields)
        _check(judgement)
        return CheckedDocument(
            judgement=_counted(judgement),
            base=_side(document, "base"),
            head=_side(document, "head"),
            control=str((document.get("control") or {}).get("shift") or ""),
            notes=tuple(map(str, document.get("notes") or ())),
            in_effect={
                str(k): tuple(map(str, lines))
                for k, lines in (document.get("in_effect") or {}).items()
            },
        )
    except (AttributeError, TypeError, RecursionError) as error:
        raise _no_judgement(str(error)) from error


def comment(document: object, place: CommentLinks) -> str:
    """
    Write the comment; the same document always gives the same text. Raises HarnessError if it is no
    judgement.
    """
    checked = read(document)
    judgement = checked.judgement
    before = [marker(judgement.suite), heading(judgement), counts(judgement)]
    before += [whole_cells(judgement), table(judgement), moved_too(judgement)]
    before += [" · ".join(filter(None, [hear(judgement, _address(place.page)), _links(place)]))]
    again = {"reproduce": _reproduce(checked, place), "accept": _accept(checked, place)}
    named = ", or ".join(name for name, text in again.items() if text)
    after = [
        _folded("Every shift against its limit", picture(judgement)),
        _folded(named.capitalize(), _joined(list(again.values()))),
        f"<sub>{_facts(checked)}</sub>",
    ]
    facts = [_notes(checked), _broken(judgement, place), _in_effect(checked), _notices(judgement)]
    room = LIMIT - sum(github_length(each) + 4 for each in (*before, *after, *facts)) - 200
    why = left_out_lines(
        reason_lines(judgement, DETAILED),
        room,
        "cells",
    )
    details = _folded(_contents_of(checked), _joined([why, *facts]))
    return _joined([*before, details, *after]) + "\n"


def _folded(summary: str, text: str) -> str:
    """Return a text that a click unfolds; nothing where there is none."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>" if text else ""


def _contents_of(checked: CheckedDocument) -> str:
    """Return a line on the details: options that were not in effect must not go unseen."""
    cells = checked.judgement.cells
    changed = sum(bool(_options_of(cell, checked)) for cell in cells)
    parts = [
        "why, cell by cell" if any(cell.verdict in DETAILED for cell in cells) else "",
        f"options not as asked or as before ({changed})" if changed else "",
        "notices" if any(cell.notices for cell in cells) else "",
    ]
    told = ", ".join(filter(None, parts)) or "notes"
    return f"{told[:1].upper()}{told[1:]}"


def marker(suite: str) -> str:
    """
    Return the first line of a suite's comment: several suites of one pull request have a comment
    each.
    """
    return f"<!-- voxgate: suite {suite} -->" if _fits(SLUG, suite) else MARKER


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentVerdict:
    """The verdict of a document, counted again from its cells."""

    verdict: Verdict
    exit_code: int
    line: str
    """The verdict in one plain line."""
    status: str
    """What stands beside the commit: `nfe=8: 10 % slower (limit 5 %)`."""


def headline(document: object) -> DocumentVerdict:
    """Return the verdict of a document. Raises HarnessError if it is no judgement."""
    judgement = read(document).judgement
    return DocumentVerdict(
        verdict=judgement.verdict,
        exit_code=judgement.exit_code,
        line=phrases.line(judgement),
        status=status_line(judgement),
    )


def _check(judgement: RunVerdict) -> None:
    """Raise TypeError unless the shown fields are text and finite numbers."""
    texts: list[object] = [
        judgement.suite,
        judgement.profile,
        judgement.machine,
        judgement.head,
        judgement.baseline,
    ]
    numbers: list[object] = []
    for cell in judgement.cells:
        texts += [
            cell.cell,
            cell.label,
            cell.reason,
            cell.notes,
            *cell.notices,
            *(item.metric for item in cell.metrics),
        ]
        for item in (metric.comparison for metric in cell.metrics):
            if item is not None:
                texts.append(item.unit)
                numbers += [
                    number for number in (item.shift, item.low, item.high) if number is not None
                ]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text is none")
    if not all(
        isinstance(number, int | float) and abs(number) <= sys.float_info.max for number in numbers
    ):
        raise TypeError("a number is none")


def _counted(judgement: RunVerdict) -> RunVerdict:
    """Count the verdicts again: a document may lie about its own total."""
    counts = Counter(cell.verdict for cell in judgement.cells)
    verdict = next(
        (candidate for candidate in WORST_FIRST if counts[candidate]), Verdict.UNRESOLVED
    )
    return replace(judgement, counts=dict(counts), verdict=verdict, exit_code=EXIT_CODES[verdict])


def _facts(checked: CheckedDocument) -> str:
    judgement = checked.judgement
    parts = [judgement.suite, judgement.profile, f"machine {judgement.machine}"]
    if checked.base:
        parts += [
            f"base {checked.base}",
            f"head {checked.head}",
            f"control {checked.control}" if checked.control else "",
        ]
    else:
        parts += [f"head {judgement.head}", f"baseline {judgement.baseline}"]
    return " · ".join(one_line(part, SHORT) for part in parts if part)


def _notes(checked: CheckedDocument) -> str:
    return left_out_lines([f"- {one_line(note)}" for note in checked.notes], SHARE, "notes")


def _changed(judgement: RunVerdict) -> list[CellVerdict]:
    """Return the cells to look at, the worst first."""
    changed = [cell for cell in judgement.cells if cell.verdict is not Verdict.PASS]
    return sorted(changed, key=lambda cell: WORST_FIRST.index(cell.verdict))


def _broken(judgement: RunVerdict, place: CommentLinks) -> str:
    lines = comment_lines(judgement.cells, _address(place.page))
    return f"Hear first:\n\n{left_out_lines(lines, SHARE, 'cells')}" if lines else ""


def _in_effect(checked: CheckedDocument) -> str:
    """
    List, per cell, the options that were not in effect as requested, and the settings that changed.
    """
    told = [(cell.label, _options_of(cell, checked)) for cell in checked.judgement.cells]
    lines = [f"- {one_line(label)}: {one_line('; '.join(some))}" for label, some in told if some]
    return (
        f"In effect, and not as asked or as before:\n\n{left_out_lines(lines, SHARE, 'cells')}"
        if lines
        else ""
    )


def _options_of(cell: CellVerdict, checked: CheckedDocument) -> list[str]:
    changed = [
        ", ".join(remark.facts) for remark in cell.remarks if remark.kind is RemarkKind.SETTINGS
    ]
    return [*checked.in_effect.get(cell.cell, ()), *changed]


def _notices(judgement: RunVerdict) -> str:
    """List the notices of all cells, passed ones included."""
    labels: dict[str, list[str]] = {}
    for cell in judgement.cells:
        for notice in cell.notices:
            labels.setdefault(one_line(notice), []).append(one_line(cell.label))
    lines = [f"- {phrases.cells_named(names)}: {notice}" for notice, names in labels.items()]
    return (
        f"Notices, which decide nothing:\n\n{left_out_lines(lines, SHARE, 'notices')}"
        if lines
        else ""
    )


def _links(place: CommentLinks) -> str:
    named = (
        ("page", place.page),
        ("picture of the shifts", place.shifts),
        ("spectrograms", place.spectrograms),
        ("log", place.log),
    )
    return " · ".join(f"[{name}]({_address(address)})" for name, address in named if address)


def _reproduce(checked: CheckedDocument, place: CommentLinks) -> str:
    judgement = checked.judgement
    changed = [cell.cell for cell in _changed(judgement)]
    only = changed if len(changed) <= RERUN_CELLS else []
    if not (
        _fits(NAME, judgement.suite)
        and _fits(NAME, judgement.profile)
        and all(_fits(SLUG, slug) for slug in only)
    ):
        return ""
    verb = ["check"] if not checked.base else ["ab", checked.base, checked.head]
    command = ["voxgate", *verb, judgement.suite, "--profile", judgement.profile]
    for slug in only:
        command += ["--only", slug]
    first = f"{place.fetch} && " if place.fetch and checked.base else ""
    return f"Reproduce: `{first}{shlex.join(command)}`"


def _accept(checked: CheckedDocument, place: CommentLinks) -> str:
    suite = checked.judgement.suite
    if not _fits(SLUG, suite) or not any(
        cell.verdict in ACCEPTABLE for cell in checked.judgement.cells
    ):
        return ""
    if place.by_comment:
        how = f"whoever may write to this repository comments `/voxgate accept {suite} REASON`"
    elif checked.base:
        how = (
            f"`voxgate run {suite} --out runs/accept && voxgate accept runs/accept --only quality "
            '--why "REASON"`, and commit'
        )
    else:
        how = '`voxgate accept RUN --why "REASON"` with the folder of this run, and commit'
    return f"Meant to be so? Accept: {how}. The reason stands in `baselines/{suite}/`, for review."


def _side(document: Mapping[str, Any], name: str) -> str:
    """
    Return a revision as a word of a command; empty unless it is a commit, or the working tree.
    """
    side = (document.get("revisions") or {}).get(name) or {}
    commit = str(side.get("commit", ""))
    if not _fits(COMMIT, commit):
        return ""
    return "." if side.get("changed_files") else commit[:12]


def _address(text: str) -> str:
    """
    Check an address; an empty one is none. Raises HarnessError for one that cannot stand in a link.
    """
    if text and not _fits(r"https?://[^\s()<>\"'`\\|]+", text):
        raise HarnessError(f"{text!r} is no address to link to; give one that begins with https://")
    return text


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _no_judgement(why: str) -> HarnessError:
    return HarnessError(
        f"this is no judgement of voxgate ({why}); give the document that --json writes"
    )
