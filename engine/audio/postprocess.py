"""
Post-processing of synthesised chunks: level normalisation, their start, and crossfades.

One speech level makes chunks, speakers and configurations comparable by ear.
Crossfading is streamed: yielded audio is final and can be played.
Chunks begin and end in silence, so equal-gain (linear) fades are enough.

What is only done where it is asked for also works on one chunk at a time, float32 (T,) in and out:
light noise reduction, de-essing, silence removal. Noise reduction is power spectral subtraction
with a spectral floor (Boll 1979; Berouti, Schwartz and Makhoul 1979), its noise taken from the
quietest tenth of the chunk. The de-esser lowers one band while it dominates (split-band, as in
Zoelzer, DAFX, 2011, chapter 4).
"""

import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from voxgate.engine.config.postprocess import Deess, Denoise, SilenceRemoval

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


FIXED_DB = -42.0
KEPT_MS = 100.0
"""Of each silence; a shorter one stays."""
JOIN_MS = 5.0
WINDOW_S = 0.01
LOWEST_DB = -80.0
BELOW_SPEECH_DB = 12.0
"""How far the adaptive threshold stays below the speech level at least."""
QUIETEST = 0.1

HOP_S = 0.008
OVERLAP = 4
NOISE_FLOOR_GAIN = 10 ** (-12 / 20)
OVERSUBTRACTION = 2.0
CLEAR_DB = 15.0
"""What is less than that below the loudest is no pause, and shows no noise."""

SIBILANT_HZ, RAMP_HZ = 5000.0, 500.0
SIBILANT_SHARE_DB, MOST_DB = -10.0, 6.0
"""Share of the band from which on it is lowered, dB for dB, and by how much at most."""
HEARD_DB = 35.0


def denoised(audio: np.ndarray, rate_hz: int, mode: Denoise) -> np.ndarray:
    """Reduce the steady noise of a chunk, which its quietest tenth shows."""
    return audio if mode is Denoise.OFF else _reshaped(audio, rate_hz, _noise_gain)


def deessed(audio: np.ndarray, rate_hz: int, mode: Deess) -> np.ndarray:
    """Lower the band above 5 kHz while most of the energy lies there."""
    return audio if mode is Deess.OFF else _reshaped(audio, rate_hz, _sibilant_gain)


def shortened(
    audio: np.ndarray, rate_hz: int, mode: SilenceRemoval, *, crossfade_ms: float = 0.0
) -> np.ndarray:
    """
    Cut the middle out of each silence that is longer than KEPT_MS, or `crossfade_ms`; the ends that
    meet are crossfaded.
    """
    if mode is SilenceRemoval.OFF or not audio.any():
        return audio
    window = round(WINDOW_S * rate_hz)
    levels = levels_db(audio, window)
    limit_db = FIXED_DB if mode is SilenceRemoval.FIXED else _adaptive_db(audio, levels)
    kept = round(max(KEPT_MS, crossfade_ms) * rate_hz / 1000)
    quiet = np.concatenate(([False], levels < limit_db, [False]))
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8))) * window
    cuts = [
        (start + kept // 2, end - (kept - kept // 2))
        for start, end in edges.reshape(-1, 2)
        if end - start > kept
    ]
    return _without(audio, cuts, round(JOIN_MS * rate_hz / 1000))


def levels_db(audio: np.ndarray, window: int) -> np.ndarray:
    """Return the level of each whole window in dBFS, LOWEST_DB at least."""
    frames = audio[: audio.size // window * window].reshape(-1, window)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (LOWEST_DB / 10))))


def _adaptive_db(audio: np.ndarray, levels: np.ndarray) -> float:
    speech = 20 * np.log10(max(active_rms(audio), 10 ** (LOWEST_DB / 20)))
    floor = float(np.quantile(levels, QUIETEST)) if levels.size else LOWEST_DB
    return float(min(floor + (speech - floor) / 3, speech - BELOW_SPEECH_DB))


def _without(audio: np.ndarray, cuts: list[tuple[int, int]], join: int) -> np.ndarray:
    """Return audio without [start, end) of each cut, crossfaded over `join` samples before it."""
    if not cuts:
        return audio
    fade = crossfade_window(join)
    joined, kept = audio.copy(), np.ones(audio.size, dtype=bool)
    for start, end in cuts:
        before = audio[start - join : start] * (1.0 - fade)
        joined[end - join : end] = before + audio[end - join : end] * fade
        kept[start - join : end - join] = False
    short: np.ndarray = joined[kept]
    return short


def _reshaped(
    audio: np.ndarray, rate_hz: int, gain_of: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """
    Multiply the spectrogram by `gain_of` of its power (frames, bins) and the frequencies in Hz.
    Square-root Hann windows that overlap by three quarters add up to 2.
    """
    from scipy.fft import irfft, rfft  # not at import: few ask for it

    hop = round(HOP_S * rate_hz)
    size, padding = OVERLAP * hop, (OVERLAP - 1) * hop
    padded = np.pad(audio.astype(np.float32), (padding, padding + -audio.size % hop))
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window
    spectra = rfft(frames, axis=1)
    gain = gain_of(
        np.square(spectra.real) + np.square(spectra.imag), np.fft.rfftfreq(size, 1 / rate_hz)
    )
    parts = (irfft(spectra * gain, size, axis=1) * window).reshape(len(frames), OVERLAP, hop)
    added = np.zeros((len(frames) + OVERLAP - 1, hop), np.float32)
    for place in range(OVERLAP):
        added[place : place + len(frames)] += parts[:, place]
    return (added.reshape(-1)[padding : padding + audio.size] / 2).astype(np.float32)


def _noise_gain(power: np.ndarray, hz: np.ndarray) -> np.ndarray:
    from scipy.ndimage import uniform_filter

    whole = power[OVERLAP - 1 : 1 - OVERLAP]  # frames without padding
    loudness = whole.sum(axis=1)
    if not loudness.size or not loudness.any():
        return np.ones_like(power)
    limit = np.quantile(loudness, QUIETEST)
    if limit > loudness.max() * 10 ** (-CLEAR_DB / 10):
        return np.ones_like(power)
    noise = whole[loudness <= limit].mean(axis=0)
    # single bins of noise scatter; their surroundings do not, and gains that jump would ring
    steady = uniform_filter(power, 3, mode="nearest")
    rest = 1.0 - OVERSUBTRACTION * noise / np.maximum(steady, 1e-30)
    gain = np.sqrt(np.maximum(rest, NOISE_FLOOR_GAIN**2))
    return np.asarray(uniform_filter(gain, 3, mode="nearest"), np.float32)


def _sibilant_gain(power: np.ndarray, hz: np.ndarray) -> np.ndarray:
    from scipy.ndimage import uniform_filter1d

    total, band = power.sum(axis=1), power[:, hz >= SIBILANT_HZ].sum(axis=1)
    share_db = 10 * np.log10(np.maximum(band, 1e-30) / np.maximum(total, 1e-30))
    heard = total > total.max() * 10 ** (-HEARD_DB / 10)
    lower_db = np.where(heard, np.clip(share_db - SIBILANT_SHARE_DB, 0.0, MOST_DB), 0.0)
    inside = np.clip((hz - SIBILANT_HZ + RAMP_HZ) / RAMP_HZ, 0.0, 1.0)
    smooth = uniform_filter1d(lower_db, 3, mode="nearest")
    return np.asarray(10 ** (-smooth[:, None] * inside / 20), np.float32)
