"""
Speech resynthesised: another pitch, pace, voice quality, vowel, stress or vocal tract.

An engine is asked for what it can do; all else is made by `vocoder.py`, and so needs pyworld; where
it is absent these changes raise HarnessError.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from voxgate.harness.audio.files import Audio
from voxgate.harness.selftest.fault_effects import SEED, Change, SpokenUtterance
from voxgate.harness.selftest.vocoder import (
    FRAME_MS,
    Bend,
    Floats,
    Parts,
    energy,
    from_bins,
    put_together,
    spliced,
    taken_apart,
    throughout,
    within,
)

END_S = 0.35
"""
How long before the last voice a question begins to rise; so the embedded voice's own questions were
made, too.
"""
VOWEL_S = 0.15
SYLLABLES_APART_S, LONGEST_SYLLABLE_S = 0.12, 0.35
VIBRATO_HZ = 5.0
TAKE_KNOT_S, TAKE_PACE, TAKE_SEMITONES, TAKE_DB = 0.4, 0.12, 1.0, 1.5
"""How often another take changes its mind, and how far it goes each way."""


def fall(semitones: float) -> Change:
    """
    Lower the end of a question by so many semitones, as in a statement; None for a text that is no
    question.
    """
    return lambda speech: bent(speech, -semitones) if speech.text.rstrip().endswith("?") else None


def bent(speech: SpokenUtterance, semitones: float) -> Audio:
    """
    Bend the pitch of the last END_S of the voice by so many semitones, reached at its very end.
    """

    def bend(parts: Parts) -> Parts:
        voiced = np.flatnonzero(parts.f0_hz)
        if not voiced.size:
            return parts
        frames = END_S * 1000.0 / FRAME_MS
        ramp = np.clip((np.arange(len(parts.f0_hz)) - (voiced[-1] - frames)) / frames, 0.0, 1.0)
        return replace(parts, f0_hz=parts.f0_hz * 2.0 ** (semitones * ramp / 12.0))

    return put_together(bend(taken_apart(speech)), speech.rate_hz)


def paced(speed: float) -> Change:
    """Speak `speed` times as fast, at the same pitch."""
    return lambda speech: put_together(taken_apart(speech), speech.rate_hz, speed)


def other_mouth(pitch: float, formants: float) -> Change:
    """Scale pitch and resonances by a factor, as if another person spoke; everything else stays."""
    return throughout(_mouth(pitch, formants))


def other_mouth_midway(pitch: float, formants: float) -> Change:
    """Let another person go on from the middle of the speech."""

    def change(speech: SpokenUtterance) -> Audio:
        parts = taken_apart(speech)
        middle = int(np.searchsorted(np.cumsum(energy(parts)), energy(parts).sum() / 2.0))
        return spliced(speech, parts, _mouth(pitch, formants), (middle, len(parts.f0_hz)))

    return change


def resynthesised(speech: SpokenUtterance) -> Audio:
    """Analyse and resynthesise, and change nothing between: what the method itself costs."""
    return put_together(taken_apart(speech), speech.rate_hz)


def _mouth(pitch: float, formants: float) -> Bend:
    def bend(parts: Parts) -> Parts:
        bins = np.arange(parts.spectrum.shape[1], dtype=np.float64)
        spectrum = from_bins(parts.spectrum, np.minimum(bins / formants, bins[-1]))
        return replace(parts, f0_hz=parts.f0_hz * pitch, spectrum=spectrum)

    return bend


def another_take(speech: SpokenUtterance) -> Audio:
    """
    Speak the same text another time: pace, pitch and level wander within what a speaker varies.
    """
    parts = taken_apart(speech)
    count = len(parts.f0_hz)
    rng = np.random.default_rng(SEED + count)
    knots = np.linspace(0.0, count - 1.0, max(2, round(count * FRAME_MS / 1000.0 / TAKE_KNOT_S)))

    def wandering(most: float) -> Floats:
        return np.interp(np.arange(count), knots, rng.uniform(-most, most, len(knots)))

    place = np.concatenate([[0.0], np.cumsum(1.0 + wandering(TAKE_PACE))])
    at = np.interp(np.arange(int(place[-1])), place, np.arange(count + 1.0))
    nearest = np.clip(np.round(at).astype(int), 0, count - 1)
    pitch, level_db = wandering(TAKE_SEMITONES)[nearest], wandering(TAKE_DB)[nearest, None]
    taken = Parts(
        f0_hz=parts.f0_hz[nearest] * 2.0 ** (pitch / 12.0),
        spectrum=parts.spectrum[nearest] * 10.0 ** (level_db / 10.0),
        breath=parts.breath[nearest],
    )
    return put_together(taken, speech.rate_hz)


def raised(semitones: float) -> Change:
    """Raise the pitch of everything by so many semitones."""
    return throughout(_with_pitch(lambda at_s: np.full(len(at_s), semitones)))


def drifting(semitones: float) -> Change:
    """Let the pitch rise by so many semitones from the first to the last frame."""
    return throughout(
        _with_pitch(lambda at_s: semitones * (at_s / max(float(at_s[-1]), 1e-3) - 0.5))
    )


def vibrato(semitones: float) -> Change:
    """Let the pitch waver by so many semitones to both sides, five times a second."""
    return throughout(_with_pitch(lambda at_s: semitones * np.sin(2 * np.pi * VIBRATO_HZ * at_s)))


def jitter(share: float) -> Change:
    """Scatter the pitch from frame to frame, with a standard deviation of that share."""

    def bend(parts: Parts) -> Parts:
        scattered = 1.0 + share * np.random.default_rng(SEED).standard_normal(len(parts.f0_hz))
        return replace(parts, f0_hz=parts.f0_hz * np.clip(scattered, 0.5, 2.0))

    return throughout(bend)


def shimmer(sd_db: float) -> Change:
    """Scatter the level from frame to frame, with a standard deviation of so many dB."""

    def bend(parts: Parts) -> Parts:
        scattered = np.random.default_rng(SEED).standard_normal((len(parts.f0_hz), 1))
        return replace(parts, spectrum=parts.spectrum * 10.0 ** (sd_db * scattered / 10.0))

    return throughout(bend)


def flattened(share: float) -> Change:
    """Bring the pitch nearer to its median by that share; 1.0 is a monotone."""

    def bend(parts: Parts) -> Parts:
        voiced = parts.f0_hz > 0
        if not voiced.any():
            return parts
        f0_hz, median_hz = parts.f0_hz.copy(), float(np.median(parts.f0_hz[voiced]))
        f0_hz[voiced] = median_hz * (f0_hz[voiced] / median_hz) ** (1.0 - share)
        return replace(parts, f0_hz=f0_hz)

    return throughout(bend)


def breathy(share: float) -> Change:
    """Turn that share of the voice's power into breath; its spectrum stays."""

    def bend(parts: Parts) -> Parts:
        power = parts.breath**2
        breath = np.sqrt(power + (1.0 - power) * share)
        return replace(parts, breath=np.where(parts.f0_hz[:, None] > 0, breath, parts.breath))

    return throughout(bend)


