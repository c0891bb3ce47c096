"""
Convert a source that comes live: feed it to a target packet by packet, and compute when each chunk
would have been ready in real time.

The source is not played in real time, which would take as long as it lasts. All packets are there
at once, and three kinds of moments are read on the clock: when the target takes a packet, when it
yields a chunk, when it ends. From them follows the real time: a packet that is taken before it has
come is waited for, and everything behind it is later. What a target has heard is what it took, so
nothing of that is believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.harness.audio.recording import Recording
from voxgate.harness.machine.clock import Clock, StageWatch
from voxgate.harness.metrics.conversion import energy_delay
from voxgate.harness.records.cell import Request
from voxgate.harness.records.live import LiveChunk, LiveTimes
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import OptionCheck
from voxgate.harness.targets.live_packets import PACKET_S, live_source
from voxgate.harness.targets.protocol import LiveInput, Target

LEAST_DELAY_S = 0.040
"""A delay below it is none: the energies of two voices do not agree to the frame."""
LEAST_GAIN = 0.02
"""
By which the energies must correlate better at the delay than without one. A steady sound fits
anywhere.
"""
FARTHEST_S = 2.0
"""Of the delay that is looked for."""
SLACK_S = 0.001
LIVE_LATENCY = "live_latency_s"
"""The name under which the declared latency is checked, as an option is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """A moment on the clock: a packet was taken, or a chunk of `audio_s` was yielded."""

    at_s: float
    audio_s: float | None = None
    """None for a packet."""


class LiveFeed:
    """The packets of a source, float32 (T,) each; notes when each one is taken."""

    def __init__(self, source: np.ndarray, rate_hz: int, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._size = round(PACKET_S * rate_hz)
        self._taken = 0
        self._start_s = clock.seconds()
        self.events: list[LiveEvent] = []

    def __iter__(self) -> "LiveFeed":
        """Return the feed itself."""
        return self

    def __next__(self) -> np.ndarray:
        """Return the next packet, the last of which may be shorter."""
        if self._taken >= len(self._source):
            raise StopIteration
        self.events.append(LiveEvent(at_s=self._clock.seconds() - self._start_s))
        packet = self._source[self._taken : self._taken + self._size]
        self._taken += self._size
        return packet

    def yielded(self, audio_s: float) -> float:
        """Note a chunk; return its moment."""
        at_s = self._clock.seconds() - self._start_s
        self.events.append(LiveEvent(at_s=at_s, audio_s=audio_s))
        return at_s


def live_chunks(
    events: Sequence[LiveEvent], packet_s: float, source_s: float
) -> tuple[LiveChunk, ...]:
    """
    Return the chunks with the times at which they would have been ready in real time: the k-th
    packet is there at k * `packet_s`, the last one at `source_s`.

    >>> half = LiveEvent(at_s=0.0), LiveEvent(at_s=0.1), LiveEvent(at_s=0.3, audio_s=1.0)
    >>> live_chunks(half, 0.5, 1.0)
    (LiveChunk(heard_s=1.0, ready_s=1.2, busy_s=0.3, audio_s=1.0),)
    """
    chunks: list[LiveChunk] = []
    now_s = last_s = yielded_s = heard_s = 0.0
    taken = 0
    for event in events:
        now_s, last_s = now_s + event.at_s - last_s, event.at_s
        if event.audio_s is None:
            taken += 1
            heard_s = min(taken * packet_s, source_s)
            now_s = max(now_s, heard_s)
            continue
        busy_s, yielded_s = event.at_s - yielded_s, event.at_s
        chunks.append(
            LiveChunk(heard_s=heard_s, ready_s=now_s, busy_s=busy_s, audio_s=event.audio_s)
        )
    return tuple(chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConversion:
    """One live conversion: its chunks of audio, their moments on the clock, and its real times."""

    chunks: tuple[np.ndarray, ...]
    arrived_s: tuple[float, ...]
    wall_s: float
    times: LiveTimes | None
    """None where no audio came."""


def convert_live(
    target: Target, live: LiveInput, request: Request, watch: StageWatch, clock: Clock
) -> LiveConversion:
    """Convert the source of a request live."""
    assert request.source is not None, "only requests with a source are converted"
    source = live_source(request.source.path, live.sample_rate_hz)
    chunks: list[np.ndarray] = []
    arrived_s: list[float] = []
    feed = LiveFeed(source, live.sample_rate_hz, clock)
    for chunk in target.convert_live(request, feed, watch):
        if len(chunk):
            arrived_s.append(feed.yielded(len(chunk) / target.sample_rate_hz))
            chunks.append(chunk)
    wall_s = feed.yielded(0.0)
    made = live_chunks(feed.events[:-1], PACKET_S, len(source) / live.sample_rate_hz)
    times = None
    if made:
        audio = Recording(np.concatenate(chunks), target.sample_rate_hz)
        times = LiveTimes(
            packet_s=PACKET_S,
            declared_s=live.latency_s,
            delay_s=_delay_s(Recording(source, live.sample_rate_hz), audio),
            chunks=made,
        )
    return LiveConversion(
        chunks=tuple(chunks), arrived_s=tuple(arrived_s), wall_s=wall_s, times=times
    )


def _delay_s(source: Recording, audio: Recording) -> float:
    """Return by how much the audio is later than its source; 0 where that is not clear."""
    found = energy_delay(source, audio, FARTHEST_S)
    if isinstance(found, Missing) or found.delay_s < LEAST_DELAY_S or found.gain < LEAST_GAIN:
        return 0.0
    return found.delay_s


def check_latency(times: LiveTimes) -> OptionCheck:
    """Compare the algorithmic latency that the engine declares with the one that was measured."""
    most_s = times.declared_s + times.packet_s + SLACK_S
    inside = f", {times.delay_s:.3f} s of it within the audio" if times.delay_s else ""
    return OptionCheck(
        option=LIVE_LATENCY,
        requested=round(times.declared_s, 4),
        observed=f"{times.algorithmic_s:.4f}",
        in_effect=times.algorithmic_s <= most_s,
        reason=(
            f"the engine declares {times.declared_s:.3f} s; it had heard "
            f"{times.algorithmic_s:.3f} s beyond a sample when it returned it{inside}, and packets "
            f"are {times.packet_s:.3f} s"
        ),
    )
