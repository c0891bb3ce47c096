"""Every check on files that are fit, unfit, and absent."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.harness.machine.trees import (
    CPUS,
    H200,
    STAT,
    agx_orin,
    virtual,
    with_gpu,
    workstation,
    write,
    zone,
)
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.checks.check import CheckResult, CheckState, SystemRoot
from voxgate.harness.machine.doctor import CHECKS, make_check, snapshot

GROUP_2 = {"proc/self/cgroup": "0::/box/mine"}
GROUP_1 = {"proc/self/cgroup": "4:cpu,cpuacct:/box\n0::/", "proc/stat": "cpu 0\ncpu0 0\ncpu1 0"}


def judged(
    name: str, tree: SystemRoot, later: dict[str, object] | None = None, want: str = ""
) -> CheckResult:
    """The answer of one check, with the files that change between its readings."""
    before = snapshot(tree)
    if later:
        write(tree.root, later)
    return make_check(name, want).expect(before, snapshot(tree))


@pytest.mark.parametrize("name", CHECKS)
def test_a_machine_that_tells_nothing_is_never_called_fit(tmp_path: Path, name: str) -> None:
    # to be another device is to be known
    absent = CheckState.UNFIT if name in ("board", "gpu") else CheckState.UNKNOWN
    answer = judged(name, SystemRoot(root=tmp_path))
    assert answer.state is absent
    assert answer.shown, "with the reason"


@pytest.mark.parametrize("name", CHECKS)
def test_every_knob_says_what_it_expects_and_gives_a_command_in_one_line(name: str) -> None:
    kind = CHECKS[name]
    assert kind.expects and kind.advice
    assert "\n" not in kind.expects + kind.advice


def test_an_unknown_knob_is_answered_with_the_known_ones() -> None:
    with pytest.raises(HarnessError, match="unknown check 'cheese'; known are board, power-mode"):
        make_check("cheese")


def test_unreadable_files_are_like_absent_ones(tmp_path: Path) -> None:
    (tmp_path / "proc/loadavg").mkdir(parents=True)  # reading it is an error that even root meets
    assert snapshot(SystemRoot(root=tmp_path)) == {}


@pytest.mark.parametrize(
    ("files", "state", "shown"),
    [
        ({}, CheckState.FIT, "load 0.1 on 2 cores at the start"),
        ({"proc/loadavg": "1.5 0 0 2/99 3"}, CheckState.UNFIT, "load 1.5 on 2 cores at the start"),
        (
            {"proc/loadavg": "1.5 0 0 1/99 3"},
            CheckState.FIT,
            "load 1.5 on 2 cores at the start, of work that has ended",
        ),
        ({"proc/loadavg": "9.5 0 0 1/99 3"}, CheckState.UNFIT, "load 9.5 on 2 cores at the start"),
        (
            {"proc/pressure/cpu": "some avg10=20.00 avg60=0"},
            CheckState.UNFIT,
            "load 0.1 on 2 cores at the start, tasks waited for a CPU in 20 % of the time",
        ),
    ],
)
def test_load(tmp_path: Path, files: dict[str, object], state: CheckState, shown: str) -> None:
    virtual(tmp_path)
    assert judged("load", write(tmp_path, files)) == CheckResult(state=state, shown=shown)


def test_our_own_load_at_the_end_is_not_held_against_the_machine(tmp_path: Path) -> None:
    assert (
        judged("load", virtual(tmp_path), {"proc/loadavg": "2.0 0 0 1/2 3"}).state is CheckState.FIT
    )


@pytest.mark.parametrize(
    ("user", "idle", "stolen", "state", "shown"),
    [
        (200, 800, 1, CheckState.FIT, "1.0 % of the CPU time stolen by the host"),
        (200, 800, 5, CheckState.UNFIT, "4.8 % of the CPU time stolen by the host"),
        (200, 9800, 5, CheckState.UNFIT, "4.8 % of the CPU time stolen by the host"),
        (105, 9800, 1, CheckState.UNKNOWN, "stolen time not known"),
    ],
)
def test_stolen_time_is_counted_of_the_time_that_was_wanted(
    tmp_path: Path, user: int, idle: int, stolen: int, state: CheckState, shown: str
) -> None:
    later = {"proc/stat": STAT.format(user=user, idle=idle, stolen=stolen)}
    assert judged("stolen-time", virtual(tmp_path), later) == CheckResult(state=state, shown=shown)


@pytest.mark.parametrize(
    ("stat", "state"),
    [
        ("2000000000 10000000 9", CheckState.FIT),
        ("2000000000 100000000 9", CheckState.UNFIT),
        ("1010000000 10000000 9", CheckState.UNKNOWN),
    ],
)
def test_waiting_is_counted_of_our_own_work(tmp_path: Path, stat: str, state: CheckState) -> None:
    assert judged("contention", virtual(tmp_path), {"proc/self/schedstat": stat}).state is state


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({**GROUP_2, "sys/fs/cgroup/box/mine/cpu.max": "max 100000"}, "none"),
        ({**GROUP_2, "sys/fs/cgroup/box/mine/cpu.max": "150000 100000"}, 1.5),
        (
            {
                **GROUP_2,
                "sys/fs/cgroup/box/cpu.max": "50000 100000",
                "sys/fs/cgroup/box/mine/cpu.max": "150000 100000",
            },
            0.5,
        ),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "400000 100000"}, 4.0),
        ({**GROUP_1, "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": -1}, "none"),
        (
            {
                **GROUP_1,
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": 50_000,
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": 100_000,
            },
            0.5,
        ),
    ],
)
def test_a_quota_is_found_in_both_versions_and_in_any_group_above(
    tmp_path: Path, files: dict[str, object], quota: object
) -> None:
    virtual(tmp_path)
    tree = write(tmp_path, files)
    assert snapshot(tree)["cpu_quota"] == quota
    below = isinstance(quota, float) and quota < 2
    assert judged("cpu-quota", tree).state is (CheckState.UNFIT if below else CheckState.FIT)


@pytest.mark.parametrize(
    ("group", "path", "before", "after"),
    [
        (
            {**GROUP_2, "sys/fs/cgroup/box/mine/cpu.max": "50000 100000"},
            "sys/fs/cgroup/box/mine/cpu.stat",
            "nr_periods 9\nnr_throttled 3\nthrottled_usec 100000",
            "nr_periods 99\nnr_throttled 43\nthrottled_usec 2100000",
        ),
        (
            {
                **GROUP_1,
                "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": 50_000,
                "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": 100_000,
            },
            "sys/fs/cgroup/cpu/box/cpu.stat",
            "nr_throttled 3\nthrottled_time 100000000",
            "nr_throttled 43\nthrottled_time 2100000000",
        ),
    ],
)
def test_being_stopped_by_a_quota_is_counted_in_both_versions(
    tmp_path: Path, group: dict[str, object], path: str, before: str, after: str
) -> None:
    virtual(tmp_path)
    tree = write(tmp_path, {**group, path: before})
    assert judged("cpu-throttling", tree).shown == "never"
    assert judged("cpu-throttling", tree, {path: after}) == CheckResult(
        state=CheckState.UNFIT, shown="stopped 40 times, 2.0 s in all, by the CPU quota"
    )


def test_a_workstation_as_it_comes_has_a_clock_that_wanders(tmp_path: Path) -> None:
    tree = workstation(tmp_path)
    shown = {
        name: judged(name, tree) for name in ("governor", "turbo", "shared-cores", "frequency")
    }
    assert {name: (answer.state, answer.shown) for name, answer in shown.items()} == {
        "governor": (CheckState.UNFIT, "powersave"),
        "turbo": (CheckState.UNFIT, "on"),
        "shared-cores": (CheckState.UNFIT, "8 CPUs share their core with another"),
        "frequency": (CheckState.FIT, "3.82 of 3.90 GHz"),
    }


def test_set_up_as_advised_it_is_fit(tmp_path: Path) -> None:
    tree = workstation(tmp_path)
    for n in range(8):
        folder = f"{CPUS}/cpu{n}"
        write(
            tmp_path,
            {
                f"{folder}/cpufreq/scaling_governor": "performance",
                f"{folder}/topology/thread_siblings_list": n,
            },
        )
    write(tmp_path, {f"{CPUS}/intel_pstate/no_turbo": 1})
    assert {judged(name, tree).state for name in ("governor", "turbo", "shared-cores")} == {
        CheckState.FIT
    }


def test_one_cpu_with_another_governor_is_noticed(tmp_path: Path) -> None:
    workstation(tmp_path)
    answer = judged(
        "governor", write(tmp_path, {f"{CPUS}/cpu5/cpufreq/scaling_governor": "performance"})
    )
    assert answer == CheckResult(state=CheckState.UNFIT, shown="performance powersave")


def test_where_turbo_is_called_boost_the_command_names_that_file(tmp_path: Path) -> None:
    tree = write(tmp_path, {f"{CPUS}/cpufreq/boost": 1})
    assert judged("turbo", tree).advice == "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
    assert judged("turbo", write(tmp_path, {f"{CPUS}/cpufreq/boost": 0})).state is CheckState.FIT


def test_a_clock_held_down_is_noticed(tmp_path: Path) -> None:
    workstation(tmp_path)
    answer = judged(
        "frequency", write(tmp_path, {f"{CPUS}/cpu0/cpufreq/scaling_cur_freq": 2_100_000})
    )
    assert answer == CheckResult(state=CheckState.UNFIT, shown="2.10 of 3.90 GHz")


@pytest.mark.parametrize(
    ("temp_c", "state"),
    [
        (41.0, CheckState.FIT),
        (94.0, CheckState.FIT),
        (95.0, CheckState.UNFIT),
        (101.0, CheckState.UNFIT),
    ],
)
def test_temperature_is_held_against_the_first_trip_point_that_slows(
    tmp_path: Path, temp_c: float, state: CheckState
) -> None:
    answer = judged(
        "temperature",
        write(tmp_path, {**zone(0, "cpu", temp_c, 100.0), **zone(1, "ssd", 120.0, None)}),
    )
    assert answer == CheckResult(state=state, shown=f"cpu {temp_c:.0f} °C, slowed down at 100 °C")


def test_the_zone_nearest_to_its_trip_point_speaks_and_zones_that_are_off_do_not(
    tmp_path: Path,
) -> None:
    files = {
        **zone(0, "cpu", 60.0, 100.0),
        **zone(1, "cpu", 80.0, 85.0),
        **zone(2, "cv", -256.0, 85.0),
    }
    assert (
        judged("temperature", write(tmp_path, files)).shown == "cpu 1 80 °C, slowed down at 85 °C"
    )


@pytest.mark.parametrize(
    ("before", "after", "state", "shown"),
    [
        ({}, {}, CheckState.FIT, "none in use"),
        (
            {"proc/swaps": "Filename\n/swap file 2048 1024 -2"},
            {},
            CheckState.FIT,
            "1 MiB in swap, none moved",
        ),
        (
            {},
            {"proc/vmstat": "pswpin 3\npswpout 4"},
            CheckState.UNFIT,
            "7 pages moved to or from swap",
        ),
    ],
)
def test_swap_matters_when_pages_move(
    tmp_path: Path,
    before: dict[str, object],
    after: dict[str, object],
    state: CheckState,
    shown: str,
) -> None:
    virtual(tmp_path)
    assert judged("swap", write(tmp_path, before), after) == CheckResult(state=state, shown=shown)


def test_too_little_memory_is_noticed(tmp_path: Path) -> None:
    answer = judged(
        "memory",
        write(tmp_path, {"proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 1000000 kB"}),
    )
    assert answer == CheckResult(state=CheckState.UNFIT, shown="1.0 GiB available")


@pytest.mark.parametrize(
    ("word", "state"),
    [("always", CheckState.FIT), ("madvise", CheckState.FIT), ("never", CheckState.UNFIT)],
)
def test_huge_pages(tmp_path: Path, word: str, state: CheckState) -> None:
    text = " ".join(
        f"[{each}]" if each == word else each for each in ("always", "madvise", "never")
    )
    tree = write(tmp_path, {"sys/kernel/mm/transparent_hugepage/enabled": text})
    assert judged("huge-pages", tree) == CheckResult(state=state, shown=word)


@pytest.mark.parametrize(
    ("libc", "state"),
    [
        ("glibc 2.35", CheckState.FIT),
        ("glibc 2.9", CheckState.UNFIT),
        ("glibc 2.34", CheckState.UNFIT),
        ("glibc 3.0", CheckState.FIT),
        ("", CheckState.UNKNOWN),
    ],
)
def test_glibc_is_new_enough_for_the_tunable(tmp_path: Path, libc: str, state: CheckState) -> None:
    assert judged("glibc", SystemRoot(root=tmp_path, libc=libc)).state is state


GPU_CHECKS = ("gpu-clock", "gpu-power", "gpu-throttling", "gpu-sharing", "gpu-persistence")


@pytest.mark.parametrize(
    ("changes", "unfit"),
    [
        ({}, {}),
        ({"GetClockInfo": 1200}, {"gpu-clock": "1200 of 1980 MHz"}),
        ({"GetEnforcedPowerLimit": 500_000}, {"gpu-power": "500 of 700 W"}),
        (
            {"GetCurrentClocksThrottleReasons": 0x24},
            {"gpu-throttling": "held down by power cap, heat (software)"},
        ),
        (
            {"GetComputeRunningProcesses": [SimpleNamespace(pid=1)]},
            {"gpu-sharing": "1 other processes"},
        ),
        ({"GetComputeRunningProcesses": [SimpleNamespace(pid=os.getpid())]}, {}),
        ({"GetPersistenceMode": 0}, {"gpu-persistence": "off"}),
    ],
)
def test_gpu_settings_that_harm_are_named(
    tmp_path: Path, changes: dict[str, object], unfit: dict[str, str]
) -> None:
    tree = with_gpu(tmp_path, **{**H200, **changes})
    answers = {name: judged(name, tree) for name in GPU_CHECKS}
    assert {
        name: answer.shown for name, answer in answers.items() if answer.state is CheckState.UNFIT
    } == unfit
    assert all(answer.state is not CheckState.UNKNOWN for answer in answers.values())
    assert judged("gpu", tree) == CheckResult(state=CheckState.FIT, shown="NVIDIA H200")


def test_the_clock_of_an_idle_gpu_says_nothing(tmp_path: Path) -> None:
    tree = with_gpu(tmp_path, **{**H200, "GetClockInfo": 345, "GetCurrentClocksThrottleReasons": 1})
    assert judged("gpu-clock", tree) == CheckResult(
        state=CheckState.UNKNOWN, shown="345 of 1980 MHz, idle: the clock at work is not known"
    )


def test_heat_between_two_readings_is_noticed_though_it_is_gone_again(tmp_path: Path) -> None:
    before = snapshot(with_gpu(tmp_path, **H200))
    after = snapshot(
        with_gpu(tmp_path, **{**H200, "GetViolationStatus": SimpleNamespace(violationTime=5)})
    )
    assert (
        make_check("gpu-throttling").expect(before, after).shown == "held down by heat, power cap"
    )


def test_a_gpu_that_refuses_an_answer_is_unknown_in_that_alone(tmp_path: Path) -> None:
    tree = with_gpu(
        tmp_path, **{name: value for name, value in H200.items() if "Power" not in name}
    )
    assert judged("gpu-power", tree) == CheckResult(
        state=CheckState.UNKNOWN, shown="this GPU does not tell"
    )
    assert judged("gpu-clock", tree).state is CheckState.FIT


def test_without_the_optional_package_the_reason_is_given(tmp_path: Path) -> None:
    with_gpu(tmp_path)

    def absent() -> object:
        raise ImportError("No module named 'pynvml'")

    answer = judged("gpu-power", SystemRoot(root=tmp_path, nvml=absent))
    assert answer == CheckResult(
        state=CheckState.UNKNOWN, shown="package nvidia-ml-py is not installed"
    )


def test_without_a_gpu_the_library_is_never_asked(tmp_path: Path) -> None:
    def asked() -> object:
        raise AssertionError("asked")

    assert judged("gpu-power", SystemRoot(root=tmp_path, nvml=asked)).shown == "no NVIDIA GPU"


def test_rails_over_current_and_fan_of_a_board(tmp_path: Path) -> None:
    tree = agx_orin(tmp_path)
    assert (
        judged("rails", tree).shown
        == "VDD_GPU_SOC 6.0 W, VDD_CPU_CV 2.0 W, VIN_SYS_5V0 3.5 W, VDDQ_VDD2_1V8AO 1.0 W"
    )
    assert judged("over-current", tree).shown == "none in between", "seven before are not ours"
    assert judged("fan", tree).shown == "100%"
    later = {
        "sys/class/hwmon/hwmon3/oc3_event_cnt": 9,
        "sys/class/hwmon/hwmon1/curr1_crit_alarm": 1,
    }
    before = snapshot(tree)
    write(tmp_path, {**later, "sys/class/hwmon/hwmon4/pwm1": 0})
    after = snapshot(tree)
    assert make_check("over-current").expect(before, after) == CheckResult(
        state=CheckState.UNFIT, shown="events in between: oc3 2"
    )
    assert make_check("rails").expect(before, after).shown.startswith("1 alarms: VDD_GPU_SOC")
    assert make_check("fan").expect(before, after) == CheckResult(
        state=CheckState.UNFIT, shown="stands still"
    )
