"""
Power meters on machines that are not here, and the pass that reads them; then all the way into the
report.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.machine.trees import FakeNvml, agx_orin, orin_nano, thor, virtual, write
from voxgate import Suite
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.analysis.speed import energy_per_audio_s
from voxgate.harness.machine import power_meter
from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.machine.clock import VirtualClock
from voxgate.harness.machine.power_meter import (
    Counter,
    EnergyCounter,
    EnergyReading,
    LostMeterError,
    Reading,
    Sampler,
    find_meter,
    joules,
    measure_energy,
)
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records import documents
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.records.run import Energy, Run
from voxgate.harness.runner import engine_side, run_folder, worker_pool
from voxgate.harness.runner.process_files import WorkerLog
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.runner.worker import Worker
from voxgate.harness.runner.worker_channel import read_job
from voxgate.harness.targets.protocol import ForwardingTarget
from voxgate.harness.targets.scripted import ScriptedTarget

Make = Callable[..., Suite]
PLAIN = Profile(name="plain", about="", defaults={"device": "cpu"}, live=8)
RAPL = "sys/class/powercap/intel-rapl:{}"
NONE = "no power meter: no power rails (INA3221, INA238); no RAPL"


def zone(
    number: str, name: str, energy_uj: int, range_uj: int = 1_000_000_000
) -> dict[str, object]:
    folder = RAPL.format(number)
    return {
        f"{folder}/name": name,
        f"{folder}/energy_uj": energy_uj,
        f"{folder}/max_energy_range_uj": range_uj,
    }


def name_of(tree: SystemRoot, device: str) -> str:
    meter = find_meter(tree, device)
    assert not isinstance(meter, Missing), meter.reason
    return meter.name


def test_samples_are_added_up_by_the_trapezoid_rule() -> None:
    assert joules([Reading(0.0, 10.0), Reading(2.0, 20.0), Reading(2.5, 20.0)]) == 40.0
    assert joules([Reading(5.0, 10.0)]) == 0.0


def test_two_samples_that_differ_count_by_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power_meter, "PERIOD_S", 3600.0)
    powers, times = iter([10.0, 20.0]), iter([100.0, 102.0])
    meter = Sampler("rail", lambda: next(powers), lambda: next(times))
    meter.begin()
    assert meter.end() == EnergyReading(energy_j=30.0, duration_s=2.0)


def test_a_sample_that_is_missing_loses_the_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power_meter, "PERIOD_S", 3600.0)
    powers = iter([10.0, None])
    meter = Sampler("rail VDD_IN", lambda: next(powers))
    meter.begin()
    with pytest.raises(LostMeterError, match="rail VDD_IN could not be read any more"):
        meter.end()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_jetson_is_metered_at_the_rail_that_feeds_the_board(tmp_path: Path, device: str) -> None:
    assert name_of(orin_nano(tmp_path / "nano"), device) == "rail VDD_IN"
    assert name_of(thor(tmp_path / "thor"), device) == "rail VIN"


def test_a_jetson_without_such_a_rail_is_metered_at_all_of_them(tmp_path: Path) -> None:
    """VIN_SYS_5V0 feeds the rest of the module; GPU and CPU are not behind it."""
    assert (
        name_of(agx_orin(tmp_path), "cpu")
        == "sum of the rails VDD_GPU_SOC, VDD_CPU_CV, VIN_SYS_5V0, VDDQ_VDD2_1V8AO"
    )


def test_the_power_of_a_rail_is_sampled_while_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("SETTLE_S", 0.0), ("IDLE_S", 0.1), ("BUSY_S", 0.3), ("PERIOD_S", 0.01)):
        monkeypatch.setattr(power_meter, name, seconds)
    meter = find_meter(orin_nano(tmp_path), "cuda")
    assert isinstance(meter, Sampler)
    current = tmp_path / "sys/class/hwmon/hwmon1/curr1_input"

    def speak() -> float:
        draft = current.with_name("draft")
        draft.write_text("2000\n")
        draft.rename(current)  # whole or not at all, as the kernel does it
        power_meter.sleep(0.02)
        return 1.0

    found = measure_energy(meter, speak)
    assert isinstance(found, Energy)
    assert found.idle_w == pytest.approx(5.056)
    assert 8.0 < found.energy_j / found.busy_s < 10.112, "at first it was still idle"


def test_packages_are_added_up_and_may_wrap(tmp_path: Path) -> None:
    write(tmp_path, {**zone("0", "package-0", 999_000_000), **zone("1", "package-1", 5_000_000)})
    tree = write(
        tmp_path,
        {**zone("0:0", "core", 1), **zone("2", "psys", 1), f"{RAPL.format('')[:-1]}/enabled": 1},
    )
    meter = find_meter(tree, "cpu")
    assert isinstance(meter, Counter)
    assert meter.name == "energy counter of the CPU package (RAPL)"
    meter.begin()
    write(
        tmp_path,
        {
            **zone("0", "package-0", 2_000_000),
            **zone("1", "package-1", 9_500_000),
            **zone("2", "psys", 10**9),
        },
    )
    assert meter.end().energy_j == pytest.approx(3.0 + 4.5)


def test_packages_that_may_not_be_read_are_named_with_the_command(tmp_path: Path) -> None:
    tree = write(tmp_path, {f"{RAPL.format(0)}/name": "package-0"})
    found = find_meter(tree, "cpu")
    assert isinstance(found, Missing)
    assert found.reason.endswith(
        "; RAPL cannot be read; sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
    )


def test_a_counter_that_vanishes_or_goes_backwards_loses_the_meter(tmp_path: Path) -> None:
    tree = write(tmp_path, zone("0", "package-0", 1))
    meter = find_meter(tree, "cpu")
    assert isinstance(meter, Counter)
    meter.begin()
    write(tmp_path, {f"{RAPL.format(0)}/energy_uj": None})
    with pytest.raises(LostMeterError, match="could not be read any more"):
        meter.end()
    values = iter([5.0, 4.0])
    backwards = Counter("counter", [EnergyCounter(read_j=lambda: next(values))])
    backwards.begin()
    with pytest.raises(LostMeterError, match="counter went backwards"):
        backwards.end()


def gpu(tmp_path: Path, answers: Mapping[str, Any]) -> SystemRoot:
    return SystemRoot(root=virtual(tmp_path).root, nvml=lambda: FakeNvml(answers))


def test_the_gpu_is_metered_by_its_counter_for_work_on_cuda_only(tmp_path: Path) -> None:
    answers = {"GetTotalEnergyConsumption": 5_000_000, "GetPowerUsage": 70_000}
    tree = gpu(tmp_path, answers)
    meter = find_meter(tree, "cuda")
    assert isinstance(meter, Counter)
    assert meter.name == "energy counter of the GPU (NVML)"
    meter.begin()
    answers["GetTotalEnergyConsumption"] = 5_004_500
    assert meter.end().energy_j == 4.5
    assert find_meter(tree, "cpu") == Missing(NONE)


def test_a_gpu_without_the_counter_is_sampled(tmp_path: Path) -> None:
    meter = find_meter(gpu(tmp_path, {"GetPowerUsage": 70_000}), "cuda:0")
    assert isinstance(meter, Sampler)
    meter.begin()
    power_meter.sleep(0.1)
    drawn = meter.end()
    assert drawn.energy_j == pytest.approx(70.0 * drawn.duration_s)


def test_the_gpu_is_the_one_that_the_worker_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Several(FakeNvml):
        def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802  (NVIDIA's name)
            return number

        def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
            asked.append(handle)
            return 1

    asked: list[int] = []
    tree = SystemRoot(root=tmp_path, nvml=lambda: Several({}))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    find_meter(tree, "cuda:1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    find_meter(tree, "cuda:1")
    assert asked == [5, 1]


@pytest.mark.parametrize(
    "name", ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "MIG-0ec5c3f8-6fd5-5dc6-8d11-b1b2fdbb1d8e"]
)
def test_a_gpu_or_a_part_of_one_is_found_by_its_uuid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Named(FakeNvml):
        def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802  (NVIDIA's name)
            return uuid

        def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
            asked.append(handle)
            return 1

    asked: list[str] = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", name)
    find_meter(SystemRoot(root=tmp_path, nvml=lambda: Named({})), "cuda")
    assert asked == [name]


def absent() -> Any:
    raise ImportError("No module named 'pynvml'")


def test_where_there_is_no_meter_every_reason_is_given(tmp_path: Path) -> None:
    files = virtual(tmp_path)
    assert find_meter(files, "cpu") == Missing(NONE)
    assert find_meter(SystemRoot(root=files.root, nvml=absent), "cuda") == Missing(
        "no power meter: package nvidia-ml-py is not installed; no power rails (INA3221, INA238); "
        "no RAPL"
    )
    told = find_meter(gpu(tmp_path, {}), "cuda")
    assert (
        isinstance(told, Missing) and "the GPU tells neither energy nor power (NVML)" in told.reason
    )


class Engine:
    """Draws 10 W idle and 30 W at work, in told time."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.drawn_j = 0.0

    def rest(self, duration_s: float) -> None:
        self.clock.advance(duration_s)
        self.drawn_j += 10.0 * duration_s

    def speak(self) -> float:
        self.clock.advance(0.8)
        self.drawn_j += 30.0 * 0.8
        return 2.0


