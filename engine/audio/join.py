"""
Joins the chunks of a long text by crossfades, as a stream: what is yielded is final and can be played.

Chunks begin and end in silence, so equal-gain (linear) fades are enough.
"""

from collections.abc import Iterable, Iterator

import numpy as np

CROSSFADE = 800
"""Audio frames that two chunks share: 50 ms at 16 kHz."""


def join(chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the audio of every chunk as soon as nothing can change it any more; float32 (T,) each."""
    fade = np.linspace(0.0, 1.0, CROSSFADE, dtype=np.float32)
    held = np.zeros(0, dtype=np.float32)
    for chunk in chunks:
        if held.size:
            chunk = np.concatenate((held * (1.0 - fade) + chunk[:CROSSFADE] * fade, chunk[CROSSFADE:]))
        yield chunk[:-CROSSFADE]
        held = chunk[-CROSSFADE:]
    yield held
