"""
Read the environment of a run: the machine, apart from the toolchain, and the state of the machine.

`machine` is stable over reboots and differs where speed would; `comparable` names every difference.
A snapshot holds the readings of the doctor's checks. Imports no engine (versions come from package
metadata), reads no clocks, and judges nothing. Trees other than / serve the tests.
"""

import hashlib
import json
import math
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from voxgate.harness.machine.checks.check import ROOT, SystemRoot, at
from voxgate.harness.machine.checks.cpu import CPUS, CpuQuota, Governor, Turbo
from voxgate.harness.machine.checks.gpu import DRIVER
from voxgate.harness.machine.checks.jetson import DEVICE_TREE, is_jetson, lock_state, mode_name
from voxgate.harness.machine.checks.limits import NAMES, UNKNOWN, limits, naming
from voxgate.harness.machine.checks.memory import HugePages
from voxgate.harness.machine.doctor import snapshot
from voxgate.harness.machine.git import trouble
from voxgate.harness.records.environment import RunEnvironment, environment_from_json

PACKAGES = (
    "voxgate",
    "torch",
    "torchao",
    "numpy",
    "scipy",
    "soundfile",
    "openai-whisper",
    "pesq",
    "pystoi",
)
GIT_TIMEOUT_S = 20
SETTINGS = ("cpu_quota", "power_mode", "clocks", "governor", "turbo", "huge_pages")
"""Facts about a machine that are set, and not built."""
NO_COMMIT = "no_commit"
"""
Why a toolchain names no commit though there is a repository; absent where it does, and where there
is none.
"""


def environment(engine: Mapping[str, object] | None = None) -> RunEnvironment:
    """
    Return machine, toolchain and a first snapshot, as a run's header keeps them; `engine` are the
    facts of the engine's own environment.
    """
    tools = {**toolchain(), **(engine or {})}
    facts = {"machine": machine(), "toolchain": tools, "before": load_snapshot()}
    return environment_from_json(facts)


def machine(root: Path = ROOT) -> dict[str, object]:
    """Return the identity of the machine at a root, as `machine_of` does."""
    return machine_of(at(root))


def machine_of(tree: SystemRoot) -> dict[str, object]:
    """
    Return the machine's identity; `id` is a readable name for it: `xeon-2c-24g-1a2b3c`.

    It holds what stays over a reboot and changes speed: hardware, what a host or container leaves
    of it, and settings that make another machine of it. Clocks that a virtual machine counts,
    addresses and uptime are left out: they change by chance. `former_id` is the name that a voxgate
    gave it which did not look at limits, where that is another.
    """
    root = tree.root
    facts: dict[str, object] = {
        "cpu_model": _cpu_model(root),
        "cores": _cores(root),
        "cpu_max_mhz": _cpu_max_mhz(tree),
        "cache_kib": _cache_kib(tree),
        "cpu_quota": CpuQuota().read(tree).get("cpu_quota", "none"),
        "ram_gib": _ram_gib(root),
        "gpus": _gpus(root),
        "arch": platform.machine(),
        "board": _board(tree),
        "hypervisor": _hypervisor(tree),
        "power_mode": mode_name(tree) or "none",
        "clocks": lock_state(tree),
        "governor": Governor().read(tree).get("governor", "none"),
        "turbo": Turbo().read(tree).get("turbo", "none"),
        "huge_pages": HugePages().read(tree).get("huge_pages", "none"),
    }
    limited = limits(tree)
    chosen = naming(limited, tree)
    part = f"-{chosen['mig']}" if "mig" in chosen else ""
    gpu = "".join(f"-{_short(name)}" for name in _gpus(root)[:1])
    name = f"{_maker(tree, root)}-{facts['cores']}c-{facts['ram_gib']}g{gpu}"
    former, now = f"{name}-{_digest(facts)}", f"{name}{part}-{_digest({**facts, **chosen})}"
    return {"id": now, **facts, **limited, **({} if now == former else {"former_id": former})}


