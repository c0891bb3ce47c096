import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.machine.trees import CPUS, agx_orin, orin_nano, thor, virtual, workstation, write
from voxgate.harness.cli.main import invoke
from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.machine.identity import (
    NO_COMMIT,
    comparable,
    load_snapshot,
    machine,
    toolchain,
)

CPUINFO = """processor\t: {n}
cpu family\t: 6
model\t\t: {model}
model name\t: {name}
stepping\t: 1
"""


def tree(
    root: Path,
    *,
    name: str = "Intel(R) Xeon(R) Processor",
    model: int = 167,
    cores: int = 2,
    mem_kb: int = 24_641_536,
) -> Path:
    (root / "proc").mkdir(parents=True)
    blocks = [CPUINFO.format(n=n, model=model, name=name) for n in range(cores)]
    (root / "proc/cpuinfo").write_text("\n".join(blocks))
    (root / "proc/meminfo").write_text(f"MemTotal:       {mem_kb} kB\n")
    return root


def add_gpu(root: Path, name: str) -> Path:
    folder = root / "proc/driver/nvidia/gpus/0000:00:05.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 24\n")
    return root


def test_a_machine_has_a_readable_name_that_stays(tmp_path: Path) -> None:
    first, again = (machine(tree(tmp_path / name)) for name in "ab")
    assert first == again
    assert str(first["id"]).startswith("xeon-2c-24g-")


def test_a_kernel_that_keeps_more_memory_is_the_same_machine(tmp_path: Path) -> None:
    a, b = machine(tree(tmp_path / "a")), machine(tree(tmp_path / "b", mem_kb=24_500_000))
    assert comparable(a, b) == ()
    assert a["id"] == b["id"]


def test_every_difference_that_matters_is_named(tmp_path: Path) -> None:
    a = machine(tree(tmp_path / "a"))
    b = machine(add_gpu(tree(tmp_path / "b", model=143, cores=4, mem_kb=8_000_000), "NVIDIA H200"))
    assert comparable(a, b) == (
        "cpu_model Intel(R) Xeon(R) Processor (6/167/1) against Intel(R) Xeon(R) Processor "
        "(6/143/1)",
        "cores 2 against 4",
        "ram_gib 24 against 8",
        "gpus none against NVIDIA H200",
    )
    assert str(b["id"]).startswith("xeon-4c-8g-h200-")


def test_another_governor_is_another_machine(tmp_path: Path) -> None:
    a, root = machine(tree(tmp_path / "a")), tree(tmp_path / "b")
    write(root, {f"{CPUS}/cpu0/cpufreq/scaling_governor": "powersave"})
    assert comparable(a, machine(root)) == ("governor none against powersave",)


@pytest.mark.parametrize("make", [agx_orin, orin_nano, thor, workstation, virtual])
def test_a_reboot_and_an_update_leave_the_machine_what_it_was(
    tmp_path: Path, make: Callable[[Path], SystemRoot]
) -> None:
    before = machine(make(tmp_path).root)
    passing = {
        "proc/loadavg": "9.9 9.9 9.9 9/999 99",
        "proc/stat": "cpu  1 0 0 1 0 0 0 0 0 0\n",
        "proc/uptime": "5.0 1.0",
        "proc/vmstat": "pswpin 7\npswpout 7",
        "proc/cpuinfo": (tmp_path / "proc/cpuinfo")
        .read_text()
        .replace("stepping", "cpu MHz\t\t: 2599.998\nstepping"),
        "sys/class/thermal/thermal_zone0/temp": 70_000,
        "sys/class/hwmon/hwmon3/oc1_event_cnt": 0,
        "sys/kernel/debug/bpmp/debug/clk/emc/rate": None,  # not everybody is root
        "etc/nv_tegra_release": "# R36 (release), REVISION: 4.4, GCID: 1"
        if make is agx_orin
        else None,
    }
    assert machine(write(tmp_path, passing).root) == before


def test_six_machines_have_six_names(tmp_path: Path) -> None:
    roots = {
        "locked": agx_orin(tmp_path / "locked").root,
        "unlocked": agx_orin(tmp_path / "unlocked", locked=False).root,
        "nano": orin_nano(tmp_path / "nano").root,
        "thor": thor(tmp_path / "thor").root,
        "metal": workstation(tmp_path / "metal").root,
        "virtual": virtual(tmp_path / "virtual").root,
    }
    ids = {name: str(machine(root)["id"]) for name, root in roots.items()}
    assert len(set(ids.values())) == 6
    assert {name: id_.rpartition("-")[0] for name, id_ in ids.items()} == {
        "locked": "jetson-agx-orin-12c-60g",
        "unlocked": "jetson-agx-orin-12c-60g",
        "nano": "jetson-orin-nano-6c-8g",
        "thor": "jetson-agx-thor-14c-120g",
        "metal": "xeon-8c-62g",
        "virtual": "xeon-2c-24g",
    }


