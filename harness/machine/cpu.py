"""All CPUs, as a user would run the engine: honest to report, noisy to gate on."""

from harness.machine.doctor import Requirement
from harness.machine.profiles import LEFT_ALONE, STEADY_CLOCK, Profile, cpu_count, threads_env


def profile() -> Profile:
    """Give the profile as it stands on this machine."""
    return Profile(
        name="cpu",
        about=f"all {cpu_count()} CPUs: honest to report, noisy to gate on",
        defaults={"device": "cpu", "threads": cpu_count()},
        env=threads_env(cpu_count()),
        requires=(*LEFT_ALONE, *STEADY_CLOCK, Requirement(knob="cpu-quota")),  # a quota stops threads that all use it up
    )
