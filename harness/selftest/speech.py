"""
One utterance that is to be damaged, and what a change of it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.audio.files import Audio


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One utterance: mono float32 `audio`, shape [n], what was said, where chunks were joined, and whose voice it imitates."""

    audio: Audio
    rate_hz: int
    text: str = ""
    joins_s: tuple[float, ...] | None = None
    voice: Audio | None = None
    """A recording of that voice, at the same rate."""


Change = Callable[[Speech], Audio | None]
"""Gives the audio with the damage done; None for speech that cannot be damaged that way (no join, no question)."""


def middle_of(audio: Audio, share: float = 0.5) -> int:
    """Find the frame before which a share of the energy lies."""
    energy = np.cumsum(audio.astype(np.float64) ** 2)
    return int(np.searchsorted(energy, energy[-1] * share))


def clipped(audio: np.ndarray) -> Audio:
    """Keep what fits into -1..1, as float32."""
    return np.asarray(np.clip(audio, -1.0, 1.0), dtype=np.float32)
