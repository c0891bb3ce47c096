"""Brings speech to one level, so that chunks, speakers and configurations can be compared by ear."""

import numpy as np

TARGET_RMS = 0.08
"""About -22 dBFS, measured over the frames that hold speech."""
PEAK_LIMIT = 0.95
FRAME = 400
ACTIVE_BELOW_PEAK_DB = 35.0


def active_rms(audio: np.ndarray) -> float:
    """Root mean square of the 25 ms frames within 35 dB of the loudest one; 0 for silence. audio: float32 (T,)."""
    whole = audio[: audio.size // FRAME * FRAME].reshape(-1, FRAME)
    energy = np.mean(np.square(whole, dtype=np.float64), axis=1) if whole.size else np.zeros(1)
    active = energy[energy >= energy.max() * 10 ** (-ACTIVE_BELOW_PEAK_DB / 10)]
    return float(np.sqrt(active.mean()))


def level(audio: np.ndarray) -> np.ndarray:
    """Scale to TARGET_RMS, less where a peak would pass PEAK_LIMIT; silence stays silence. float32 (T,) -> (T,)."""
    rms, peak = active_rms(audio), float(np.abs(audio).max(initial=0.0))
    if rms == 0.0:
        return audio
    return (audio * min(TARGET_RMS / rms, PEAK_LIMIT / peak)).astype(np.float32)
