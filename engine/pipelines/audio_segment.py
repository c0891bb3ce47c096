"""
Audio segments: the final audio of one pass through the models, the unit in which a scheduler shares
one engine between texts.

The arrays of a stream are no such unit. Those of one pass come together, and the last one, the end
of a crossfade, costs no computation. A scheduler must know that a text has ended when its last pass
is done, not one turn later.
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
    Group the arrays of a stream by pass; `passes` holds the chunks of each. Nothing is computed
    before it is requested.
    """
    for number, count in enumerate(passes, start=1):
        last = number == len(passes)
        yield AudioSegment(
            audio=np.concatenate(list(pieces if last else islice(pieces, count))), last=last
        )
