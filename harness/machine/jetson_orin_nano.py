"""
Jetson Orin Nano, clocks locked, in any of its modes with all CPUs on.

MAXN_SUPER is the fastest and draws enough to be slowed down by over-current events; 25W is the fastest without. The mode
belongs to the machine's identity, so that baselines of different modes are never compared.
"""

from harness.machine.jetson import jetson_profile
from harness.machine.profiles import Profile


def profile() -> Profile:
    """Give the profile."""
    return jetson_profile(
        "jetson-orin-nano",
        "Jetson Orin Nano, power mode 25W, MAXN_SUPER or 15W, clocks locked",
        board="p3767-000[345]",  # 8 GB (0003), 4 GB (0004), the developer kit's 8 GB (0005); 0000 and 0001 are Orin NX
        modes="25W|MAXN_SUPER|15W",
    )
