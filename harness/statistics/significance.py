"""From a shift and its error to decisions: p-values, false discovery rate, detectable shift."""

import math
from collections.abc import Sequence

from scipy.special import stdtr

from voxgate.harness.statistics.intervals import Shift, student_quantile
from voxgate.harness.statistics.summary import LEVEL


def p_beyond(shift: Shift, threshold: float) -> float:
    """
    Return the one-sided p-value of "the true ratio is at most 1 + threshold".

    Student's t on the log-ratio. Without a known error it is 1.0; without any spread, 0.0 or
    1.0.
    """
    if shift.error is None or shift.freedom is None:
        return 1.0
    distance = math.log1p(shift.point) - math.log1p(threshold)
    if shift.error <= 0.0:
        return 0.0 if distance > 0.0 else 1.0
    return float(stdtr(shift.freedom, -distance / shift.error))


def benjamini_hochberg(p_values: Sequence[float], share: float) -> list[bool]:
    """
    Return for each p-value whether it is a discovery at a false discovery rate of at most
    `share`.

    Benjamini & Hochberg 1995.

    >>> benjamini_hochberg([0.001, 0.2, 0.02, 0.9], share=0.05)
    [True, False, True, False]
    """
    ordered = sorted(p_values)
    passing = [p for rank, p in enumerate(ordered, start=1) if p <= share * rank / len(ordered)]
    worst = passing[-1] if passing else -1.0
    return [p <= worst for p in p_values]


def detectable(
    error: float, freedom: float, line: float, bound: float, power: float = 0.9
) -> float:
    """
    Return the smallest true shift (a ratio minus one) that is detected with probability
    `power`.

    Detected means: estimate above `line`, and one-sided bound at LEVEL above `bound`. Both must
    hold, and the estimate strays by `error` (of the logarithm): the usual sum of two quantiles
    (Lachin 1981), with Student's t for the few degrees of freedom.

    >>> round(detectable(error=0.01, freedom=4.0, line=0.05, bound=0.02), 4)
    0.0662
    """
    luck, doubt = student_quantile(freedom, 1.0 - power), student_quantile(freedom, 1.0 - LEVEL)
    return math.expm1(
        max(math.log1p(line) + luck * error, math.log1p(bound) + (doubt + luck) * error)
    )
