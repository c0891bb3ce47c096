"""
Speed of one cell: latency percentiles, real-time factors, energy, and simulated playback.

Pure arithmetic on seconds and joules; knows no clock, no interval (`voxgate.harness.statistics` has
those) and no limit. RTF is synthesis time over audio duration, so LOWER is better; RTFx is the
inverse, so HIGHER is better. Both are reported because half the field prints one under the other's
name.

Playback simulates a player that starts with the first chunk and plays in real time. The player
buffers nothing in advance: a buffering player begins later and stalls less, and both can be derived
from the same arrivals.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from voxgate.harness.records.live import LiveTimes
from voxgate.harness.records.measurement import Measurement, Missing, Value
from voxgate.harness.records.run import AudioChunk, Energy, Iteration
from voxgate.harness.statistics import percentile


def latency_percentile(latencies_s: Sequence[float], percent: float) -> Value:
    """
    Return the `percent`-th percentile (0..100) in s, by linear interpolation between order
    statistics.
    """
    fault = _fault(latencies_s, "latencies")
    return fault or float(percentile(latencies_s, percent))


def rtf(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Value:
    """
    Return the real-time factor: sum of synthesis seconds over sum of audio seconds.

    This is the rate that a long batch job would see. Lower is better.

    >>> rtf([1.0, 2.0], [4.0, 8.0])
    0.25
    """
    fault = _pair_fault(latencies_s, durations_s)
    return fault or math.fsum(latencies_s) / math.fsum(durations_s)


def rtf_median(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Value:
    """
    Return the median real-time factor of single syntheses; lower is better.

    One slow or very long utterance cannot move it.
    """
    fault = _pair_fault(latencies_s, durations_s)
    return fault or float(
        np.median(
            np.asarray(latencies_s, dtype=np.float64) / np.asarray(durations_s, dtype=np.float64)
        )
    )


def rtfx(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Value:
    """
    Return seconds of audio per second of synthesis, sum over sum; higher is better.

    Exactly 1 / `rtf`.

    >>> rtfx([1.0, 2.0], [4.0, 8.0])
    4.0
    """
    factor = rtf(latencies_s, durations_s)
    return factor if isinstance(factor, Missing) else 1.0 / factor


def energy_per_audio_s(energy: Energy) -> Value:
    """Return joules per second of audio, beyond the machine's idle power; lower is better."""
    drawn_j = energy.energy_j - energy.idle_w * energy.busy_s
    if drawn_j <= 0.0:
        busy_w = energy.energy_j / energy.busy_s
        return Missing(
            f"at work no more power than idle: {busy_w:.3g} W against {energy.idle_w:.3g} W "
            f"({energy.meter})"
        )
    return drawn_j / energy.audio_s


def share_of_budget(wall: Measurement, budget_s: float) -> Measurement:
    """Return the wall time of requests as shares of a budget."""

    def share(value: Value) -> Value:
        return value if isinstance(value, Missing) else value / budget_s

    values = tuple(replace(each, value=share(each.value)) for each in wall.values)
    return replace(wall, metric=BUDGET, unit="1", values=values, summary=share(wall.summary))


def _pair_fault(latencies_s: Sequence[float], durations_s: Sequence[float]) -> Missing | None:
    if len(latencies_s) != len(durations_s):
        return Missing(f"{len(latencies_s)} latencies but {len(durations_s)} audio durations")
    return _fault(latencies_s, "latencies") or _fault(durations_s, "audio durations")


def _fault(seconds: Sequence[float], what: str) -> Missing | None:
    """
    Return why a list of seconds cannot be summarised; None where it can.

    A failed request has no latency; one that slipped in as 0, NaN or a negative number spoils
    the whole list.
    """
    if not seconds:
        return Missing(f"no {what}")
    wrong = [value for value in seconds if not (math.isfinite(value) and value > 0)]
    return (
        Missing(
            f"{len(wrong)} of {len(seconds)} {what} are not positive finite seconds (first: "
            f"{wrong[0]})"
        )
        if wrong
        else None
    )


