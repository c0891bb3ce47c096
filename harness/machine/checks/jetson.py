"""
Checks: the clocks of a Jetson. Locked means that lowest, highest and present clock are one, and
that this is the mode's cap.

`jetson_clocks` locks at the highest clock of the *active mode*: locked alone is not fast, so the
power mode is a check of its own. The memory's clock (EMC) stands in debugfs, which only root reads;
then the answer is unknown, and never locked.

Check: the power mode of a Jetson. Its number from nvpmodel's status, its name and its caps on
clocks from nvpmodel's table.

Both files are readable without root and without the tool. In the table, a cap of -1 (CPU, GPU) or 0
(EMC) means none.

Check: the board. A Jetson names its module in its device tree, e.g. p3701 for AGX Orin, p3767 for
Orin NX and Nano.
"""

import re
from collections.abc import Mapping, Sequence

from voxgate.harness.machine.checks.check import (
    Check,
    CheckResult,
    Facts,
    SystemRoot,
    fault_of_pattern,
    fit,
    number,
    table,
    unfit,
    unknown,
    word,
)
from voxgate.harness.machine.checks.cpu import CPUS

NEAR = 0.01
"""
Clocks within 1 % are one: the present one is counted, and a cap is rounded to a step of the table.
"""
EMC = "sys/kernel/debug/bpmp/debug/clk/emc"
EMC_CAP = "sys/kernel/nvpmodel_emc_cap/emc_iso_cap"
BANDWIDTH = "sys/class/devfreq/bwmgr"
"""Where Thor shows its memory's clock."""
GPU_NAMES = ("gv11b", "ga10b", "gpu")
GPU_FOLDER = r"[0-9a-f]+\.(gv11b|ga10b|gpu)|gpu-(gpc|nvd)-\d+"
LOCK = "sudo jetson_clocks"


class LockedCpu(Check):
    """The clocks of all CPUs that are on."""

    expects = "every CPU locked at the mode's cap"
    advice = LOCK

    def read(self, tree: SystemRoot) -> Facts:
        """Read lowest, highest, present and top clock of each CPU."""
        folders = tree.paths(f"{CPUS}/cpu[0-9]*/cpufreq") if is_jetson(tree) else ()
        names = ("scaling_min_freq", "scaling_max_freq", "scaling_cur_freq", "cpuinfo_max_freq")
        clocks = {
            folder.split("/")[-2]: _clocks_hz(
                [tree.number(f"{folder}/{name}") for name in names], 1000
            )
            for folder in folders
        }
        present = {name: clock for name, clock in clocks.items() if clock}
        return {"cpu_clocks_hz": present} if present else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        return _locked(after, "cpu_clocks_hz", "cpu", "no CPU clocks of a Jetson")


class LockedGpu(Check):
    """The clock of the GPU inside the chip."""

    expects = "the GPU locked at the mode's cap"
    advice = LOCK

    def read(self, tree: SystemRoot) -> Facts:
        """Read lowest, highest, present and top clock of each GPU below devfreq."""
        clocks: dict[str, object] = {}
        for folder in tree.paths("sys/class/devfreq/*"):
            node = tree.text(f"{folder}/device/of_node/name")
            name = folder.rpartition("/")[2]
            if node not in GPU_NAMES and not re.fullmatch(GPU_FOLDER, name):
                continue
            steps = (tree.text(f"{folder}/available_frequencies") or "").split()
            top = max((int(step) for step in steps if step.isdecimal()), default=None)
            values = [
                *(tree.number(f"{folder}/{bound}_freq") for bound in ("min", "max", "cur")),
                top,
            ]
            clocks |= {name: clock} if (clock := _clocks_hz(values, 1)) else {}
        return {"igpu_clocks_hz": clocks} if clocks else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        return _locked(after, "igpu_clocks_hz", "gpu", "no GPU clocks of a Jetson")


