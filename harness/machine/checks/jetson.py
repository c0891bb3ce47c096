"""
Knobs: the clocks of a Jetson. Locked means that lowest, highest and present clock are one, and that this is the mode's cap.

`jetson_clocks` locks at the highest clock of the *active mode*: locked alone is not fast, so the power mode is a knob of its
own. The memory's clock (EMC) stands in debugfs, which only root reads; then the answer is unknown, and never locked.
"""

import re
from collections.abc import Mapping, Sequence

from harness.machine.checks.board import is_jetson
from harness.machine.checks.check import Answer, Facts, Knob, fit, table, unfit, unknown
from harness.machine.checks.cpu import CPUS
from harness.machine.checks.tree import Tree

NEAR = 0.01
"""Clocks within 1 % are one: the present one is counted, and a cap is rounded to a step of the table."""
EMC = "sys/kernel/debug/bpmp/debug/clk/emc"
EMC_CAP = "sys/kernel/nvpmodel_emc_cap/emc_iso_cap"
BANDWIDTH = "sys/class/devfreq/bwmgr"
"""Where Thor shows its memory's clock."""
GPU_NAMES = ("gv11b", "ga10b", "gpu")
GPU_FOLDER = r"[0-9a-f]+\.(gv11b|ga10b|gpu)|gpu-(gpc|nvd)-\d+"
LOCK = "sudo jetson_clocks"


class LockedCpu(Knob):
    """The clocks of all CPUs that are on."""

    expects = "every CPU locked at the mode's cap"
    advice = LOCK

    def read(self, tree: Tree) -> Facts:
        """Read lowest, highest, present and top clock of each CPU."""
        folders = tree.paths(f"{CPUS}/cpu[0-9]*/cpufreq") if is_jetson(tree) else ()
        names = ("scaling_min_freq", "scaling_max_freq", "scaling_cur_freq", "cpuinfo_max_freq")
        clocks = {each.split("/")[-2]: _clocks_hz([tree.number(f"{each}/{name}") for name in names], 1000) for each in folders}
        known = {name: clock for name, clock in clocks.items() if clock}
        return {"cpu_clocks_hz": known} if known else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading."""
        return _locked(after, "cpu_clocks_hz", "cpu", "no CPU clocks of a Jetson")


class LockedGpu(Knob):
    """The clock of the GPU inside the chip."""

    expects = "the GPU locked at the mode's cap"
    advice = LOCK

    def read(self, tree: Tree) -> Facts:
        """Read lowest, highest, present and top clock of each GPU below devfreq."""
        clocks: dict[str, object] = {}
        for folder in tree.paths("sys/class/devfreq/*"):
            node = tree.text(f"{folder}/device/of_node/name")
            name = folder.rpartition("/")[2]
            if node not in GPU_NAMES and not re.fullmatch(GPU_FOLDER, name):
                continue
            steps = (tree.text(f"{folder}/available_frequencies") or "").split()
            top = max((int(step) for step in steps if step.isdigit()), default=None)
            values = [*(tree.number(f"{folder}/{each}_freq") for each in ("min", "max", "cur")), top]
            clocks |= {name: clock} if (clock := _clocks_hz(values, 1)) else {}
        return {"igpu_clocks_hz": clocks} if clocks else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading."""
        return _locked(after, "igpu_clocks_hz", "gpu", "no GPU clocks of a Jetson")


class LockedMemory(Knob):
    """The clock of the memory (EMC)."""

    expects = "the memory locked at the mode's cap"
    advice = LOCK

    def read(self, tree: Tree) -> Facts:
        """Read the clock; lowest counts as highest where the firmware says that the rate is locked."""
        rate, top = tree.number(f"{EMC}/rate"), tree.number(f"{EMC}/max_rate")
        if rate is None:
            values = [tree.number(f"{BANDWIDTH}/{each}_freq") for each in ("min", "max", "cur")]
            clock = _clocks_hz([*values, values[1]], 1)
            return {"emc_clocks_hz": {"bwmgr": clock}} if clock else {}
        cap = tree.number(EMC_CAP) or top
        limit = min(each for each in (cap, top, rate) if each) if not (cap and top) else min(cap, top)
        lowest = limit if tree.number(f"{EMC}/mrq_rate_locked") else tree.number(f"{EMC}/min_rate")
        clock = _clocks_hz([lowest, limit, rate, top], 1)
        return {"emc_clocks_hz": {"emc": clock}} if clock else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading."""
        if not table(after, "emc_clocks_hz"):
            return unknown("the memory's clock is not readable without root", "sudo voxgate doctor --profile PROFILE")
        return _locked(after, "emc_clocks_hz", "emc", "")


def lock_state(tree: Tree) -> str:
    """Say in a word whether CPUs and GPU of a Jetson are locked: `locked`, `unlocked`, `unknown`; `none` on other machines."""
    if not is_jetson(tree):
        return "none"
    facts = {**LockedCpu().read(tree), **LockedGpu().read(tree)}
    known = [table(facts, name) for name in ("cpu_clocks_hz", "igpu_clocks_hz")]
    if not all(known):
        return "unknown"
    return "locked" if all(_is_still(clock) for each in known for clock in each.values()) else "unlocked"


def _clocks_hz(values: Sequence[int | None], scale: int) -> dict[str, int]:
    """Name the four clocks; empty unless all are known."""
    known = [value * scale for value in values if value is not None]
    return dict(zip(("min", "max", "now", "top"), known, strict=True)) if len(known) == 4 else {}


def _locked(facts: Facts, name: str, part: str, absent: str) -> Answer:
    """Judge a group of clocks against the cap of the power mode, or the chip's own where the mode has none."""
    clocks = table(facts, name)
    if not clocks:
        return unknown(absent)
    cap = table(facts, "power_mode_caps_hz").get(part)
    for which, clock in clocks.items():
        if not _is_still(clock):
            return unfit(f"{which} not locked: {_shown(clock)}")
        if not _is_capped(clock, cap):
            return unfit(f"{which} locked below the mode's cap: {_shown(clock)}")
    return fit(f"{', '.join(clocks)} locked at {_shown(next(iter(clocks.values())))}" if len(clocks) < 3 else _several(clocks))


def _several(clocks: Mapping[str, object]) -> str:
    return f"{len(clocks)} locked, {_shown(next(iter(clocks.values())))}"


def _is_still(clock: object) -> bool:
    """Say whether lowest, highest and present clock are one."""
    assert isinstance(clock, Mapping), "clocks are kept by name"
    return all(abs(clock[each] - clock["max"]) <= NEAR * clock["max"] for each in ("min", "now"))


def _is_capped(clock: object, cap: object) -> bool:
    assert isinstance(clock, Mapping), "clocks are kept by name"
    limit = min(float(cap), clock["top"]) if isinstance(cap, int | float) else clock["top"]
    return bool(clock["max"] >= (1 - NEAR) * limit)


def _shown(clock: object) -> str:
    assert isinstance(clock, Mapping), "clocks are kept by name"
    low, high, now = (f"{clock[each] / 1e6:.0f}" for each in ("min", "max", "now"))
    return f"{now} MHz" if low == high == now else f"{now} MHz, free between {low} and {high}"
