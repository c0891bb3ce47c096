"""The report as Markdown, compared as text."""

from dataclasses import replace
from pathlib import Path

from tests.harness.fake_runs import make_run, steady
from tests.harness.report.making import HOSTILE, contents, hostile, passed, regressed, unheard
from voxgate.harness.records.run import Failure, FailureKind
from voxgate.harness.report.markdown import markdown

PASSED = """\
**PASS: 2 passed**

smoke · cpu · machine box-2c (unknown) · head 3fa1c2e + 2 files · baseline 3fa1c2e + 2 files, 2026-11-20 "first"

| cell | change | p50 ms | p95 ms | rtf | rtfx | rss MiB | snr dB | pesq | stoi | wer % | verdict |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
| nfe=32 (reference) | +0.0 % \\[-0.1 +0.1\\] p50 | 401 \\[400 401\\] | 402 \\[402 402\\] | 0.200 | 5.0 | 477 | exact | 4.64 | 1.000 | 10.0 \\[10.0 10.0\\] | PASS |
| nfe=8 | +0.0 % \\[-0.1 +0.1\\] p50 | 100 \\[100 100\\] | 100 \\[100 100\\] | 0.050 | 20.0 | 477 | 20.0 | 3.60 | 0.980 | 10.0 \\[10.0 10.0\\] | PASS |

fastest cell fit to ship: nfe=8, 4 \\[4 4\\] times as fast as the reference
"""  # noqa: E501 - a row of the table


def test_a_passing_run_reads_as_drawn(tmp_path: Path) -> None:
    assert markdown(passed(tmp_path)) == PASSED


def test_a_regression_is_listed_below_the_table_with_its_reason(tmp_path: Path) -> None:
    found = markdown(regressed(tmp_path))
    assert found.startswith("**REGRESSED: 1 regressed, 1 passed**\n")
    assert "| **REGRESSED** |" in found
    assert "\n- **nfe=8**: 10 % slower (limit 5 %): acoustic +10 %. Also rtf, p95" in found
    assert "| **▲ +10.0 % \\[+9.9 +10.1\\] p50** | **110 \\[110 110\\]** | 110" in found


def test_a_missing_value_stands_in_its_cell_with_the_reason() -> None:
    found = markdown(unheard())
    assert "| missing: no ASR weights | **NO BASELINE** |" in found
    assert "|  |" not in found


def test_the_reason_of_a_failure_is_said_once_and_not_in_each_of_its_cells() -> None:
    failure = Failure(kind=FailureKind.ERROR, reason="out of phonemes")
    run = make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.1)})
    dead = tuple(
        replace(each, iterations=(), failure=failure) if each.cell == "nfe-32" else each
        for each in run.processes
    )
    found = markdown(contents(replace(run, processes=dead)))
    assert found.count("out of phonemes") == 1
    assert "| missing | missing |" in found


def test_a_run_without_speed_baseline_names_the_command_that_accepts_it() -> None:
    assert '`voxgate accept runs/0001 --why "..."`' in markdown(unheard())


def test_text_from_outside_cannot_become_markup_a_link_or_a_mention() -> None:
    found = markdown(hostile())
    assert HOSTILE not in found
    assert "<" not in found


def test_every_table_line_has_the_same_number_of_cells() -> None:
    rows = [
        line.replace("\\|", "") for line in markdown(hostile()).splitlines() if line.startswith("|")
    ]
    assert {line.count("|") for line in rows} == {12}
