import subprocess
from pathlib import Path

import pytest

from harness.environment import comparable, load_snapshot, machine, stolen_share, toolchain

CPUINFO = """processor\t: {n}
cpu family\t: 6
model\t\t: {model}
model name\t: {name}
stepping\t: 1
"""


def tree(
    root: Path, *, name: str = "Intel(R) Xeon(R) Processor", model: int = 167, cores: int = 2, mem_kb: int = 24_641_536
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
        "cpu_model Intel(R) Xeon(R) Processor (6/167/1) against Intel(R) Xeon(R) Processor (6/143/1)",
        "cores 2 against 4",
        "ram_gib 24 against 8",
        "gpus none against NVIDIA H200",
    )
    assert str(b["id"]).startswith("xeon-4c-8g-h200-")


def test_another_power_mode_is_another_machine(tmp_path: Path) -> None:
    a, root = machine(tree(tmp_path / "a")), tree(tmp_path / "b")
    governor = root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    governor.parent.mkdir(parents=True)
    governor.write_text("powersave\n")
    assert comparable(a, machine(root)) == ("power_mode none against powersave",)


def test_a_machine_that_tells_nothing_still_has_a_name(tmp_path: Path) -> None:
    assert machine(tmp_path)["id"]
    assert load_snapshot(tmp_path) == {}


def test_the_stolen_share_is_that_between_two_snapshots(tmp_path: Path) -> None:
    root = tree(tmp_path / "a")
    (root / "proc/loadavg").write_text("0.52 0.58 0.59 1/467 12345\n")
    (root / "proc/stat").write_text("cpu  100 0 50 800 0 0 0 50 0 0\n")
    before = load_snapshot(root)
    (root / "proc/stat").write_text("cpu  150 0 50 825 0 0 0 75 7 0\n")
    assert before["load_1min"] == 0.52
    assert stolen_share(before, load_snapshot(root)) == 0.25
    assert stolen_share({}, before) is None


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_toolchain_tells_the_commit_and_what_changed_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