class LockedMemory(Check):
    """The clock of the memory (EMC)."""

    expects = "the memory locked at the mode's cap"
    advice = LOCK

    def read(self, tree: SystemRoot) -> Facts:
        """
        Read the clock; lowest counts as highest where the firmware says that the rate is locked.
        """
        rate, top = tree.number(f"{EMC}/rate"), tree.number(f"{EMC}/max_rate")
        if rate is None:
            values = [tree.number(f"{BANDWIDTH}/{bound}_freq") for bound in ("min", "max", "cur")]
            clock = _clocks_hz([*values, values[1]], 1)
            return {"emc_clocks_hz": {"bwmgr": clock}} if clock else {}
        cap = tree.number(EMC_CAP) or top
        limit = (
            min(bound for bound in (cap, top, rate) if bound)
            if not (cap and top)
            else min(cap, top)
        )
        lowest = limit if tree.number(f"{EMC}/mrq_rate_locked") else tree.number(f"{EMC}/min_rate")
        clock = _clocks_hz([lowest, limit, rate, top], 1)
        return {"emc_clocks_hz": {"emc": clock}} if clock else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        if not table(after, "emc_clocks_hz"):
            return unknown(
                "the memory's clock is not readable without root",
                "sudo voxgate doctor --profile PROFILE",
            )
        return _locked(after, "emc_clocks_hz", "emc", "")


def lock_state(tree: SystemRoot) -> str:
    """
    Return whether CPUs and GPU of a Jetson are locked: `locked`, `unlocked`, `unknown`; `none` on
    other machines.
    """
    if not is_jetson(tree):
        return "none"
    facts = {**LockedCpu().read(tree), **LockedGpu().read(tree)}
    tables = [table(facts, name) for name in ("cpu_clocks_hz", "igpu_clocks_hz")]
    if not all(tables):
        return "unknown"
    return (
        "locked"
        if all(_is_still(clock) for clocks in tables for clock in clocks.values())
        else "unlocked"
    )


def _clocks_hz(values: Sequence[int | None], scale: int) -> dict[str, int]:
    """Name the four clocks; empty unless all are known."""
    clocks_hz = [value * scale for value in values if value is not None]
    return (
        dict(zip(("min", "max", "now", "top"), clocks_hz, strict=True))
        if len(clocks_hz) == 4
        else {}
    )


def _locked(facts: Facts, name: str, part: str, absent: str) -> CheckResult:
    """
    Judge a group of clocks against the cap of the power mode, or the chip's own where the mode has
    none.
    """
    clocks = table(facts, name)
    if not clocks:
        return unknown(absent)
    cap = table(facts, "power_mode_caps_hz").get(part)
    for which, clock in clocks.items():
        if not _is_still(clock):
            return unfit(f"{which} not locked: {_shown(clock)}")
        if not _is_capped(clock, cap):
            return unfit(f"{which} locked below the mode's cap: {_shown(clock)}")
    return fit(
        f"{', '.join(clocks)} locked at {_shown(next(iter(clocks.values())))}"
        if len(clocks) < 3
        else _several(clocks)
    )


def _several(clocks: Mapping[str, object]) -> str:
    return f"{len(clocks)} locked, {_shown(next(iter(clocks.values())))}"


def _is_still(clock: object) -> bool:
    """Whether lowest, highest and present clock are equal."""
    assert isinstance(clock, Mapping), "clocks are kept by name"
    return all(abs(clock[bound] - clock["max"]) <= NEAR * clock["max"] for bound in ("min", "now"))


def _is_capped(clock: object, cap: object) -> bool:
    assert isinstance(clock, Mapping), "clocks are kept by name"
    limit = min(float(cap), clock["top"]) if isinstance(cap, int | float) else clock["top"]
    return bool(clock["max"] >= (1 - NEAR) * limit)


def _shown(clock: object) -> str:
    assert isinstance(clock, Mapping), "clocks are kept by name"
    low, high, now = (f"{clock[bound] / 1e6:.0f}" for bound in ("min", "max", "now"))
    return f"{now} MHz" if low == high == now else f"{now} MHz, free between {low} and {high}"


STATUS = "var/lib/nvpmodel/status"
TABLE = "etc/nvpmodel.conf"
KHZ = 1000
"""The table gives CPU clocks in kHz, the others in Hz."""


