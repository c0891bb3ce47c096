"""A judgement as JUnit XML, read back by a parser."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.harness.report.making import (
    HOSTILE,
    hostile,
    lied_to,
    one_broken,
    passed,
    regressed,
    unheard,
)
from tests.harness.report.outcomes import failed, improved, incomparable, unresolved
from voxgate.harness.records.verdict import RunVerdict, Verdict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.junit import junit

COUNTS = ("tests", "failures", "errors", "skipped")


def parsed(contents: Report) -> ElementTree.Element:
    return ElementTree.fromstring(junit(contents.judgement, contents.run).encode())


def counts(contents: Report) -> tuple[str | None, ...]:
    root = parsed(contents)
    suite = root[0]
    assert {name: root.get(name) for name in (*COUNTS, "time")}.items() <= dict(
        suite.attrib
    ).items()
    return tuple(map(suite.get, COUNTS))


def test_every_cell_is_a_test_case_and_undecided_is_skipped(tmp_path: Path) -> None:
    assert counts(passed(tmp_path / "a")) == ("2", "0", "0", "0")
    assert counts(improved(tmp_path / "b")) == ("2", "0", "0", "0")
    assert counts(regressed(tmp_path / "c")) == ("2", "1", "0", "0")
    assert counts(unresolved(tmp_path / "e")) == ("2", "0", "0", "2")
    assert counts(incomparable(tmp_path / "f")) == ("2", "0", "0", "2")
    assert counts(unheard()) == ("2", "0", "0", "2")


def test_what_could_not_be_measured_as_asked_is_an_error(tmp_path: Path) -> None:
    assert counts(failed(tmp_path / "a")) == ("2", "0", "1", "0")
    assert counts(lied_to(tmp_path / "b")) == ("2", "0", "1", "0")
    error = parsed(failed(tmp_path / "c")).find(".//error")
    assert error is not None
    assert error.get("type") == "FAILED"
    assert str(error.text).startswith("FAILED: killed: the worker was ended by SIGKILL")


def test_a_value_that_is_refused_is_a_failure_and_no_error(tmp_path: Path) -> None:
    contents = regressed(tmp_path)
    cells = tuple(
        replace(
            cell,
            verdict=Verdict.FAILED,
            metrics=tuple(replace(each, verdict=Verdict.FAILED) for each in cell.metrics),
        )
        for cell in contents.judgement.cells
    )
    refused = replace(contents, judgement=replace(contents.judgement, cells=cells))
    assert counts(refused) == ("2", "2", "0", "0")


def test_times_are_those_of_the_syntheses(tmp_path: Path) -> None:
    root = parsed(regressed(tmp_path))
    times_s = {each.get("name"): float(each.get("time", "")) for each in root.iter("testcase")}
    assert times_s["nfe=32"] == pytest.approx(3 * 24 * 0.4, rel=0.01)
    assert times_s["nfe=8"] == pytest.approx(3 * 24 * 0.11, rel=0.01)
    assert float(root.get("time", "")) == pytest.approx(sum(times_s.values()), abs=0.002)
    assert root[0].get("timestamp")
    assert root[0].get("hostname") == "box-2c"


def test_a_failure_names_verdict_and_reason(tmp_path: Path) -> None:
    case = parsed(regressed(tmp_path)).find("./testsuite/testcase[@name='nfe=8']")
    assert case is not None
    assert case.get("classname") == "voxgate.smoke"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "REGRESSED"
    assert str(failure.get("message")).startswith("REGRESSED: latency_p50 +10.0 %")


def test_the_body_has_the_text_and_a_line_for_each_metric(tmp_path: Path) -> None:
    root = parsed(regressed(tmp_path))
    body = str(root.findtext(".//failure")).splitlines()
    assert body[0].startswith("REGRESSED: latency_p50 +10.0 %")
    [head] = [line for line in body if line.startswith("verdict")]
    assert head.split("  ")[-1].strip() == "limit"
    [row] = [line.split() for line in body[1:] if "latency_p50" in line]
    assert row[1:] == "latency_p50 100 ms 110 ms +10.0 % [+9.9 +10.1] +5 %".split()
    good = root.find("./testsuite/testcase[@name='nfe=32']/system-out")
    assert good is not None
    assert "PASS     latency_p50" in str(good.text)


def test_a_failure_lists_the_broken_utterances(tmp_path: Path) -> None:
    body = str(parsed(one_broken(tmp_path)).findtext(".//failure"))
    assert "\nu06: pesq 3.60 → 2.40\n" in body
    [row] = [
        line
        for line in body.splitlines()
        if not line.startswith("REGRESSED:") and "pesq of u06" in line
    ]
    assert row.split("pesq of u06")[1].split() == (
        "3.60 MOS-LQO 2.40 MOS-LQO -1.2 MOS-LQO -1 MOS-LQO for one".split()
    )


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
    tags |= {"error", "system-out"}
    assert {each.tag for each in root.iter()} <= tags