def _digest(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:6]


def toolchain(folder: Path | None = None, root: Path = ROOT) -> dict[str, object]:
    """
    Return versions, and the commit of `folder` (the working directory) with the changes since.
    """
    versions = {name: version for name in PACKAGES if (version := _version(name)) is not None}
    system = {"kernel": platform.release(), **_system_versions(at(root))}
    return {
        "python": platform.python_version(),
        **versions,
        **system,
        **_commit(folder or Path.cwd()),
    }


def comparable(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[str, ...]:
    """
    Return why times of machine `a` and of machine `b` must not be compared, one reason per
    difference; empty if they may.

    A limit that one of the two does not know, as records of before it was looked at, is no
    difference (`unrecorded` names it).
    """
    return tuple(
        f"{name} {_word(a.get(name))} against {_word(b.get(name))}" for name in differing(a, b)
    )


def differing(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[str, ...]:
    """Name the facts in which two machines (or toolchains) differ."""
    names = [name for name in dict.fromkeys([*a, *b]) if name not in ("id", "former_id")]
    silent = unrecorded(a, b)
    return tuple(name for name in names if a.get(name) != b.get(name) and name not in silent)


def unrecorded(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[str, ...]:
    """Name the limits that one of two machines tells and the other does not."""
    recorded = [{name for name in NAMES if side.get(name, UNKNOWN) != UNKNOWN} for side in (a, b)]
    return tuple(name for name in NAMES if (name in recorded[0]) != (name in recorded[1]))


def is_same_hardware(a: Mapping[str, object], b: Mapping[str, object]) -> bool:
    """Whether two machines differ by nothing that somebody could not set back."""
    return bool(a) and bool(b) and set(differing(a, b)) <= {*SETTINGS, *NAMES}


def changed_tools(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[str, ...]:
    """Return the differences of two toolchains, one line each."""
    return comparable(a, b)


def load_snapshot(root: Path = ROOT) -> dict[str, object]:
    """
    Read the state of the machine now: load, pressure, stolen time, throttling, swap, temperature,
    clocks and more.

    Two snapshots, before and after, show changes in between (`quietness.py`). Empty where the
    system provides nothing.
    """
    return snapshot(at(root))


def _cpu_model(root: Path) -> str:
    info = _text(root / "proc/cpuinfo")
    fields = dict(
        re.findall(r"^([^\t:]+?)\s*:[ \t]*(.*)$", info.split("\n\n")[0], flags=re.MULTILINE)
    )
    name = (
        fields.get("model name")
        or fields.get("Hardware")
        or platform.processor()
        or platform.machine()
    )
    # hosts hide the marketing name
    kind = [fields[key] for key in ("cpu family", "model", "stepping") if key in fields]
    arm = [fields[key] for key in ("CPU implementer", "CPU part") if key in fields]
    return " ".join([name, *([f"({'/'.join(kind or arm)})"] if kind or arm else [])])


def _cores(root: Path) -> int:
    return (
        len(re.findall(r"^processor\s*:", _text(root / "proc/cpuinfo"), flags=re.MULTILINE))
        or os.cpu_count()
        or 1
    )


def _ram_gib(root: Path) -> int:
    """Round up: the kernel keeps a little for itself, more or less of it after an update."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", _text(root / "proc/meminfo"), flags=re.MULTILINE)
    return math.ceil(int(match.group(1)) / 1024**2) if match else 0


def _gpus(root: Path) -> list[str]:
    names = []
    for path in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        match = re.search(r"^Model:\s*(.+?)\s*$", _text(path), flags=re.MULTILINE)
        names.append(match.group(1) if match else "unknown GPU")
    return names


def _cpu_max_mhz(tree: SystemRoot) -> int:
    """Return the highest clock of any CPU; 0 where the system hides it."""
    clocks_khz = [
        tree.number(path) for path in tree.paths(f"{CPUS}/cpu[0-9]*/cpufreq/cpuinfo_max_freq")
    ]
    return round(
        max((clock_khz for clock_khz in clocks_khz if clock_khz is not None), default=0) / 1000
    )


def _cache_kib(tree: SystemRoot) -> int:
    """Return the size of the first CPU's largest cache; 0 where the system hides it."""
    sizes = [
        re.fullmatch(r"(\d+)([KM])", tree.text(path) or "")
        for path in tree.paths(f"{CPUS}/cpu0/cache/index[0-9]*/size")
    ]
    return max(
        (int(size.group(1)) * (1024 if size.group(2) == "M" else 1) for size in sizes if size),
        default=0,
    )


def _board(tree: SystemRoot) -> str:
    """
    Name the board: from the device tree, or as the firmware calls the product (in a cloud, the kind
    of instance).
    """
    parts = [tree.text(f"sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")]
    return tree.text(f"{DEVICE_TREE}/model") or " ".join(part for part in parts if part) or "none"


def _hypervisor(tree: SystemRoot) -> str:
    """
    Name what runs below the system: `xen`, `yes` where it only shows that it is there, `none`.
    """
    flags = re.search(r"^flags\s*:(.*)$", tree.text("proc/cpuinfo") or "", flags=re.MULTILINE)
    hidden = flags is not None and "hypervisor" in flags.group(1).split()
    return tree.text("sys/hypervisor/type") or ("yes" if hidden else "none")


def _maker(tree: SystemRoot, root: Path) -> str:
    """Return the first word of a machine's name: the board of a Jetson, the CPU of others."""
    match = (
        re.search(r"(Orin Nano|Orin NX|AGX \w+|Thor|Nano)", _board(tree))
        if is_jetson(tree)
        else None
    )
    return (
        "jetson-" + match.group(1).lower().replace(" ", "-") if match else _short(_cpu_model(root))
    )


def _system_versions(tree: SystemRoot) -> dict[str, object]:
    """Return versions outside Python: C library, GPU driver, CUDA, the Jetson's system (L4T)."""
    driver = re.search(r"\b(\d{3}\.[\d.]+)\b", tree.text(f"{DRIVER}/version") or "")
    cuda = re.search(
        r'"cuda"\s*:\s*{[^}]*"version"\s*:\s*"([\d.]+)"',
        tree.text("usr/local/cuda/version.json") or "",
    )
    l4t = re.search(
        r"R(\d+) \(release\), REVISION: ([\d.]+)", tree.text("etc/nv_tegra_release") or ""
    )
    versions = {
        "libc": tree.libc,
        "nvidia_driver": driver.group(1) if driver else "",
        "cuda": cuda.group(1) if cuda else "",
        "l4t": f"{l4t.group(1)}.{l4t.group(2)}" if l4t else "",
    }
    return {name: version for name, version in versions.items() if version}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _short(name: str) -> str:
    """Make one word of a marketing name: the first that is no maker's and no kind's."""
    plain = re.sub(r"\(.*?\)", " ", name).lower()
    words = [
        word
        for word in re.findall(r"[a-z0-9]+", plain)
        if word not in ("intel", "amd", "nvidia", "cpu", "processor", "with")
    ]
    return words[0] if words else "cpu"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit(folder: Path) -> dict[str, object]:
    """
    Return commit, branch, and the number of files that differ from the commit, with a digest of the
    differences.
    """
    commit = _git(folder, "rev-parse", "--short=7", "HEAD")
    status = _git(folder, "status", "--porcelain")
    if status is None or commit is None:
        why = trouble(folder)
        return {
            "commit": "none",
            "branch": "none",
            "dirty_files": 0,
            "changes": "none",
            **({NO_COMMIT: why} if why else {}),
        }
    changes = status + (_git(folder, "diff", "HEAD") or "")
    return {
        "commit": commit,
        "branch": _git(folder, "branch", "--show-current") or "none",
        "dirty_files": len(status.splitlines()),
        "changes": hashlib.sha256(changes.encode()).hexdigest()[:7] if status else "none",
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "unknown" if value is None else str(value)
