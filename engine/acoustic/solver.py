"""
Integrates the flow from noise (t = 0) to mel (t = 1): Euler, midpoint and Heun on a uniform, pruned
or sway-sampled grid.

The state is fp32 whatever the model computes in, and is moved in place: no step allocates. Knows
nothing of text or guidance: it is given a velocity.

Early exit: once the velocity hardly changes any more, the rest of the way is gone at the velocity
that was.

What counts is how much it would change on the rest of the way if it went on as from the last call
to this one; the change between two calls alone would say "settled" at the tiny first steps of a
sway-sampled grid. The model is not called any more; what is left of the steps adds up to one step
to the end.
"""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from engine.config import Adaptive, Grid, Solver

Velocity = Callable[[Tensor, float], Tensor]
"""
(state, t) -> velocity, both shaped like the state, which is read and not kept: it moves on. Nor is
a velocity to be kept: the next call may write into the same memory, as the replay of a CUDA graph
does.
"""


PRUNED = {
    5: (0, 2, 4, 8, 16, 32),
    6: (0, 2, 4, 6, 8, 16, 32),
    7: (0, 2, 4, 6, 8, 16, 24, 32),
    10: (0, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32),
    12: (0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32),
    16: (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32),
}
"""EPSS: which of 32 even steps are kept, by their count (Zheng et al. 2025, "Fast F5-TTS")."""
FULL_PHONES = 60
"""
A chunk of so many phones, about five seconds of speech, gets all steps when they are adaptive.
"""
LEAST_SHARE = 0.5
"""Of the steps, which the shortest chunk gets."""


def steps_for(steps: int, adaptive: Adaptive, phones: int) -> int:
    """
    Give the steps of a chunk of so many phones: all, or, where adaptive, in proportion to its
    phones and at least half.
    """
    if adaptive is Adaptive.OFF:
        return steps
    return math.ceil(steps * min(1.0, max(LEAST_SHARE, phones / FULL_PHONES)))


def time_grid(steps: int, sway: float, grid: Grid = Grid.UNIFORM) -> tuple[float, ...]:
    """Give steps + 1 times from 0 to 1; sway sampling of F5-TTS: t + s (cos(pi t / 2) - 1 + t)."""
    even = (
        [index / 32 for index in PRUNED[steps]]
        if grid is Grid.EPSS
        else [index / steps for index in range(steps + 1)]
    )
    swayed = [t + sway * (math.cos(math.pi / 2 * t) - 1.0 + t) for t in even]
    return (0.0, *swayed[1:-1], 1.0)


def integrate(
    velocity: Velocity, noise: Tensor, times: tuple[float, ...], solver: Solver
) -> Tensor:
    """
    Follow the velocity along the grid; gives the state at the last time and leaves `noise` as it
    is.
    """
    state, spare = noise.clone(), torch.empty_like(noise)
    for now, then in itertools.pairwise(times):
        _STEPS[solver](velocity, state, spare, now, then)
    return state


def _euler(velocity: Velocity, state: Tensor, _spare: Tensor, now: float, then: float) -> None:
    state.add_(velocity(state, now), alpha=then - now)


def _midpoint(velocity: Velocity, state: Tensor, spare: Tensor, now: float, then: float) -> None:
    half = 0.5 * (then - now)
    middle = torch.add(state, velocity(state, now), alpha=half, out=spare)
    state.add_(velocity(middle, now + half), alpha=then - now)


def _heun(velocity: Velocity, state: Tensor, spare: Tensor, now: float, then: float) -> None:
    step = then - now
    first = velocity(state, now)
    end = torch.add(state, first, alpha=step, out=spare)
    # before the second call, which may write over the first velocity
    state.add_(first, alpha=0.5 * step)
    state.add_(velocity(end, then), alpha=0.5 * step)


_STEPS = {Solver.EULER: _euler, Solver.MIDPOINT: _midpoint, Solver.HEUN: _heun}


class EarlyExitVelocity:
    """
    A velocity for one chunk that stays what it is once the change ahead is below `threshold`,
    relative to its size.
    """

    def __init__(self, velocity: Velocity, threshold: float) -> None:
        self.velocity = velocity
        self.threshold = threshold
        self._last: Tensor | None = None
        self._time = 0.0
        self._settled = False

    def __call__(self, state: Tensor, t: float) -> Tensor:
        """
        Give the velocity, from the model as long as it is needed. Reads two numbers back from a
        device per call.
        """
        if self._last is not None and self._settled:
            return self._last
        velocity = self.velocity(state, t)
        if self._last is not None and t > self._time:
            ahead = (1.0 - t) / (t - self._time)
            self._settled = ahead * float((velocity - self._last).norm()) < self.threshold * float(
                self._last.norm()
            )
        # the buffer of a CUDA graph is written again by the next call
        self._last, self._time = velocity.clone(), t
        return velocity
