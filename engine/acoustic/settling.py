"""
Early exit: once the velocity hardly changes any more, the rest of the way is gone at the velocity that was.

What counts is how much it would change on the rest of the way if it went on as from the last call to this one; the change
between two calls alone would say "settled" at the tiny first steps of a sway-sampled grid. The model is not called any more;
what is left of the steps adds up to one step to the end.
"""

from torch import Tensor

from engine.acoustic.solver import Velocity


class Settling:
    """A velocity for one chunk that stays what it is once the change ahead is below `threshold`, relative to its size."""

    def __init__(self, velocity: Velocity, threshold: float) -> None:
        self.velocity = velocity
        self.threshold = threshold
        self._last: Tensor | None = None
        self._time = 0.0
        self._settled = False

    def __call__(self, state: Tensor, t: float) -> Tensor:
        """Give the velocity, from the model as long as it is needed. Reads two numbers back from a device per call."""
        if self._last is not None and self._settled:
            return self._last
        velocity = self.velocity(state, t)
        if self._last is not None and t > self._time:
            ahead = (1.0 - t) / (t - self._time)
            self._settled = ahead * float((velocity - self._last).norm()) < self.threshold * float(self._last.norm())
        self._last, self._time = velocity.clone(), t  # the buffer of a CUDA graph is written again by the next call
        return velocity
