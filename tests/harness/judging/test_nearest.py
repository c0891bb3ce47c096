"""A machine whose name changed: what it is held against, what is said of it, and how to go on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fake_runs import good_run, judged, make_scores, with_audio
from tests.harness.machine.trees import (
    H200,
    agx_orin,
    gpu_clock,
    orin_nano,
    virtual,
    with_gpu,
    workstation,
    write,
)
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.judging.accept import accept
from voxgate.harness.judging.baseline import machine_id
from voxgate.harness.judging.nearest import baseline_of
from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.machine.checks.limits import NAMES
from voxgate.harness.machine.identity import comparable, machine, machine_of, unrecorded
from voxgate.harness.records.environment import Machine, RunEnvironment, Toolchain
from voxgate.harness.records.run import Run
from voxgate.harness.records.verdict import RunVerdict, Verdict


def on(facts: dict[str, object], folder: Path | str) -> Run:
    return replace(
        good_run(folder),
        environment=RunEnvironment(
            machine=Machine(
                id=str(facts["id"]), facts={n: v for n, v in facts.items() if n != "id"}
            ),
            toolchain=Toolchain(commit="3fa1c2e", dirty_files=0),
        ),
    )


def accepted_on(facts: dict[str, object], tmp_path: Path) -> Path:
    run = with_audio(on(facts, tmp_path / "runs/0001"))
    accept(run, aggregate(run, make_scores(run)), "first", tmp_path / "baselines")
    return tmp_path / "baselines"


def judged_on(facts: dict[str, object], baselines: Path) -> RunVerdict:
    run = on(facts, "runs/0002")
    return judged(run, baseline_of(baselines, run))


def old(facts: dict[str, object]) -> dict[str, object]:
    """The machine as a voxgate recorded it that did not look at limits."""
    kept = {name: value for name, value in facts.items() if name not in (*NAMES, "former_id")}
    return {**kept, "id": facts.get("former_id", facts["id"])}


def super_nano(root: Path) -> SystemRoot:
    """The same board and mode with the older firmware: its GPU ends at 624 MHz."""
    tree = orin_nano(root)
    return write(
        tree.root,
        gpu_clock(
            "17000000.gpu", "gpu", 918_000_000, 918_000_000, 918_000_000, "306000000 624750000"
        ),
    )


def test_boards_of_624_and_1020_mhz_are_two_machines(tmp_path: Path) -> None:
    a, b = machine(orin_nano(tmp_path / "a").root), machine(super_nano(tmp_path / "b").root)
    assert comparable(a, b) == ("gpu_top_mhz 1020 against 625",)
    assert a["id"] != b["id"]


@pytest.mark.parametrize("make", [virtual, workstation])
def test_a_machine_on_which_nothing_is_limited_keeps_its_name(
    tmp_path: Path, make: Callable[[Path], SystemRoot]
) -> None:
    found = machine(make(tmp_path).root)
    assert "former_id" not in found and set(NAMES) <= set(found)


def test_a_limit_of_the_cpu_is_another_machine_and_says_so(tmp_path: Path) -> None:
    a = machine(workstation(tmp_path / "a").root)
    tree = workstation(tmp_path / "b")
    cpu = "sys/devices/system/cpu"
    limited = {f"{cpu}/cpu{n}/cpufreq/scaling_max_freq": 2_000_000 for n in range(8)}
    b = machine(write(tree.root, limited).root)
    assert comparable(a, b) == ("cpu_limit_mhz none against 2000",)
    assert b["former_id"] == a["id"] != b["id"]


NVML: dict[str, Any] = {**H200, "GetPowerManagementLimit": 700_000}


def test_a_power_limit_and_a_part_of_a_gpu_are_other_machines(tmp_path: Path) -> None:
    whole = machine_of(with_gpu(virtual(tmp_path / "a").root, **NVML))
    capped = machine_of(
        with_gpu(virtual(tmp_path / "b").root, **{**NVML, "GetPowerManagementLimit": 500_000})
    )
    answers = {
        **NVML,
        "IsMigDeviceHandle": False,
        "GetMigMode": (1, 1),
        "GetMigDeviceHandleByIndex": "part",
    }
    part = machine_of(
        with_gpu(virtual(tmp_path / "c").root, **answers, GetName="NVIDIA H200 MIG 1g.18gb")
    )
    assert comparable(whole, capped) == ("gpu_power_limit_w 700 against 500",)
    assert comparable(whole, part) == ("mig none against 1g.18gb",)
    assert len({whole["id"], capped["id"], part["id"]}) == 3 and "-h200-1g.18gb-" in str(part["id"])
    assert (whole["gpu_top_mhz"], whole["gpu_memory_top_mhz"]) == (1980, 1980)


def test_a_name_does_not_hang_on_an_optional_package(tmp_path: Path) -> None:
    asked = machine_of(with_gpu(virtual(tmp_path).root, **NVML))
    without = machine_of(replace(with_gpu(tmp_path, **NVML), nvml=None))
    assert asked["id"] == without["id"] and comparable(asked, without) == ()
    assert unrecorded(asked, without) == (
        "gpu_top_mhz",
        "gpu_limit_mhz",
        "gpu_memory_top_mhz",
        "gpu_power_limit_w",
        "mig",
    )


def test_a_baseline_of_an_older_voxgate_still_holds_and_is_noticed(tmp_path: Path) -> None:
    facts = machine(agx_orin(tmp_path / "board").root)
    found = judged_on(facts, accepted_on(old(facts), tmp_path))
    assert facts["former_id"] != facts["id"] and found.verdict is Verdict.PASS
    (reference,) = [cell for cell in found.cells if cell.cell == "nfe-32"]
    (told,) = [notice for notice in reference.notices if "of the machine" in notice]
    assert told.startswith("gpu_top_mhz of the machine is recorded by one of baseline and run only")
    assert 'voxgate accept runs/0002 --only speed --why "..."' in told
    others = [text for cell in found.cells if cell.cell != "nfe-32" for text in cell.notices]
    assert not any("of the machine" in text for text in others), "it is said once"


def test_a_baseline_of_an_older_voxgate_on_a_machine_without_limits_says_nothing(
    tmp_path: Path,
) -> None:
    facts = machine(virtual(tmp_path / "box").root)
    found = judged_on(facts, accepted_on(old(facts), tmp_path))
    notices = [text for cell in found.cells for text in cell.notices]
    assert found.verdict is Verdict.PASS and not any("of the machine" in text for text in notices)


def test_a_board_in_another_power_mode_is_incomparable_and_the_way_on_is_told(
    tmp_path: Path,
) -> None:
    baselines = accepted_on(machine(agx_orin(tmp_path / "a").root), tmp_path)
    facts = machine(agx_orin(tmp_path / "b", mode=2).root)
    found = judged_on(facts, baselines)
    assert found.verdict is Verdict.INCOMPARABLE and found.exit_code == 3
    reason = found.cells[0].reason
    assert "power_mode MAXN (0) against MODE_30W (2)" in reason
    assert (
        'set it back, or accept it as it is: voxgate accept runs/0002 --only speed --why "..."'
        in reason
    )


def test_another_machine_has_no_baseline_as_ever(tmp_path: Path) -> None:
    baselines = accepted_on(machine(workstation(tmp_path / "a").root), tmp_path)
    assert (
        judged_on(machine(virtual(tmp_path / "b").root), baselines).verdict is Verdict.NO_BASELINE
    )


def test_its_own_baseline_comes_first_and_a_broken_neighbour_hinders_nobody(tmp_path: Path) -> None:
    facts = machine(agx_orin(tmp_path / "a").root)
    baselines = accepted_on(facts, tmp_path)
    own = baselines / "smoke" / f"speed@{facts['id']}.json"
    (baselines / "smoke" / "speed@jetson-agx-orin-12c-60g-000000.json").write_text("{")
    run = on(facts, "runs/0002")
    speed = baseline_of(baselines, run).speed
    assert speed is not None and speed.machine == facts["id"]
    own.rename(own.with_name("away"))
    assert baseline_of(baselines, run).speed is None


def test_machines_whose_names_lose_something_in_a_file_name_keep_apart() -> None:
    names = ("Orin A", "orin-a", "ORIN-A", "orin a", "../orin", "x" * 300, "x" * 301)
    found = [machine_id(on({"id": name}, "runs/0001")) for name in names]
    assert len(set(found)) == len(names) and found[1] == "orin-a"
    assert machine_id(on({"id": found[0]}, "runs/0001")) != found[0]
