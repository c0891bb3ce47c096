"""The text front-end's time in a run and its reports: measured where a stage has it, not judged."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import accepted, good_run
from tests.harness.report.making import contents, silence
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.analysis.speed import text_per_100_characters
from voxgate.harness.records.run import Iteration, Run
from voxgate.harness.report.markdown import markdown
from voxgate.harness.report.page import page
from voxgate.harness.report.terminal import report_lines

NAME = "text_per_100_characters"
LINE = "text front-end: 2.0 "


def timed(run: Run, stage: str = "text", ms: float = 2.0) -> Run:
    """Let each iteration spend so many ms for 100 characters in a stage."""
    (lengths,) = {
        tuple((request.id, len(request.text)) for request in cell.workload.requests)
        for cell in run.cells
    }

    def staged(each: Iteration) -> Iteration:
        seconds = ms / 1000.0 * dict(lengths)[each.request] / 100.0
        return replace(each, stages_s={**each.stages_s, stage: seconds})

    processes = (
        replace(process, iterations=tuple(map(staged, process.iterations)))
        for process in run.processes
    )
    return replace(run, processes=tuple(processes))


@pytest.mark.parametrize(
    ("stage", "is_measured"), [("text", True), ("phonemes", True), ("claimed.text", False)]
)
def test_it_is_of_the_stage_that_reads_and_never_a_claim(stage: str, is_measured: bool) -> None:
    run = timed(good_run(), stage)
    found = by_name(aggregate(run, {})["nfe-8"])
    assert (NAME in found) is is_measured
    if is_measured:
        one = found[NAME]
        assert (one.summary, one.unit) == (pytest.approx(0.002), "s")
        assert one.low is not None and len(one.values) == len(found["latency_p50"].values)


def test_a_text_of_no_length_or_a_stage_of_no_time_has_none() -> None:
    iteration = timed(good_run()).processes[0].iterations[-1]
    assert text_per_100_characters(iteration, 0) is None
    assert text_per_100_characters(replace(iteration, stages_s={"text": 0.0}), 9) is None


def test_every_report_shows_it_and_a_baseline_without_it_stays_valid(tmp_path: Path) -> None:
    baseline = accepted(tmp_path, good_run(tmp_path / "runs/0001"))
    found = contents(timed(good_run()), baseline)
    (line,) = (told.plain for told in report_lines(found, 160) if LINE in told.plain)
    assert line.endswith("ms for each 100 characters")
    html = page(found, silence)
    assert LINE in markdown(found) and LINE in html and NAME in html
    assert found.judgement.exit_code == 0
    assert NAME not in {metric.metric for cell in found.judgement.cells for metric in cell.metrics}
    without = contents(good_run(), baseline)
    assert not any("text front-end" in told.plain for told in report_lines(without, 160))
    assert without.judgement == found.judgement
