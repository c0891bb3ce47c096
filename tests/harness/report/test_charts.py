"""Charts: valid pictures, the same from the same numbers."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.judgement import Verdict
from harness.report.charts import DARK, LIGHT, kind, tradeoff_chart
from harness.tradeoff import Tradeoff, tradeoff
from tests.harness.report.making import passed


@pytest.fixture
def data(tmp_path: Path) -> Tradeoff:
    of = passed(tmp_path)
    found = tradeoff(of.judgement, of.measurements, "wer")
    assert found is not None
    return found


def test_chart_is_an_svg_that_names_every_cell_and_both_directions(data: Tradeoff) -> None:
    text = "".join(ElementTree.fromstring(tradeoff_chart(data, LIGHT)).itertext())
    for word in ("nfe=32", "nfe=8", "lower is faster", "word error rate (%), lower is better"):
        assert word in text


def test_same_numbers_give_the_same_bytes(data: Tradeoff) -> None:
    assert tradeoff_chart(data, DARK) == tradeoff_chart(data, DARK)


def test_themes_differ(data: Tradeoff) -> None:
    assert LIGHT.ink.encode() in tradeoff_chart(data, LIGHT)
    assert DARK.ink.encode() in tradeoff_chart(data, DARK)


def test_every_verdict_is_good_open_or_bad() -> None:
    assert {verdict: kind(verdict) for verdict in Verdict} == {
        Verdict.PASS: "good",
        Verdict.IMPROVED: "good",
        Verdict.REGRESSED: "bad",
        Verdict.FAILED: "bad",
        Verdict.UNRESOLVED: "open",
        Verdict.NO_BASELINE: "open",
        Verdict.INCOMPARABLE: "open",
    }
