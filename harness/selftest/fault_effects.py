"""
Damage of known size at one place of good audio: clicks, holes, cuts, repeats, silence. Pure functions, the same every time.

The speech itself is left as it is. Knows nothing of files, cells or metrics; what lies over all of the audio is in
`distortion.py`, what needs speech taken apart and put together again in `resynthesis.py`.
"""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from harness.audio.files import Audio
from harness.selftest.speech import Change, Speech, clipped, middle_of

SPEECH = 0.01
"""Of the peak: what is below, -40 dB, counts as silence."""
FADE_S = 0.010
"""Where two stretches of speech are put together, so that the seam itself is no click."""
SEAM_S = 0.002
"""How fast the step at a bad seam decays: that of a high-pass of 80 Hz, as players and lines have one."""
LULL_S = 0.020


def click(share: float) -> Change:
    """Add an impulse of one frame, `share` of the peak, in the middle of the speech."""
    return lambda speech: _with_impulses(speech, share, [middle_of(speech.audio)])


def clicks(share: float, every_s: float = 1.0) -> Change:
    """Add such an impulse every second, the first after half of one."""
    return lambda speech: _with_impulses(
        speech, share, range(round(every_s * speech.rate_hz / 2), len(speech.audio), round(every_s * speech.rate_hz))
    )


def seam(share: float) -> Change:
    """Let the audio step by `share` of the peak wherever two chunks meet; None where there is one chunk only."""

    def change(speech: Speech) -> Audio | None:
        changed = speech.audio.astype(np.float64)
        for join in (round(join_s * speech.rate_hz) for join_s in speech.joins_s or ()):
            after_s = np.arange(max(0, len(changed) - join)) / speech.rate_hz
            changed[join:] += share * np.abs(speech.audio).max() * np.exp(-after_s / SEAM_S)
        return clipped(changed) if speech.joins_s else None

    return change


def dropout(duration_s: float) -> Change:
    """Silence `duration_s` seconds in the middle of the speech."""

    def change(speech: Speech) -> Audio:
        changed, half = speech.audio.copy(), round(duration_s * speech.rate_hz / 2)
        changed[max(0, middle_of(speech.audio) - half) : middle_of(speech.audio) + half] = 0.0
        return changed

    return change


def cut_tail(duration_s: float) -> Change:
    """End `duration_s` seconds before the last speech ends."""
    return lambda speech: speech.audio[: max(1, _end(speech.audio) - round(duration_s * speech.rate_hz))].copy()


def mute_tail(duration_s: float) -> Change:
    """Swallow the last `duration_s` seconds of the speech; the audio stays as long as it was."""

    def change(speech: Speech) -> Audio:
        changed = speech.audio.copy()
        changed[max(0, _end(speech.audio) - round(duration_s * speech.rate_hz)) :] = 0.0
        return changed

    return change


def repeat(duration_s: float) -> Change:
    """Say the `duration_s` seconds before the middle of the speech twice, as a decoder does that is caught in a loop."""

    def change(speech: Speech) -> Audio:
        middle = middle_of(speech.audio)
        again = speech.audio[max(0, middle - round(duration_s * speech.rate_hz)) : middle]
        return _joined([speech.audio[:middle], again, speech.audio[middle:]], speech.rate_hz)

    return change


def swap_word(duration_s: float) -> Change:
    """Put another stretch of the same utterance, a word's length, in place of the one in the middle."""

    def change(speech: Speech) -> Audio | None:
        length = round(duration_s * speech.rate_hz)
        place, *others = (middle_of(speech.audio, share) - length // 2 for share in (0.5, 0.2, 0.8))
        apart = (other for other in others if abs(other - place) >= length and 0 <= other <= len(speech.audio) - length)
        source = next(apart, None)
        if source is None or not 0 <= place <= len(speech.audio) - length:
            return None
        other = speech.audio[source : source + length]
        return _joined([speech.audio[:place], other, speech.audio[place + length :]], speech.rate_hz)

    return change


def silence_before(duration_s: float) -> Change:
    """Wait `duration_s` seconds before anything is heard."""
    return lambda speech: np.concatenate([_silence(speech, duration_s), speech.audio])


def silence_after(duration_s: float) -> Change:
    """Go on for `duration_s` seconds after everything was said."""
    return lambda speech: np.concatenate([speech.audio, _silence(speech, duration_s)])


def pause(duration_s: float) -> Change:
    """Fall silent for `duration_s` seconds within the speech, where it is quietest."""

    def change(speech: Speech) -> Audio:
        place = _lull(speech)
        return np.concatenate([speech.audio[:place], _silence(speech, duration_s), speech.audio[place:]])

    return change


def spill(duration_s: float) -> Change:
    """Let the last `duration_s` seconds of the voice's recording be heard before the speech; None where there is none."""

    def change(speech: Speech) -> Audio | None:
        if speech.voice is None:
            return None
        end = _end(speech.voice)
        return np.concatenate([speech.voice[max(0, end - round(duration_s * speech.rate_hz)) : end], speech.audio])

    return change


def _with_impulses(speech: Speech, share: float, places: Iterable[int]) -> Audio:
    changed = speech.audio.copy()
    changed[list(places)] += share * np.abs(speech.audio).max()
    return clipped(changed)


def _joined(pieces: Sequence[Audio], rate_hz: int) -> Audio:
    """Put pieces together, no frame lost; each sets out from where the one before ended and is itself after FADE_S."""
    whole: list[np.ndarray] = list(pieces[:1])
    for before, piece in itertools.pairwise(pieces):
        ramp = np.linspace(0.0, 1.0, min(round(FADE_S * rate_hz), len(piece)))
        last = float(before[-1]) if before.size else 0.0
        whole += [piece[: len(ramp)] * ramp + last * (1.0 - ramp), piece[len(ramp) :]]
    return clipped(np.concatenate(whole))


def _end(audio: Audio) -> int:
    """Find the frame after the last one that is speech."""
    return int(np.flatnonzero(np.abs(audio) > SPEECH * np.abs(audio).max())[-1]) + 1


def _lull(speech: Speech) -> int:
    """Find the middle of the quietest LULL_S between the first and the last quarter of the energy."""
    width = max(1, round(LULL_S * speech.rate_hz))
    energy = np.convolve(speech.audio.astype(np.float64) ** 2, np.ones(width), "same")
    first, last = middle_of(speech.audio, 0.25), middle_of(speech.audio, 0.75)
    return first + int(np.argmin(energy[first : last + 1]))


def _silence(speech: Speech, duration_s: float) -> Audio:
    return np.zeros(round(duration_s * speech.rate_hz), dtype=np.float32)