def buzz(speech: SpokenUtterance) -> Audio:
    """Take the breath out of the voice: pulses alone, as of an early vocoder."""
    parts = taken_apart(speech)
    breath = np.where(parts.f0_hz[:, None] > 0, 1e-3, parts.breath)
    return put_together(replace(parts, breath=breath), speech.rate_hz)


def devoiced(duration_s: float) -> Change:
    """Whisper the loudest voiced stretch of that length."""
    return within(
        duration_s,
        lambda parts: replace(
            parts, f0_hz=np.zeros_like(parts.f0_hz), breath=np.ones_like(parts.breath)
        ),
    )


def octave_drop(duration_s: float) -> Change:
    """Let the loudest voiced stretch of that length fall by an octave, as a mistracked pitch."""
    return within(duration_s, lambda parts: replace(parts, f0_hz=parts.f0_hz / 2.0))


def other_vowel(share: float) -> Change:
    """
    Move the first two formants of the loudest vowel apart by that share: the first down, the second
    up.
    """

    def change(speech: SpokenUtterance) -> Audio | None:
        return within(VOWEL_S, lambda parts: _vowel(parts, share, speech.rate_hz))(speech)

    return change


def _vowel(parts: Parts, share: float, rate_hz: int) -> Parts:
    bins = parts.spectrum.shape[1]
    hz = np.linspace(0.0, rate_hz / 2.0, bins)
    was_hz = [0.0, 600.0, 1500.0, 3500.0, max(rate_hz / 2.0, 3600.0)]
    is_hz = [0.0, 600.0 * (1.0 - share), 1500.0 * (1.0 + share), 3500.0, was_hz[-1]]
    source = np.interp(hz, is_hz, was_hz) * (bins - 1) / (rate_hz / 2.0)
    return replace(parts, spectrum=from_bins(parts.spectrum, np.minimum(source, bins - 1)))


