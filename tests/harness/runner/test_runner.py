"""
The schedule: its order read as a script with fake children, its way with failures with real ones.
"""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.machine.test_process_guard import gone
from voxgate import Suite
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine import power_meter
from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.machine.power_meter import Counter
from voxgate.harness.machine.profiles import Profile, get_profile
from voxgate.harness.records.cell import cell_to_json
from voxgate.harness.records.run import Failure, FailureKind, Phase, Run
from voxgate.harness.runner import process_files, run_folder, worker_pool
from voxgate.harness.runner.runner import Outcome, run_suite
from voxgate.harness.runner.worker_pool import kept_off, live_limit
from voxgate.harness.runner.worker_process import PythonEnv, WorkerError, WorkerProcess

Make = Callable[..., Suite]
Script = Callable[[dict[str, Any]], None]
PLAIN = Profile(name="plain", about="", defaults={"device": "cpu"}, live=8, loading=2)


class FakeChild:
    """
    Answers at once, logs what it was told; `faults` says at which command of which cell what
    happens.
    """

    log: list[str]
    faults: dict[str, object]

    def __init__(
        self, job: Mapping[str, Any], files: Path, env: Mapping[str, str], launch: object = None
    ) -> None:
        self.slug = ".".join(
            f"{name}-{value}" for name, value in job["cell"]["axes"].items()
        ).removeprefix("steps-")

    def do(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        words = [self.slug, *(str(value) for key, value in command.items() if key != "alone")]
        said = " ".join(words).replace("iterate ", "")
        self.log.append(said)
        fault = self.faults.pop(said, None)
        if isinstance(fault, BaseException):
            raise fault
        return {"done": command["do"], "settled": fault != "compiles", "wall_s": 0.5}

    def kill(self) -> None:
        self.log.append(f"{self.slug} killed")

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is only resumed with an unchanged working tree, which this repository's need not be."""
    monkeypatch.chdir(tmp_path)
    # a machine without a power meter
    monkeypatch.setattr(power_meter, "here", lambda: SystemRoot(root=tmp_path))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> type[FakeChild]:
    class Fresh(FakeChild):
        log: list[str] = []  # noqa: RUF012  (made anew for every test)
        faults: dict[str, object] = {}  # noqa: RUF012

    monkeypatch.setattr(worker_pool, "WorkerProcess", Fresh)
    return Fresh


def run(suite: Suite, folder: Path, **changes: Any) -> Outcome:
    asked: dict[str, Any] = {"profile": PLAIN, "timeout_s": 120.0, **changes}
    return run_suite(suite, suite.expand().cells, asked.pop("profile"), folder, **asked)


def test_a_round_prepares_one_by_one_then_measures_in_turns(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild]
) -> None:
    outcome = run(make_suite(), tmp_path / "run")
    prepare = ["load", "first r1", "warmup r2", "warmup r1", "observe r1", "pin"]
    assert fakes.log == [
        *(f"8 {command}" for command in prepare),
        *(f"4 {command}" for command in prepare),
        "8 measured r1",
        "4 measured r1",
        "4 measured r2",
        "8 measured r2",
        "8 stages r1",
        "8 finish",
        "4 stages r1",
        "4 finish",
    ]
    assert outcome == Outcome(
        folder=tmp_path / "run", complete=True, interrupted=False, failures={}
    )
    assert run_folder.load_run(tmp_path / "run").complete


def test_later_rounds_begin_with_another_cell(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild]
) -> None:
    run(make_suite(repeats=3), tmp_path / "run")
    measured = "".join(said[0] for said in fakes.log if "measured" in said)
    assert [measured[:4], measured[4:8], measured[8:]] == ["8448", "4848", "4884"]


def test_more_cells_than_may_live_are_measured_in_groups(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild]
) -> None:
    suite = make_suite(axes={"steps": [8, 4, 2]})
    run(suite, tmp_path / "run", profile=Profile(name="plain", about="", defaults={}, live=2))
    loads_and_ends = [said for said in fakes.log if said.endswith(("load", "finish"))]
    assert loads_and_ends == ["8 load", "4 load", "8 finish", "4 finish", "2 load", "2 finish"]


def test_energy_is_measured_when_all_that_is_timed_is_done(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power_meter, "find_meter", lambda tree, device: Counter("counter", []))
    wanted = iter([["steps-8"], []])
    run(make_suite(), tmp_path / "run", more=lambda rounds: next(wanted))
    ends = [f"{slug} {last}" for slug in (8, 4) for last in ("stages r1", "energy", "finish")]
    assert fakes.log[-17:-9] == ["4 measured r2", "8 measured r2", *ends]
    assert fakes.log[-3:] == ["8 measured r1", "8 measured r2", "8 finish"], (
        "a round that is added is for the times alone"
    )


