"""Jetson AGX Orin in its unlimited power mode, clocks locked: what a locked nightly measurement uses."""

from harness.machine.jetson import jetson_profile
from harness.machine.profiles import Profile


def profile() -> Profile:
    """Give the profile."""
    return jetson_profile(
        "jetson-agx-orin-maxn",
        "Jetson AGX Orin, power mode MAXN, clocks locked",
        board="p3701",  # 32 GB (0004, 0000), 64 GB (0005), industrial (0008)
        modes="MAXN",
    )
