"""A suite's budget: met or missed in every format, and failing where the policy says so."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import good_run, make_scores, policy
from tests.harness.report.making import NOTHING, accepted, silence
from voxgate import Suite
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.judge import judge
from voxgate.harness.records.run import Run
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.contents import Report, build_report
from voxgate.harness.report.format import kept
from voxgate.harness.report.markdown import markdown
from voxgate.harness.report.page import page
from voxgate.harness.report.terminal import report_lines

LINE = "budget: 0.2 s of wall time for a request, warm; beside it the share used"


def budgeted() -> Run:
    """nfe-32 takes 0.4 s, nfe-8 0.1 s."""
    return replace(good_run(), budget_s=0.2)


def judged(run: Run, baseline=NOTHING, **limits: bool) -> Report:
    measurements = aggregate(run, make_scores(run))
    rules = policy()
    rules["budget_share"] = replace(rules["budget_share"], **limits)
    return build_report(run, measurements, judge(run, measurements, baseline, rules))


def measured(report: Report, slug: str) -> dict[str, object]:
    return {each.metric: each for each in report.measurements[slug]}


def test_a_budget_is_a_measurement_with_its_interval() -> None:
    report = judged(budgeted())
    share = measured(report, "nfe-8")["budget_share"]
    wall = measured(report, "nfe-8")["latency_p50"]
    assert share.summary == pytest.approx(wall.summary / 0.2)
    assert share.low == pytest.approx(wall.low / 0.2)
    assert share.high == pytest.approx(wall.high / 0.2)
    assert (share.unit, share.better) == ("1", "lower")


def test_it_is_met_or_missed_in_terminal_markdown_and_page() -> None:
    report = judged(budgeted())
    text = "\n".join(line.plain for line in report_lines(report, 200))
    for shown in (text, markdown(report), page(report, silence)):
        assert "missed 2.00" in shown and "met 0.50" in shown and LINE in shown
    assert "cold ms" in text and "budget" in text.splitlines()[1]


def test_without_a_budget_nothing_of_it_is_shown() -> None:
    report = judged(good_run())
    assert "budget_share" not in measured(report, "nfe-8")
    assert "budget" not in "\n".join(line.plain for line in report_lines(report, 200))


def test_a_missed_budget_fails_only_where_the_policy_says_so(tmp_path: Path) -> None:
    run, baseline = budgeted(), accepted(tmp_path)
    shown = judged(run, baseline)
    assert {cell.verdict for cell in shown.judgement.cells} == {Verdict.PASS}
    assert shown.judgement.exit_code == 0

    failed = judged(run, baseline, floor_fails=True)
    verdicts = {cell.cell: cell.verdict for cell in failed.judgement.cells}
    assert verdicts == {"nfe-32": Verdict.FAILED, "nfe-8": Verdict.PASS}
    assert failed.judgement.exit_code == 1
    cell = next(each for each in failed.judgement.cells if each.cell == "nfe-32")
    assert cell.reason.startswith("budget_share: 2 is beyond 1")


def test_what_misses_its_budget_is_not_fit_to_ship(tmp_path: Path) -> None:
    tight = replace(good_run(), budget_s=0.05)
    assert judged(budgeted(), accepted(tmp_path)).fastest.cell == "nfe-8"
    assert judged(tight, accepted(tmp_path)).fastest is None


def test_a_share_just_beyond_the_budget_is_not_shown_as_the_budget() -> None:
    assert [kept(share) for share in (1.0, 0.999, 1.001)] == [
        "met 1.00",
        "met 1.00",
        "missed 1.001",
    ]


@pytest.mark.parametrize("budget_s", [-1.0, "8", float("nan"), float("inf")])
def test_a_budget_that_cannot_be_meant_is_refused(budget_s: object) -> None:
    with pytest.raises(HarnessError, match="budget_s must be seconds"):
        Suite(target="scripted", workload="smoke", cells=[{}], budget_s=budget_s)
