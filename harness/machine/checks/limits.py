"""
Limits of a machine's clocks and power by configuration, and their highest values: two boards of one
name may differ by nothing else. Part of a machine's identity (`machine/identity.py`).

Reads only files that do not depend on the user: none that only root may read. Every fact exists on
every machine, NONE where nothing limits, UNKNOWN where it cannot be read, so that a record without
a fact is known to be older than it.
"""

from collections.abc import Mapping

from voxgate.harness.machine.checks.check import Facts, SystemRoot, number, table, word
from voxgate.harness.machine.checks.cpu import CPUS
from voxgate.harness.machine.checks.gpu import read_gpu
from voxgate.harness.machine.checks.jetson import BANDWIDTH, EMC_CAP, LockedGpu, PowerMode

NONE, UNKNOWN = "none", "unknown"
NAMES = (
    "cpu_limit_mhz",
    "gpu_top_mhz",
    "gpu_limit_mhz",
    "gpu_memory_top_mhz",
    "memory_limit_mhz",
    "gpu_power_limit_w",
    "mig",
)
"""Since 2026-11-30. Records of before lack them all."""
HZ_PER_MHZ, KHZ_PER_MHZ = 1_000_000, 1000


def limits(tree: SystemRoot) -> dict[str, object]:
    """Return the facts, by NAMES."""
    gpu, igpu = read_gpu(tree), table(LockedGpu().read(tree), "igpu_clocks_hz")
    caps = table(PowerMode().read(tree), "power_mode_caps_hz")
    facts = {
        "cpu_limit_mhz": _cpu_limit(tree),
        "gpu_top_mhz": _top_of(igpu) or _mhz(gpu, "gpu_clock_limit_hz"),
        "gpu_limit_mhz": _cap(caps, "gpu") or _application_clock(gpu),
        "gpu_memory_top_mhz": _mhz(gpu, "gpu_memory_top_hz"),
        "memory_limit_mhz": _cap(caps, "emc") or _memory_cap(tree),
        "gpu_power_limit_w": _rounded(
            number(gpu, "gpu_power_set_w") or number(gpu, "gpu_power_limit_w")
        ),
        "mig": word(gpu, "gpu_mig"),
    }
    of_gpu = UNKNOWN if "gpu_why" in gpu else NONE
    absent = {name: of_gpu if name.startswith(("gpu", "mig")) else NONE for name in NAMES}
    return {name: absent[name] if facts[name] is None else facts[name] for name in NAMES}


def naming(facts: Mapping[str, object], tree: SystemRoot) -> dict[str, object]:
    """
    Return those facts that make another machine's name of it: whatever is set, and a board's own
    top clock.

    Those of a discrete GPU as it came belong to its model, and are only known where an optional
    package is installed: a name must not change with that.
    """
    usual = ("gpu_memory_top_mhz", "gpu_power_limit_w")
    gpu = read_gpu(tree)
    set_w, default_w = (
        number(gpu, "gpu_power_set_w") or number(gpu, "gpu_power_limit_w"),
        number(gpu, "gpu_power_default_w"),
    )
    kept = {
        name: value
        for name, value in facts.items()
        if value not in (NONE, UNKNOWN) and name not in usual
    }
    if gpu:
        kept.pop("gpu_top_mhz", None)
    if set_w is not None and default_w is not None and round(set_w) != round(default_w):
        kept["gpu_power_limit_w"] = facts["gpu_power_limit_w"]
    return kept


def _cpu_limit(tree: SystemRoot) -> str | None:
    """
    Return the limits of the CPUs that may not reach their top clock: `1728`, or `1190 1728` for
    unlike clusters.
    """
    limits_khz = set()
    for folder in tree.paths(f"{CPUS}/cpu[0-9]*/cpufreq"):
        limit, top = (
            tree.number(f"{folder}/scaling_max_freq"),
            tree.number(f"{folder}/cpuinfo_max_freq"),
        )
        if limit and top and limit < top:
            limits_khz.add(round(limit / KHZ_PER_MHZ))
    return " ".join(map(str, sorted(limits_khz))) or None


def _top_of(clocks: Mapping[str, object]) -> int | None:
    tops = [clock["top"] for clock in clocks.values() if isinstance(clock, Mapping)]
    return round(max(tops) / HZ_PER_MHZ) if tops else None


def _memory_cap(tree: SystemRoot) -> int | None:
    cap = tree.number(EMC_CAP) or tree.number(f"{BANDWIDTH}/max_freq")
    return round(cap / HZ_PER_MHZ) if cap else None


def _cap(caps: Mapping[str, object], part: str) -> int | None:
    cap = caps.get(part)
    return round(cap / HZ_PER_MHZ) if isinstance(cap, int | float) else None


def _application_clock(gpu: Facts) -> int | None:
    """
    Return the clock that applications may reach, where somebody set another than the board's own.
    """
    now, usual = number(gpu, "gpu_application_hz"), number(gpu, "gpu_application_default_hz")
    return None if now is None or now == usual else round(now / HZ_PER_MHZ)


def _mhz(facts: Facts, name: str) -> int | None:
    value = number(facts, name)
    return None if value is None else round(value / HZ_PER_MHZ)


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
