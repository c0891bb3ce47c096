"""
A judgement as JUnit XML, for the test pages of CI systems, and the files that a command writes for
CI.

One test case per cell. REGRESSED and FAILED are failures. Undecided cells are skipped, with the
reason, because JUnit has no third word.

The comment on a pull request is written here too; `pr_comment.py` renders it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.files import write_file
from voxgate.harness.records.verdict import CellVerdict, RunVerdict, Verdict, judgement_to_dict
from voxgate.harness.report.contents import Report, all_differences
from voxgate.harness.report.format import plain
from voxgate.harness.report.pr_comment import CommentLinks, comment
from voxgate.harness.report.worst_utterances import broken_utterances

FAILURES = (Verdict.REGRESSED, Verdict.FAILED)
PASSES = (Verdict.PASS, Verdict.IMPROVED)
FACTS = ("profile", "machine", "head", "baseline", "line")


def junit(judgement: RunVerdict) -> str:
    """Write the document."""
    failures = sum(cell.verdict in FAILURES for cell in judgement.cells)
    skipped = sum(cell.verdict not in (*FAILURES, *PASSES) for cell in judgement.cells)
    counts = {
        "tests": str(len(judgement.cells)),
        "failures": str(failures),
        "errors": "0",
        "skipped": str(skipped),
    }
    root = ElementTree.Element("testsuites", {"name": "voxgate", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _text(judgement.suite), **counts})
    facts = ElementTree.SubElement(suite, "properties")
    for name in FACTS:
        ElementTree.SubElement(
            facts, "property", {"name": name, "value": _text(getattr(judgement, name))}
        )
    for cell in judgement.cells:
        suite.append(_case(judgement.suite, cell))
    ElementTree.indent(root, " ")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"{ElementTree.tostring(root, encoding='unicode')}\n"
    )


def _case(suite: str, cell: CellVerdict) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", {"classname": f"voxgate.{_text(suite)}", "name": _text(cell.label)}
    )
    message = {"message": f"{cell.verdict.value}: {_text(cell.reason)}"}
    if cell.verdict in FAILURES:
        failure = ElementTree.SubElement(case, "failure", {**message, "type": cell.verdict.value})
        broken = [_text(f"{each.id}: {each}") for each in broken_utterances(cell)]
        failure.text = "\n".join(broken) or None
    elif cell.verdict not in PASSES:
        ElementTree.SubElement(case, "skipped", message)
    return case


def _text(text: str) -> str:
    """Leave only characters that XML allows; `plain` keeps printable ones and spaces."""
    return plain(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where to write; None: not at all."""

    comment: Path | None = None
    junit: Path | None = None


def check_files(files: Files) -> Files:
    """Raise HarnessError, before any work, if there is no folder to write into."""
    for path in (files.comment, files.junit):
        check_file(path)
    return files


def check_file(path: Path | None) -> Path | None:
    """Return the path. Raises HarnessError, before any work, if there is no folder for it."""
    if path is not None and not path.absolute().parent.is_dir():
        raise HarnessError(
            f"cannot write {path}: there is no folder {path.parent}; make it, or name another file"
        )
    return path


def write_files(files: Files, document: Mapping[str, object], judgement: RunVerdict) -> None:
    """Write the requested files. Raises HarnessError if one cannot be written."""
    if files.comment is not None:
        write_file(files.comment, comment(document, CommentLinks()), "name another file")
    if files.junit is not None:
        write_file(files.junit, junit(judgement), "name another file")


def document_of(contents: Report) -> dict[str, object]:
    """Return the document that a comment is made from."""
    return {**judgement_to_dict(contents.judgement), "in_effect": all_differences(contents.run)}
