"""Drift within a process: from calls to a number, from the number to a verdict with its name."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.fake_runs import REQUESTS, accepted, judged, make_run, policy, sample
from tests.harness.in_process import ALONE, ChildHere
from tests.harness.report.making import contents, silence
from tests.studies import in_process_drift as study
from voxgate import Suite, Target
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.in_process_drift import drift_of
from voxgate.harness.analysis.metric_rules import DRIFT
from voxgate.harness.judging.baseline import Baseline
from voxgate.harness.judging.judge import judge
from voxgate.harness.machine.interference import FIXED_WORK
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.records.run import Iteration, Phase, Run
from voxgate.harness.records.verdict import MetricVerdict, RemarkKind, Verdict
from voxgate.harness.report.page import page
from voxgate.harness.report.terminal import report_lines
from voxgate.harness.runner import run_folder, worker, worker_pool
from voxgate.harness.runner.runner import run_suite

NOTHING = Baseline(quality=None, speed=None)


def calls(count: int = 40, grows: float = 0.0, **changes: float) -> list[Iteration]:
    """Calls that get slower by `grows` of the first with each; sentences differ in length."""
    return [
        sample("nfe-8", 0, n, (1 + n % len(REQUESTS)) * (1 + grows * n), 2.0, {})
        for n in range(count)
    ]


def leaking(grows: float, processes: int = 3, count: int = 40) -> list[list[float]]:
    rng = np.random.default_rng(3)
    return [
        [0.1 * (1 + grows * n) * float(np.exp(0.01 * rng.standard_normal())) for n in range(count)]
        for _ in range(processes)
    ]


def leaky_run(grows: float = 0.003, **shape: int) -> Run:
    return make_run({"nfe-32": leaking(0.0), "nfe-8": leaking(grows, **shape)})


def drift(run: Run, cell: str = "nfe-8") -> Measurement:
    return next(each for each in aggregate(run, {})[cell] if each.metric == DRIFT)


def verdict(run: Run, cell: str = "nfe-8") -> MetricVerdict:
    found = judge(run, aggregate(run, {}), NOTHING, policy())
    return next(each for each in found.metrics[cell] if each.metric == DRIFT)


def test_it_is_the_growth_per_100_calls_as_a_share_of_the_texts_own_median() -> None:
    # at the middle of 40 calls the time is 1.039 times the first
    assert drift_of(calls(grows=0.002)) == pytest.approx(0.2 / 1.039, rel=0.02)
    assert drift_of(calls()) == pytest.approx(0.0, abs=1e-12)


def test_stalled_calls_do_not_move_it_and_disturbed_ones_do_not_count() -> None:
    stalled = [
        replace(each, wall_s=9 * each.wall_s) if each.iteration > 34 else each for each in calls()
    ]
    assert drift_of(stalled) == pytest.approx(0.0, abs=1e-12)
    waited = [
        replace(each, wall_s=2 * each.wall_s, disturbance={"waited_s": each.wall_s})
        if each.iteration >= 20
        else each
        for each in calls()
    ]
    assert drift_of(waited) == pytest.approx(0.0, abs=1e-12)


def test_what_the_machine_slowed_by_is_taken_off_and_what_it_gained_is_not_added() -> None:
    def beside(pace: float) -> list[Iteration]:
        return [
            replace(each, disturbance={FIXED_WORK: 1e-4 * (1 + pace * each.iteration)})
            for each in calls(grows=0.002)
        ]

    assert drift_of(beside(0.002)) == pytest.approx(0.0, abs=1e-12)
    assert drift_of(beside(-0.002)) == pytest.approx(0.2 / 1.039, rel=0.02)


def test_warm_up_counts_as_calls_and_not_as_times() -> None:
    warming = [replace(each, phase=Phase.WARMUP, wall_s=50.0) for each in calls(8)]
    later = [replace(each, iteration=each.iteration + 8) for each in calls(32)]
    assert drift_of([*warming, *later]) == pytest.approx(0.0, abs=1e-12)


def test_a_repeat_that_was_continued_is_two_processes() -> None:
    run = leaky_run(0.0)
    slower = [
        replace(each, iteration=each.iteration + 40, wall_s=2.0, phase=Phase(phase))
        for each, phase in zip(calls(40), ["first", *["measured"] * 39], strict=True)
    ]
    process = run.processes[-1]
    resumed = replace(process, iterations=(*process.iterations, *slower))
    found = drift(replace(run, processes=(*run.processes[:-1], resumed)))
    assert [each.repeat for each in found.values] == [0, 1, 2, 2]
    assert found.summary == pytest.approx(0.0, abs=0.03), "the second began at another pace"


def test_one_pass_through_the_texts_shows_nothing_and_says_so() -> None:
    run = make_run({"nfe-32": [[0.1] * 8] * 3, "nfe-8": [[0.1] * 8] * 3})
    found = drift(run)
    assert isinstance(found.summary, Missing) and "min_time_s" in found.summary.reason
    told = verdict(run)
    assert (told.verdict, told.blocking) == (Verdict.UNRESOLVED, False)


def test_a_leak_is_named_beside_any_verdict_and_blocks_where_the_policy_says_so(
    tmp_path: Path,
) -> None:
    run = leaky_run()
    told = verdict(run)
    assert (told.verdict, told.blocking) == (Verdict.REGRESSED, False)
    assert told.reason.startswith("in_process_drift +2") and "% per 100 calls [+" in told.reason
    assert told.reason.endswith(", limit +5 % per 100 calls")
    cell = next(c for c in judged(run, accepted(tmp_path, run)).cells if c.cell == "nfe-8")
    assert cell.verdict is Verdict.PASS
    assert [(each.kind, told.reason in each.facts[0]) for each in cell.remarks] == [
        (RemarkKind.IN_PROCESS_DRIFT, True)
    ]

    strict = {**policy(), DRIFT: replace(policy()[DRIFT], blocking=True)}
    found = judge(run, aggregate(run, {}), NOTHING, strict)
    assert (found.verdict, found.exit_code) == (Verdict.REGRESSED, 1)
    assert verdict(run, "nfe-32").verdict is Verdict.PASS


def test_a_baseline_that_leaked_as_well_is_no_excuse(tmp_path: Path) -> None:
    run = leaky_run()
    found = judged(run, accepted(tmp_path, run)).metrics["nfe-8"]
    assert [m.verdict for m in found if m.metric == DRIFT] == [Verdict.REGRESSED]


def test_one_process_proves_nothing() -> None:
    told = verdict(leaky_run(processes=1))
    assert (told.verdict, told.blocking) == (Verdict.UNRESOLVED, False)
    assert "at least two" in told.reason


def test_table_and_page_show_it_where_a_cell_drifts(tmp_path: Path) -> None:
    def shown(run: Run, name: str) -> tuple[str, str]:
        of = contents(run, accepted(tmp_path / name, run))
        return "\n".join(line.plain for line in report_lines(of, 200)), page(of, silence)

    table, html = shown(leaky_run(), "leaky")
    assert "drift %/100" in table and "notice: later calls of one process are slower" in table
    assert "in_process_drift" in html
    assert "drift %/100" not in shown(leaky_run(0.0), "steady")[0]


@pytest.mark.parametrize("noise", study.NOISES, ids=lambda noise: noise.__name__)
def test_it_raises_few_false_alarms(noise: study.Noise) -> None:
    plan = study.Plan(passes=3, processes=3, cells=1)
    assert study.share(noise, plan, 0.0, policy()[DRIFT].absolute, runs=100) <= 4.0


def test_with_three_passes_in_three_processes_it_sees_what_the_leak_in_the_wild_was() -> None:
    """20 % after 60 calls: 30 % per 100 calls."""
    plan = study.Plan(passes=3, processes=3, cells=6)
    assert study.share(study.quiet, plan, 0.3, policy()[DRIFT].absolute, runs=10) >= 90.0


class CpuClock:
    """What the process computes counts, and not what its neighbours on a busy machine do."""

    def seconds(self) -> float:
        return time.process_time()

    process_age_s = seconds


class HookedTarget(Target):
    """
    A real network. With `leaks`, each synthesis registers a forward hook on every layer, which
    copies what the layer gave, and removes none.
    """

    sample_rate_hz = 8000
    clock = CpuClock()

    def load(self, cell: Any, defaults: Any) -> None:
        import torch

        torch.manual_seed(0)
        torch.set_num_threads(1)
        self._torch = torch
        self._leaks = cell.options["leaks"]
        self._kept: dict[int, Any] = {}
        self._layers = torch.nn.Sequential(*[torch.nn.Linear(160, 160) for _ in range(6)]).eval()

    def effective(self) -> dict[str, Any]:
        return {"leaks": self._leaks}

    def synthesize(self, request: Any, watch: Any) -> Iterator[np.ndarray]:
        for number, layer in enumerate(self._layers if self._leaks else ()):
            layer.register_forward_hook(
                lambda module, given, out, number=number: self._kept.update({number: out.clone()})
            )
        with self._torch.inference_mode(), watch("acoustic"):
            state = self._torch.ones(160, 160)
            for _ in range(4):
                state = self._torch.tanh(self._layers(state))
        yield 0.1 * state.flatten()[:800].numpy()


def test_a_hook_that_leaks_at_every_call_of_a_real_network_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Child(ChildHere):
        said: list[str] = []  # noqa: RUF012

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_pool, "WorkerProcess", Child)
    # 0.2 s each with torch, and not timed
    monkeypatch.setattr(worker, "no_garbage_collection", contextlib.nullcontext)
    (tmp_path / "two.toml").write_text(
        '[[request]]\nid = "r1"\ntext = "One."\n\n[[request]]\nid = "r2"\ntext = "Two."\n'
    )
    suite = Suite(
        target=f"{__name__}:HookedTarget",
        workload=str(tmp_path / "two.toml"),
        axes={"leaks": [False, True]},
        iterations=20,
        name="leak",
    )
    folder = tmp_path / "run"
    assert run_suite(suite, suite.expand().cells, ALONE, folder, stages=False).complete
    run = run_folder.load_run(folder)
    told = verdict(run, "leaks-true")
    assert (told.verdict, told.metric) == (Verdict.REGRESSED, DRIFT), told.reason
    assert verdict(run, "leaks-false").verdict is not Verdict.REGRESSED
