"""The clocks and power modes of Jetson boards: locked is not fast, and unreadable is not locked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.machine.trees import (
    CPUS,
    EMC,
    agx_orin,
    orin_nano,
    thor,
    virtual,
    workstation,
    write,
)
from voxgate.harness.machine.checks.check import CheckResult, CheckState, SystemRoot
from voxgate.harness.machine.checks.jetson import lock_state
from voxgate.harness.machine.doctor import make_check, snapshot

Make = Callable[[Path], SystemRoot]
LOCKS = ("cpu-clocks", "gpu-clocks", "memory-clock")


def judged(name: str, tree: SystemRoot, want: str = "") -> CheckResult:
    facts = snapshot(tree)
    return make_check(name, want).expect(facts, facts)


def states(tree: SystemRoot) -> list[str]:
    return [judged(name, tree).state.value for name in LOCKS]


def test_a_locked_board_is_locked_in_cpu_gpu_and_memory(tmp_path: Path) -> None:
    tree = agx_orin(tmp_path)
    assert states(tree) == ["fit", "fit", "fit"]
    assert lock_state(tree) == "locked"


def test_an_unlocked_board_says_between_what_its_clocks_move(tmp_path: Path) -> None:
    tree = agx_orin(tmp_path, locked=False)
    assert [judged(name, tree).shown for name in LOCKS] == [
        "cpu0 not locked: 1190 MHz, free between 730 and 2202",
        "17000000.ga10b not locked: 306 MHz, free between 306 and 1300",
        "emc not locked: 2133 MHz, free between 204 and 3199",
    ]
    assert lock_state(tree) == "unlocked"


def test_a_smaller_mode_is_locked_at_its_own_cap_and_is_the_wrong_mode(tmp_path: Path) -> None:
    tree = agx_orin(tmp_path, mode=2)
    assert states(tree) == ["fit", "fit", "fit"]
    answer = judged("power-mode", tree, "MAXN")
    assert answer == CheckResult(
        state=CheckState.UNFIT,
        shown="MODE_30W (2) instead of MAXN",
        advice="sudo nvpmodel -m 0    # MAXN",
    )


def test_clocks_pinned_below_the_cap_are_not_called_locked(tmp_path: Path) -> None:
    agx_orin(tmp_path)
    names = ("scaling_min_freq", "scaling_max_freq", "scaling_cur_freq")
    tree = write(tmp_path, {f"{CPUS}/cpu7/cpufreq/{name}": 1_500_000 for name in names})
    assert judged("cpu-clocks", tree).shown == "cpu7 locked below the mode's cap: 1500 MHz"


def test_a_clock_that_dropped_under_load_is_noticed(tmp_path: Path) -> None:
    agx_orin(tmp_path)
    tree = write(tmp_path, {"sys/class/devfreq/17000000.ga10b/cur_freq": 1_000_000_000})
    assert judged("gpu-clocks", tree).state is CheckState.UNFIT


def test_what_only_root_can_read_is_unknown_and_not_locked(tmp_path: Path) -> None:
    agx_orin(tmp_path)
    tree = write(
        tmp_path,
        {f"{EMC}/{name}": None for name in ("rate", "max_rate", "min_rate", "mrq_rate_locked")},
    )
    answer = judged("memory-clock", tree)
    assert (answer.state, answer.advice) == (
        CheckState.UNKNOWN,
        "sudo voxgate doctor --profile PROFILE",
    )


def test_a_rate_below_the_highest_is_not_locked_fast(tmp_path: Path) -> None:
    agx_orin(tmp_path)
    assert (
        judged("memory-clock", write(tmp_path, {f"{EMC}/rate": 665_600_000})).state
        is CheckState.UNFIT
    )


@pytest.mark.parametrize(
    ("mode", "state", "shown"),
    [
        (1, "fit", "25W (1)"),
        (0, "fit", "15W (0)"),
        (3, "unfit", "7W (3) instead of 25W|MAXN_SUPER|15W"),
    ],
)
def test_orin_nano_has_modes_of_its_own(tmp_path: Path, mode: int, state: str, shown: str) -> None:
    tree = orin_nano(tmp_path, mode=mode)
    answer = judged("power-mode", tree, "25W|MAXN_SUPER|15W")
    assert (answer.state.value, answer.shown) == (state, shown)
    assert judged("cpu-clocks", tree).state is CheckState.FIT, "each mode has its cap"


def test_thor_has_other_names_for_everything(tmp_path: Path) -> None:
    tree = thor(tmp_path)
    assert states(tree) == ["fit", "fit", "fit"]
    assert judged("rails", tree).shown == "VIN 28.5 W"
    assert judged("board", tree, "p3834").state is CheckState.FIT


@pytest.mark.parametrize(
    ("make", "fits"),
    [
        (agx_orin, "p3701"),
        (orin_nano, "p3767-000[345]"),
        (thor, "p3834"),
        (workstation, None),
        (virtual, None),
    ],
)
def test_a_board_is_known_by_its_module(tmp_path: Path, make: Make, fits: str | None) -> None:
    tree = make(tmp_path)
    patterns = ("p3701", "p3767-000[345]", "p3834")
    assert [
        pattern for pattern in patterns if judged("board", tree, pattern).state is CheckState.FIT
    ] == ([fits] if fits else [])


def test_an_orin_nx_is_no_orin_nano(tmp_path: Path) -> None:
    orin_nano(tmp_path)
    nx = {
        "nvidia,dtsfilename": "tegra234-p3768-0000+p3767-0000-nv.dts",
        "compatible": "nvidia,p3768-0000+p3767-0000",
    }
    tree = write(tmp_path, {f"proc/device-tree/{name}": value for name, value in nx.items()})
    assert judged("board", tree, "p3767-000[345]").state is CheckState.UNFIT


def test_a_mode_that_was_never_set_is_unknown(tmp_path: Path) -> None:
    agx_orin(tmp_path)
    tree = write(tmp_path, {"var/lib/nvpmodel/status": None})
    assert judged("power-mode", tree, "MAXN").state is CheckState.UNKNOWN


def test_a_workstation_has_no_lock_to_speak_of(tmp_path: Path) -> None:
    tree = workstation(tmp_path)
    assert states(tree) == ["unknown", "unknown", "unknown"]
    assert lock_state(tree) == "none"
