"""
What one pass through the models makes playable: the unit in which several texts take turns at one
engine.

The pieces of a stream are no such unit. Those of one pass come together, and the last one, which
fades into nothing, costs nothing. Whoever shares the engine out wants to know that a text has ended
when its last pass is done, not one turn later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSegment:
    """Audio that is final, float32 (T,)."""

    audio: np.ndarray
    last: bool
    """Whether the text ends with it."""


def segments(pieces: Iterator[np.ndarray], passes: Sequence[int]) -> Iterator[AudioSegment]:
    """
    Gather a stream's pieces; `passes` says how many chunks each pass speaks. Nothing is spoken
    before it is asked for.
    """
    for number, count in enumerate(passes, start=1):
        last = number == len(passes)
        yield AudioSegment(
            audio=np.concatenate(list(pieces if last else islice(pieces, count))), last=last
        )
