"""
Speed from seconds: percentiles of latency, real-time factor and its inverse; and energy from
joules.

Pure arithmetic on lists in seconds; knows no clock, no interval (those are the statistics' work),
no limit. RTF is synthesis time over audio duration, so LOWER is better; RTFx is the inverse, so
HIGHER is better. Both are given because half the field prints one under the other's name.

What a listener has of a stream: a player that starts with the first piece and plays in real time,
simulated from arrivals.

Pure functions of records; they know no clock and no limit. The player holds nothing back: whoever
buffers before he plays begins later and stalls less, and both can be read off the same arrivals.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import numpy as np

from harness.records.measurement import Missing, Value
from harness.records.run import AudioChunk, Energy, Iteration

PERCENTILE_METHOD: Literal["linear"] = (
    "linear"  # Hyndman and Fan type 7, numpy's default: interpolates between order statistics
)


def latency_percentile(latencies_s: Sequence[float], percent: float) -> Value:
    """
    The `percent`-th percentile (0..100) in s, by linear interpolation between order statistics.
    """
    fault = _fault(latencies_s, "latencies")
    return fault or float(
        np.percentile(np.asarray(latencies_s, dtype=np.float64), percent, method=PERCENTILE_METHOD)
    )


def rtf(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Value:
    """
    Sum of synthesis seconds over sum of audio seconds: what a long day of work would show. Lower is
    better.
    """
    fault = _pair_fault(latencies_s, durations_s)
    return fault or math.fsum(latencies_s) / math.fsum(durations_s)


def rtf_median(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Value:
    """
    Median of each synthesis' own real-time factor: one slow or very long utterance cannot move it.
    Lower is better.
    """
    fault = _pair_fault(latencies_s, durations_s)
    return fault or float(
        np.median(
            np.asarray(latencies_s, dtype=np.float64) / np.asarray(durations_s, dtype=np.float64)
        )
    )


def rtfx(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Value:
    """
    Seconds of audio made per second of synthesis, sum over sum; exactly 1 / `rtf`. Higher is
    better.
    """
    factor = rtf(latencies_s, durations_s)
    return factor if isinstance(factor, Missing) else 1.0 / factor


def energy_per_audio_s(energy: Energy) -> Value:
    """Joules per second of audio, beyond what the machine draws idle. Lower is better."""
    drawn_j = energy.energy_j - energy.idle_w * energy.busy_s
    if drawn_j <= 0.0:
        busy_w = energy.energy_j / energy.busy_s
        return Missing(
            f"at work no more power than idle: {busy_w:.3g} W against {energy.idle_w:.3g} W "
            f"({energy.meter})"
        )
    return drawn_j / energy.audio_s


def _pair_fault(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Missing | None:
    if len(latencies_s) != len(durations_s):
        return Missing(f"{len(latencies_s)} latencies but {len(durations_s)} audio durations")
    return _fault(latencies_s, "latencies") or _fault(durations_s, "audio durations")


def _fault(seconds: Sequence[float], what: str) -> Missing | None:
    """
    A failed request has no latency; one that slipped in as 0, NaN or a negative number spoils the
    whole list.
    """
    if not seconds:
        return Missing(f"no {what}")
    wrong = [each for each in seconds if not (math.isfinite(each) and each > 0)]
    return (
        Missing(
            f"{len(wrong)} of {len(seconds)} {what} are not positive finite seconds (first: "
            f"{wrong[0]})"
        )
        if wrong
        else None
    )


TOGETHER_S = 0.001
"""
Pieces that come within a millisecond came together: an engine that cuts what it has into pieces
makes nobody wait.
"""
NOT_NOTED = Missing("the run does not tell when its audio came")
ONE_PIECE = Missing("the audio came in one piece")


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """How a stream played."""

    underruns: int
    """How often the player had nothing left while more was to come."""
    stall_s: float
    """All the silence that the stream had not meant."""
    longest_gap_s: float | None
    """Between two arrivals; None where all came together."""


def play(pieces: Sequence[AudioChunk]) -> Playback:
    """Play pieces in the order of their arrival. Raises ValueError without any."""
    if not pieces:
        raise ValueError("there is nothing to play")
    # when all that has come will have been played
    over_s, underruns, stall_s = pieces[0].arrived_s, 0, 0.0
    for piece in pieces:
        late_s = piece.arrived_s - over_s
        if late_s > TOGETHER_S:
            underruns, stall_s, over_s = underruns + 1, stall_s + late_s, piece.arrived_s
        over_s += piece.audio_s
    gaps_s = [later.arrived_s - earlier.arrived_s for earlier, later in pairwise(pieces)]
    apart_s = [gap_s for gap_s in gaps_s if gap_s > TOGETHER_S]
    return Playback(underruns=underruns, stall_s=stall_s, longest_gap_s=max(apart_s, default=None))


def _first_audio_s(sample: Iteration) -> Value:
    return sample.first_audio_s if sample.first_audio_s > 0.0 else NOT_NOTED


def _longest_gap_s(sample: Iteration) -> Value:
    if not sample.chunks:
        return NOT_NOTED
    gap_s = play(sample.chunks).longest_gap_s
    return ONE_PIECE if gap_s is None else gap_s


def _underruns_per_min(sample: Iteration) -> Value:
    return play(sample.chunks).underruns * 60.0 / sample.audio_s if sample.chunks else NOT_NOTED


def _stall_s(sample: Iteration) -> Value:
    return play(sample.chunks).stall_s if sample.chunks else NOT_NOTED


STREAMING_METRICS: Mapping[str, Callable[[Iteration], Value]] = MappingProxyType(
    {
        "first_audio_p50": _first_audio_s,
        "longest_gap_p50": _longest_gap_s,
        "underruns": _underruns_per_min,
        "stall": _stall_s,
    }
)
"""Speed metric -> its value for one iteration."""
STALLS = ("underruns", "stall")
"""
Those whose good value is zero: a ratio to zero says nothing, so they have no interval and no shift.
"""


def stalled(name: str, samples: Sequence[Iteration]) -> Value:
    """
    Summarise one of STALLS: underruns in all over minutes of speech in all, or the mean stall of an
    utterance.
    """
    pairs = [
        (value, sample.audio_s)
        for sample in samples
        if isinstance(value := STREAMING_METRICS[name](sample), float)
    ]
    if not pairs:
        return NOT_NOTED
    if name == "underruns":
        return math.fsum(value * audio_s for value, audio_s in pairs) / math.fsum(
            audio_s for _, audio_s in pairs
        )
    return math.fsum(value for value, _ in pairs) / len(pairs)
