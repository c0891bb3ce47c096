"""The line below the table about the floor."""

from dataclasses import replace

import pytest

from tests.harness.fake_runs import REQUESTS, good_run
from tests.harness.report.making import HOSTILE, contents
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.report.contents import Report, build_report
from voxgate.harness.report.markdown import markdown
from voxgate.harness.report.tables import floor_line
from voxgate.harness.report.terminal import report_lines
from voxgate.harness.scoring.asr_floor import Floor, FloorUtterance

EVEN = ErrorCounts(errors=1, reference_words=20)


def floored(
    speaker: str = "flite 2.2 (slt)",
    judge: str | None = None,
    deaf: dict[str, list[Measurement]] | None = None,
) -> Report:
    found = contents(good_run())
    versions = {each.metric: judge or each.version for each in found.measurements["nfe-32"]}
    utterances = {
        name: FloorUtterance(text=f"text {name}", heard="", words=EVEN, chars=EVEN)
        for name in REQUESTS
    }
    floor = Floor(workload="w", speaker=speaker, versions=versions, utterances=utterances)
    return build_report(found.run, deaf or found.measurements, found.judgement, floor)


def test_the_floor_stands_under_the_rates_with_who_spoke_and_who_judged():
    line = (
        "floor: wer 5.0 [5.0 5.0] %, cer 5.0 [5.0 5.0] %: flite 2.2 (slt) on the same 8 texts, by "
        "the same judge"
    )
    assert floor_line(floored()) == line
    assert line in [each.plain for each in report_lines(floored(), 140)]
    assert r"floor: wer 5.0 \[5.0 5.0\] %" in markdown(floored())


def test_the_floor_of_another_judge_is_not_shown_and_says_why():
    line = floor_line(floored(judge="2; a parrot"))
    assert line.startswith("no floor beside wer: it was heard by [a parrot], this run by [")
    assert line.endswith("make it again: voxgate floor w")


def test_without_a_floor_or_a_rate_there_is_no_line():
    assert floor_line(contents(good_run())) == ""
    found = contents(good_run()).measurements
    deaf = [replace(each, summary=Missing("no ASR")) for each in found["nfe-32"]]
    assert floor_line(floored(deaf={**found, "nfe-32": deaf})) == ""


@pytest.mark.parametrize("judge", [None, HOSTILE])
def test_a_hostile_speaker_does_no_harm(judge: str | None):
    found = floored(speaker=HOSTILE, judge=judge)
    assert "<script" not in markdown(found)
    assert "\n" not in floor_line(found)