def test_warm_up_goes_on_while_something_compiles(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild]
) -> None:
    fakes.faults["8 warmup r1"] = "compiles"
    run(make_suite(axes={"steps": [8]}), tmp_path / "run")
    assert fakes.log[:5] == ["8 load", "8 first r1", "8 warmup r2", "8 warmup r1", "8 warmup r2"]


def test_a_measured_iteration_that_compiled_is_done_again(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild]
) -> None:
    fakes.faults["8 measured r1"] = "compiles"
    run(make_suite(axes={"steps": [8]}), tmp_path / "run")
    assert [said for said in fakes.log if "measured" in said] == [
        "8 measured r1",
        "8 measured r1",
        "8 measured r2",
    ]


def test_a_process_that_measured_too_briefly_adds_whole_passes(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild]
) -> None:
    run(make_suite(axes={"steps": [8]}, min_time_s=1.2), tmp_path / "run")  # a pass takes 2 x 0.5 s
    assert [said for said in fakes.log if "measured" in said] == [
        f"8 measured {name}" for name in ("r1", "r2", "r1", "r2")
    ]


def test_quick_cells_go_on_alone(make_suite: Make, script: Script, tmp_path: Path) -> None:
    script({"steps-8": {"slower": 2.0}})
    suite = make_suite(axes={"steps": [8, 4]}, min_time_s=0.5)
    run(suite, tmp_path / "run")
    found = run_folder.load_run(tmp_path / "run")
    times = {
        each.cell: [s.wall_s for s in each.iterations if s.phase is Phase.MEASURED]
        for each in found.processes
    }
    assert {slug: len(several) for slug, several in times.items()} == {"steps-8": 4, "steps-4": 6}
    assert times["steps-8"] == pytest.approx([0.2] * 4)


def test_a_cell_that_fails_in_a_further_pass_stops_no_other(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = fakes.do

    def do(self: FakeChild, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        if self.slug == "8" and self.log.count("8 measured r1") > 1:
            raise WorkerError(Failure(kind=FailureKind.ERROR, reason="broken"), recorded=True)
        return told(self, command, timeout_s)

    monkeypatch.setattr(fakes, "do", do)
    outcome = run(make_suite(min_time_s=2.0), tmp_path / "run")
    assert set(outcome.failures) == {"steps-8"}
    assert fakes.log.count("4 measured r2") == 2


def test_a_cell_that_never_settles_fails(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fakes, "do", lambda self, command, timeout_s: {"done": command["do"], "settled": False}
    )
    outcome = run(make_suite(), tmp_path / "run")
    reason = "warm-up still compiled something after 30 iterations"
    assert outcome.failures == dict.fromkeys(
        ("steps-8", "steps-4"), Failure(kind=FailureKind.ERROR, reason=reason)
    )


def test_a_failed_cell_stops_no_other_and_is_not_started_again(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild]
) -> None:
    failure = Failure(kind=FailureKind.KILLED, reason="SIGKILL")
    fakes.faults["8 measured r2"] = WorkerError(failure, recorded=False)
    outcome = run(make_suite(repeats=2), tmp_path / "run")
    assert outcome.failures == {"steps-8": failure}
    after = fakes.log[fakes.log.index("8 measured r2") + 1 :]
    assert [said for said in after if said.startswith("8")] == ["8 killed"]
    assert [said for said in after if "measured" in said] == ["4 measured r1", "4 measured r2"]
    record = process_files.load_process(tmp_path / "run", "steps-8", 0)
    assert record is not None and record.failure == failure, (
        "the schedule writes down what the worker could not"
    )


def test_ctrl_c_kills_the_workers_and_leaves_the_run_incomplete(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild]
) -> None:
    fakes.faults["4 measured r2"] = KeyboardInterrupt()
    outcome = run(make_suite(), tmp_path / "run")
    assert (outcome.complete, outcome.interrupted, outcome.failures) == (False, True, {})
    assert sorted(fakes.log[-2:]) == ["4 killed", "8 killed"]
    assert not run_folder.load_run(tmp_path / "run").complete


def test_a_run_is_only_resumed_as_it_was_begun(
    make_suite: Make, tmp_path: Path, fakes: type[FakeChild]
) -> None:
    fakes.faults["4 measured r2"] = KeyboardInterrupt()
    run(make_suite(), tmp_path / "run")
    with pytest.raises(
        HarnessError,
        match=r"cannot be resumed, it was begun otherwise \(repeats 1 against 2; other cells\)",
    ):
        run(make_suite(axes={"steps": [8]}, repeats=2), tmp_path / "run", resume=True)
    with pytest.raises(HarnessError, match="is in use"):
        run(make_suite(), tmp_path / "run")


