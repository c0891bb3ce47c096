"""Energy in the reports: a column where there is a meter, a reason where there is none."""

from dataclasses import replace
from pathlib import Path

from tests.harness.fake_runs import accepted, good_run, policy
from tests.harness.report.making import contents, passed, silence
from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.judging.judge import judge
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import Energy, Run
from voxgate.harness.report.contents import Report
from voxgate.harness.report.markdown import markdown
from voxgate.harness.report.page import page
from voxgate.harness.report.terminal import report_lines

LINE = "J per audio s: energy beyond idle; rail VDD_IN"


def weighed(run: Run, drawn_j: float, meter: str = "rail VDD_IN") -> Run:
    """
    Every process of nfe-8 drew so much beyond 10 W of idle, for 8 s of audio; of nfe-32 nothing is
    known.
    """
    drawn = Energy(meter=meter, idle_w=10.0, busy_s=3.0, energy_j=30.0 + drawn_j, audio_s=8.0)
    failed = Missing("rail VDD_IN could not be read any more")
    return replace(
        run,
        processes=tuple(
            replace(each, energy=drawn if each.cell == "nfe-8" else failed)
            for each in run.processes
        ),
    )


def metered(tmp_path: Path) -> Report:
    return contents(weighed(good_run(), 12.0), accepted(tmp_path))


def text(of: Report) -> list[str]:
    return [line.plain for line in report_lines(of, 160)]


def test_the_table_gets_a_column_where_a_cell_has_a_value(tmp_path: Path) -> None:
    lines = text(metered(tmp_path))
    assert lines[1].split("  ")[-2:] == ["J per audio s", "verdict"]
    assert next(line for line in lines if line.startswith("nfe=8")).split()[-2:] == ["1.5", "PASS"]
    assert "   J per audio s missing: rail VDD_IN could not be read any more" in lines
    assert LINE in lines
    assert not any("J per audio s" in line for line in text(passed(tmp_path / "other")))


def test_markdown_and_page_show_it_too(tmp_path: Path) -> None:
    of = metered(tmp_path)
    assert "| J per audio s | verdict |" in markdown(of)
    assert LINE.replace("_", "\\_") in markdown(of)
    assert LINE in page(of, silence)
    assert LINE not in page(passed(tmp_path / "other"), silence)


def test_the_page_says_why_there_is_none(tmp_path: Path) -> None:
    run = good_run()
    noted = replace(run, environment=replace(run.environment, power="no power meter: no RAPL"))
    assert "missing: no power meter: no RAPL" in page(contents(noted, accepted(tmp_path)), silence)


def test_more_energy_is_advised_and_does_not_block(tmp_path: Path) -> None:
    before = accepted(tmp_path, weighed(good_run(tmp_path / "runs/0001"), 12.0))
    now = contents(weighed(good_run(), 15.0), before)
    judged = {each.metric: each for each in now.judgement.cells[1].metrics}["energy_per_audio_s"]
    assert judged.verdict.value == "REGRESSED"
    assert not judged.blocking
    assert now.judgement.exit_code == 0
    assert "energy_per_audio_s +25.0 %" in judged.reason


def test_values_of_different_meters_are_not_compared(tmp_path: Path) -> None:
    before = accepted(tmp_path, weighed(good_run(tmp_path / "runs/0001"), 12.0))
    run = weighed(good_run(), 12.0, "energy counter of the GPU (NVML)")
    found = contents(run, before)
    assert by_name(found.measurements["nfe-8"])["energy_per_audio_s"].summary == 1.5
    judgement = judge(run, found.measurements, before, policy())
    judged = {each.metric: each for each in judgement.cells[1].metrics}["energy_per_audio_s"]
    assert judged.verdict.value == "INCOMPARABLE"
    assert "rail VDD_IN in the baseline" in judged.reason
    assert judgement.exit_code == 0
