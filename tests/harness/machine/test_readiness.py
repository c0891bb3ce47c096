"""A busy machine is told before anything is measured."""

from pathlib import Path

from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.machine.readiness import disturbance


def write_machine(root: Path, load: str, ticks: dict[int, tuple[str, int]]) -> SystemRoot:
    files = {"loadavg": f"{load} 1 1 3/99 7", "stat": "cpu 1\ncpu0 1\ncpu1 1\n"}
    for pid, (name, used) in ticks.items():
        files[f"{pid}/stat"] = f"{pid} ({name}) R 1 1 1 0 -1 4 9 0 0 0 {used} 0 0 0 20 0 1 0 5 6"
    for name, content in files.items():
        (root / "proc" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "proc" / name).write_text(content)
    return SystemRoot(root=root)


def test_a_quiet_machine_needs_no_word_and_no_waiting(tmp_path: Path) -> None:
    tree = write_machine(tmp_path, "0.10", {})
    assert disturbance(tree, lambda duration_s: 1 / 0) == ""


def test_a_busy_machine_names_its_load_the_processes_and_what_to_do(tmp_path: Path) -> None:
    before = {7_000_001: ("a (b) c", 100), 7_000_002: ("idle", 100), 7_000_003: ("\x1b[31m", 0)}
    tree = write_machine(tmp_path, "6.50", before)
    after = {7_000_001: ("a (b) c", 124), 7_000_002: ("idle", 101), 7_000_003: ("\x1b[31m", 10)}
    told = disturbance(tree, lambda duration_s: write_machine(tmp_path, "6.50", after) and None)
    assert "load 6.5 on 2 cores" in told
    assert "a (b) c (pid 7000001) 96 % of a CPU, ?[31m (pid 7000003) 40 % of a CPU);" in told
    assert "idle" not in told and "voxgate doctor" in told


def test_a_system_that_does_not_tell_its_load_is_not_called_busy(tmp_path: Path) -> None:
    assert disturbance(SystemRoot(root=tmp_path)) == ""
