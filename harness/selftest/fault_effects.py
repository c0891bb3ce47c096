"""
Damage and distortion of known size as pure functions of one utterance.

Damage is at one place of good audio: clicks, holes, cuts, repeats, silence. Distortion is over all
of it: noise, level, polarity, clipping, resampling. Both are the same every time. Effects that need
analysis and resynthesis of speech are in `resynthesis.py`.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.harness.audio.files import Audio


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenUtterance:
    """
    One utterance: mono float32 `audio`, shape [n], its text, its chunk boundaries, and the voice
    that it imitates.
    """

    audio: Audio
    rate_hz: int
    text: str = ""
    joins_s: tuple[float, ...] | None = None
    voice: Audio | None = None
    """A recording of that voice, at the same rate."""
    other: Audio | None = None
    """Another utterance of the same voice, at the same rate."""


Change = Callable[[SpokenUtterance], Audio | None]
"""
Gives the audio with the damage done; None for speech that cannot be damaged that way (no join, no
question).
"""


def middle_of(audio: Audio, share: float = 0.5) -> int:
    """Find the frame before which a share of the energy lies."""
    energy = np.cumsum(audio.astype(np.float64) ** 2)
    return int(np.searchsorted(energy, energy[-1] * share))


def clipped(audio: np.ndarray) -> Audio:
    """Clip to -1..1, as float32."""
    return np.asarray(np.clip(audio, -1.0, 1.0), dtype=np.float32)


SPEECH = 0.01
"""Of the peak: what is below, -40 dB, counts as silence."""
FADE_S = 0.010
"""Where two stretches of speech are put together, so that the seam itself is no click."""
SEAM_S = 0.002
"""
How fast the step at a bad seam decays: that of a high-pass of 80 Hz, as players and lines have one.
"""
LULL_S = 0.020


def click(share: float) -> Change:
    """Add an impulse of one frame, `share` of the peak, in the middle of the speech."""
    return lambda speech: _with_impulses(speech, share, [middle_of(speech.audio)])


def clicks(share: float, every_s: float = 1.0) -> Change:
    """Add such an impulse every second, the first after half of one."""
    return lambda speech: _with_impulses(
        speech,
        share,
        range(
            round(every_s * speech.rate_hz / 2), len(speech.audio), round(every_s * speech.rate_hz)
        ),
    )


def seam(share: float) -> Change:
    """
    Add a step of `share` of the peak at every chunk boundary; None where there is one chunk only.
    """

    def change(speech: SpokenUtterance) -> Audio | None:
        changed = speech.audio.astype(np.float64)
        for join in (round(join_s * speech.rate_hz) for join_s in speech.joins_s or ()):
            after_s = np.arange(max(0, len(changed) - join)) / speech.rate_hz
            changed[join:] += share * np.abs(speech.audio).max() * np.exp(-after_s / SEAM_S)
        return clipped(changed) if speech.joins_s else None

    return change


def dropout(duration_s: float) -> Change:
    """Silence `duration_s` seconds in the middle of the speech."""

    def change(speech: SpokenUtterance) -> Audio:
        changed: Audio = speech.audio.copy()
        half = round(duration_s * speech.rate_hz / 2)
        changed[max(0, middle_of(speech.audio) - half) : middle_of(speech.audio) + half] = 0.0
        return changed

    return change


def cut_tail(duration_s: float) -> Change:
    """End `duration_s` seconds before the last speech ends."""
    return lambda speech: speech.audio[
        : max(1, end_of(speech.audio) - round(duration_s * speech.rate_hz))
    ].copy()


def cut_head(duration_s: float) -> Change:
    """Begin `duration_s` seconds after the first speech begins."""

    def change(speech: SpokenUtterance) -> Audio:
        start = beginning_of(speech.audio) + round(duration_s * speech.rate_hz)
        rest: Audio = speech.audio[min(start, len(speech.audio) - 1) :].copy()
        return rest

    return change


def mute_tail(duration_s: float) -> Change:
    """Swallow the last `duration_s` seconds of the speech; the audio stays as long as it was."""

    def change(speech: SpokenUtterance) -> Audio:
        changed: Audio = speech.audio.copy()
        changed[max(0, end_of(speech.audio) - round(duration_s * speech.rate_hz)) :] = 0.0
        return changed

    return change


def repeat(duration_s: float) -> Change:
    """
    Repeat the `duration_s` seconds before the middle of the speech, as a decoder does in a loop.
    """

    def change(speech: SpokenUtterance) -> Audio:
        middle = middle_of(speech.audio)
        again = speech.audio[max(0, middle - round(duration_s * speech.rate_hz)) : middle]
        return joined([speech.audio[:middle], again, speech.audio[middle:]], speech.rate_hz)

    return change


def skip(duration_s: float) -> Change:
    """Leave out the `duration_s` seconds before the middle of the speech."""

    def change(speech: SpokenUtterance) -> Audio | None:
        middle, length = middle_of(speech.audio), round(duration_s * speech.rate_hz)
        if middle <= length:
            return None
        return joined([speech.audio[: middle - length], speech.audio[middle:]], speech.rate_hz)

    return change


def swap_word(duration_s: float) -> Change:
    """
    Put another stretch of the same utterance, a word's length, in place of the one in the middle.
    """

    def change(speech: SpokenUtterance) -> Audio | None:
        length = round(duration_s * speech.rate_hz)
        place, *others = (middle_of(speech.audio, share) - length // 2 for share in (0.5, 0.2, 0.8))
        apart = (
            other
            for other in others
            if abs(other - place) >= length and 0 <= other <= len(speech.audio) - length
        )
        source = next(apart, None)
        if source is None or not 0 <= place <= len(speech.audio) - length:
            return None
        other = speech.audio[source : source + length]
        return joined([speech.audio[:place], other, speech.audio[place + length :]], speech.rate_hz)

    return change


def silence_before(duration_s: float) -> Change:
    """Put `duration_s` seconds of silence before the speech."""
    return lambda speech: np.concatenate([_silence(speech, duration_s), speech.audio])


def silence_after(duration_s: float) -> Change:
    """Go on for `duration_s` seconds after everything was said."""
    return lambda speech: np.concatenate([speech.audio, _silence(speech, duration_s)])


def pause(duration_s: float) -> Change:
    """Fall silent for `duration_s` seconds within the speech, where it is quietest."""

    def change(speech: SpokenUtterance) -> Audio:
        place = _lull(speech)
        return np.concatenate(
            [speech.audio[:place], _silence(speech, duration_s), speech.audio[place:]]
        )

    return change


def spill(duration_s: float) -> Change:
    """
    Put the last `duration_s` seconds of the voice's recording before the speech; None where there
    is none.
    """

    def change(speech: SpokenUtterance) -> Audio | None:
        if speech.voice is None:
            return None
        end = end_of(speech.voice)
        return np.concatenate(
            [speech.voice[max(0, end - round(duration_s * speech.rate_hz)) : end], speech.audio]
        )

    return change


def _with_impulses(speech: SpokenUtterance, share: float, places: Iterable[int]) -> Audio:
    changed = speech.audio.copy()
    changed[list(places)] += share * np.abs(speech.audio).max()
    return clipped(changed)


def joined(pieces: Sequence[Audio], rate_hz: int) -> Audio:
    """
    Put pieces together, no frame lost; each sets out from where the one before ended and is itself
    after FADE_S.
    """
    whole: list[np.ndarray] = list(pieces[:1])
    for before, piece in itertools.pairwise(pieces):
        ramp = np.linspace(0.0, 1.0, min(round(FADE_S * rate_hz), len(piece)))
        last = float(before[-1]) if before.size else 0.0
        whole += [piece[: len(ramp)] * ramp + last * (1.0 - ramp), piece[len(ramp) :]]
    return clipped(np.concatenate(whole))


def end_of(audio: Audio) -> int:
    """Find the frame after the last one that is speech."""
    return int(np.flatnonzero(np.abs(audio) > SPEECH * np.abs(audio).max())[-1]) + 1


def beginning_of(audio: Audio) -> int:
    """Find the first frame that is speech."""
    return int(np.flatnonzero(np.abs(audio) > SPEECH * np.abs(audio).max())[0])


def _lull(speech: SpokenUtterance) -> int:
    """
    Find the middle of the quietest LULL_S between the first and the last quarter of the energy.
    """
    width = max(1, round(LULL_S * speech.rate_hz))
    energy = np.convolve(speech.audio.astype(np.float64) ** 2, np.ones(width), "same")
    first, last = middle_of(speech.audio, 0.25), middle_of(speech.audio, 0.75)
    return first + int(np.argmin(energy[first : last + 1]))


def _silence(speech: SpokenUtterance, duration_s: float) -> Audio:
    return np.zeros(round(duration_s * speech.rate_hz), dtype=np.float32)


SEED = 20261121


def noise(snr_db: float) -> Change:
    """Add white noise, `snr_db` below the speech."""

    def change(speech: SpokenUtterance) -> Audio:
        level = float(np.sqrt(np.mean(speech.audio.astype(np.float64) ** 2))) * 10.0 ** (
            -snr_db / 20.0
        )
        return clipped(
            speech.audio + np.random.default_rng(SEED).standard_normal(len(speech.audio)) * level
        )

    return change


def louder(gain_db: float) -> Change:
    """Change the level by a gain, clipping to -1..1."""
    return lambda speech: clipped(speech.audio.astype(np.float64) * 10.0 ** (gain_db / 20.0))


def overdriven(over_db: float) -> Change:
    """Raise the level until the peak is `over_db` above full scale, and clip."""
    return lambda speech: clipped(
        speech.audio / np.abs(speech.audio).max() * 10.0 ** (over_db / 20.0)
    )


def offset(level: float) -> Change:
    """Add a constant; 1.0 is full scale."""
    return lambda speech: clipped(speech.audio.astype(np.float64) + level)


def inverted(speech: SpokenUtterance) -> Audio:
    """Swap the poles of the loudspeaker."""
    return -speech.audio


def not_a_number(speech: SpokenUtterance) -> Audio:
    """Set one sample in the middle to NaN."""
    changed: Audio = speech.audio.copy()
    changed[middle_of(speech.audio)] = np.nan
    return changed


def rounded(bits: int) -> Change:
    """Round to so many bits, as a file format would."""
    steps = 2.0 ** (bits - 1)
    return lambda speech: np.asarray(np.round(speech.audio * steps) / steps, dtype=np.float32)


def round_trip(rate_hz: int) -> Change:
    """
    Resample to another rate and back by a good resampler, soxr HQ, which cuts the top 9 % of the
    band.

    That is harmless to speech that has nothing there (78 dB below flite's slt), and a change of
    sound to speech that has: 39 to 46 dB below ten sentences of full band at 16 kHz, 51 to 60 dB at
    22.05 kHz.
    """

    def change(speech: SpokenUtterance) -> Audio:
        import soxr

        there = soxr.resample(
            speech.audio.astype(np.float64), speech.rate_hz, rate_hz, quality="HQ"
        )
        return fitted(
            soxr.resample(there, rate_hz, speech.rate_hz, quality="HQ"), len(speech.audio)
        )

    return change


def poor_round_trip(rate_hz: int) -> Change:
    """Resample to another rate and back by linear interpolation, as a careless resampler does."""

    def change(speech: SpokenUtterance) -> Audio:
        at_s = np.arange(len(speech.audio)) / speech.rate_hz
        between_s = np.arange(int(at_s[-1] * rate_hz) + 2) / rate_hz
        return fitted(
            np.interp(at_s, between_s, np.interp(between_s, at_s, speech.audio)), len(speech.audio)
        )

    return change


def fitted(audio: np.ndarray, length: int) -> Audio:
    """Cut or pad to a length."""
    return clipped(np.pad(audio, (0, max(0, length - len(audio))))[:length])
