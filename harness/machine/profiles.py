"""
The profiles: a kind of device each, and how it must be set up; what several of them require.

Knows no engine options beyond device and threads. It names what must hold of the machine, and
checks nothing (that is the doctor's business).

cpu: all CPUs, as a user would run the engine: honest to report, noisy to gate on. cpu-gate: the
quietest way to measure on an ordinary, possibly shared, machine; what gates should use. One thread,
pinned, with huge pages for malloc, which never gives memory back: what makes fresh processes differ
is mostly where their memory landed, and a second thread on a shared host multiplies the rest. cuda:
the first visible NVIDIA GPU; clocks and power limits are left as they are, and recorded.

Jetson boards run in one of several power modes with clocks that rise and fall; a number from an
unlocked board, or from another mode, is another machine's number. So these profiles refuse to
measure where that is wrong, and mark what passes by itself. Of the Orin Nano's modes MAXN_SUPER is
the fastest and draws enough to be slowed down by over-current events; 25W is the fastest without.
The mode belongs to the machine's identity, so that baselines of different modes are never compared.

A profile of another device is a TOML file (docs/profiles.md): a built-in profile as its base, and
the differences. A file is data: it names no program, and only environment variables that change how
a library computes. Its content is part of its name in every record (`orin-nx.1a2b3c4d`), so that
runs under two contents of a file are runs under two profiles.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.doctor import CHECKS, Action, Requirement, make_check
from voxgate.harness.records.cell import Option
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.constraints import Key, Length, Range, TextPattern, Unique
from voxgate.harness.records.documents import read_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Settings of workers on a kind of device."""

    name: str
    about: str
    """One line for people."""
    defaults: Mapping[str, Option]
    """Options that the device decides (device, threads); a cell's own options win."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment of the workers, beside what they inherit."""
    pin: bool = False
    """
    Whether workers measure on one CPU alone, the last one allowed, and everything else keeps off
    it.
    """
    live: int | None = None
    """How many workers may be alive at once; None leaves it to the memory of the machine."""
    loading: int = 1
    """How many workers may load and warm up at the same time, while nothing is measured."""
    requires: tuple[Requirement, ...] = ()
    """
    What must hold of the machine, by the doctor's checks; whether a run is refused or marked where
    it does not.
    """


LEFT_ALONE = tuple(
    Requirement(check=name)
    for name in ("load", "stolen-time", "contention", "cpu-throttling", "swap", "memory")
)
"""Requirements on every machine: idle, and with free memory and disk."""
STEADY_CLOCK = tuple(
    Requirement(check=name, known=False)
    for name in ("governor", "frequency", "temperature", "clock")
)
"""What counts where the machine shows it; a virtual one cannot."""


