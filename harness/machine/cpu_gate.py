"""
The quietest way to measure on an ordinary, possibly shared, machine; what gates should use.

One thread, pinned, with huge pages for malloc, which never gives memory back: what makes fresh processes differ is mostly
where their memory landed, and a second thread on a shared host multiplies the rest. Figures and their check belong to
`docs/`, not here.
"""

from harness.machine.doctor import Requirement
from harness.machine.profiles import LEFT_ALONE, STEADY_CLOCK, Profile, cpu_count, threads_env

KEEP_BYTES = 2**32
TUNABLES = {
    "hugetlb": 1,
    "mmap_threshold": 2**25,  # the most that glibc takes: large tensors come from the heap, too
    "trim_threshold": KEEP_BYTES,  # what was freed stays: no page is given back and faulted in again during an iteration
    "top_pad": 2**27,
    "arena_max": 1,
}
"""Of malloc in glibc >= 2.35 (manual, "Memory Allocation Tunables"); ignored elsewhere. Huge pages, and keep what you have."""
MALLOC = {"GLIBC_TUNABLES": ":".join(f"glibc.malloc.{name}={value}" for name, value in TUNABLES.items())}


def profile() -> Profile:
    """Give the profile as it stands on this machine."""
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
            Requirement(knob="turbo", known=False),
            Requirement(knob="shared-cores", known=False),
            Requirement(knob="huge-pages"),
            Requirement(knob="glibc"),
        ),
    )
