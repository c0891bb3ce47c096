"""
Integrates the flow from noise (t = 0) to mel (t = 1): Euler, midpoint and Heun on a uniform, pruned or sway-sampled grid.

The state is fp32 whatever the model computes in. Knows nothing of text or guidance: it is given a velocity.
"""

import itertools
import math
from collections.abc import Callable

from torch import Tensor

from engine.config import Grid, Solver

Velocity = Callable[[Tensor, float], Tensor]
"""(state, t) -> velocity, both shaped like the state."""


PRUNED = {
    5: (0, 2, 4, 8, 16, 32),
    6: (0, 2, 4, 6, 8, 16, 32),
    7: (0, 2, 4, 6, 8, 16, 24, 32),
    10: (0, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32),
    12: (0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32),
    16: (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32),
}
"""EPSS: which of 32 even steps are kept, by their count (Zheng et al. 2025, "Fast F5-TTS")."""


def time_grid(steps: int, sway: float, grid: Grid = Grid.UNIFORM) -> tuple[float, ...]:
    """Give steps + 1 times from 0 to 1; sway sampling of F5-TTS: t + s (cos(pi t / 2) - 1 + t)."""
    even = [index / 32 for index in PRUNED[steps]] if grid is Grid.EPSS else [index / steps for index in range(steps + 1)]
    swayed = [t + sway * (math.cos(math.pi / 2 * t) - 1.0 + t) for t in even]
    return (0.0, *swayed[1:-1], 1.0)


def integrate(velocity: Velocity, noise: Tensor, times: tuple[float, ...], solver: Solver) -> Tensor:
    """Follow the velocity along the grid; gives the state at the last time."""
    state = noise
    for now, then in itertools.pairwise(times):
        state = _STEPS[solver](velocity, state, now, then)
    return state


def _euler(velocity: Velocity, state: Tensor, now: float, then: float) -> Tensor:
    return state + (then - now) * velocity(state, now)


def _midpoint(velocity: Velocity, state: Tensor, now: float, then: float) -> Tensor:
    half = 0.5 * (then - now)
    middle = state + half * velocity(state, now)
    return state + (then - now) * velocity(middle, now + half)


def _heun(velocity: Velocity, state: Tensor, now: float, then: float) -> Tensor:
    step = then - now
    first = velocity(state, now)
    second = velocity(state + step * first, then)
    return state + 0.5 * step * (first + second)


_STEPS = {Solver.EULER: _euler, Solver.MIDPOINT: _midpoint, Solver.HEUN: _heun}
