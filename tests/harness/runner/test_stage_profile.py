"""
The stage pass: what it records, how long it takes, in which processes it runs; it never spoils what
was measured.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.in_process import ALONE, ChildHere
from tests.harness.runner.test_worker import FIRST, LOAD, MEASURE, handle, job
from voxgate import Suite
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.analysis.metric_rules import is_helper, is_known, is_speed
from voxgate.harness.analysis.stages import UNKNOWN_WORK, isolated_versions, same_work
from voxgate.harness.machine import power_meter
from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.machine.clock import VirtualClock
from voxgate.harness.records.cell import Cell, Request
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import ProcessRecord, StageProfile, StageWork
from voxgate.harness.runner import run_folder, runner, worker_pool
from voxgate.harness.runner.round import Variant
from voxgate.harness.runner.run_header import RunHeader
from voxgate.harness.runner.runner import run_sides, run_suite
from voxgate.harness.runner.stage_profile import LEAST_TIMES, MOST_TIMES, profile_stages
from voxgate.harness.targets.protocol import IsolatedStage, Options, Target
from voxgate.harness.targets.scripted import ScriptedTarget

Make = Callable[..., Suite]
Script = Callable[[dict[str, Any]], None]
STAGES = {"do": "stages", "request": "r1"}
REQUEST = Request(id="r1", text="One.")


class Timed(Target):
    """Takes 2 s, 1.5 s of them in two stages; alone its model takes as long as it is told."""

    sample_rate_hz = 16_000

    def __init__(self, alone_s: float | None) -> None:
        self.clock = VirtualClock()
        self._alone_s = alone_s

    def load(self, cell: Cell, defaults: Options) -> None:
        """Nothing to load."""

    def effective(self) -> Options:
        return {}

    def synthesize(
        self, request: Request, watch: Callable[[str], AbstractContextManager[None]]
    ) -> Iterator[np.ndarray]:
        for stage, duration_s in (("acoustic", 1.0), ("vocoder", 0.5)):
            with watch(stage):
                self.clock.advance(duration_s)
        self.clock.advance(0.5)
        yield np.zeros(10, dtype=np.float32)

    def isolated_stages(
        self, request: Request, watch: Callable[[str], AbstractContextManager[None]]
    ) -> Mapping[str, IsolatedStage]:
        if self._alone_s is None:
            return super().isolated_stages(request, watch)
        list(self.synthesize(request, watch))
        return {"vocoder": IsolatedStage(run=lambda: self.clock.advance(self._alone_s or 0.0))}


def told(alone_s: float | None) -> tuple[StageProfile, float]:
    target = Timed(alone_s)
    return profile_stages(target, REQUEST, target.clock), target.clock.seconds()


def test_what_the_stages_do_not_account_for_is_a_value_of_its_own() -> None:
    found, _ = told(None)
    assert found == StageProfile(
        request="r1",
        wall_s=2.0,
        stages_s={"acoustic": 1.0, "vocoder": 0.5},
        unaccounted_s=0.5,
        alone_s={},
    )


@pytest.mark.parametrize(
    ("alone_s", "times"),
    [(0.25, 8), (1.5, LEAST_TIMES), (0.0, MOST_TIMES), (0.001, MOST_TIMES)],
    ids=str,
)
def test_it_takes_about_as_long_as_two_iterations(alone_s: float, times: int) -> None:
    found, whole_s = told(alone_s)
    assert found.alone_s == {"vocoder": pytest.approx((alone_s,) * times)}
    assert found.work == {}, "a target need not tell how much work it was"
    assert whole_s <= 4.0 + LEAST_TIMES * alone_s


def test_the_worker_records_it(make_suite: Make, tmp_path: Path, script: Script) -> None:
    script({"*": {"alone": {"vocoder": 0.5}, "unstaged_s": 0.02}})
    answers, record = handle(
        job(make_suite(), tmp_path), LOAD, FIRST, MEASURE, STAGES, {"do": "finish"}
    )
    assert answers[3] == {"done": "stages"}
    assert isinstance(record.stages, StageProfile)
    assert record.stages.request == "r1"
    assert record.stages.wall_s == pytest.approx(0.12)
    assert record.stages.unaccounted_s == pytest.approx(0.02)
    assert record.stages.stages_s == pytest.approx(
        {"text": 0.005, "content": 0.005, "acoustic": 0.06, "vocoder": 0.03}
    )
    assert record.stages.alone_s["acoustic"][0] == pytest.approx(0.06)
    assert record.stages.alone_s["vocoder"][0] == pytest.approx(0.015)
    assert record.stages.work["vocoder"] == StageWork(calls=1, rows=1, frames=10)
    assert [sample.phase.value for sample in record.iterations] == ["first", "measured"], (
        "it is no iteration"
    )


def test_a_pass_that_fails_costs_itself_alone(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: ScriptedTarget, request: Request, watch: object) -> object:
        raise RuntimeError("no such model")

    monkeypatch.setattr(ScriptedTarget, "isolated_stages", broken)
    answers, record = handle(
        job(make_suite(), tmp_path), LOAD, FIRST, MEASURE, STAGES, {"do": "finish"}
    )
    assert answers[3] == {"done": "stages"} and record.finished and record.failure is None
    assert isinstance(record.stages, Missing)
    assert record.stages.reason.startswith("no stage pass: RuntimeError: no such model")


def test_an_older_record_does_not_tell(make_suite: Make, tmp_path: Path) -> None:
    _, record = handle(job(make_suite(), tmp_path), LOAD, FIRST, MEASURE, {"do": "finish"})
    assert record.stages is None


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What children are told: `0 run steps-8 stages`, the first word being the repeat."""

    class Listened(ChildHere):
        said: list[str] = []  # noqa: RUF012  (made anew for every test)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_pool, "WorkerProcess", Listened)
    # a machine without a power meter
    monkeypatch.setattr(power_meter, "here", lambda: SystemRoot(root=tmp_path))
    return Listened.said


