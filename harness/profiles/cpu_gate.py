"""
The quietest way to measure on an ordinary, possibly shared, machine; what gates should use.

One thread, pinned, with huge pages for malloc: what makes fresh processes differ is mostly where their memory landed, and
a second thread on a shared host multiplies the rest. Figures and their check belong to `docs/`, not here.
"""

from harness.doctor.examination import Requirement
from harness.profiles.profile import LEFT_ALONE, STEADY_CLOCK, Profile, cpu_count, threads_env

HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # glibc >= 2.35; ignored elsewhere


def profile() -> Profile:
    """Give the profile as it stands on this machine."""
    return Profile(
        name="cpu-gate",
        about="one thread on one pinned CPU, huge pages: the quietest, for gating",
        defaults={"device": "cpu", "threads": 1},
        env={**threads_env(1), **HUGE_PAGES},
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
