"""
Early exit: once the velocity hardly changes from one call to the next, the rest of the way is gone at the velocity that was.

The model is not called any more; what is left of the steps adds up to one step to the end. On a straight path nothing is
lost by that, and the path is straight where the velocity does not change.
"""

from torch import Tensor

from engine.acoustic.solver import Velocity


class Settling:
    """A velocity for one chunk that stays what it is after it changed by less than `threshold`, relative to its size."""

    def __init__(self, velocity: Velocity, threshold: float) -> None:
        self.velocity = velocity
        self.threshold = threshold
        self._last: Tensor | None = None
        self._settled = False

    def __call__(self, state: Tensor, t: float) -> Tensor:
        """Give the velocity, from the model as long as it is needed. Reads one number back from a device per call."""
        if self._last is not None and self._settled:
            return self._last
        velocity = self.velocity(state, t)
        if self._last is not None:
            self._settled = float((velocity - self._last).norm()) < self.threshold * float(self._last.norm())
        self._last = velocity.clone()  # the buffer of a CUDA graph is written again by the next call
        return velocity