def other_stress(semitones: float) -> Change:
    """
    Move the stress from the loudest syllable to the one beside it: pitch by so many semitones, the
    level by twice as many dB, and a tenth of the length per semitone. None for speech of one
    syllable.
    """

    def change(speech: SpokenUtterance) -> Audio | None:
        parts = taken_apart(speech)
        place = _two_syllables(parts)
        if place is None:
            return None
        first, between, last, strong_first = place
        sign = -1.0 if strong_first else 1.0
        return spliced(
            speech,
            parts,
            lambda whole: _restressed(whole, (first, between, last), sign * semitones),
            (first, last),
        )

    return change


def _two_syllables(parts: Parts) -> tuple[int, int, int, bool] | None:
    """
    Find the loudest syllable and the louder one beside it: where the two begin, part and end, and
    whether the first is the louder.
    """
    from scipy.signal import find_peaks

    frames = round(SYLLABLES_APART_S * 1000.0 / FRAME_MS)
    level = np.convolve(energy(parts) * (parts.f0_hz > 0), np.hanning(frames), "same")
    peaks, _ = find_peaks(level, distance=frames, height=1e-3 * float(level.max(initial=0.0)))
    if len(peaks) < 2:
        return None
    loudest = int(np.argmax(level[peaks]))
    sides = [side for side in (loudest - 1, loudest + 1) if 0 <= side < len(peaks)]
    other = max(sides, key=lambda side: float(level[peaks[side]]))
    one, two = sorted((int(peaks[loudest]), int(peaks[other])))
    longest = round(LONGEST_SYLLABLE_S * 1000.0 / FRAME_MS / 2.0)
    before, after = max(0, one - longest), min(len(level), two + longest)
    first = before + int(np.argmin(level[before:one])) if one > before else one
    last = two + 1 + int(np.argmin(level[two + 1 : after])) if after > two + 1 else after
    return first, one + int(np.argmin(level[one:two])), last, other > loudest


def _restressed(parts: Parts, place: tuple[int, int, int], semitones: float) -> Parts:
    """Stress the second syllable by so many semitones more, and the first by as many less."""
    first, between, last = place
    parted = first + max(2, round((between - first) * (1.0 - 0.1 * semitones)))
    parted = min(parted, last - 2)
    frames = np.arange(len(parts.f0_hz), dtype=np.float64)
    end = float(len(frames))
    source = np.interp(frames, [0.0, first, parted, last, end], [0.0, first, between, last, end])
    nearest = np.clip(np.round(source).astype(int), 0, len(frames) - 1)
    shape = np.where(frames < parted, -1.0, 1.0)
    shape[(frames < first) | (frames >= last)] = 0.0
    shape = np.convolve(shape, np.ones(7) / 7.0, "same") * semitones
    return Parts(
        f0_hz=parts.f0_hz[nearest] * 2.0 ** (shape / 12.0),
        spectrum=parts.spectrum[nearest] * 10.0 ** (2.0 * shape[:, None] / 10.0),
        breath=parts.breath[nearest],
    )


def _with_pitch(semitones: Callable[[Floats], Floats]) -> Bend:
    def bend(parts: Parts) -> Parts:
        frames = np.arange(len(parts.f0_hz), dtype=np.float64)
        at_s: Floats = np.multiply(frames, FRAME_MS / 1000.0)
        factor = np.asarray(2.0 ** (semitones(at_s) / 12.0), dtype=np.float64)
        return replace(parts, f0_hz=np.multiply(parts.f0_hz, factor))

    return bend
