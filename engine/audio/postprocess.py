"""
Brings speech to one level, so that chunks, speakers and configurations can be compared by ear.

Joins the chunks of a long text by crossfades, as a stream: what is yielded is final and can be
played.

Chunks begin and end in silence, so equal-gain (linear) fades are enough.
"""

from collections.abc import Iterable, Iterator

import numpy as np

TARGET_RMS = 0.08
"""About -22 dBFS, measured over the frames that hold speech."""
PEAK_LIMIT = 0.95
FRAME = 400
ACTIVE_BELOW_PEAK_DB = 35.0


def active_rms(audio: np.ndarray) -> float:
    """
    Root mean square of the 25 ms frames within 35 dB of the loudest one; 0 for silence. audio:
    float32 (T,).
    """
    whole = audio[: audio.size // FRAME * FRAME].reshape(-1, FRAME)
    energy = np.mean(np.square(whole, dtype=np.float64), axis=1) if whole.size else np.zeros(1)
    active = energy[energy >= energy.max() * 10 ** (-ACTIVE_BELOW_PEAK_DB / 10)]
    return float(np.sqrt(active.mean()))


def level(audio: np.ndarray) -> np.ndarray:
    """
    Scale to TARGET_RMS, less where a peak would pass PEAK_LIMIT; silence stays silence. float32
    (T,) -> (T,).
    """
    rms, peak = active_rms(audio), float(np.abs(audio).max(initial=0.0))
    if rms == 0.0:
        return audio
    return (audio * min(TARGET_RMS / rms, PEAK_LIMIT / peak)).astype(np.float32)


CROSSFADE = 800
"""Audio frames that two chunks share: 50 ms at 16 kHz."""


def join(chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """
    Yield the audio of every chunk as soon as nothing can change it any more; float32 (T,) each.
    """
    fade = np.linspace(0.0, 1.0, CROSSFADE, dtype=np.float32)
    held = np.zeros(0, dtype=np.float32)
    for chunk in chunks:
        if held.size:
            chunk = np.concatenate(
                (held * (1.0 - fade) + chunk[:CROSSFADE] * fade, chunk[CROSSFADE:])
            )
        yield chunk[:-CROSSFADE]
        held = chunk[-CROSSFADE:]
    yield held
