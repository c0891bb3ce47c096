"""
Distortion of known size over all of good audio: noise, level, polarity, clipping, resampling. Pure, the same every time.
"""

import numpy as np

from harness.audio.files import Audio
from harness.selftest.speech import Change, Speech, clipped, middle_of

SEED = 20261121


def noise(snr_db: float) -> Change:
    """Add white noise, `snr_db` below the speech."""

    def change(speech: Speech) -> Audio:
        level = float(np.sqrt(np.mean(speech.audio.astype(np.float64) ** 2))) * 10.0 ** (-snr_db / 20.0)
        return clipped(speech.audio + np.random.default_rng(SEED).standard_normal(len(speech.audio)) * level)

    return change


def louder(gain_db: float) -> Change:
    """Change the level; what does not fit into -1..1 is cut off."""
    return lambda speech: clipped(speech.audio.astype(np.float64) * 10.0 ** (gain_db / 20.0))


def overdriven(over_db: float) -> Change:
    """Make it so loud that the peak is `over_db` above full scale, and cut off what does not fit."""
    return lambda speech: clipped(speech.audio / np.abs(speech.audio).max() * 10.0 ** (over_db / 20.0))


def offset(level: float) -> Change:
    """Add a constant; 1.0 is full scale."""
    return lambda speech: clipped(speech.audio.astype(np.float64) + level)


def inverted(speech: Speech) -> Audio:
    """Swap the poles of the loudspeaker."""
    return -speech.audio


def not_a_number(speech: Speech) -> Audio:
    """Let one frame in the middle be no number at all."""
    changed = speech.audio.copy()
    changed[middle_of(speech.audio)] = np.nan
    return changed


def rounded(bits: int) -> Change:
    """Round to so many bits, as a file format would."""
    steps = 2.0 ** (bits - 1)
    return lambda speech: np.asarray(np.round(speech.audio * steps) / steps, dtype=np.float32)


def round_trip(rate_hz: int) -> Change:
    """
    Resample to another rate and back by a good resampler, soxr HQ, which cuts the top 9 % of the band.

    That is harmless to speech that has nothing there (78 dB below flite's slt), and a change of sound to speech that has: 39 to
    46 dB below ten sentences of full band at 16 kHz, 51 to 60 dB at 22.05 kHz.
    """

    def change(speech: Speech) -> Audio:
        import soxr

        there = soxr.resample(speech.audio.astype(np.float64), speech.rate_hz, rate_hz, quality="HQ")
        return _fitted(soxr.resample(there, rate_hz, speech.rate_hz, quality="HQ"), len(speech.audio))

    return change


def poor_round_trip(rate_hz: int) -> Change:
    """Resample to another rate and back by drawing straight lines, which is what a careless resampler does."""

    def change(speech: Speech) -> Audio:
        at_s = np.arange(len(speech.audio)) / speech.rate_hz
        between_s = np.arange(int(at_s[-1] * rate_hz) + 2) / rate_hz
        return _fitted(np.interp(at_s, between_s, np.interp(between_s, at_s, speech.audio)), len(speech.audio))

    return change


def _fitted(audio: np.ndarray, length: int) -> Audio:
    return clipped(np.pad(audio, (0, max(0, length - len(audio))))[:length])
