"""
A source recording in the packets in which it would come live.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from voxgate.harness.audio.recording import read_recording

PACKET_S = 0.010
"""Audio that a sound card or a call delivers at a time."""


def live_source(path: str, rate_hz: int) -> np.ndarray:
    """Return a source recording at the rate at which an engine takes it; float32 (T,)."""
    return np.asarray(read_recording(Path(path)).at(rate_hz), dtype=np.float32)


def live_packets(path: str, rate_hz: int) -> Iterator[np.ndarray]:
    """Yield the packets of a source, float32 (T,) each; the last one may be shorter."""
    source, size = live_source(path, rate_hz), round(PACKET_S * rate_hz)
    for first in range(0, len(source), size):
        yield source[first : first + size]
