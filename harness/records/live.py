"""
The record of a live conversion: when each chunk would have been ready if its source had come in
real time.
"""

from dataclasses import dataclass
from typing import Annotated

from voxgate.harness.records.constraints import NON_EMPTY, Range, Row

Moment = Annotated[float, Range(0.0)]
"""Seconds from the first sample of the source's coming in."""
Length = Annotated[float, Range(over=0.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChunk(Row):
    """A chunk of converted audio."""

    heard_s: Moment
    """Of the source, when it was ready."""
    ready_s: Moment
    busy_s: Moment
    """Computation since the chunk before."""
    audio_s: Length


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTimes:
    """One live conversion."""

    packet_s: Length
    """The source comes in packets of this length."""
    declared_s: Moment
    """
    Algorithmic latency as the engine declares it: from a sample's coming in to its going out, at
    most, if computing took no time and the source came sample by sample.
    """
    delay_s: Moment
    """By how much the audio itself is later than its source."""
    chunks: Annotated[tuple[LiveChunk, ...], NON_EMPTY]

    @property
    def algorithmic_s(self) -> float:
        """
        The algorithmic latency as it was: the most that had been heard beyond the first sample of a
        chunk when that was ready, the packets' share and the audio's delay included.
        """
        start_s, most_s = 0.0, 0.0
        for chunk in self.chunks:
            most_s = max(most_s, chunk.heard_s - start_s)
            start_s += chunk.audio_s
        return most_s + self.delay_s