def test_unknown_options_are_refused_before_anything_is_made(
    make_suite: Make, tmp_path: Path
) -> None:
    with pytest.raises(HarnessError, match="has no option stepz"):
        run(make_suite(fixed={"stepz": 1}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def measured(run: Run, slug: str) -> list[str]:
    processes = [process for process in run.processes if process.cell == slug]
    return [
        sample.request
        for process in processes
        for sample in process.iterations
        if sample.phase is Phase.MEASURED
    ]


def test_real_workers_measure_refuse_and_die_side_by_side(make_suite: Make, tmp_path: Path) -> None:
    cells = [
        {"steps": 8},
        {"fault": "die", "fault_at": 3},
        {"fault": "refuse"},
        {"fault": "raise", "fault_at": 4},
    ]
    suite = make_suite(axes={}, cells=cells)
    outcome = run(suite, tmp_path / "run", profile=get_profile())
    kinds = {slug: failure.kind for slug, failure in outcome.failures.items()}
    assert kinds == {
        "fault-die.fault_at-3": "killed",
        "fault-refuse": "refused",
        "fault-raise.fault_at-4": "error",
    }
    assert (
        outcome.failures["fault-die.fault_at-3"].reason
        == "the worker was ended by SIGKILL (out of memory?) at request r1"
    )
    result = run_folder.load_run(tmp_path / "run")
    assert measured(result, "steps-8") == ["r1", "r2"]
    assert {
        process.cell: process.failure.kind for process in result.processes if process.failure
    } == kinds
    (whole,) = [process for process in result.processes if process.finished]
    assert whole.cold is not None
    assert whole.peak_rss_bytes is not None and whole.peak_rss_bytes > 10_000_000
    assert (tmp_path / "run/audio/steps-8/r2.wav").is_file()


def test_a_full_disk_stops_the_run_and_a_resume_completes_it(
    make_suite: Make, tmp_path: Path, script: Script
) -> None:
    script({"*": {"fault": "disk", "options": {"fault_at": 4}}})
    suite = make_suite(axes={"steps": [8]})
    with pytest.raises(
        HarnessError, match=r"no space left for run .*; make room, then continue with --resume"
    ):
        run(suite, tmp_path / "run")
    assert measured(run_folder.load_run(tmp_path / "run"), "steps-8") == ["r1"]
    script({})
    assert run(suite, tmp_path / "run", resume=True).complete
    result = run_folder.load_run(tmp_path / "run")
    assert measured(result, "steps-8") == ["r1", "r2"]
    assert result.processes[0].finished


def test_a_killed_worker_is_tried_again_by_a_resume_and_a_refusal_is_not(
    make_suite: Make, tmp_path: Path, script: Script
) -> None:
    suite = make_suite(axes={}, cells=[{"steps": 8}, {"fault": "refuse"}])
    script({"steps-8": {"fault": "die", "options": {"fault_at": 4}}})
    assert {failure.kind for failure in run(suite, tmp_path / "run").failures.values()} == {
        "killed",
        "refused",
    }
    script({})
    outcome = run(suite, tmp_path / "run", resume=True)
    assert {slug: failure.kind for slug, failure in outcome.failures.items()} == {
        "fault-refuse": "refused"
    }
    assert measured(run_folder.load_run(tmp_path / "run"), "steps-8") == ["r1", "r2"]


PROGRAM = """
import signal
import sys
from dataclasses import replace
from pathlib import Path
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.suite.suite import load_suite
signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background has it ignored
suite = load_suite(sys.argv[1])
profile = Profile(name="plain", about="", defaults={"device": "cpu"}, live=8, loading=2)
outcome = run_suite(suite, suite.expand().cells, profile, Path(sys.argv[2]))
print("interrupted" if outcome.interrupted else "complete")
"""  # noqa: E501


def test_ctrl_c_costs_at_most_the_iteration_under_way(make_suite: Make, tmp_path: Path) -> None:
    """
    Real processes, a real SIGINT: every sample that was on disk is still there after the resume,
    none is measured twice.
    """
    text = f"""from voxgate import Suite
suite = Suite(target="scripted", pipeline="any", workload={str(tmp_path / "two.toml")!r}, axes={{"steps": [8, 4]}},
              reference={{"steps": 8}}, fixed={{"audio_s": 0.1, "real_ms": 30}}, repeats=1, iterations=12, name="test")
"""  # noqa: E501
    (tmp_path / "slow.py").write_text(text)
    (tmp_path / "program.py").write_text(PROGRAM)
    folder = tmp_path / "run"
    arguments = [
        sys.executable,
        str(tmp_path / "program.py"),
        str(tmp_path / "slow.py"),
        str(folder),
    ]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    log = process_files.log_path(folder, "steps-8", 0)
    while process.poll() is None and not (
        log.exists() and log.read_text().count('"measured"') >= 3
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert said.strip() == "interrupted"
    before = {record.cell: record.iterations for record in run_folder.load_run(folder).processes}
    assert len(before["steps-8"]) >= 6
    suite = make_suite(fixed={"audio_s": 0.1, "real_ms": 30}, iterations=12)
    assert run(suite, folder, resume=True).complete
    after = run_folder.load_run(folder)
    for record in after.processes:
        assert record.iterations[: len(before[record.cell])] == before[record.cell]
        assert sorted(measured(after, record.cell)) == ["r1"] * 12 + ["r2"] * 12


def test_a_worker_that_hangs_is_ended_after_the_time_out(make_suite: Make, tmp_path: Path) -> None:
    (tmp_path / "processes").mkdir()
    cell = make_suite(fixed={"fault": "hang"}).expand().cells[0]
    job = {
        "cell": cell_to_json(cell),
        "repeat": 0,
        "folder": str(tmp_path),
        "log": str(process_files.log_path(tmp_path, cell.slug, 0)),
        "defaults": {},
        "cpus": [],
        "cpu": None,
        "known": {},
        "iterations_before": 0,
    }
    child = WorkerProcess(job, tmp_path / "processes" / "x", {})
    child.do({"do": "load", "alone": True}, 120.0)
    with pytest.raises(WorkerError) as caught:
        child.do({"do": "iterate", "phase": "first", "request": "r1"}, 0.1)
    assert caught.value.failure == Failure(
        kind=FailureKind.TIMEOUT,
        reason="iterate first r1 took longer than 0.1 s; raise --timeout if that is expected",
    )
    with pytest.raises(WorkerError, match="killed: the worker was ended by SIGKILL"):
        child.do({"do": "finish"}, 1.0)
    child.close()


def test_a_kernel_that_gives_no_handle_of_a_process_waits_all_the_same(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux before 5.3, as on older boards."""

    def unknown(pid: int) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "pidfd_open", unknown)
    assert run(make_suite(axes={"steps": [8]}), tmp_path / "run").complete


def test_a_worker_that_dies_without_an_answer_is_tried_again(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended it is not known: no word of the engine's, so a resume asks again."""
    monkeypatch.setattr(
        worker_pool,
        "WorkerProcess",
        lambda *arguments: WorkerProcess(*arguments[:3], PythonEnv(python="/bin/false")),
    )
    suite = make_suite(axes={"steps": [8]})
    (failure,) = run(suite, tmp_path / "run").failures.values()
    assert failure == Failure(
        kind=FailureKind.DIED, reason="the worker ended with code 1 and without an answer"
    )
    monkeypatch.setattr(worker_pool, "WorkerProcess", WorkerProcess)
    outcome = run(suite, tmp_path / "run", resume=True)
    assert outcome.complete and not outcome.failures
    assert measured(run_folder.load_run(tmp_path / "run"), "steps-8") == ["r1", "r2"]


def test_what_a_worker_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """
    A server that an engine started, and forgot, would run beside all that is measured after it.
    """
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/pid\nexit 3\n")
    program.chmod(0o755)
    child = WorkerProcess({}, tmp_path / "x", {}, PythonEnv(python=str(program)))
    with pytest.raises(
        WorkerError, match="died: the worker ended with code 3 and without an answer"
    ):
        child.do({"do": "load"}, 60.0)
    assert gone([int((tmp_path / "pid").read_text())])


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no CPU affinity here")
def test_the_parent_keeps_off_the_measuring_cpu_and_comes_back() -> None:
    cpus = sorted(os.sched_getaffinity(0))
    with kept_off(cpus[-1], cpus):
        assert len(cpus) == 1 or cpus[-1] not in os.sched_getaffinity(0)
    assert sorted(os.sched_getaffinity(0)) == cpus


def test_no_more_workers_live_than_the_profile_allows_or_memory_carries() -> None:
    assert live_limit(PLAIN) == 8
    assert 1 <= live_limit(get_profile("cpu-gate")) <= 8


class Settling:
    """A worker that has settled after so many iterations."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.iterations = 0

    def do(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        self.iterations += command["do"] == "iterate"
        return {"done": command["do"], "settled": self.iterations > self.after}


def test_a_long_workload_may_take_three_passes_to_settle(make_suite: Make) -> None:
    """With CUDA graphs each of its lengths is run, recorded, and only then replayed."""
    (cell, _) = make_suite().expand().cells
    requests = tuple(replace(cell.workload.requests[0], id=f"r{number}") for number in range(40))
    long = replace(cell, workload=replace(cell.workload, requests=requests))
    lead = worker_pool.WorkerPool(PLAIN, 1.0)
    patient = Settling(after=110)
    lead.prepare(patient, long, alone=True)  # type: ignore[arg-type]
    assert patient.iterations == 111
    with pytest.raises(WorkerError, match="warm-up still compiled something after 120 iterations"):
        lead.prepare(Settling(after=1000), long, alone=True)  # type: ignore[arg-type]
