"""
How large a shift must be to matter in a trend: a share of what the policy calls too much.

Taken from the policy, so that there is one place that says how much of which metric is too much. Knows no series and
decides nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.history.arrays import Array
from harness.records.verdict import Limit

STEP = 0.2
"""
A step is dated from a fifth of the policy's limit on: 1 % of a latency (limit 5 %), 0.2 dB (limit 1 dB), 0.2 points of WER.

1 % is what the same code differs by from night to night (coefficient of variation of a nightly median on quiet machines:
0.5 to 1 %), so the date of anything smaller would be noise; and five dated steps of this size that nobody answered make a
regression beyond the limit.
"""
ALARM = 0.6
"""
An alarm needs three fifths of the policy's limit: 3 % of a latency, 0.6 dB, 0.6 points of WER.

Below the limit, as the gate's line is (0.7 of it, `verdict.py`), because a line at 5 % finds a true 5 % only every other
night; lower than the gate's, because three nights must agree. `docs/how-trends-are-read.md` has the error rates.
"""
RELATIVE = 0.05
DECIBELS = 1.0
"""What counts as the limit of a metric that the policy does not know (imported ones, stages): the policy's usual ones."""


def usual_limit(unit: str, *, blocking: bool) -> Limit:
    """Return the limit of a metric of another tool, of which no policy speaks."""
    relative, absolute = (None, DECIBELS) if unit == "dB" else (RELATIVE, None)
    return Limit(relative=relative, absolute=absolute, blocking=blocking, against="baseline", evidence="none", floor=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """A shift matters when it exceeds both: `relative`, a share of the level, and `absolute`, in the metric's unit."""

    relative: float = 0.0
    absolute: float = 0.0

    def of(self, level: Array) -> Array:
        """Give the margin at each level, in the metric's unit."""
        return np.maximum(self.relative * np.abs(level), self.absolute)


def margin_of(metric: str, unit: str, policy: Mapping[str, Limit], share: float) -> Margin:
    """Give `share` (STEP, ALARM) of the policy's limit of a metric; of the usual limit where the policy has no line."""
    limit = policy.get(metric)
    if limit is None:
        return Margin(absolute=share * DECIBELS) if unit == "dB" else Margin(relative=share * RELATIVE)
    return Margin(relative=share * (limit.relative or 0.0), absolute=share * (limit.absolute or 0.0))


def shift_of(before: float, after: float, margin: Margin) -> tuple[float, bool]:
    """Give the shift and whether it is a difference in the metric's unit: where the margin has no share, or `before` is 0."""
    absolute = margin.relative == 0.0 or before == 0.0
    return (after - before, True) if absolute else ((after - before) / abs(before), False)


def shift_text(shift: float, absolute: bool, unit: str) -> str:
    """Write a shift for people: `+6.1 %`, `-0.7 dB`."""
    return f"{shift:+.3g} {unit}".rstrip() if absolute else f"{100.0 * shift:+.1f} %"
