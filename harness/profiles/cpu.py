"""All CPUs, as a user would run the engine: honest to report, noisy to gate on."""

from harness.profiles.profile import Profile, cpu_count, threads_env


def profile() -> Profile:
    """Give the profile as it stands on this machine."""
    return Profile(
        name="cpu",
        about=f"all {cpu_count()} CPUs: honest to report, noisy to gate on",
        defaults={"device": "cpu", "threads": cpu_count()},
        env=threads_env(cpu_count()),
    )