BUDGET = "budget_share"
"""
Median wall time of a request as a share of the suite's budget: 1 is the budget. Only where the
suite has one.
"""
SIMULTANEOUS_S = 0.001
"""
Chunks that arrive within a millisecond arrived together: an engine that cuts finished audio into
chunks delays nobody.
"""
NOT_RECORDED = Missing("the run does not tell when its audio came")
ONE_CHUNK = Missing("the audio came in one piece")


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """The result of playing a stream."""

    underruns: int
    """Times at which the player had no audio left while more was to come."""
    stall_s: float
    """All the silence that underruns added."""
    longest_gap_s: float | None
    """Longest time between two arrivals; None where all chunks arrived together."""


def play(pieces: Sequence[AudioChunk]) -> Playback:
    """
    Simulate the playback of chunks in the order of their arrival. Raises ValueError without
    any.

    >>> play([AudioChunk(arrived_s=0.5, audio_s=1.0), AudioChunk(arrived_s=2.0, audio_s=1.0)])
    Playback(underruns=1, stall_s=0.5, longest_gap_s=1.5)
    """
    if not pieces:
        raise ValueError("there is nothing to play")
    # when all audio received so far will have been played
    over_s, underruns, stall_s = pieces[0].arrived_s, 0, 0.0
    for piece in pieces:
        late_s = piece.arrived_s - over_s
        if late_s > SIMULTANEOUS_S:
            underruns, stall_s, over_s = underruns + 1, stall_s + late_s, piece.arrived_s
        over_s += piece.audio_s
    gaps_s = [later.arrived_s - earlier.arrived_s for earlier, later in pairwise(pieces)]
    apart_s = [gap_s for gap_s in gaps_s if gap_s > SIMULTANEOUS_S]
    return Playback(underruns=underruns, stall_s=stall_s, longest_gap_s=max(apart_s, default=None))


def _first_audio_s(iteration: Iteration) -> Value:
    return iteration.first_audio_s if iteration.first_audio_s > 0.0 else NOT_RECORDED


def _longest_gap_s(iteration: Iteration) -> Value:
    if not iteration.chunks:
        return NOT_RECORDED
    gap_s = play(iteration.chunks).longest_gap_s
    return ONE_CHUNK if gap_s is None else gap_s


def _underruns_per_min(iteration: Iteration) -> Value:
    return (
        play(iteration.chunks).underruns * 60.0 / iteration.audio_s
        if iteration.chunks
        else NOT_RECORDED
    )


def _stall_s(iteration: Iteration) -> Value:
    return play(iteration.chunks).stall_s if iteration.chunks else NOT_RECORDED


TEXT_STAGES = ("text", "phonemes")
"""Names under which engines time their text front-end; a time that is only claimed is none."""


def text_per_100_characters(iteration: Iteration, characters: int) -> float | None:
    """Return the seconds of the text front-end per 100 characters; None where it has no stage."""
    seconds = math.fsum(iteration.stages_s.get(stage, 0.0) for stage in TEXT_STAGES)
    return 100.0 * seconds / characters if seconds > 0.0 and characters else None


NOT_LIVE = Missing("the cell converts whole recordings, and none that comes live")


def live_latency(times: LiveTimes, percent: float) -> float:
    """
    Return a percentile over all samples of the time from a sample's coming in to its going out.

    Within a chunk the first sample has waited longest. What is before the source in audio that is
    late belongs to no sample of it.
    """
    ends_s = np.cumsum([chunk.audio_s for chunk in times.chunks]) - times.delay_s
    starts_s = np.concatenate(([-times.delay_s], ends_s[:-1]))
    ready_s = np.asarray([chunk.ready_s for chunk in times.chunks])
    least_s, most_s = ready_s - ends_s, ready_s - np.maximum(starts_s, 0.0)
    heard = ends_s > 0.0
    least_s, most_s = least_s[heard], most_s[heard]
    at_s = np.unique(np.concatenate((least_s, most_s)))
    # over chunks, each of which has as many samples of any of its latencies
    below_s = np.clip(at_s[:, None] - least_s, 0.0, most_s - least_s).sum(axis=1)
    return float(np.interp(percent / 100.0 * below_s[-1], below_s, at_s))