def test_idle_is_taken_off_and_the_workload_spoken_whole_for_three_seconds() -> None:
    engine = Engine()
    meter = Counter("counter", [EnergyCounter(read_j=lambda: engine.drawn_j)], engine.clock.seconds)
    found = measure_energy(meter, engine.speak, engine.clock.seconds, engine.rest)
    assert isinstance(found, Energy)
    assert (found.meter, found.idle_w, found.audio_s) == ("counter", pytest.approx(10.0), 8.0)
    assert (found.busy_s, found.energy_j) == (pytest.approx(3.2), pytest.approx(96.0))
    assert energy_per_audio_s(found) == pytest.approx((96.0 - 32.0) / 8.0)


def test_a_meter_that_is_lost_is_a_reason_and_no_number() -> None:
    engine = Engine()
    readings = iter([0.0, 20.0, 20.0, None])
    meter = Counter("counter", [EnergyCounter(read_j=lambda: next(readings))], engine.clock.seconds)
    found = measure_energy(meter, engine.speak, engine.clock.seconds, engine.rest)
    assert found == Missing("counter could not be read any more")


def test_work_that_draws_no_more_than_idle_has_no_energy() -> None:
    drawn = Energy(meter="rail VDD_IN", idle_w=10.0, busy_s=3.0, energy_j=29.7, audio_s=8.0)
    assert energy_per_audio_s(drawn) == Missing(
        "at work no more power than idle: 9.9 W against 10 W (rail VDD_IN)"
    )


