"""
Numbers in, a summary or a shift with its uncertainty out.

Pure functions: they know no cells, no units and no files, and decide nothing.
"""

from voxgate.harness.statistics.intervals import (
    DRAWS,
    NO_PRIOR,
    SEED,
    Interval,
    Prior,
    Shift,
    interval,
    log_ratios,
    log_statistics,
    mean_interval,
    paired_bootstrap,
    paired_rate_difference,
    paired_shift,
    prior_of,
    shift,
)
from voxgate.harness.statistics.preference import Strengths, bradley_terry, strengths
from voxgate.harness.statistics.significance import benjamini_hochberg, detectable, p_beyond
from voxgate.harness.statistics.summary import (
    LEVEL,
    Array,
    Group,
    Statistic,
    at_percentile,
    inverse_rate,
    mean,
    percentile,
    rate,
    samples_needed,
)
from voxgate.harness.statistics.takes import TakesShift, takes_shift

__all__ = [
    "DRAWS",
    "LEVEL",
    "NO_PRIOR",
    "SEED",
    "Array",
    "Group",
    "Interval",
    "Prior",
    "Shift",
    "Statistic",
    "Strengths",
    "TakesShift",
    "at_percentile",
    "benjamini_hochberg",
    "bradley_terry",
    "detectable",
    "interval",
    "inverse_rate",
    "log_ratios",
    "log_statistics",
    "mean",
    "mean_interval",
    "p_beyond",
    "paired_bootstrap",
    "paired_rate_difference",
    "paired_shift",
    "percentile",
    "prior_of",
    "rate",
    "samples_needed",
    "shift",
    "strengths",
    "takes_shift",
]