def test_locks_and_power_modes_of_a_board_are_named(tmp_path: Path) -> None:
    a = machine(agx_orin(tmp_path / "a").root)
    b = machine(agx_orin(tmp_path / "b", locked=False, mode=2).root)
    assert comparable(a, b) == (
        "power_mode MAXN (0) against MODE_30W (2)",
        "clocks locked against unlocked",
        "cpu_limit_mhz none against 1728",
        "gpu_limit_mhz none against 625",
    )


def test_bare_metal_and_virtual_differ_in_what_one_hides(tmp_path: Path) -> None:
    a, b = machine(workstation(tmp_path / "a").root), machine(virtual(tmp_path / "b").root)
    assert (a["hypervisor"], b["hypervisor"]) == ("none", "yes")
    assert (a["cpu_max_mhz"], a["cache_kib"], a["board"]) == (
        3900,
        8448,
        "Dell Inc. Precision 5820 Tower",
    )
    assert (b["cpu_max_mhz"], b["cache_kib"], b["board"]) == (0, 0, "none")


def test_a_quota_and_huge_pages_make_another_machine(tmp_path: Path) -> None:
    a = machine(virtual(tmp_path / "a").root)
    virtual(tmp_path / "b")
    pages = "sys/kernel/mm/transparent_hugepage/enabled"
    b = machine(
        write(
            tmp_path / "b",
            {"sys/fs/cgroup/cpu.max": "150000 100000", pages: "always madvise [never]"},
        ).root
    )
    assert comparable(a, b) == ("cpu_quota none against 1.5", "huge_pages madvise against never")


def test_a_machine_that_tells_nothing_still_has_a_name(tmp_path: Path) -> None:
    assert machine(tmp_path)["id"]
    assert load_snapshot(tmp_path) == {}


def test_a_snapshot_holds_what_the_knobs_read(tmp_path: Path) -> None:
    facts = load_snapshot(agx_orin(tmp_path).root)
    assert json.loads(json.dumps(facts)) == facts, "a run's header keeps it"
    assert (facts["load_1min"], facts["ticks"], facts["stolen_ticks"], facts["cores"]) == (
        0.1,
        950,
        0,
        12,
    )
    assert facts["over_current_events"] == {"oc1": 7, "oc2": 7, "oc3": 7}
    assert facts["temperatures_c"] == {"cpu-thermal": 48.5, "gpu-thermal": 45.0}


def git(folder: Path, *arguments: str) -> None:
    identity = (
        "-c",
        "user.name=n",
        "-c",
        "user.email=e@example.org",
        "-c",
        "init.defaultBranch=main",
    )
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_repository_that_git_refuses_is_no_folder_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    assert NO_COMMIT not in toolchain(tmp_path)
    git(tmp_path, "init", "--quiet")
    assert str(toolchain(tmp_path)[NO_COMMIT]).endswith(": the repository has none yet")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = toolchain(tmp_path)
    assert found["commit"] == "none"
    assert "dubious ownership" in str(found[NO_COMMIT])
    monkeypatch.chdir(tmp_path)
    assert invoke(["run", "no-such-suite"]) == 2
    assert "dubious ownership" in capsys.readouterr().err


def test_the_toolchain_tells_the_commit_and_what_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert toolchain(tmp_path)["commit"] == "none"
    git(tmp_path, "init")
    (tmp_path / "a.py").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = toolchain(tmp_path)
    assert (clean["branch"], clean["dirty_files"], clean["changes"]) == ("main", 0, "none")
    assert len(str(clean["commit"])) == 7
    (tmp_path / "a.py").write_text("2\n")
    two = toolchain(tmp_path)
    (tmp_path / "a.py").write_text("3\n")
    three = toolchain(tmp_path)
    assert two["dirty_files"] == three["dirty_files"] == 1
    assert two["changes"] != three["changes"]


def test_the_toolchain_names_versions_without_importing() -> None:
    tools = toolchain()
    assert {"python", "numpy", "torch", "kernel"} <= set(tools)


def test_drivers_and_the_boards_system_belong_to_the_toolchain(tmp_path: Path) -> None:
    agx_orin(tmp_path)
    module = (
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Fri Jan 24 02:32:39 UTC 2025"
    )
    cuda = '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}, "other": {"version": "1.0"}}'
    write(tmp_path, {"proc/driver/nvidia/version": module, "usr/local/cuda/version.json": cuda})
    tools = toolchain(root=tmp_path)
    assert (tools["l4t"], tools["nvidia_driver"], tools["cuda"]) == (
        "36.4.3",
        "570.86.15",
        "12.6.11",
    )
    assert "l4t" not in machine(tmp_path)
