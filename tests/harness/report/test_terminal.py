"""The report on a terminal, compared as text."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.harness.fake_runs import REQUESTS, good_run, make_run, steady
from tests.harness.report.making import (
    accepted,
    contents,
    lied_to,
    one_broken,
    passed,
    regressed,
    unheard,
)
from voxgate.harness.records.run import Failure, FailureKind
from voxgate.harness.records.verdict import Verdict, judgement_to_dict
from voxgate.harness.report import findings, tables
from voxgate.harness.report.contents import Report
from voxgate.harness.report.markdown import markdown
from voxgate.harness.report.tables import COLUMNS
from voxgate.harness.report.terminal import print_report, report_lines
from voxgate.harness.suite.suite import load_suite

ROOT = Path(__file__).parents[3]
REGRESSED = """\
smoke   cpu   machine box-2c (unknown)   head 3fa1c2e + 2 files   baseline 3fa1c2e + 2 files, 2026-11-20 "first"
cell                                    change         p50 ms         p95 ms    rtf  rtfx  rss MiB  snr dB  pesq   stoi             wer %  verdict
nfe=32 (reference)      +0.0 % [-0.1 +0.1] p50  401 [400 401]  402 [402 402]  0.200   5.0      477   exact  4.64  1.000  10.0 [10.0 10.0]  PASS
nfe=8               ▲ +10.0 % [+9.9 +10.1] p50  110 [110 110]  110 [110 110]  0.055  18.1      477    20.0  3.60  0.980  10.0 [10.0 10.0]  REGRESSED
"""  # noqa: E501


def text(of: Report, width: int = 140) -> str:
    return "".join(f"{line.plain}\n" for line in report_lines(of, width, "reports/index.html"))


def test_table_of_a_regression_reads_as_drawn_with_its_reason_below_the_cell(
    tmp_path: Path,
) -> None:
    found = text(regressed(tmp_path), 160)
    assert found.startswith(REGRESSED)
    reason = found.removeprefix(REGRESSED).splitlines()
    assert reason[0] == "   10 % slower (limit 5 %): acoustic +10 %. Also rtf, p95, first audio"
    assert reason[-3:] == [
        "report reports/index.html",
        "if it is meant to be so:",
        '   voxgate accept runs/0002 --why "..."',
    ]


def test_a_broken_utterance_is_named_with_the_spread_around_it(tmp_path: Path) -> None:
    found = text(one_broken(tmp_path), 200).splitlines()
    assert found[3].split("▼ ")[1].startswith("-1.2 MOS-LQO pesq of u06")
    assert found[4] == "   pesq of u06 1.2 MOS-LQO lower (limit 1 MOS-LQO for one utterance)"
    assert found[5] == "   pesq now: p5 2.84, p95 3.65, worst 2.40 (u06)"


def test_a_cell_that_passes_has_no_line_below(tmp_path: Path) -> None:
    lines = text(passed(tmp_path)).splitlines()
    assert len(lines) == 6
    assert lines[4] == "fastest cell fit to ship: nfe=8, 4 [4 4] times as fast as the reference"


def test_what_was_not_in_effect_is_said_once(tmp_path: Path) -> None:
    found = text(lied_to(tmp_path))
    assert found.count("nfe_steps=8") == 1
    assert "observed 32" in found


def test_an_option_resolved_otherwise_than_asked_is_said_even_where_nothing_was_observed(
    tmp_path: Path,
) -> None:
    good = good_run()
    asked = replace(good, cells=tuple(replace(cell, fixed={"nfe_steps": 4}) for cell in good.cells))
    assert "asked nfe_steps=4, in effect 8" in text(contents(asked))


def test_a_missing_value_is_called_missing_and_says_why() -> None:
    found = text(unheard())
    assert "missing  NO_BASELINE" in found
    assert "   wer % missing: no ASR weights" in found


def test_without_a_speed_baseline_the_report_says_so_and_the_accepting_command_follows() -> None:
    of = unheard()
    found = text(of, 50)
    assert found.splitlines()[-1] == '   voxgate accept runs/0001 --why "..."'
    assert found.count("voxgate accept") == 1 and "voxgate accept" not in of.judgement.line
    assert "speed has a baseline yet" in of.judgement.line


def test_where_quality_passed_a_first_run_names_the_fastest_cell_and_one_next_step(
    tmp_path: Path,
) -> None:
    of = contents(good_run(), replace(accepted(tmp_path), speed=None))
    found = text(of)
    assert found.count("times as fast") == 1, "it is told once"
    assert of.judgement.line == (
        "NO_BASELINE: 2 cells measured; quality within its baseline; "
        "speed has no baseline on this machine yet"
    )
    assert found.splitlines()[-2:] == [
        "First run on this machine: quality passes. nfe=8 is 4 [4 4] times as fast as the "
        "reference at PESQ 3.60. Keep it as the baseline:",
        '   voxgate accept runs/0001 --only speed --why "..."',
    ]


def test_with_failed_cells_nothing_is_to_be_accepted() -> None:
    """`accept` would refuse such a run, so no report names the command."""
    failure = Failure(kind=FailureKind.ERROR, reason="out of memory")
    run = good_run()
    failed = replace(run, processes=tuple(replace(each, failure=failure) for each in run.processes))
    of = contents(failed)
    assert of.judgement.verdict is Verdict.FAILED and of.judgement.accept == ""
    assert "voxgate accept" not in text(of) + markdown(of) + str(judgement_to_dict(of.judgement))
    slug = run.processes[0].cell
    command = f"cat {run.folder}/processes/{slug}.0.stderr"
    assert f"for the whole traceback of {slug}:\n   {command}" in text(of)
    assert f"`{command}`" in markdown(of)


def test_speeds_of_a_loaded_machine_are_not_proposed_as_a_baseline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(findings, "restlessness", lambda run: "the machine was loaded (load 7.0)")
    found = text(unheard())
    assert "voxgate accept" not in found
    assert "because the machine was loaded (load 7.0); run it again when" in found


def test_the_same_remark_is_not_repeated() -> None:
    found = text(contents(good_run()))
    assert found.count("no baseline for") == 1
    assert "all 2 cells: no baseline for" in found


def test_a_remark_on_some_cells_names_them() -> None:
    remarks = [("a", ("slow", "own")), ("b", ("slow",)), ("c", ())]
    assert [str(each) for each in tables.shared_remarks(remarks)] == ["2 cells (a, b): slow"]


def as_wide_as_smoke() -> Report:
    """
    The six labels of suite smoke, without baseline: the widest cells and the longest verdict that a
    main job shows.
    """
    wer = {name: 0.5 * (name == "u01") for name in REQUESTS}
    of = contents(good_run(), wer=wer)
    labels = [each.label for each in load_suite("smoke", ROOT).expand(ROOT).cells]
    cells = tuple(replace(of.judgement.cells[-1], label=label) for label in labels)
    return replace(of, judgement=replace(of.judgement, cells=cells))


def row_of(found: str, label: str) -> str:
    return next(line for line in found.splitlines() if line.startswith(f"{label} "))


def test_the_cells_of_smoke_keep_all_columns_at_120_and_their_intervals_where_there_is_room() -> (
    None
):
    narrow, middle, wide = (text(as_wide_as_smoke(), width) for width in (120, 140, 160))
    for found, width in ((narrow, 120), (middle, 140), (wide, 160)):
        assert max(map(len, found.splitlines())) <= width
        assert all(column.title in found.splitlines()[1] for column in COLUMNS)
    counts = [
        row_of(found, "nfe_steps=8 precision=bf16").count("[") for found in (narrow, middle, wide)
    ]
    assert counts == [0, 2, 3]


def test_the_interval_of_a_percentile_yields_before_that_of_the_word_errors() -> None:
    row = row_of(text(as_wide_as_smoke(), 140), "nfe_steps=8 precision=bf16")
    assert "  100 [100 100]     100  0.050" in row
    assert "6.2 [0.0 18.8]" in row


@pytest.mark.parametrize("width", [140, 100, 80, 60, 50])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    for of in (passed(tmp_path / "a"), regressed(tmp_path / "b"), unheard()):
        assert max(map(len, text(of, width).splitlines())) <= width


def test_a_narrow_terminal_loses_intervals_first_and_then_columns_but_never_the_verdict(
    tmp_path: Path,
) -> None:
    of = regressed(tmp_path)
    middle, narrow = text(of, 90), text(of, 50)
    assert "[400 401]" not in middle
    assert "p95 ms" in middle
    assert "p95 ms" not in narrow
    assert "p50 ms" in narrow
    assert "REGRESSED" in narrow


def test_no_colour_codes_outside_a_terminal_and_colours_inside(tmp_path: Path) -> None:
    plain, bright = io.StringIO(), io.StringIO()
    print_report(regressed(tmp_path), Console(file=plain, width=140))
    environment = {"TERM": "xterm-256color"}
    print_report(
        regressed(tmp_path),
        Console(file=bright, width=140, force_terminal=True, _environ=environment),
    )
    assert "\x1b" not in plain.getvalue()
    assert "\x1b" in bright.getvalue()


def test_no_color_is_obeyed(tmp_path: Path) -> None:
    out = io.StringIO()
    environment = {"TERM": "xterm-256color", "NO_COLOR": "1"}
    print_report(
        regressed(tmp_path), Console(file=out, width=140, force_terminal=True, _environ=environment)
    )
    assert "\x1b[31" not in out.getvalue()
    assert "\x1b[1;31" not in out.getvalue()


def test_control_characters_of_a_reason_do_not_reach_the_terminal() -> None:
    of = contents(make_run({"nfe-32": steady(0.4)}))
    cell = replace(of.judgement.cells[0], reason="\x1b[2Jgone\nnext")
    found = text(replace(of, judgement=replace(of.judgement, cells=(cell,))))
    assert "\x1b" not in found
    assert "?[2Jgone next" in found


def test_arrows_are_ascii_where_the_terminal_has_no_others(tmp_path: Path) -> None:
    of = regressed(tmp_path)
    lines = [line.plain for line in report_lines(of, 160, has_signs=False)]
    assert "^ +10.0 %" in lines[3]
    assert all(line.isascii() for line in lines)


def test_the_value_that_broke_its_limit_and_the_change_stand_out(tmp_path: Path) -> None:
    line = report_lines(regressed(tmp_path), 160)[3]
    marked = [line.plain[span.start : span.end].strip() for span in line.spans]
    assert marked == ["REGRESSED", "▲ +10.0 % [+9.9 +10.1] p50", "110 [110 110]", "0.055"]
