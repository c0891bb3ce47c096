"""One NVIDIA GPU, the first visible one. Clocks and power limits are left as they are; `environment.py` records them."""

from harness.machine.doctor import Requirement
from harness.machine.profiles import LEFT_ALONE, STEADY_CLOCK, Profile, threads_env


def profile() -> Profile:
    """Give the profile as it stands on this machine."""
    return Profile(
        name="cuda",
        about="the first visible NVIDIA GPU, one CPU thread",
        defaults={"device": "cuda", "threads": 1},
        env={**threads_env(1), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        live=4,  # idle workers keep their CUDA context, some hundred MB of GPU memory each
        loading=2,
        requires=(
            Requirement(knob="gpu"),
            *LEFT_ALONE,
            *STEADY_CLOCK,
            Requirement(knob="gpu-clock", known=False),  # an idle GPU does not show the clock that it will have at work
            *(Requirement(knob=f"gpu-{knob}") for knob in ("power", "throttling", "sharing")),
            Requirement(knob="gpu-persistence", known=False),
        ),
    )
