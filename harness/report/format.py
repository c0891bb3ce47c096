"""
A number as people read it: its unit scaled, its digits chosen, its interval behind it.

Knows units; computes nothing but the scale of a unit.
"""

from collections.abc import Mapping
from types import MappingProxyType

from harness.records.measurement import Measurement, Missing, Value, is_exact

SCALES: Mapping[str, tuple[float, str]] = MappingProxyType({"bytes": (1 / 2**20, "MiB")})
"""Base unit -> what to multiply with, and the unit that is shown."""
SECONDS = (1000.0, "ms")
PERCENT = (100.0, "%")
PLAIN = 1.0
ERRORS = ("wer", "cer", "wer_macro", "cer_macro", "wer_over_half")
"""Shown in percent."""
FIXED: Mapping[str, int] = MappingProxyType(
    {"rtf": 3, "rtf_median": 3, "pesq": 2, "pesq_c2": 2, "stoi": 3, "estoi": 3, "speaker_similarity": 3, "voice_similarity": 3}
)
"""Decimals where readers expect a fixed number of them."""
MISSING = "missing"


def shown_unit(metric: str, unit: str) -> str:
    """Name the unit that `shown` uses for a metric; empty for bare ratios."""
    return _scale(metric, unit)[1]


def shown_scale(metric: str, unit: str) -> float:
    """Give what a value in base units is multiplied with to be shown in `shown_unit`."""
    return _scale(metric, unit)[0]


def shown(measurement: Measurement, *, interval: bool = True) -> str:
    """Give the summary as `412 [408 417]`; `exact` for identical signals, `missing` where there is none."""
    value = measurement.summary
    if isinstance(value, Missing):
        return MISSING
    if is_exact(measurement.unit, value):
        return "exact"
    scale, _ = _scale(measurement.metric, measurement.unit)
    decimals = _decimals(measurement.metric, value * scale)
    point = f"{value * scale:.{decimals}f}"
    if not interval or measurement.low is None or measurement.high is None:
        return point
    return f"{point} [{measurement.low * scale:.{decimals}f} {measurement.high * scale:.{decimals}f}]"


def shown_value(metric: str, unit: str, value: Value) -> str:
    """Give a bare value as `shown` does, or `missing: reason`."""
    if isinstance(value, Missing):
        return f"{MISSING}: {value.reason}"
    if is_exact(unit, value):
        return "exact"
    scale, _ = _scale(metric, unit)
    return f"{value * scale:.{_decimals(metric, value * scale)}f}"


def _scale(metric: str, unit: str) -> tuple[float, str]:
    if unit == "s" and _base(metric) != "duration":
        return SECONDS
    if _base(metric) in ERRORS:
        return PERCENT
    if unit in ("1", "s/s"):
        return PLAIN, ""
    return SCALES.get(unit, (PLAIN, unit))


def _base(metric: str) -> str:
    """Name the metric itself, without the prefixes that say how it was read."""
    return metric.removeprefix("golden_").removeprefix("phone_")


def _decimals(metric: str, value: float) -> int:
    """Choose three digits or so; more where the number is small."""
    size = abs(value)
    usual = FIXED.get(_base(metric))
    if usual is not None:
        return usual if size >= 0.01 or size == 0.0 else usual + 2
    if size >= 99.95:  # what rounds to 100
        return 0
    return 1 if size >= 1.0 or size == 0.0 or _base(metric) in ERRORS else 3
