"""The record of a report: computed once, and decided by kinds and not by words."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import good_run, make_run, steady
from tests.harness.report.making import contents, lied_to, passed, silence, unheard
from voxgate.harness import statistics
from voxgate.harness.records.run import Failure, FailureKind
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.contents import Report, build_report, failed_option
from voxgate.harness.report.format import plain_columns
from voxgate.harness.report.markdown import markdown
from voxgate.harness.report.page import page
from voxgate.harness.report.tables import columns, grouped_missing, rows
from voxgate.harness.report.terminal import report_lines


def reworded(of: Report) -> Report:
    """The same verdicts in other words."""
    cells = tuple(replace(cell, reason="other words") for cell in of.judgement.cells)
    return replace(of, judgement=replace(of.judgement, cells=cells))


def test_renderers_compute_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = passed(tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("a renderer computes")

    for name in ("shift", "paired_rate_difference", "rate"):
        monkeypatch.setattr(statistics, name, refuse)
    assert "times as fast as the reference" in markdown(of)
    assert "times as fast as the reference" in page(of, silence)
    assert report_lines(of, 140)


def test_an_option_that_failed_its_cell_is_not_named_twice_whatever_the_words(
    tmp_path: Path,
) -> None:
    of = lied_to(tmp_path)
    assert failed_option(of.run, "nfe-8") == "nfe_steps"
    assert failed_option(of.run, "nfe-32") == ""
    failure = Failure(kind=FailureKind.NOT_IN_EFFECT, reason="nfe_steps: DiT ran 32 times")
    ended = tuple(
        replace(process, failure=failure) if process.cell == "nfe-8" else process
        for process in of.run.processes
    )
    assert failed_option(replace(of.run, processes=ended), "nfe-8") == "nfe_steps"
    row = next(row for row in rows(reworded(of)) if row.cell == "nfe-8")
    assert (*row.causes, *row.reasons) == ("other words",)


def test_a_missing_value_that_decides_nothing_has_its_own_line_whatever_the_words() -> None:
    found = [grouped_missing(row) for row in rows(reworded(unheard()))]
    assert ("wer % missing: no ASR weights",) in found


def test_a_speed_that_a_failed_process_lacks_is_explained_by_the_failure() -> None:
    failure = Failure(kind="killed", reason="out of memory")
    run = make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.1)})
    dead = tuple(
        replace(each, iterations=(), failure=failure) if each.cell == "nfe-8" else each
        for each in run.processes
    )
    of = contents(replace(run, processes=dead))
    row = next(row for row in rows(reworded(of)) if row.cell == "nfe-8")
    assert row.verdict is Verdict.FAILED
    assert "p50 ms" in row.missing
    assert grouped_missing(row) == (), "no value of any kind, and the failure says why once"


def test_a_report_without_floor_has_none() -> None:
    of = contents(good_run())
    assert build_report(of.run, of.measurements, of.judgement).floor is None


def test_columns_align_and_no_line_ends_in_spaces() -> None:
    lines = plain_columns([("cell", "n", "word"), ("a", "10", "x")], left=(0, 2))
    assert lines == ["cell   n  word", "a     10  x"]


def test_a_watermark_has_columns_which_a_cell_without_it_does_not_lack(tmp_path: Path) -> None:
    before = passed(tmp_path)
    slug = before.judgement.cells[1].cell
    marks = tuple(
        replace(before.measurements[slug][0], metric=name, unit="1", summary=0.5)
        for name in ("watermark_detected", "watermark_compressed")
    )
    marked = {**before.measurements, slug: (*before.measurements[slug], *marks)}

    report = replace(before, measurements=marked)

    titles = [column.title for column in columns(report)]
    assert titles[-2:] == ["mark found", "after mp3"]
    without, with_mark = rows(report)
    assert without.full[-2:] == ("-", "-") and "mark found" not in without.missing
    assert "-" not in with_mark.full[-2:]
    assert "mark found" not in [column.title for column in columns(before)]