def test_every_planned_process_of_a_run_passes_once_when_all_is_measured(
    make_suite: Make, tmp_path: Path, commands: list[str]
) -> None:
    added = iter([["steps-8"], []])
    suite = make_suite(repeats=2)
    run_suite(suite, suite.expand().cells, ALONE, tmp_path / "run", more=lambda rounds: next(added))
    passes = [each for each in commands if each.endswith("stages")]
    assert sorted(passes) == sorted(
        f"{repeat} run steps-{steps} stages" for repeat in (0, 1) for steps in (8, 4)
    )
    own = [each.split()[-1] for each in commands if each.startswith("0 run steps-8")]
    assert own[-3:] == ["iterate", "stages", "finish"]
    found = run_folder.load_run(tmp_path / "run")
    assert [isinstance(process.stages, StageProfile) for process in found.processes] == [
        True
    ] * 4 + [False]


def test_it_can_be_left_out(make_suite: Make, tmp_path: Path, commands: list[str]) -> None:
    suite = make_suite()
    run_suite(suite, suite.expand().cells, ALONE, tmp_path / "run", stages=False)
    assert not any(each.endswith("stages") for each in commands)


def test_in_turns_only_the_first_round_passes_on_both_sides(
    make_suite: Make, tmp_path: Path, commands: list[str]
) -> None:
    suite = make_suite(axes={"steps": [8]}, repeats=2)
    cells = suite.expand().cells
    header = runner.make_header(suite, cells, ALONE, repeats=2, iterations=1, command="")
    assert isinstance(header, RunHeader)
    sides = [Variant(header=header, folder=tmp_path / name) for name in ("base", "head")]
    run_sides(sides, ALONE, stage_rounds=1)
    assert [each for each in commands if each.endswith("stages")] == [
        "0 base steps-8 stages",
        "0 head steps-8 stages",
    ]


def test_what_it_told_is_measured_and_only_helps(
    make_suite: Make, tmp_path: Path, script: Script, commands: list[str]
) -> None:
    script({"*": {"alone": {"vocoder": 0.5}, "unstaged_s": 0.02}})
    suite = make_suite(repeats=2)
    run_suite(suite, suite.expand().cells, ALONE, tmp_path / "run")
    named = by_name(aggregate(run_folder.load_run(tmp_path / "run"), {})["steps-8"])
    assert named["synced.vocoder"].summary == pytest.approx(0.03)
    assert named["synced.unaccounted"].summary == pytest.approx(0.02)
    assert named["alone.vocoder"].summary == pytest.approx(0.015)
    assert {each.repeat for each in named["alone.vocoder"].values} == {0, 1}
    for name in ("synced.vocoder", "synced.unaccounted", "alone.vocoder"):
        assert (is_helper(name), is_speed(name), is_known(name)) == (True, True, True)
        assert (named[name].unit, named[name].better) == ("s", "lower")


def passed(repeat: int, work: Mapping[str, StageWork]) -> ProcessRecord:
    stages = StageProfile(
        request="r1",
        wall_s=1.0,
        stages_s={"vocoder": 0.5},
        unaccounted_s=0.5,
        alone_s={"acoustic": (0.3,), "vocoder": (0.4,)},
        work=work,
    )
    told: dict[str, Any] = {
        "effects": (),
        "iterations": (),
        "peak_rss_bytes": None,
        "peak_cuda_bytes": None,
        "failure": None,
    }
    return ProcessRecord(
        cell="a", repeat=repeat, cold=None, effective={}, finished=True, stages=stages, **told
    )


SHORT, LONG = StageWork(calls=4, rows=1, frames=212), StageWork(calls=2, rows=1, frames=424)


def test_the_version_of_a_time_alone_says_how_much_work_it_was() -> None:
    (version,) = isolated_versions(
        [passed(0, {"vocoder": SHORT}), passed(1, {"vocoder": SHORT})]
    ).values()
    assert version == "2; 1 x 212 frames in the first of 4 calls"


@pytest.mark.parametrize(
    "other", [replace(SHORT, calls=3), replace(SHORT, rows=2), replace(SHORT, frames=211)], ids=str
)
def test_work_is_the_same_only_in_calls_rows_and_frames_alike(other: StageWork) -> None:
    ours, same, theirs = (
        isolated_versions([passed(0, {"vocoder": each})])["alone.vocoder"]
        for each in (SHORT, SHORT, other)
    )
    assert same_work(ours, same)
    assert not same_work(ours, theirs)


def test_what_one_process_does_not_tell_is_not_known() -> None:
    assert isolated_versions([passed(0, {"vocoder": SHORT}), passed(1, {})]) == {}
    assert not same_work(UNKNOWN_WORK, UNKNOWN_WORK)


def test_processes_that_had_other_work_are_named_in_any_order() -> None:
    ways = [[SHORT, LONG], [LONG, SHORT]]
    found = {
        isolated_versions([passed(n, {"vocoder": work}) for n, work in enumerate(way)])[
            "alone.vocoder"
        ]
        for way in ways
    }
    assert found == {
        "2; 1 x 212 frames in the first of 4 calls; 1 x 424 frames in the first of 2 calls"
    }
