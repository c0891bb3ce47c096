"""
Axes of pictures: values to places, and ticks at round values.

A place is in units of the picture's view box, so that the page scales it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1.0, 2.0, 5.0, 10.0)
"""A tick's distance is one of these, times a power of ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """
    Values `low` to `high` lie at `start` to `end`, a vertical axis having `start` below `end`.

    A logarithmic one needs values above 0.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Return the place of a value, at the nearest end for one beyond it."""
        share = (self._of(value) - self._of(self.low)) / (self._of(self.high) - self._of(self.low))
        return round(self.start + min(max(share, 0.0), 1.0) * (self.end - self.start), 2)

    def holds(self, value: float) -> bool:
        """Return whether a value lies on the axis."""
        return self.low <= value <= self.high

    def ticks(self, most: int = 6) -> tuple[float, ...]:
        """Return at most about `most` round values on the axis, rising."""
        found = _log_ticks(self.low, self.high, most) if self.is_log else ()
        return found or _linear_ticks(self.low, self.high, most)

    def _of(self, value: float) -> float:
        return math.log(max(value, self.low)) if self.is_log else value


def scale_of(
    values: Iterable[float], start: float, end: float, *, is_log: bool = False, room: float = 0.06
) -> Scale:
    """
    Return the scale that holds all values with `room` (a share of the range) at both ends. Equal
    values get a range of their own size around them.

    Raises ValueError for no values, or one that is not finite, or not above 0 where `is_log`.
    """
    known = list(values)
    if not known or not all(map(math.isfinite, known)) or (is_log and min(known) <= 0.0):
        raise ValueError(f"no axis for {known[:5]}")
    low, high = min(known), max(known)
    if is_log:
        factor = (high / low) ** room if high > low else 1.5
        return Scale(low=low / factor, high=high * factor, start=start, end=end, is_log=True)
    margin = (high - low) * room if high > low else abs(low) / 2.0 or 1.0
    return Scale(low=low - margin, high=high + margin, start=start, end=end)


def _linear_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in STEPS if factor * power >= rough * (1.0 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(float(f"{number * step:.12g}") for number in range(first, last + 1))


def _log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Return 1, 2 and 5 of every decade, or its 1 alone where that is too many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        every = (factor * 10.0**decade for decade in decades for factor in factors)
        found = tuple(float(f"{value:.12g}") for value in every if low <= value <= high)
        if len(found) <= most:
            break
    return found if len(found) >= 2 else ()
