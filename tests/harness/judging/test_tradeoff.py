"""Speed against quality."""

from pathlib import Path

from tests.harness.fake_runs import good_run, make_run, steady
from tests.harness.report.making import contents, passed, regressed
from voxgate.harness.judging.tradeoff import fastest_passing, tradeoff
from voxgate.harness.records.measurement import Missing


def test_a_cell_that_is_slower_and_worse_is_not_on_the_line() -> None:
    of = contents(make_run({"nfe-32": steady(0.1), "nfe-8": steady(0.4)}))
    found = tradeoff(of.judgement, of.measurements, "pesq")
    assert found is not None
    assert [(point.cell, point.on_front) for point in found.points] == [
        ("nfe-32", True),
        ("nfe-8", False),
    ]


def test_a_cell_that_is_faster_or_better_is_on_the_line_fastest_first() -> None:
    of = contents(good_run())
    found = tradeoff(of.judgement, of.measurements, "pesq")
    assert found is not None
    assert [(point.cell, point.on_front) for point in found.points] == [
        ("nfe-8", True),
        ("nfe-32", True),
    ]


def test_lower_is_better_for_errors() -> None:
    of = contents(good_run(), wer=0.05)
    found = tradeoff(of.judgement, of.measurements, "wer")
    assert found is not None
    assert [(point.cell, point.on_front) for point in found.points] == [
        ("nfe-8", True),
        ("nfe-32", False),
    ]


def test_nothing_is_drawn_of_a_single_cell_with_a_value() -> None:
    of = contents(good_run(), wer=Missing("no ASR weights"))
    assert tradeoff(of.judgement, of.measurements, "wer") is None


def test_fastest_passing_cell_is_one_that_passes(tmp_path: Path) -> None:
    good, bad = passed(tmp_path / "a"), regressed(tmp_path / "b")
    best, left = (fastest_passing(of.judgement, of.measurements, "nfe-32") for of in (good, bad))
    assert best is not None
    assert left is not None
    assert (best.label, round(best.rtf, 3)) == ("nfe=8", 0.05)
    assert (left.label, left.times) == ("nfe=32", 1.0)


def test_gain_is_the_ratio_of_both_speeds_with_its_interval(tmp_path: Path) -> None:
    of = passed(tmp_path)
    best = fastest_passing(of.judgement, of.measurements, "nfe-32")
    assert best is not None
    assert best.times is not None
    assert best.low is not None
    assert best.high is not None
    assert best.low < best.times < best.high
    assert round(best.times, 1) == 4.0


def test_gain_needs_a_reference_that_was_measured(tmp_path: Path) -> None:
    of = passed(tmp_path)
    best = fastest_passing(of.judgement, of.measurements, "gone")
    assert best is not None
    assert best.times is None


def test_no_fastest_cell_where_none_passes() -> None:
    of = contents(good_run())
    assert fastest_passing(of.judgement, of.measurements, "nfe-32") is None
