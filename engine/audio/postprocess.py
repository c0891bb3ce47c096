"""
Post-processing of synthesised chunks: level normalisation, their start, and crossfades.

One speech level makes chunks, speakers and configurations comparable by ear.
Crossfading is streamed: yielded audio is final and can be played.
Chunks begin and end in silence, so equal-gain (linear) fades are enough.
"""

import functools
from collections.abc import Iterable, Iterator

import numpy as np

TARGET_RMS = 0.08
"""About -22 dBFS, measured over the windows that hold speech."""
PEAK_LIMIT = 0.95
LEVEL_WINDOW_SAMPLES = 400
ACTIVE_BELOW_PEAK_DB = 35.0


def active_rms(audio: np.ndarray) -> float:
    """
    Return the active speech level: root mean square of the 25 ms windows within 35 dB of the
    loudest.

    Args:
        audio: float32 (T,).

    Returns: the level in full scale, 0 for silence.
    """
    windows = audio[: audio.size // LEVEL_WINDOW_SAMPLES * LEVEL_WINDOW_SAMPLES].reshape(
        -1, LEVEL_WINDOW_SAMPLES
    )
    energy = np.mean(np.square(windows, dtype=np.float64), axis=1) if windows.size else np.zeros(1)
    active = energy[energy >= energy.max() * 10 ** (-ACTIVE_BELOW_PEAK_DB / 10)]
    return float(np.sqrt(active.mean()))


def normalise_level(audio: np.ndarray) -> np.ndarray:
    """
    Scale audio to TARGET_RMS, less if a peak would exceed PEAK_LIMIT; silence is not changed.

    float32 (T,) -> (T,).
    """
    rms, peak = active_rms(audio), float(np.abs(audio).max(initial=0.0))
    if rms == 0.0:
        return audio
    return (audio * min(TARGET_RMS / rms, PEAK_LIMIT / peak)).astype(np.float32)


def fade_in(audio: np.ndarray, rate_hz: int, *, trim_ms: float, fade_ms: float) -> np.ndarray:
    """
    Silence the first `trim_ms` and raise the next `fade_ms` by a half cosine; float32 (T,) -> (T,).

    The length stays, so whatever knows times in the audio still does. Chatterbox's vocoder begins
    so, 20 ms and 20 ms, against spill-over of its prompt.
    """
    silent, rising = (round(each * rate_hz / 1000) for each in (trim_ms, fade_ms))
    if not silent + rising:
        return audio
    slope = (1.0 - np.cos(np.linspace(0.0, np.pi, rising))) / 2.0
    gain = np.concatenate((np.zeros(silent), slope))[: audio.size]
    begun: np.ndarray = audio.copy()
    begun[: gain.size] *= gain.astype(np.float32)
    return begun


CROSSFADE = 800
"""Samples that two chunks share: 50 ms at 16 kHz."""


@functools.lru_cache(maxsize=64)
def crossfade_window(samples: int) -> np.ndarray:
    """Return the rising half of a linear crossfade, read-only; both halves sum to 1."""
    window = np.linspace(0.0, 1.0, samples, dtype=np.float32)
    window.flags.writeable = False
    return window


def crossfade(chunks: Iterable[np.ndarray], samples: int = CROSSFADE) -> Iterator[np.ndarray]:
    """
    Yield the crossfaded audio of every chunk as soon as it is final; float32 (T,) each.

    Neighbours share `samples`; with 0 they abut.
    """
    if not samples:
        yield from chunks
        return
    fade = crossfade_window(samples)
    tail = np.zeros(0, dtype=np.float32)
    for chunk in chunks:
        if tail.size:
            chunk = np.concatenate((tail * (1.0 - fade) + chunk[:samples] * fade, chunk[samples:]))
        yield chunk[:-samples]
        tail = chunk[-samples:]
    yield tail