def allowed_cpus() -> tuple[int, ...]:
    """List the CPUs that this process may use, in order; empty where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    return tuple(sorted(os.sched_getaffinity(0)))


def cpu_count() -> int:
    """Count the CPUs that this process may use."""
    return len(allowed_cpus()) or os.cpu_count() or 1


def threads_env(threads: int) -> dict[str, str]:
    """
    Return environment variables that set the number of threads of every numeric library, before it
    starts them.
    """
    names = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    )
    return dict.fromkeys(names, str(threads))


def cpu() -> Profile:
    """Return the profile for this machine."""
    return Profile(
        name="cpu",
        about=f"all {cpu_count()} CPUs: honest to report, noisy to gate on",
        defaults={"device": "cpu", "threads": cpu_count()},
        env=threads_env(cpu_count()),
        # a quota stops threads that all use it up
        requires=(*LEFT_ALONE, *STEADY_CLOCK, Requirement(check="cpu-quota")),
    )


KEEP_BYTES = 2**32
TUNABLES = {
    "hugetlb": 1,
    "mmap_threshold": 2**25,  # the most that glibc takes: large tensors come from the heap, too
    # what was freed stays: no page is given back and faulted in again during an iteration
    "trim_threshold": KEEP_BYTES,
    "top_pad": 2**27,
    "arena_max": 1,
}
"""
Of malloc in glibc >= 2.35 (manual, "Memory Allocation Tunables"); ignored elsewhere. Huge pages,
and keep what you have.
"""
MALLOC = {
    "GLIBC_TUNABLES": ":".join(f"glibc.malloc.{name}={value}" for name, value in TUNABLES.items())
}


def cpu_gate() -> Profile:
    """Return the profile for this machine."""
    return Profile(
        name="cpu-gate",
        about="one thread on one pinned CPU, huge pages: the quietest, for gating",
        defaults={"device": "cpu", "threads": 1},
        env={**threads_env(1), **MALLOC},
        pin=True,
        loading=cpu_count(),
        requires=(
            *LEFT_ALONE,
            *STEADY_CLOCK,
            Requirement(check="turbo", known=False),
            Requirement(check="shared-cores", known=False),
            Requirement(check="huge-pages"),
            Requirement(check="glibc"),
        ),
    )


def cuda() -> Profile:
    """Return the profile for this machine."""
    return Profile(
        name="cuda",
        about="the first visible NVIDIA GPU, one CPU thread",
        defaults={"device": "cuda", "threads": 1},
        env={**threads_env(1), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        live=4,  # idle workers keep their CUDA context, some hundred MB of GPU memory each
        loading=2,
        requires=(
            Requirement(check="gpu"),
            *LEFT_ALONE,
            *STEADY_CLOCK,
            # an idle GPU does not show the clock that it will have at work
            Requirement(check="gpu-clock", known=False),
            *(Requirement(check=f"gpu-{name}") for name in ("power", "throttling", "sharing")),
            Requirement(check="gpu-persistence", known=False),
        ),
    )


def jetson_profile(name: str, about: str, board: str, modes: str) -> Profile:
    """
    Return the profile of a board. `board` is a pattern of its module's part number, `modes` are
    names with | between.
    """
    return Profile(
        name=name,
        about=about,
        defaults={"device": "cuda", "threads": 1},
        env=threads_env(1),
        pin=True,
        live=2,  # GPU and CPU share one memory, of which a CUDA context takes some hundred MB
        requires=(
            Requirement(check="board", action=Action.REFUSE, want=board),
            Requirement(check="power-mode", action=Action.REFUSE, want=modes),
            Requirement(check="cpu-clocks", action=Action.REFUSE),
            Requirement(check="gpu-clocks", action=Action.REFUSE),
            # only root can read it
            Requirement(check="memory-clock", action=Action.REFUSE, known=False),
            *LEFT_ALONE,
            *(Requirement(check=name) for name in ("temperature", "over-current", "clock")),
            *(Requirement(check=name, known=False) for name in ("rails", "fan")),
        ),
    )


def jetson_agx_orin_maxn() -> Profile:
    """Return the profile for this machine."""
    return jetson_profile(
        "jetson-agx-orin-maxn",
        "Jetson AGX Orin, power mode MAXN, clocks locked",
        board="p3701",  # 32 GB (0004, 0000), 64 GB (0005), industrial (0008)
        modes="MAXN",
    )


def jetson_orin_nano() -> Profile:
    """Return the profile for this machine."""
    return jetson_profile(
        "jetson-orin-nano",
        "Jetson Orin Nano, power mode 25W, MAXN_SUPER or 15W, clocks locked",
        # 8 GB (0003), 4 GB (0004), the developer kit's 8 GB (0005); 0000 and 0001 are Orin NX
        board="p3767-000[345]",
        modes="25W|MAXN_SUPER|15W",
    )


DEFAULT = "cpu-gate"
PROFILES: Mapping[str, Callable[[], Profile]] = MappingProxyType(
    {
        "cpu-gate": cpu_gate,
        "cpu": cpu,
        "cuda": cuda,
        "jetson-agx-orin-maxn": jetson_agx_orin_maxn,
        "jetson-orin-nano": jetson_orin_nano,
    }
)


SUFFIX = ".toml"
"""Ends the path of a profile file; no name of a profile ends so."""
DIGEST_CHARACTERS = 8
VARIABLES = (
    *("CUDA_DEVICE_MAX_CONNECTIONS", "CUDA_DEVICE_ORDER", "CUDA_MODULE_LOADING"),
    *("CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE"),
    *("PYTORCH_CUDA_ALLOC_CONF", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX"),
    *("GOMP_CPU_AFFINITY", "KMP_AFFINITY", "KMP_BLOCKTIME", "MKL_DYNAMIC"),
    *("OMP_DYNAMIC", "OMP_PLACES", "OMP_PROC_BIND", "OMP_WAIT_POLICY"),
)
"""
Environment variables that a file may set. Others could load a library or a module (LD_PRELOAD,
PYTHONPATH, CUDA_INJECTION64_PATH).
"""
WORKERS = Range(1, 64)
Variable = Annotated[
    str, TextPattern("|".join(VARIABLES), f"one that a profile may set: {', '.join(VARIABLES)}")
]
Line = TextPattern(r"[^\x00-\x1f\x7f]*", "one line of printable text")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredCheck:
    """An entry `[[require]]` of a profile file; it replaces the base's one on that check."""

    check: Annotated[str, Key("knob")]
    want: Annotated[str, Length(0, 200), Line] = ""
    action: Action = Action.MARK
    known: bool = True

    def __post_init__(self) -> None:
        if self.check not in CHECKS:
            raise HarnessError(
                f"check {self.check!r} does not exist; known are {', '.join(CHECKS)}"
            )
        fault = make_check(self.check, self.want).fault_of_want()
        if fault:
            raise HarnessError(f"want of check {self.check} {fault}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFile:
    """The content of a profile file; None leaves a setting to the base."""

    name: Annotated[
        str,
        TextPattern(r"[a-z0-9][a-z0-9-]{0,59}", "a name of up to 60 small letters, digits and '-'"),
    ]
    about: Annotated[str, Length(1, 200), Line]
    base: str
    device: Annotated[str, TextPattern(r"cpu|cuda(:\d{1,2})?", "cpu, cuda or cuda:N")] | None = None
    threads: Annotated[int, Range(1, 1024)] | None = None
    pin: bool | None = None
    workers_alive: Annotated[int, WORKERS] | None = None
    workers_loading: Annotated[int, WORKERS] | None = None
    env: Mapping[Variable, Annotated[str, Length(0, 200), Line]] = field(default_factory=dict)
    require: Annotated[tuple[RequiredCheck, ...], Unique("check")] = ()

    def __post_init__(self) -> None:
        if self.name in PROFILES:
            raise HarnessError(f"name {self.name!r} is a built-in profile's; choose another")
        if self.base not in PROFILES:
            raise HarnessError(f"base {self.base!r} is none of {', '.join(PROFILES)}")


def read_profile(path: Path) -> Profile:
    """
    Read a profile file. Raises HarnessError for a file that cannot be read, an unknown key, or a
    value out of range or in another unit.
    """
    data = read_toml(path, "the profile")
    file = from_json(ProfileFile, data, str(path))
    base = PROFILES[file.base]()
    threads = file.threads or int(base.defaults["threads"])
    given: dict[str, Any] = {"pin": file.pin, "live": file.workers_alive}
    given["loading"] = file.workers_loading
    return replace(
        base,
        name=f"{file.name}.{_digest(data)}",
        about=file.about,
        defaults={"device": file.device or base.defaults["device"], "threads": threads},
        env={**base.env, **threads_env(threads), **file.env},
        requires=_required(base.requires, file.require),
        **{name: value for name, value in given.items() if value is not None},
    )


def _required(
    base: tuple[Requirement, ...], own: tuple[RequiredCheck, ...]
) -> tuple[Requirement, ...]:
    """Return the base's requirements, those of the same check replaced, and the further ones."""
    named = {each.check: each for each in base}
    for each in own:
        named[each.check] = Requirement(
            check=each.check, action=each.action, want=each.want, known=each.known
        )
    return tuple(named.values())


def _digest(data: Mapping[str, object]) -> str:
    """Return a digest of what a file sets: neither comments nor `about` change it."""
    settings = {name: value for name, value in data.items() if name != "about"}
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def name_of_changed(one: str, other: str) -> str:
    """
    Return the name of the profile file that two profiles are two contents of; empty where they are
    not.
    """
    parts = [re.fullmatch(rf"(.+)\.[0-9a-f]{{{DIGEST_CHARACTERS}}}", name) for name in (one, other)]
    names = {match[1] for match in parts if match is not None}
    return names.pop() if all(parts) and len(names) == 1 and one != other else ""


def get_profile(name: str = DEFAULT) -> Profile:
    """
    Return a profile for this machine, by its name, or by the path of a file if it ends in `.toml`.

    Raises HarnessError for an unknown name, and as `read_profile` does.
    """
    if name.endswith(SUFFIX):
        return read_profile(Path(name))
    if name not in PROFILES:
        raise HarnessError(
            f"unknown profile {name!r}; known are {', '.join(PROFILES)}, or give the path of a "
            "file that ends in .toml"
        )
    return PROFILES[name]()
