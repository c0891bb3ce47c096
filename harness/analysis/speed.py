"""
Speed from seconds: percentiles of latency, real-time factor and its inverse; and energy from joules.

Pure arithmetic on lists in seconds; knows no clock, no interval (those are the statistics' work), no limit.
RTF is synthesis time over audio duration, so LOWER is better; RTFx is the inverse, so HIGHER is better. Both are given
because half the field prints one under the other's name.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from harness.records.measurement import Missing, Value
from harness.records.run import Energy

PERCENTILE_METHOD: Literal["linear"] = (
    "linear"  # Hyndman and Fan type 7, numpy's default: interpolates between order statistics
)


def latency_percentile(latencies_s: Sequence[float], percent: float) -> Value:
    """The `percent`-th percentile (0..100) in s, by linear interpolation between order statistics."""
    fault = _fault(latencies_s, "latencies")
    return fault or float(np.percentile(np.asarray(latencies_s, dtype=np.float64), percent, method=PERCENTILE_METHOD))


def rtf(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Value:
    """Sum of synthesis seconds over sum of audio seconds: what a long day of work would show. Lower is better."""
    fault = _pair_fault(latencies_s, durations_s)
    return fault or math.fsum(latencies_s) / math.fsum(durations_s)


def rtf_median(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Value:
    """Median of each synthesis' own real-time factor: one slow or very long utterance cannot move it. Lower is better."""
    fault = _pair_fault(latencies_s, durations_s)
    return fault or float(np.median(np.asarray(latencies_s, dtype=np.float64) / np.asarray(durations_s, dtype=np.float64)))


def rtfx(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Value:
    """Seconds of audio made per second of synthesis, sum over sum; exactly 1 / `rtf`. Higher is better."""
    factor = rtf(latencies_s, durations_s)
    return factor if isinstance(factor, Missing) else 1.0 / factor


def energy_per_audio_s(energy: Energy) -> Value:
    """Joules per second of audio, beyond what the machine draws idle. Lower is better."""
    drawn_j = energy.energy_j - energy.idle_w * energy.busy_s
    if drawn_j <= 0.0:
        busy_w = energy.energy_j / energy.busy_s
        return Missing(f"at work no more power than idle: {busy_w:.3g} W against {energy.idle_w:.3g} W ({energy.meter})")
    return drawn_j / energy.audio_s


def _pair_fault(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Missing | None:
    if len(latencies_s) != len(durations_s):
        return Missing(f"{len(latencies_s)} latencies but {len(durations_s)} audio durations")
    return _fault(latencies_s, "latencies") or _fault(durations_s, "audio durations")


def _fault(seconds: Sequence[float], what: str) -> Missing | None:
    """A failed request has no latency; one that slipped in as 0, NaN or a negative number spoils the whole list."""
    if not seconds:
        return Missing(f"no {what}")
    wrong = [each for each in seconds if not (math.isfinite(each) and each > 0)]
    return (
        Missing(f"{len(wrong)} of {len(seconds)} {what} are not positive finite seconds (first: {wrong[0]})") if wrong else None
    )
