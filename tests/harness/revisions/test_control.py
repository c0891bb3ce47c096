"""The control: it must not move, and where it does, no speed is trusted."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tests.harness.fake_runs import CELLS, make_run, make_scores, policy, process, steady
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.judging.amend import invalidate_speed
from voxgate.harness.judging.baseline import of_run
from voxgate.harness.judging.judge import judge
from voxgate.harness.machine.clock import StageWatch, VirtualClock
from voxgate.harness.records.cell import Cell, Request
from voxgate.harness.records.measurement import Value
from voxgate.harness.records.run import Failure, FailureKind, Run
from voxgate.harness.records.verdict import RunVerdict, Verdict
from voxgate.harness.revisions.ab_verdict import undecided_cells
from voxgate.harness.revisions.control import SLUG, control_cell, examine, without_control
from voxgate.harness.revisions.paired_run import PairedRuns
from voxgate.harness.targets.fixed_work import ControlTarget


def with_control(walls_s: Sequence[Sequence[float]], failure: Failure | None = None) -> Run:
    run = make_run({"nfe-32": steady(0.4, 4), "nfe-8": steady(0.1, 4)})
    records = tuple(
        process(SLUG, repeat, each, failure=failure) for repeat, each in enumerate(walls_s)
    )
    return replace(
        run, cells=(*run.cells, control_cell(CELLS[0])), processes=(*run.processes, *records)
    )


def test_the_control_computes_the_same_for_every_request_and_is_a_cell_of_the_same_workload() -> (
    None
):
    target, watch = ControlTarget(), StageWatch(VirtualClock())
    cell = control_cell(CELLS[0])
    target.load(cell, {"threads": 1})
    first, second = (
        np.concatenate(list(target.synthesize(request, watch)))
        for request in cell.workload.requests[:2]
    )
    assert np.array_equal(first, second)
    assert first.dtype == np.float32
    assert np.abs(first).max() > 0.9
    assert (
        target.settled(),
        target.observe(Request(id="a", text="b")),
        dict(target.effective()),
    ) == (True, (), {})
    assert (cell.slug, cell.workload) == (SLUG, CELLS[0].workload)


def test_a_control_that_stood_still_makes_no_trouble_and_is_no_cell_of_the_run() -> None:
    run = with_control(steady(0.05, 4))
    assert examine(run, run, policy()).trouble == ""
    assert [cell.slug for cell in without_control(run).cells] == ["nfe-32", "nfe-8"]
    assert {each.cell for each in without_control(run).processes} == {"nfe-32", "nfe-8"}


def test_a_control_that_moved_either_way_is_trouble() -> None:
    for factor, sign in ((1.08, "+8.0 %"), (0.92, "-8.0 %")):
        control = examine(
            with_control(steady(0.05, 4)), with_control(steady(0.05 * factor, 4)), policy()
        )
        assert control.trouble.startswith(f"the control moved by {sign}")


def test_a_noisy_control_that_may_have_moved_is_no_proof() -> None:
    jumping = [[0.05 * factor] * 8 for factor in (1.3, 0.8, 1.2, 1.0)]
    assert examine(with_control(steady(0.05, 4)), with_control(jumping), policy()).trouble == ""


def test_a_control_that_failed_is_trouble_and_a_run_without_one_is_not() -> None:
    failed = with_control([[0.05] * 8], Failure(kind=FailureKind.KILLED, reason="by SIGKILL"))
    assert (
        "could not be measured: killed: by SIGKILL"
        in examine(with_control(steady(0.05, 4)), failed, policy()).trouble
    )
    bare = without_control(failed)
    assert (examine(bare, bare, policy()).shift, examine(bare, bare, policy()).trouble) == (
        "not measured",
        "",
    )


def judged(**changes: Value) -> RunVerdict:
    before, now = (
        make_run({"nfe-32": steady(0.4, 4), "nfe-8": steady(0.1, 4)}),
        make_run({"nfe-32": steady(0.4, 4), "nfe-8": steady(0.12, 4)}),
    )
    baseline = of_run(before, aggregate(before, make_scores(before)))
    return judge(now, aggregate(now, make_scores(now, **changes)), baseline, policy(), paired=True)


def test_no_speed_is_trusted_when_the_control_moved() -> None:
    first = judged()
    assert [cell.verdict for cell in first.cells] == [Verdict.PASS, Verdict.REGRESSED]
    after = invalidate_speed(first, "the control moved", "runs/0001")
    assert [cell.verdict for cell in after.cells] == [Verdict.UNRESOLVED, Verdict.UNRESOLVED]
    assert (after.verdict, after.exit_code, after.cells[1].reason) == (
        Verdict.UNRESOLVED,
        3,
        "the control moved",
    )


def test_what_was_judged_of_the_quality_stays() -> None:
    after = invalidate_speed(judged(golden_pesq=2.0), "the control moved", "runs/0001")
    assert (after.cells[1].verdict, after.exit_code) == (Verdict.REGRESSED, 1)
    assert "golden_pesq" in after.cells[1].reason
    assert "latency" not in after.cells[1].reason


def test_the_control_cell_keeps_no_option_of_its_neighbours() -> None:
    neighbour = Cell(
        **{
            **{name: getattr(CELLS[0], name) for name in Cell.__dataclass_fields__},
            "fixed": {"nfe": 3},
        }
    )
    assert control_cell(neighbour).options == {"control": "fixed"}


def test_a_cell_that_failed_gets_no_more_rounds() -> None:
    """An import that fails would else cost the whole budget, in which only the control runs."""
    run = make_run({"nfe-32": steady(0.4, 1), "nfe-8": steady(0.1, 1)})
    failure = Failure(kind=FailureKind.ERROR, reason="no such module")
    processes = tuple(
        replace(each, failure=failure) if each.cell == "nfe-8" else each for each in run.processes
    )
    broken = replace(run, processes=processes)
    assert set(undecided_cells(PairedRuns(base=run, head=run), policy())) == {"nfe-32", "nfe-8"}
    for base, head in ((run, broken), (broken, run), (broken, broken)):
        assert set(undecided_cells(PairedRuns(base=base, head=head), policy())) == {"nfe-32"}