@dataclass(frozen=True)
class Ticking(SystemRoot):
    """A machine whose counter goes on by a joule with every look."""

    def number(self, path: str) -> int | None:
        found = super().number(path)
        if found is not None and path.endswith("energy_uj"):
            write(self.root, {path: found + 1_000_000})
        return found


class RealTime(ForwardingTarget):
    """The scripted engine without its clock: it runs in real time."""

    clock = None

    def __init__(self) -> None:
        super().__init__(ScriptedTarget())


@pytest.fixture
def metered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """
    Workers in this process, in real time, on a machine with a counter; gives the commands that they
    were sent.
    """
    monkeypatch.chdir(tmp_path)
    tree = Ticking(root=write(tmp_path / "machine", zone("0", "package-0", 0)).root)
    commands: list[str] = []

    class InProcess:
        def __init__(self, job: Mapping[str, Any], files: Path, *_: object) -> None:
            request = files.with_name(f"{files.name}.request.json")
            documents.write_json(request, job)
            asked = read_job(request)
            self._log = WorkerLog(asked.log)
            self._worker = Worker(asked, self._log, age_s=0.0, tree=tree)

        def do(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
            commands.append(command["do"])
            answer = self._worker.handle(command)
            assert "failed" not in answer, answer
            return answer

        def kill(self) -> None:
            pass

        def close(self) -> None:
            self._log.close()

    monkeypatch.setattr(engine_side, "make_target", lambda name: RealTime())
    monkeypatch.setattr(worker_pool, "WorkerProcess", InProcess)
    monkeypatch.setattr(power_meter, "here", lambda: tree)
    for name, seconds in (("SETTLE_S", 0.0), ("IDLE_S", 0.2), ("BUSY_S", 0.02)):
        monkeypatch.setattr(power_meter, name, seconds)
    return commands


def measured(suite: Suite, folder: Path, **options: Any) -> tuple[Run, Measurement]:
    assert run_suite(suite, suite.expand().cells, PLAIN, folder, **options).complete
    run = run_folder.load_run(folder)
    return run, by_name(aggregate(run, {})["steps-8"])["energy_per_audio_s"]


def test_every_planned_process_tells_its_energy_after_what_is_timed(
    make_suite: Make, tmp_path: Path, metered: list[str]
) -> None:
    added = iter([["steps-8"], []])
    run, found = measured(make_suite(repeats=2), tmp_path / "run", more=lambda rounds: next(added))
    assert [(p.cell, p.repeat) for p in run.processes if p.energy is not None] == [
        ("steps-8", 0),
        ("steps-4", 0),
        ("steps-8", 1),
        ("steps-4", 1),
    ]
    ends = [each for each in metered if each in ("iterate", "energy", "finish")]
    assert ends[-1] == "finish" and ends.count("energy") == 4
    last = {each: len(ends) - ends[::-1].index(each) for each in ("energy", "finish")}
    assert last["energy"] < last["finish"]
    weighed = run.processes[0].energy
    assert isinstance(weighed, Energy)
    assert (weighed.meter, weighed.energy_j) == ("energy counter of the CPU package (RAPL)", 1.0)
    assert math.isclose(weighed.audio_s % 0.2, 0.0, abs_tol=1e-9) or math.isclose(
        weighed.audio_s % 0.2, 0.2, abs_tol=1e-9
    )
    assert (found.unit, found.version) == ("J", "1; energy counter of the CPU package (RAPL)")
    values = [each.value for each in found.values]
    assert [each.repeat for each in found.values] == [0, 1]
    assert all(isinstance(value, float) and value > 0.0 for value in values)
    assert values[0] == energy_per_audio_s(weighed)
    assert found.low is not None and isinstance(found.summary, float) and found.low <= found.summary


def test_without_a_meter_nothing_is_done_and_the_reason_is_noted_once(
    make_suite: Make, tmp_path: Path, metered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power_meter, "here", lambda: virtual(tmp_path / "bare"))
    run, found = measured(make_suite(), tmp_path / "run")
    assert "energy" not in metered
    assert run.environment.power == NONE
    assert [process.energy for process in run.processes] == [None, None]
    assert found.summary == Missing(NONE)
    assert found.values == ()


def test_where_time_is_told_power_has_no_meaning(
    make_suite: Make, tmp_path: Path, metered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_side, "make_target", lambda name: ScriptedTarget())
    run, found = measured(make_suite(), tmp_path / "run")
    assert run.processes[0].energy == Missing("no power: the target tells its own time")
    assert found.summary == Missing("no power: the target tells its own time")
