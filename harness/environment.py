"""
Where a run was made: the machine, apart from the toolchain, and how quiet the machine was.

`machine` is stable over reboots and differs where speed would; `comparable` names every difference. It imports no engine
(versions come from package metadata), reads no clocks, and judges nothing. Trees other than / serve the tests.
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

PACKAGES = ("voxgate", "torch", "torchao", "numpy", "scipy", "soundfile", "openai-whisper", "pesq", "pystoi")
GIT_TIMEOUT_S = 20
ROOT = Path("/")


def environment() -> dict[str, object]:
    """Give all of it, as a run's header keeps it."""
    return {"machine": machine(), "toolchain": toolchain(), "before": load_snapshot()}


def machine(root: Path = ROOT) -> dict[str, object]:
    """Give the machine's identity; `id` is a readable name for it: `xeon-2c-24g-1a2b3c`."""
    facts: dict[str, object] = {
        "cpu_model": _cpu_model(root),
        "cores": _cores(root),
        "ram_gib": _ram_gib(root),
        "gpus": _gpus(root),
        "arch": platform.machine(),
        "board": _text(root / "proc/device-tree/model") or "none",
        "power_mode": _power_mode(root),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:6]
    gpu = "".join(f"-{_short(name)}" for name in _gpus(root)[:1])
    return {"id": f"{_short(_cpu_model(root))}-{facts['cores']}c-{facts['ram_gib']}g{gpu}-{digest}", **facts}


def toolchain(folder: Path | None = None) -> dict[str, object]:
    """Give versions, and the commit that `folder` (the working directory) stands at, with what was changed since."""
    versions = {name: version for name in PACKAGES if (version := _version(name)) is not None}
    return {"python": platform.python_version(), **versions, "kernel": platform.release(), **_commit(folder or Path.cwd())}


def comparable(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[str, ...]:
    """Say why times of machine `a` and of machine `b` must not be compared, one reason per difference; empty if they may."""
    names = [name for name in dict.fromkeys([*a, *b]) if name != "id"]
    return tuple(f"{name} {_word(a.get(name))} against {_word(b.get(name))}" for name in names if a.get(name) != b.get(name))


def changed_tools(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[str, ...]:
    """Say how two toolchains differ, one line per difference."""
    return comparable(a, b)


def load_snapshot(root: Path = ROOT) -> dict[str, object]:
    """
    Give what others do to this machine right now: load average of the last minute, CPU ticks in all and stolen by the host.

    Two snapshots, before and after, tell the share that was stolen in between. Empty where the system does not tell.
    """
    try:
        load = float((root / "proc/loadavg").read_text().split()[0])
        ticks = [int(tick) for tick in (root / "proc/stat").read_text().splitlines()[0].split()[1:]]
    except (OSError, ValueError, IndexError):
        return {}
    # user nice system idle iowait irq softirq steal guest guest_nice (proc(5)); guest time is part of user
    return {"load_1min": load, "ticks": sum(ticks[:8]), "stolen_ticks": ticks[7] if len(ticks) > 7 else 0}


def stolen_share(before: Mapping[str, object], after: Mapping[str, object]) -> float | None:
    """Give the share of CPU time that the host took between two snapshots; None where that is not known."""
    try:
        ticks = int(str(after["ticks"])) - int(str(before["ticks"]))
        stolen = int(str(after["stolen_ticks"])) - int(str(before["stolen_ticks"]))
    except KeyError:
        return None
    return stolen / ticks if ticks > 0 else None


def _cpu_model(root: Path) -> str:
    info = _text(root / "proc/cpuinfo")
    fields = dict(re.findall(r"^([^\t:]+?)\s*:[ \t]*(.*)$", info.split("\n\n")[0], flags=re.MULTILINE))
    name = fields.get("model name") or fields.get("Hardware") or platform.processor() or platform.machine()
    kind = [fields[key] for key in ("cpu family", "model", "stepping") if key in fields]  # hosts hide the marketing name
    arm = [fields[key] for key in ("CPU implementer", "CPU part") if key in fields]
    return " ".join([name, *([f"({'/'.join(kind or arm)})"] if kind or arm else [])])


def _cores(root: Path) -> int:
    return len(re.findall(r"^processor\s*:", _text(root / "proc/cpuinfo"), flags=re.MULTILINE)) or os.cpu_count() or 1


def _ram_gib(root: Path) -> int:
    """Round up: the kernel keeps a little for itself, more or less of it after an update."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", _text(root / "proc/meminfo"), flags=re.MULTILINE)
    return math.ceil(int(found.group(1)) / 1024**2) if found else 0


def _gpus(root: Path) -> list[str]:
    names = []
    for path in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        found = re.search(r"^Model:\s*(.+?)\s*$", _text(path), flags=re.MULTILINE)
        names.append(found.group(1) if found else "unknown GPU")
    return names


def _power_mode(root: Path) -> str:
    """Give the Jetson's power mode and the CPU's governor, as far as there are any."""
    modes = [_text(root / "var/lib/nvpmodel/status"), _text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")]
    return " ".join(mode for mode in modes if mode) or "none"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _short(name: str) -> str:
    """Make one word of a marketing name: the first that is no maker's and no kind's."""
    plain = re.sub(r"\(.*?\)", " ", name).lower()
    words = [
        word for word in re.findall(r"[a-z0-9]+", plain) if word not in ("intel", "amd", "nvidia", "cpu", "processor", "with")
    ]
    return words[0] if words else "cpu"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit(folder: Path) -> dict[str, object]:
    """Give commit, branch, and how many files differ from the commit, with a digest of the differences."""
    commit = _git(folder, "rev-parse", "--short=7", "HEAD")
    status = _git(folder, "status", "--porcelain")
    if status is None:
        return {"commit": "none", "branch": "none", "dirty_files": 0, "changes": "none"}
    changes = status + (_git(folder, "diff", "HEAD") or "")
    return {
        "commit": commit or "none",
        "branch": _git(folder, "branch", "--show-current") or "none",
        "dirty_files": len(status.splitlines()),
        "changes": hashlib.sha256(changes.encode()).hexdigest()[:7] if status else "none",
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, errors="replace", timeout=GIT_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "unknown" if value is None else str(value)
