"""
ODE solver of the flow, from noise (t = 0) to mel (t = 1): Euler, midpoint, Heun.

The time grid is uniform, pruned (EPSS) or sway-sampled.
The state is fp32 whatever the model computes in, and is updated in place, so no step allocates.
It integrates any velocity, independent of text and guidance.

Early exit: once the velocity is predicted to change by less than a threshold until t = 1, the last
velocity is used for all remaining steps, and the model is not called again.
The prediction extrapolates the rate of change between the last two calls.
The bare difference of two calls would be small at the tiny first steps of a sway-sampled grid.
"""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from voxgate.engine.config import Adaptive, Grid, Solver

Velocity = Callable[[Tensor, float], Tensor]
"""
(state, t) -> velocity, of the shape of the state.

The velocity must not keep the state, which is updated in place.
The caller must not keep a velocity: the next call may write into the same memory, as the replay of
a CUDA graph does.
"""


PRUNED_STEPS = {
    5: (0, 2, 4, 8, 16, 32),
    6: (0, 2, 4, 6, 8, 16, 32),
    7: (0, 2, 4, 6, 8, 16, 24, 32),
    10: (0, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32),
    12: (0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32),
    16: (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32),
}
"""EPSS: which of 32 even steps remain, by their count (Zheng et al. 2025, "Fast F5-TTS")."""
FULL_PHONES = 60
"""
Chunks from this length on, about five seconds of speech, get all steps when they are adaptive.
"""
MIN_STEP_SHARE = 0.5
"""The share of the steps that the shortest chunk gets."""


def steps_for(steps: int, adaptive: Adaptive, phones: int) -> int:
    """
    Return the solver steps of a chunk with so many phones.

    All of them, or, if adaptive, in proportion to the phones and at least half.
    """
    if adaptive is Adaptive.OFF:
        return steps
    return math.ceil(steps * min(1.0, max(MIN_STEP_SHARE, phones / FULL_PHONES)))


def time_grid(steps: int, sway: float, grid: Grid = Grid.UNIFORM) -> tuple[float, ...]:
    """
    Return steps + 1 times from 0 to 1.

    Sway sampling of F5-TTS: t + sway (cos(pi t / 2) - 1 + t).
    """
    even = (
        [index / 32 for index in PRUNED_STEPS[steps]]
        if grid is Grid.EPSS
        else [index / steps for index in range(steps + 1)]
    )
    swayed = [t + sway * (math.cos(math.pi / 2 * t) - 1.0 + t) for t in even]
    return (0.0, *swayed[1:-1], 1.0)


def integrate(
    velocity: Velocity, noise: Tensor, times: tuple[float, ...], solver: Solver
) -> Tensor:
    """
    Integrate the velocity along the grid and return the state at the last time.

    `noise` is not changed.
    """
    state, buffer = noise.clone(), torch.empty_like(noise)
    for t, t_next in itertools.pairwise(times):
        _STEP_FUNCTIONS[solver](velocity, state, buffer, t, t_next)
    return state


def _euler(velocity: Velocity, state: Tensor, _buffer: Tensor, t: float, t_next: float) -> None:
    state.add_(velocity(state, t), alpha=t_next - t)


def _midpoint(velocity: Velocity, state: Tensor, buffer: Tensor, t: float, t_next: float) -> None:
    half = 0.5 * (t_next - t)
    middle = torch.add(state, velocity(state, t), alpha=half, out=buffer)
    state.add_(velocity(middle, t + half), alpha=t_next - t)


def _heun(velocity: Velocity, state: Tensor, buffer: Tensor, t: float, t_next: float) -> None:
    step = t_next - t
    first = velocity(state, t)
    end = torch.add(state, first, alpha=step, out=buffer)
    # before the second call, which may overwrite the first velocity
    state.add_(first, alpha=0.5 * step)
    state.add_(velocity(end, t_next), alpha=0.5 * step)


_STEP_FUNCTIONS = {Solver.EULER: _euler, Solver.MIDPOINT: _midpoint, Solver.HEUN: _heun}


class EarlyExitVelocity:
    """
    A velocity of one chunk that is constant once its predicted change is below `threshold`.

    The threshold is relative to the velocity's norm.
    """

    def __init__(self, velocity: Velocity, threshold: float) -> None:
        self.velocity = velocity
        self.threshold = threshold
        self._last: Tensor | None = None
        self._last_t = 0.0
        self._exited = False

    def __call__(self, state: Tensor, t: float) -> Tensor:
        """
        Return the velocity, from the model until the exit.

        Reads two numbers back from the device per call.
        """
        if self._last is not None and self._exited:
            return self._last
        velocity = self.velocity(state, t)
        if self._last is not None and t > self._last_t:
            remaining_steps = (1.0 - t) / (t - self._last_t)
            self._exited = remaining_steps * float(
                (velocity - self._last).norm()
            ) < self.threshold * float(self._last.norm())
        # cloned: a CUDA graph's buffer is overwritten by the next call
        self._last, self._last_t = velocity.clone(), t
        return velocity
