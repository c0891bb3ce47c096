"""A whole examination: what counts, the exit code, the words; and which runs are refused."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.machine.trees import (
    CPUS,
    H200,
    agx_orin,
    orin_nano,
    thor,
    virtual,
    with_gpu,
    workstation,
    write,
)
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.checks.check import CheckState, SystemRoot, growth, here
from voxgate.harness.machine.doctor import (
    WORK_S,
    Action,
    Examination,
    Requirement,
    busy,
    examine,
    refuse_unfit,
    snapshot,
)
from voxgate.harness.machine.profiles import get_profile
from voxgate.harness.report.terminal import examination_lines, examination_to_dict

AGX, NANO, GATE, CUDA = "jetson-agx-orin-maxn", "jetson-orin-nano", "cpu-gate", "cuda"
WORKED = {"proc/self/schedstat": "2000000000 1000000 9"}


def examined(
    profile: str, tree: SystemRoot, requirements: Sequence[Requirement] | None = None
) -> Examination:
    """
    An examination during whose work this process got a second of CPU time, and the machine's
    another.
    """
    later = {**WORKED, "proc/stat": (tree.text("proc/stat") or "").replace("cpu  100", "cpu  200")}
    wanted = get_profile(profile).requires if requirements is None else requirements
    modern = replace(tree, libc="glibc 2.39")

    def work() -> None:
        write(tree.root, later)

    return examine(profile, "box", wanted, modern, work)


def against(found: Examination) -> list[str]:
    return [each.requirement.check for each in found.findings if each.counts]


@pytest.mark.parametrize(
    ("profile", "make"),
    [(AGX, agx_orin), (NANO, orin_nano), (GATE, virtual), ("cpu", virtual)],
)
def test_a_machine_set_up_for_its_profile_is_fit(
    tmp_path: Path, profile: str, make: Callable[[Path], SystemRoot]
) -> None:
    found = examined(profile, make(tmp_path))
    assert (against(found), found.exit_code) == ([], 0)
    assert found.line.startswith(f"fit to measure with {profile} (")


def test_a_gpu_that_is_left_alone_is_fit(tmp_path: Path) -> None:
    virtual(tmp_path)
    assert examined(CUDA, with_gpu(tmp_path, **H200)).exit_code == 0


def test_a_workstation_as_it_comes_is_not_fit_to_gate_on(tmp_path: Path) -> None:
    found = examined(GATE, workstation(tmp_path))
    assert against(found) == ["governor", "turbo", "shared-cores"]
    assert found.exit_code == 3
    assert found.line == (
        "not fit to measure with cpu-gate (3 unfit, 11 fit): "
        "governor: powersave; turbo: on; shared-cores: 8 CPUs share their core with another"
    )


@pytest.mark.parametrize(
    ("profile", "make"),
    [(AGX, orin_nano), (NANO, agx_orin), (AGX, thor), (AGX, virtual), (CUDA, workstation)],
)
def test_a_profile_for_another_device_is_wrong_use(
    tmp_path: Path, profile: str, make: Callable[[Path], SystemRoot]
) -> None:
    found = examined(profile, make(tmp_path))
    assert found.exit_code == 2
    assert found.line.startswith(f"profile {profile} is for another device: ")


def test_unknown_counts_where_it_must_be_known_and_only_there(tmp_path: Path) -> None:
    asked = [Requirement(check="temperature"), Requirement(check="governor", known=False)]
    found = examined(GATE, virtual(tmp_path), asked)
    assert against(found) == ["temperature"]
    assert found.exit_code == 3
    assert examined(GATE, virtual(tmp_path), asked[1:]).exit_code == 0


def test_what_counts_comes_first_with_expectation_and_command(tmp_path: Path) -> None:
    lines = examination_lines(examined(AGX, agx_orin(tmp_path, locked=False, mode=2)))
    assert lines[:4] == [
        "profile jetson-agx-orin-maxn  machine box",
        "unfit    power-mode      MODE_30W (2) instead of MAXN",
        "         expected: a power mode that the profile is for, or a run is refused",
        "         sudo nvpmodel -m 0    # MAXN",
    ]
    assert [line.split()[1] for line in lines if line.startswith("unfit")] == [
        "power-mode",
        "cpu-clocks",
        "gpu-clocks",
        "memory-clock",
    ]
    assert [line.split()[0] for line in lines[1:] if not line.startswith(" ")][4:] == ["fit"] * (
        len(lines) - 13
    )


def test_what_is_not_needed_says_so_and_gives_no_command(tmp_path: Path) -> None:
    lines = examination_lines(examined(GATE, virtual(tmp_path)))
    assert (
        "unknown  turbo           no cpufreq: the host or the firmware sets the clock (not needed)"
        in lines
    )
    assert not any("sudo" in line for line in lines)


def test_the_json_holds_every_finding(tmp_path: Path) -> None:
    found = examined(GATE, workstation(tmp_path))
    data = examination_to_dict(found)
    assert (data["fit"], data["exit_code"], data["line"]) == (False, 3, found.line)
    findings = data["findings"]
    assert isinstance(findings, list)
    assert len(findings) == len(get_profile(GATE).requires)
    assert findings[0] == {
        "knob": "governor",
        "state": "unfit",
        "shown": "powersave",
        "expects": "performance on every CPU",
        "advice": "sudo cpupower frequency-set --governor performance",
        "counts": True,
        "action": "mark",
        "want": "",
    }


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (virtual, "board: no Jetson"),
        (orin_nano, "board: NVIDIA Jetson Orin Nano"),
        (
            lambda root: agx_orin(root, mode=2),
            "power-mode: MODE_30W (2) instead of MAXN (expected a power mode",
        ),
        (lambda root: agx_orin(root, locked=False), "cpu-clocks: cpu0 not locked"),
        (lambda root: agx_orin(root, locked=False), "sudo jetson_clocks"),
    ],
)
def test_a_run_that_would_mean_nothing_is_refused_with_knob_value_and_command(
    tmp_path: Path, make: Callable[[Path], SystemRoot], said: str
) -> None:
    tree = make(tmp_path)
    with pytest.raises(
        HarnessError, match=f"this machine is not fit for profile {AGX}: "
    ) as caught:
        refuse_unfit(AGX, get_profile(AGX).requires, tree)
    assert said in str(caught.value)


def test_what_passes_by_itself_refuses_no_run(tmp_path: Path) -> None:
    agx_orin(tmp_path)
    tree = write(
        tmp_path, {"proc/loadavg": "30.0 0 0 1/2 3", "sys/class/thermal/thermal_zone0/temp": 98_000}
    )
    refuse_unfit(AGX, get_profile(AGX).requires, tree)
    assert against(examined(AGX, tree)) == ["load", "temperature"]


def test_the_profiles_of_shared_machines_refuse_nothing(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"proc/loadavg": "30.0 0 0 1/2 3", f"{CPUS}/cpu0/cpufreq/scaling_governor": "powersave"},
    )
    for name in ("cpu", GATE, CUDA):
        assert all(each.action is Action.MARK for each in get_profile(name).requires)
        refuse_unfit(name, get_profile(name).requires, SystemRoot(root=tmp_path))


def test_the_doctor_works_on_the_cpu_that_it_is_told_and_gives_the_others_back() -> None:
    allowed, before = os.sched_getaffinity(0), snapshot(here())
    busy(max(allowed))
    worked_s = growth(before, snapshot(here()), "own_work_s")
    assert os.sched_getaffinity(0) == allowed
    assert worked_s is not None and 0 < worked_s <= 2 * WORK_S


def test_this_machine_can_be_examined() -> None:
    found = examine(GATE, "here", get_profile(GATE).requires, here(), lambda: None)
    states = {each.requirement.check: each.answer.state for each in found.findings}
    assert states["load"] is not CheckState.UNKNOWN
    assert states["memory"] is not CheckState.UNKNOWN
