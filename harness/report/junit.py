"""
A judgement as JUnit XML, for the test pages of CI systems, and the files that a command writes for
CI.

One test case per cell, with the seconds that its syntheses took. REGRESSED is a failure; so is
FAILED where a value broke a limit. A cell that could not be measured as asked (a dead worker, an
option that was not in effect) is an error. Undecided cells are skipped, with the reason, because
JUnit has no third word. The text of each stands in its body too: some CI systems show nothing else.

The comment on a pull request is written here too; `pr_comment.py` renders it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.files import write_file
from voxgate.harness.records.run import Run, failure_of
from voxgate.harness.records.verdict import CellVerdict, RunVerdict, Verdict, judgement_to_dict
from voxgate.harness.report.changes import change_lines, judged_changes
from voxgate.harness.report.contents import Report, all_differences
from voxgate.harness.report.format import plain
from voxgate.harness.report.pr_comment import CommentLinks, comment
from voxgate.harness.report.worst_utterances import broken_utterances, spread_lines

FAILURES = (Verdict.REGRESSED, Verdict.FAILED)
PASSES = (Verdict.PASS, Verdict.IMPROVED)
FACTS = ("profile", "machine", "head", "baseline", "line")


def junit(judgement: RunVerdict, run: Run | None = None) -> str:
    """Write the document; times, and which cells died, are known where the run is at hand."""
    kinds = [_outcome(cell, run) for cell in judgement.cells]
    seconds = [synthesis_s(cell.cell, run) for cell in judgement.cells]
    counts = {
        "tests": str(len(judgement.cells)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{sum(seconds):.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "voxgate", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _text(judgement.suite), **counts})
    suite.attrib |= {"hostname": _text(judgement.machine)} | (
        {} if run is None else {"timestamp": _text(run.created)}
    )
    facts = ElementTree.SubElement(suite, "properties")
    for name in FACTS:
        ElementTree.SubElement(
            facts, "property", {"name": name, "value": _text(getattr(judgement, name))}
        )
    for cell, kind, time_s in zip(judgement.cells, kinds, seconds, strict=True):
        suite.append(_case(judgement.suite, cell, kind, time_s))
    ElementTree.indent(root, " ")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"{ElementTree.tostring(root, encoding='unicode')}\n"
    )


def synthesis_s(slug: str, run: Run | None) -> float:
    """Return the seconds that all syntheses of a cell took, warm-up included; 0 where unknown."""
    processes = [] if run is None else [each for each in run.processes if each.cell == slug]
    iterations = chain.from_iterable(process.iterations for process in processes)
    return sum(each.wall_s for each in iterations)


def _outcome(cell: CellVerdict, run: Run | None) -> str:
    """Return the element of JUnit that a cell becomes; empty for one that passed."""
    if cell.verdict in PASSES:
        return ""
    if cell.verdict is Verdict.REGRESSED:
        return "failure"
    if cell.verdict is not Verdict.FAILED:
        return "skipped"
    died = run is not None and failure_of(cell.cell, run) is not None
    by_value = any(each.blocking and each.verdict is Verdict.FAILED for each in cell.metrics)
    return "failure" if by_value and not died else "error"


def _case(suite: str, cell: CellVerdict, kind: str, time_s: float) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        {
            "classname": f"voxgate.{_text(suite)}",
            "name": _text(cell.label),
            "time": f"{time_s:.3f}",
        },
    )
    message = f"{cell.verdict.value}: {_text(cell.reason)}"
    rows = change_lines(judged_changes(cell))
    if kind:
        attributes = {"message": message} | (
            {} if kind == "skipped" else {"type": cell.verdict.value}
        )
        told = ElementTree.SubElement(case, kind, attributes)
        told.text = "\n".join([message, *_facts(cell), *rows])
    elif rows:
        ElementTree.SubElement(case, "system-out").text = "\n".join(rows)
    return case


def _facts(cell: CellVerdict) -> list[str]:
    """Return what helps to see a cause: broken utterances, spreads, notices."""
    broken = [f"{each.id}: {each}" for each in broken_utterances(cell)]
    notices = [f"notice: {notice}" for notice in cell.notices]
    return [_text(line) for line in (*broken, *spread_lines(cell), *notices)]


def _text(text: str) -> str:
    """Leave only characters that XML allows; `plain` keeps printable ones and spaces."""
    return plain(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where to write; None: not at all."""

    comment: Path | None = None
    junit: Path | None = None
    pictures: Path | None = None
    """A folder, that is there or can be made."""


def check_files(files: Files) -> Files:
    """Raise HarnessError, before any work, if there is no folder to write into."""
    for path in (files.comment, files.junit, files.pictures):
        check_file(path)
    return files


def check_file(path: Path | None) -> Path | None:
    """Return the path. Raises HarnessError, before any work, if there is no folder for it."""
    if path is not None and not path.absolute().parent.is_dir():
        raise HarnessError(
            f"cannot write {path}: there is no folder {path.parent}; make it, or name another file"
        )
    return path


def write_files(
    files: Files,
    document: Mapping[str, object],
    contents: Report,
    baselines: Path,
    base: Path | None = None,
) -> None:
    """
    Write the requested files; the audio to compare with is looked for in `baselines` and in the
    folder of BASE's run. Raises HarnessError if one cannot be written.
    """
    if files.comment is not None:
        write_file(files.comment, comment(document, CommentLinks()), "name another file")
    if files.junit is not None:
        write_file(files.junit, junit(contents.judgement, contents.run), "name another file")
    if files.pictures is not None:
        # only where they are asked for: what draws them takes long to load
        from voxgate.harness.report.comment_pictures import write_pictures

        write_pictures(contents, files.pictures, baselines, base)


def document_of(contents: Report) -> dict[str, object]:
    """Return the document that a comment is made from."""
    return {**judgement_to_dict(contents.judgement), "in_effect": all_differences(contents.run)}
