"""Charts: valid pictures, the same from the same numbers."""

import itertools
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.harness.report.making import passed
from voxgate.harness.judging.tradeoff import Tradeoff, tradeoff
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.badges import kind
from voxgate.harness.report.charts import (
    DARK,
    LIGHT,
    chart_image,
    tradeoff_chart,
)
from voxgate.harness.report.contents import tradeoffs_of


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


def test_names_of_cells_in_one_spot_stand_over_each_other_and_not_in_each_other(
    data: Tradeoff,
) -> None:
    """
    Three cells with the same word error rate and nearly the same speed, as bf16 and int8 often are,
    and a slow one.
    """
    times = {"a cell": 1.0, "b": 1.001, "c": 1.002, "slow": 10.0}
    first = data.points[0]
    points = tuple(
        replace(first, label=label, speed=first.speed * factor) for label, factor in times.items()
    )
    root = ElementTree.fromstring(tradeoff_chart(replace(data, points=points), LIGHT))
    heights = sorted(
        float(each.attrib["y"]) for each in root.iter() if each.text in ("a cell", "b", "c")
    )
    assert len(heights) == 3
    assert min(after - before for before, after in itertools.pairwise(heights)) > 9.0


def test_quality_is_drawn_against_the_latency_of_live_cells(tmp_path: Path) -> None:
    of = passed(tmp_path)
    measured = {
        slug: (*each, replace(rtf, metric="live_latency_p50", unit="s"))
        for slug, each in of.measurements.items()
        for rtf in each
        if rtf.metric == "rtf"
    }
    found = tradeoffs_of(of.judgement, measured)
    names = [each.name for each in found]
    assert "wer" in names
    assert "live_latency_p50-wer" in names
    live = found[names.index("live_latency_p50-wer")]
    text = "".join(ElementTree.fromstring(tradeoff_chart(live, LIGHT)).itertext())
    assert "latency of live conversion (ms), lower is faster" in text
    image = chart_image(live, lambda theme: theme)
    assert image.speed == "live_latency_p50 ms"
    assert image.points[0].speed == f"{live.points[0].speed * 1000.0:.3g}"
    assert image.caption.startswith("Latency against word error rate.")