class PowerMode(Check):
    """
    Whether the board is in a mode that the profile is for; `want` is names with | between, the best
    first.
    """

    expects = "a power mode that the profile is for"
    advice = "sudo nvpmodel -q    # and choose one with sudo nvpmodel -m ID"

    def fault_of_want(self) -> str:
        """Return why the names cannot be meant; empty where they can."""
        names = r"[A-Za-z0-9_.-]+(\|[A-Za-z0-9_.-]+)*"
        example = "must be names of nvpmodel's modes with | between, such as 25W|MAXN_SUPER"
        return "" if re.fullmatch(names, self.want) else f"{example}, not {self.want!r}"

    def read(self, tree: SystemRoot) -> Facts:
        """Read the mode, and the caps that it sets."""
        match = re.search(r"pmode:(\d+)", tree.text(STATUS) or "")
        if match is None:
            return {}
        modes = _modes(tree.text(TABLE) or "")
        here = next(
            (
                (name, lines)
                for name, (number, lines) in modes.items()
                if number == int(match.group(1))
            ),
            None,
        )
        facts: dict[str, object] = {"power_mode_id": int(match.group(1))}
        if here is not None:
            facts |= {"power_mode": here[0], "power_mode_caps_hz": _caps_hz(here[1])}
        return facts | {"power_mode_ids": {name: number for name, (number, _) in modes.items()}}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Compare the names."""
        name, id_ = word(after, "power_mode"), number(after, "power_mode_id")
        if id_ is None:
            return unknown("nvpmodel keeps no status: no mode was set, or this is no Jetson")
        if name is None:
            return unknown(f"mode {id_:.0f} has no name in {TABLE}")
        names = self.want.split("|")
        ids = table(after, "power_mode_ids")
        best = next((each for each in names if each in ids), None)
        command = "" if best is None else f"sudo nvpmodel -m {ids[best]}    # {best}"
        return (
            fit(f"{name} ({id_:.0f})")
            if name in names
            else unfit(f"{name} ({id_:.0f}) instead of {self.want}", command)
        )


def mode_name(tree: SystemRoot) -> str:
    """Name the power mode, `MAXN (0)`; empty where there is none."""
    facts = PowerMode().read(tree)
    id_ = number(facts, "power_mode_id")
    return "" if id_ is None else f"{word(facts, 'power_mode') or 'mode'} ({id_:.0f})"


def _modes(text: str) -> dict[str, tuple[int, list[str]]]:
    """Split the table: name -> (number, its lines)."""
    parts = re.split(r"^<\s*(.*?)\s*>\s*$", text, flags=re.MULTILINE)
    modes = {}
    for head, body in zip(parts[1::2], parts[2::2], strict=True):
        match = re.fullmatch(r"POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)", head)
        if match is not None:
            modes[match.group(2)] = (int(match.group(1)), body.splitlines())
    return modes


def _caps_hz(lines: list[str]) -> Mapping[str, int]:
    """
    Return the caps of a mode in Hz: `cpu` (the highest of its clusters), `gpu`, `emc`; none where
    there is no cap.
    """
    caps: dict[str, int] = {}
    for line in lines:
        match = re.match(r"(CPU|GPU|EMC)(?:_\w+)?\s+MAX_FREQ\s+(-?\d+)", line.strip())
        if match is not None and int(match.group(2)) > 0:
            part = match.group(1).lower()
            caps[part] = max(caps.get(part, 0), int(match.group(2)) * (KHZ if part == "cpu" else 1))
    return caps


DEVICE_TREE = "proc/device-tree"


class Board(Check):
    """Whether the profile is for this board; `want` is a pattern of the module's part number."""

    expects = "the board that the profile is for"
    advice = "choose a profile for this machine: voxgate doctor --help"

    def fault_of_want(self) -> str:
        """Return why the pattern cannot be meant; empty where it can."""
        return fault_of_pattern(self.want, "a part number such as p3767-000[01]")

    def read(self, tree: SystemRoot) -> Facts:
        """Read the model's name, and the names that tell its module."""
        model = tree.text(f"{DEVICE_TREE}/model")
        parts = [
            tree.text(f"{DEVICE_TREE}/{name}") for name in ("nvidia,dtsfilename", "compatible")
        ]
        present = " ".join(part.replace("\0", " ") for part in parts if part)
        return (
            {}
            if model is None
            else {"board": model, **({"board_parts": present} if present else {})}
        )

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Look for the part number."""
        board, parts = word(after, "board"), word(after, "board_parts")
        if board is None:
            return unfit("no Jetson: the system has no device tree")
        if parts is None:
            return unknown(f"{board} does not tell its module")
        return fit(board) if re.search(self.want, parts) else unfit(f"{board} ({parts})")


def is_jetson(tree: SystemRoot) -> bool:
    """Whether this is one of NVIDIA's boards."""
    compatible = tree.text(f"{DEVICE_TREE}/compatible") or ""
    return "nvidia,tegra" in compatible or tree.text("etc/nv_tegra_release") is not None