def play_live(times: LiveTimes) -> Playback:
    """
    Simulate a player of live audio. It holds back what the engine declares, the length of a packet,
    and what the first chunk took to compute; then it plays in real time.
    """
    first = times.chunks[0]
    late_s = first.ready_s - first.heard_s
    begin_s = max(first.ready_s, times.declared_s + times.packet_s + late_s)
    pieces = [
        AudioChunk(arrived_s=max(chunk.ready_s, begin_s), audio_s=chunk.audio_s)
        for chunk in times.chunks
    ]
    return play(pieces)


def live_load(times: LiveTimes) -> float:
    """
    Return computation per second of audio, the 95th percentile over chunks: at 1 there is no time
    left. The rest that comes when the source has ended is left out, unless it is all.
    """
    chunks = times.chunks[:-1] or times.chunks
    return float(percentile([chunk.busy_s / chunk.audio_s for chunk in chunks], 95.0))


def _live(value: Callable[[LiveTimes], float]) -> Callable[[Iteration], Value]:
    """Return a metric of iterations that converted live."""
    return lambda iteration: NOT_LIVE if iteration.live is None else value(iteration.live)


def _silent_share(times: LiveTimes) -> float:
    stall_s = play_live(times).stall_s
    return stall_s / (stall_s + math.fsum(chunk.audio_s for chunk in times.chunks))


LIVE_METRICS: Mapping[str, Callable[[Iteration], Value]] = MappingProxyType(
    {
        "live_latency_p50": _live(lambda times: live_latency(times, 50.0)),
        "live_latency_p95": _live(lambda times: live_latency(times, 95.0)),
        "live_algorithmic": _live(lambda times: times.algorithmic_s),
        "live_load": _live(live_load),
        "live_underruns": _live(_silent_share),
    }
)
"""Metric of cells that convert live -> its value for one iteration."""
STREAMING_METRICS: Mapping[str, Callable[[Iteration], Value]] = MappingProxyType(
    {
        "first_audio_p50": _first_audio_s,
        "longest_gap_p50": _longest_gap_s,
        "underruns": _underruns_per_min,
        "stall": _stall_s,
        **LIVE_METRICS,
    }
)
"""Speed metric -> its value for one iteration."""
STALLS = ("underruns", "stall", "live_underruns")
"""
Metrics whose good value is zero: a ratio to zero is undefined, so they have no interval and no
shift.
"""


def summarise_stalls(name: str, iterations: Sequence[Iteration]) -> Value:
    """
    Summarise one of STALLS.

    Underruns are summed over iterations and divided by the minutes of speech; the stall is the
    mean per utterance, and the share of silence in live audio is that of all time.
    """
    pairs = [
        (value, iteration.audio_s)
        for iteration in iterations
        if isinstance(value := STREAMING_METRICS[name](iteration), float)
    ]
    if not pairs:
        return NOT_LIVE if name in LIVE_METRICS else NOT_RECORDED
    if name in LIVE_METRICS:
        # each value is stall / (stall + audio)
        stalls_s = [audio_s * share / (1.0 - share) for share, audio_s in pairs]
        return math.fsum(stalls_s) / math.fsum((*stalls_s, *(audio_s for _, audio_s in pairs)))
    if name == "underruns":
        return math.fsum(value * audio_s for value, audio_s in pairs) / math.fsum(
            audio_s for _, audio_s in pairs
        )
    return math.fsum(value for value, _ in pairs) / len(pairs)
