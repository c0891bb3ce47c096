"""
What the profiles of Jetson boards have in common. One GPU and one memory for everything, locked clocks, few workers.

Boards run in one of several power modes with clocks that rise and fall; a number from an unlocked board, or from another
mode, is another machine's number. So these profiles refuse to measure where that is wrong, and mark what passes by itself.
"""

from harness.machine.doctor import Action, Requirement
from harness.machine.profiles import LEFT_ALONE, Profile, threads_env


def jetson_profile(name: str, about: str, board: str, modes: str) -> Profile:
    """Give the profile of a board. `board` is a pattern of its module's part number, `modes` names with | between."""
    return Profile(
        name=name,
        about=about,
        defaults={"device": "cuda", "threads": 1},
        env=threads_env(1),
        pin=True,
        live=2,  # GPU and CPU share one memory, of which a CUDA context takes some hundred MB
        requires=(
            Requirement(knob="board", action=Action.REFUSE, want=board),
            Requirement(knob="power-mode", action=Action.REFUSE, want=modes),
            Requirement(knob="cpu-clocks", action=Action.REFUSE),
            Requirement(knob="gpu-clocks", action=Action.REFUSE),
            Requirement(knob="memory-clock", action=Action.REFUSE, known=False),  # only root can read it
            *LEFT_ALONE,
            *(Requirement(knob=knob) for knob in ("temperature", "over-current", "clock")),
            *(Requirement(knob=knob, known=False) for knob in ("rails", "fan")),
        ),
    )
