"""
The profiles: a kind of device each, and how it must be set up. One file per profile; this table finds them.

Knows no engine options beyond device and threads. It names what must hold of the machine, and checks nothing (that is the
doctor's business).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harness.errors import HarnessError
from harness.machine import cpu, cpu_gate, cuda, jetson_agx_orin_maxn, jetson_orin_nano
from harness.machine.profiles import Profile

DEFAULT = "cpu-gate"
PROFILES: Mapping[str, Callable[[], Profile]] = MappingProxyType(
    {
        "cpu-gate": cpu_gate.profile,
        "cpu": cpu.profile,
        "cuda": cuda.profile,
        "jetson-agx-orin-maxn": jetson_agx_orin_maxn.profile,
        "jetson-orin-nano": jetson_orin_nano.profile,
    }
)

__all__ = ["DEFAULT", "PROFILES", "Profile", "get_profile"]


def get_profile(name: str = DEFAULT) -> Profile:
    """Give a profile as it stands on this machine. Raises HarnessError for an unknown name."""
    if name not in PROFILES:
        raise HarnessError(f"unknown profile {name!r}; known are {', '.join(PROFILES)}")
    return PROFILES[name]()
