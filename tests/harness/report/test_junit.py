"""A judgement as JUnit XML, read back by a parser."""

from pathlib import Path
from xml.etree import ElementTree

from tests.harness.report.making import HOSTILE, hostile, one_broken, passed, regressed, unheard
from tests.harness.report.outcomes import failed, improved, incomparable, unresolved
from voxgate.harness.records.verdict import RunVerdict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.junit import junit


def parsed(contents: Report) -> ElementTree.Element:
    return ElementTree.fromstring(junit(contents.judgement).encode())


def counts(contents: Report) -> tuple[str | None, ...]:
    root = parsed(contents)
    suite = root[0]
    assert {
        name: root.get(name) for name in ("tests", "failures", "skipped", "errors")
    }.items() <= dict(suite.attrib).items()
    return suite.get("tests"), suite.get("failures"), suite.get("skipped")


def test_every_cell_is_a_test_case_and_undecided_is_skipped(tmp_path: Path) -> None:
    assert counts(passed(tmp_path / "a")) == ("2", "0", "0")
    assert counts(improved(tmp_path / "b")) == ("2", "0", "0")
    assert counts(regressed(tmp_path / "c")) == ("2", "1", "0")
    assert counts(failed(tmp_path / "d")) == ("2", "1", "0")
    assert counts(unresolved(tmp_path / "e")) == ("2", "0", "2")
    assert counts(incomparable(tmp_path / "f")) == ("2", "0", "2")
    assert counts(unheard()) == ("2", "0", "2")


def test_a_failure_names_verdict_and_reason(tmp_path: Path) -> None:
    case = parsed(regressed(tmp_path)).find("./testsuite/testcase[@name='nfe=8']")
    assert case is not None
    assert case.get("classname") == "voxgate.smoke"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "REGRESSED"
    assert str(failure.get("message")).startswith("REGRESSED: latency_p50 +10.0 %")


def test_a_failure_lists_the_broken_utterances(tmp_path: Path) -> None:
    failure = parsed(one_broken(tmp_path)).find(".//failure")
    assert failure is not None
    assert failure.text == "u06: pesq 3.60 → 2.40"


def test_what_is_skipped_says_why() -> None:
    skipped = parsed(unheard()).find(".//skipped")
    assert skipped is not None
    assert str(skipped.get("message")).startswith("NO_BASELINE: no baseline for")


def test_facts_of_the_run_are_properties(tmp_path: Path) -> None:
    judgement: RunVerdict = passed(tmp_path).judgement
    found = {
        each.get("name"): each.get("value") for each in parsed(passed(tmp_path)).iter("property")
    }
    assert found["machine"] == judgement.machine
    assert found["line"] == judgement.line


def test_text_from_outside_stays_text() -> None:
    root = parsed(hostile())
    assert HOSTILE in [each.get("value") for each in root.iter("property")]
    tags = {"testsuites", "testsuite", "properties", "property", "testcase", "skipped", "failure"}
    assert {each.tag for each in root.iter()} <= tags
