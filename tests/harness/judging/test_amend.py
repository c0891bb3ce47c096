"""Verdicts amended after judging: what follows for cell and run, and what stands."""

from dataclasses import replace

from tests.harness.fake_runs import CELLS, make_run, steady
from voxgate.harness.judging.amend import (
    add_unshared_cells,
    amend_verdicts,
    confirmed,
    fail_where_base_failed,
    invalidate_speed,
)
from voxgate.harness.records.run import Failure, FailureKind
from voxgate.harness.records.verdict import (
    CellVerdict,
    Comparison,
    MetricVerdict,
    Remark,
    RemarkKind,
    RunVerdict,
    Verdict,
)

COMPARISON = Comparison(
    cell="nfe-8",
    metric="latency_p50",
    unit="s",
    better="lower",
    baseline=0.1,
    current=0.12,
    shift=0.2,
    low=0.19,
    high=0.21,
    n_baseline=8,
    n_current=8,
    incomparable=(),
    detail="",
)
SLOW = MetricVerdict(
    metric="latency_p50",
    verdict=Verdict.REGRESSED,
    reason="latency_p50 +20.0 %",
    comparison=COMPARISON,
    blocking=True,
    limit=0.05,
)
WORSE = replace(SLOW, metric="pesq", reason="pesq -0.5", comparison=None)
SLOW_CELL = CellVerdict(
    cell="nfe-8",
    label="nfe=8",
    verdict=Verdict.REGRESSED,
    reason="latency_p50 +20.0 %; vocoder +31 % is 97 % of it",
    metrics=(SLOW,),
    notes="vocoder +31 % is 97 % of it",
    remarks=(Remark(kind=RemarkKind.STAGE, facts=("vocoder +31 % is 97 % of it",)),),
)


def judgement_of(*cells: CellVerdict) -> RunVerdict:
    return RunVerdict(
        suite="steps",
        profile="any",
        machine="m",
        head="abc",
        baseline="none",
        cells=cells,
        counts={},
        verdict=Verdict.REGRESSED,
        exit_code=1,
        line="",
    )


def test_the_worst_of_no_verdicts_is_unresolved() -> None:
    assert Verdict.worst([]) is Verdict.UNRESOLVED
    assert Verdict.worst([], Verdict.PASS) is Verdict.PASS
    assert Verdict.worst([Verdict.PASS, Verdict.REGRESSED]) is Verdict.REGRESSED


def test_a_suspect_that_was_not_measured_again_is_unresolved_without_its_notes() -> None:
    judgement = confirmed(judgement_of(SLOW_CELL), {}, "runs/0001")
    (cell,) = judgement.cells
    assert (cell.verdict, cell.notes, judgement.exit_code) == (Verdict.UNRESOLVED, "", 3)
    assert cell.remarks == ()
    assert cell.reason == "latency_p50 +20.0 %, not confirmed: measured once only"


def test_a_confirmed_suspect_keeps_its_notes() -> None:
    fresh = replace(SLOW, comparison=replace(COMPARISON, error=0.005, freedom=6.0))
    again = judgement_of(replace(SLOW_CELL, metrics=(fresh,)))
    (cell,) = confirmed(judgement_of(SLOW_CELL), again.metrics, "runs/0001").cells
    assert (cell.verdict, cell.notes) == (Verdict.REGRESSED, SLOW_CELL.notes)
    assert cell.reason == (
        "latency_p50 +20.0 %, confirmed in fresh processes: +20.0 % [+19.0 +21.0]; "
        "vocoder +31 % is 97 % of it"
    )


def test_an_unfinished_cell_keeps_its_reason_when_a_suspect_is_not_confirmed() -> None:
    unfinished = replace(
        SLOW_CELL, verdict=Verdict.UNRESOLVED, reason="repeat 2 did not finish", notes=""
    )
    (cell,) = confirmed(judgement_of(unfinished), {}, "runs/0001").cells
    assert (cell.verdict, cell.reason) == (Verdict.UNRESOLVED, "repeat 2 did not finish")
    assert cell.metrics[0].verdict is Verdict.UNRESOLVED


def test_the_cause_of_the_amendment_is_the_reason_only_where_it_decides() -> None:
    both = replace(SLOW_CELL, metrics=(SLOW, WORSE), notes="", remarks=())
    cells = invalidate_speed(judgement_of(SLOW_CELL, both), "the control moved", "runs/1").cells
    assert [cell.reason for cell in cells] == ["the control moved", "pesq -0.5"]
    assert [cell.verdict for cell in cells] == [Verdict.UNRESOLVED, Verdict.REGRESSED]


def test_metrics_with_one_cause_are_still_named_together_after_a_remark() -> None:
    metrics = [
        MetricVerdict(
            metric=name,
            verdict=Verdict.INCOMPARABLE,
            reason=f"{name}: other machine",
            comparison=replace(COMPARISON, metric=name),
            blocking=True,
            cause="other machine",
        )
        for name in ("pesq", "stoi")
    ]
    cell = replace(SLOW_CELL, metrics=(SLOW, *metrics))

    def fail(_: str, metric: MetricVerdict) -> MetricVerdict:
        return replace(metric, verdict=Verdict.INCOMPARABLE) if metric is SLOW else metric

    (amended,) = amend_verdicts(judgement_of(cell), fail, "runs/0001").cells
    assert amended.verdict is Verdict.INCOMPARABLE
    assert amended.reason == "latency_p50 +20.0 %; other machine"


def test_unshared_cells_are_added_and_the_line_asks_to_accept_nothing() -> None:
    passed = replace(SLOW_CELL, verdict=Verdict.PASS, reason="", metrics=(), notes="", remarks=())
    judgement = add_unshared_cells(
        judgement_of(passed), added=CELLS[:1], removed=(), changed={}, labels={}
    )
    assert judgement.cells[1].reason == "new in HEAD: BASE's suite has no such cell"
    assert judgement.line == "NO_BASELINE: 1 without baseline, 1 passed"
    changed = add_unshared_cells(
        judgement_of(),
        added=(),
        removed=CELLS[1:2],
        changed={"nfe-8": ("nfe was 8, is 9",)},
        labels={"nfe-8": "nfe=8"},
    )
    assert [(cell.verdict, cell.reason) for cell in changed.cells] == [
        (Verdict.FAILED, "HEAD's suite lost this cell"),
        (Verdict.INCOMPARABLE, "HEAD's suite asks for something else: nfe was 8, is 9"),
    ]


def test_a_cell_that_only_base_cannot_run_is_failed_by_name() -> None:
    head = make_run({"nfe-8": steady(0.1)})
    failure = Failure(kind=FailureKind.DIED, reason="out of memory")
    broken = tuple(replace(process, failure=failure) for process in head.processes)
    base = replace(head, processes=broken)
    judgement = judgement_of(SLOW_CELL)
    (cell,) = fail_where_base_failed(judgement, base, head).cells
    assert (cell.verdict, cell.metrics, cell.notes) == (Verdict.FAILED, (), "")
    assert cell.remarks == ()
    assert cell.reason.startswith("BASE cannot run this cell: ")
    assert fail_where_base_failed(judgement, base, base).cells == judgement.cells
