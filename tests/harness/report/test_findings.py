"""The first words of a report."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import accepted, good_run, make_run, steady
from tests.harness.report.making import contents, lied_to, one_broken, passed, regressed
from voxgate.harness.judging.tradeoff import fastest_passing
from voxgate.harness.report.contents import Report
from voxgate.harness.report.findings import (
    NO_WINNER,
    Finding,
    cause_lines,
    cell_change,
    gain_line,
    headline,
    next_step,
)
from voxgate.harness.report.run_page import run_page
from voxgate.harness.report.run_record import RunRecord, record_of
from voxgate.harness.report.tiles import tiles


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return regressed(tmp_path_factory.mktemp("red"))


@pytest.fixture(scope="module")
def green(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return passed(tmp_path_factory.mktemp("green"))


def told(**changes: object) -> Finding:
    line = Finding(
        sentence="slower", cells=("a",), slugs=("a",), metric="rtf", blocking=True, failed=False
    )
    return replace(line, **changes)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ""),
        ([told(blocking=False)], ""),
        ([told()], "1 thing got worse."),
        ([told(), told()], "2 things got worse."),
        ([told(failed=True)], "1 thing could not be measured as asked."),
        ([told(), told(failed=True)], "1 thing got worse, 1 could not be measured as asked."),
    ],
)
def test_the_headline_counts_what_got_worse(lines: list[Finding], expected: str) -> None:
    assert headline(lines) == expected


def test_a_cause_names_its_cells_and_the_day_of_the_baseline(red: Report) -> None:
    (line,) = cause_lines(red.judgement)
    assert (line.cells, line.slugs, line.metric) == (("nfe=8",), ("nfe-8",), "latency_p50")
    assert line.since == "since the baseline of 2026-11-20"
    (paired,) = cause_lines(replace(red.judgement, baseline_date="", baseline="3fa1c2e"))
    assert paired.since == "against 3fa1c2e"


def test_a_change_has_an_arrow_where_it_is_beyond_its_limit(red: Report) -> None:
    same, slower = map(cell_change, red.judgement.cells)
    assert same is not None and slower is not None
    assert (same.arrow, same.kind, same.name) == ("", "steady", "p50")
    assert slower.text(interval=True) == "▲ +10.0 % [+9.9 +10.1] p50"
    assert (slower.kind, slower.limit, round(slower.over, 1)) == ("bad", "5 %", 2.0)


def test_the_change_of_a_broken_utterance_is_its_own(tmp_path: Path) -> None:
    _, change = map(cell_change, one_broken(tmp_path).judgement.cells)
    assert change is not None
    assert change.text(interval=True) == "▼ -1.2 MOS-LQO pesq of u06"
    assert change.limit == "1 MOS-LQO"


def test_what_failed_as_a_whole_has_no_change(tmp_path: Path) -> None:
    assert cell_change(lied_to(tmp_path).judgement.cells[1]) is None


def test_a_first_run_is_told_with_its_gain_and_the_command_that_keeps_it(tmp_path: Path) -> None:
    of = contents(good_run(), replace(accepted(tmp_path), speed=None))
    step = next_step(of)
    assert step is not None
    assert step.headline == "First run on this machine: quality passes"
    assert step.sentence == (
        "nfe=8 is 4 [4 4] times as fast as the reference at PESQ 3.60. Keep it as the baseline:"
    )
    assert step.command == 'voxgate accept runs/0001 --only speed --why "..."'
    assert run_page(record(of)).meaning == "First run on this machine: quality passes."


def test_cells_whose_intervals_overlap_have_no_winner(green: Report) -> None:
    of, fast = green, green.judgement.cells[1]
    twin = replace(fast, cell="twin", label="twin")
    judgement = replace(of.judgement, cells=(*of.judgement.cells, twin))
    measured = {**of.measurements, "twin": of.measurements[fast.cell]}
    best = fastest_passing(judgement, measured, of.run.reference)
    assert best is not None
    assert (best.label, best.ties) == ("nfe=8", ("twin",))
    both = replace(of, fastest=best)
    assert gain_line(both).startswith("fastest cells fit to ship: nfe=8 and twin, 4 [4 4] times")
    assert NO_WINNER in gain_line(both)
    assert any(NO_WINNER in tile.note for tile in tiles(record(both)))


def test_a_cell_apart_from_the_fastest_is_no_tie(green: Report) -> None:
    best = green.fastest
    assert best is not None
    assert best.ties == ()


def record(of: Report) -> RunRecord:
    return record_of(of, lambda request: ())


def test_the_tiles_tell_how_many_what_most_and_when(red: Report, green: Report) -> None:
    bad = [(tile.value, tile.kind) for tile in tiles(record(red))]
    assert bad[:2] == [("1", "bad"), ("▲ +10.0 %", "bad")]
    assert ("2026-11-20", "") in bad
    good = [(tile.value, tile.note) for tile in tiles(record(green))]
    assert good[0] == ("2", "cells passed")
    assert ("4x", "the reference's speed, rtf 0.0501: nfe=8, the fastest fit to ship") in good


def test_a_header_lists_five_causes_and_folds_the_rest(red: Report) -> None:
    shown = record(red)
    lines = tuple(replace(shown.causes[0], sentence=f"slower {number}") for number in range(7))
    page = run_page(replace(shown, causes=(*lines, told(blocking=False))))
    assert len(page.causes) == 5
    assert [each.sentence for each in page.further] == ["slower 5", "slower 6", "slower"]


def test_a_run_that_nothing_is_wrong_with_folds_nothing() -> None:
    page = run_page(record(contents(make_run({"nfe-32": steady(0.4)}))))
    assert page.causes == page.further == ()
    assert not any(each.is_folded(page.record) for each in page.sections)


def test_what_got_worse_is_followed_by_the_commands_that_find_it_or_accept_it(red: Report) -> None:
    step = next_step(red)
    assert step is not None
    assert (step.sentence, step.command) == (
        "if it is meant to be so:",
        'voxgate accept runs/0002 --why "..."',
    )
    toolchain = replace(red.run.environment.toolchain, commit="9bd41f0", dirty_files=0)
    clean = replace(red.run, environment=replace(red.run.environment, toolchain=toolchain))
    judgement = replace(red.judgement, baseline_commit="3fa1c2e")
    step = next_step(replace(red, run=clean, judgement=judgement))
    assert step is not None
    assert [each.sentence for each in step.all] == ["find the commit:", "if it is meant to be so:"]
    assert step.command == (
        "voxgate bisect 3fa1c2e 9bd41f0 smoke --profile cpu --cell nfe-8 --metric latency_p50"
    )
    paired = replace(judgement, baseline_date="")
    step = next_step(replace(red, run=clean, judgement=paired))
    assert step is not None and (step.sentence, step.otherwise) == ("find the commit:", None)
    assert next_step(replace(red, judgement=replace(paired, baseline_commit=""))) is None
