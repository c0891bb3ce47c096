"""
A judgement as JUnit XML, for the test pages of CI systems: one test case per cell.

REGRESSED and FAILED are failures; what could not be decided is skipped, with the reason, because JUnit has no third word.
"""

from xml.etree import ElementTree

from harness.records.verdict import CellVerdict, Judgement, Verdict
from harness.report.texts import plain

FAILURES = (Verdict.REGRESSED, Verdict.FAILED)
PASSES = (Verdict.PASS, Verdict.IMPROVED)
FACTS = ("profile", "machine", "head", "baseline", "line")


def junit(judgement: Judgement) -> str:
    """Write the document."""
    failures = sum(cell.verdict in FAILURES for cell in judgement.cells)
    skipped = sum(cell.verdict not in (*FAILURES, *PASSES) for cell in judgement.cells)
    counts = {"tests": str(len(judgement.cells)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    root = ElementTree.Element("testsuites", {"name": "voxgate", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _text(judgement.suite), **counts})
    facts = ElementTree.SubElement(suite, "properties")
    for name in FACTS:
        ElementTree.SubElement(facts, "property", {"name": name, "value": _text(getattr(judgement, name))})
    for cell in judgement.cells:
        suite.append(_case(judgement.suite, cell))
    ElementTree.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _case(suite: str, cell: CellVerdict) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"classname": f"voxgate.{_text(suite)}", "name": _text(cell.label)})
    message = {"message": f"{cell.verdict.value}: {_text(cell.reason)}"}
    if cell.verdict in FAILURES:
        ElementTree.SubElement(case, "failure", {**message, "type": cell.verdict.value})
    elif cell.verdict not in PASSES:
        ElementTree.SubElement(case, "skipped", message)
    return case


def _text(text: str) -> str:
    """Leave only characters that XML allows; `plain` keeps printable ones and spaces."""
    return plain(text)
