"""What the kernel says disturbed an iteration, and the rule for what counts."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import sample
from voxgate.harness.machine.interference import (
    STOLEN_SHARE,
    WAITED_SHARE,
    DisturbanceWatch,
    interference_causes,
)

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
STAT = (
    "cpu  9 0 0 0 0 0 0 9 0 0\ncpu0 5 0 0 0 0 0 0 {first} 0 0\ncpu1 5 0 0 0 0 0 0 {second} 0 0\n"
    "intr 1 2 3\n"
)


def kernel(
    root: Path,
    *,
    waits_ns: dict[int, int],
    switches: int = 0,
    steal: tuple[int, int] = (0, 0),
    faults: int = 0,
) -> None:
    """
    Writes what /proc shows of a process with some threads; its name holds a bracket and a space, as
    names may.
    """
    fields = ["S", *map(str, range(4, 12)), str(faults), *map(str, range(13, 20))]
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/stat").write_text(f"77 (odd) name) {' '.join(fields)}\n")
    (root / "proc/stat").write_text(STAT.format(first=steal[0], second=steal[1]))
    for thread, wait_ns in waits_ns.items():
        folder = root / f"proc/self/task/{thread}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schedstat").write_text(f"123456 {wait_ns} 9\n")
        (folder / "status").write_text(
            f"Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t{switches}\n"
        )


def test_what_grew_in_between_is_given_of_the_worst_thread_and_cpu(tmp_path: Path) -> None:
    watch = DisturbanceWatch(tmp_path)
    kernel(tmp_path, waits_ns={1: 1_000, 2: 5_000_000}, switches=3, steal=(10, 10), faults=4)
    watch.start()
    kernel(
        tmp_path,
        waits_ns={1: 7_000_000 + 1_000, 2: 8_000_000, 3: 2_000_000},
        switches=5,
        steal=(11, 13),
        faults=6,
    )
    found = watch.stop()
    assert found == pytest.approx(
        {"waited_s": 0.007, "preempted": 2 + 2 + 5, "stolen_s": 3 * TICK_S, "major_faults": 2}
    )


def test_of_a_pinned_process_only_its_own_cpu_matters(tmp_path: Path) -> None:
    watch = DisturbanceWatch(tmp_path, cpu=0)
    kernel(tmp_path, waits_ns={1: 0}, steal=(10, 10))
    watch.start()
    kernel(tmp_path, waits_ns={1: 0}, steal=(10, 50))
    assert watch.stop()["stolen_s"] == 0.0


def test_a_system_that_tells_nothing_leaves_nothing(tmp_path: Path) -> None:
    watch = DisturbanceWatch(tmp_path)
    watch.start()
    assert watch.stop() == {}


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel keeps no schedstat"
)
def test_this_kernel_tells_of_this_process() -> None:
    watch = DisturbanceWatch()
    watch.start()
    found = watch.stop()
    assert set(found) == {"waited_s", "preempted", "stolen_s", "major_faults"}
    assert all(value >= 0 for value in found.values())


@pytest.mark.parametrize(
    ("disturbance", "expected"),
    [
        ({}, ()),
        (
            {
                "waited_s": WAITED_SHARE * 0.5,
                "stolen_s": STOLEN_SHARE * 0.5,
                "major_faults": 0,
                "preempted": 9,
            },
            (),
        ),
        ({"waited_s": WAITED_SHARE * 0.51}, ("waited for the CPU",)),
        ({"stolen_s": STOLEN_SHARE * 0.51}, ("lost CPU time to the host",)),
        ({"waited_s": 0.2, "major_faults": 1}, ("waited for the CPU", "read pages from disk")),
    ],
)
def test_the_rule(disturbance: dict[str, float], expected: tuple[str, ...]) -> None:
    half_a_second = replace(sample("nfe-8", 0, 0, 0.5, 1.0, {}), disturbance=disturbance)
    assert interference_causes(half_a_second) == expected
