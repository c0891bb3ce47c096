"""
Accents of Spanish in the sound: what is heard where accents differ, and how well it fits a region.

Each slot of the text (`spanish_phones.Slot`) is located by `phone_alignment.py`, and judged by two
levels in its middle half, both against the vowels of the same recording, so that neither gain nor a
dull microphone counts: the hiss (HISS_HZ and above) and the voice (below VOICE_HZ). The thresholds
are those of `tests/studies/spanish_accent.py`, where the errors are counted too
(docs/evidence/spanish.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voxgate.harness.audio.phone_alignment import HOP_S, RATE_HZ, PhoneTime, align_phones
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.spanish_phones import (
    VOWELS,
    Slot,
    SlotPlace,
    phones_of,
    slots_of,
    spanish_words,
)
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.measurement import Missing

HISS_HZ, VOICE_HZ = 3_500.0, 500.0
CENTROID_HZ = 1_500.0
"""The lowest frequency that counts for the centroid of a hiss."""
WIDTH, HOP, FFT = 160, 80, 512
TINY = 1e-12
LOUD = 98.0
"""Percentile of frames."""
SIBILANT_DB: Mapping[Slot, float] = {Slot.LL: 4.0, Slot.THETA: 6.5, Slot.CODA_S: 3.0}
"""Hiss over the vowels' from which a slot is sibilant: no approximant, no th, no breath."""
VOICED_DB = -20.0
"""Voice against the vowels' from which a sibilant is voiced."""
BAND_HZ, NARROW_DB = 5_000.0, -58.0
"""
Above this frequency, and by this against the voice, the loudest frames of a recording have less
only where its band ends below: on a telephone, at a rate of 8 kHz.
"""


class Sound(StrEnum):
    """What is heard in a slot."""

    APPROXIMANT = "approximant"
    SH = "sh"
    ZH = "zh"
    S = "s"
    TH = "th"
    NO_S = "no s"
    """A breath, or nothing."""


SOFT: Mapping[Slot, Sound] = {
    Slot.LL: Sound.APPROXIMANT,
    Slot.THETA: Sound.TH,
    Slot.CODA_S: Sound.NO_S,
}
"""What a slot without hiss is."""
SHEISMO = frozenset({Sound.SH, Sound.ZH})
REGIONS: Mapping[str, Mapping[Slot, frozenset[Sound]]] = {
    "es": {
        Slot.LL: frozenset({Sound.APPROXIMANT}),
        Slot.THETA: frozenset({Sound.TH}),
        Slot.CODA_S: frozenset({Sound.S}),
    },
    "rioplatense": {
        Slot.LL: SHEISMO,
        Slot.THETA: frozenset({Sound.S}),
        Slot.CODA_S: frozenset({Sound.NO_S}),
    },
    "mexico": {
        Slot.LL: frozenset({Sound.APPROXIMANT}),
        Slot.THETA: frozenset({Sound.S}),
        Slot.CODA_S: frozenset({Sound.S}),
    },
    "colombia": {
        Slot.LL: frozenset({Sound.APPROXIMANT}),
        Slot.THETA: frozenset({Sound.S}),
        Slot.CODA_S: frozenset({Sound.S}),
    },
}
"""Region -> the sounds that belong into each slot. Mexico and Colombia differ in none of them."""

TERRITORIES: Mapping[str, str] = {
    "ES": "es",
    "AR": "rioplatense",
    "UY": "rioplatense",
    "MX": "mexico",
    "CO": "colombia",
}
"""ISO 3166 code of a language tag -> region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSound:
    """
    What is heard in one slot; levels in dB against the vowels' of the recording, None where no
    sound of its own was found there.
    """

    slot: Slot
    word: str
    sound: Sound
    hiss_db: float | None
    voice_db: float | None
    centroid_hz: float | None
    """Of the power above CENTROID_HZ."""


def slot_sounds(recording: Recording, text: str) -> tuple[SlotSound, ...] | Missing:
    """
    Return what is heard in each slot of a Spanish text, in order.

    Missing for audio that cannot be aligned, and for a band that ends below HISS_HZ.
    """
    words = spanish_words(text)
    spoken = [phones_of(word) for word in words]
    if not any(spoken):
        return Missing("the text has no Spanish word")
    times = align_phones(recording, spoken)
    if isinstance(times, Missing):
        return times
    spectrum = recording.once(_spectrum)
    vowels = [time for time in times if time.phone in VOWELS]
    if not vowels or spectrum.is_narrow:
        return Missing(
            f"there is no sound above {HISS_HZ / 1000:g} kHz to tell accents by"
            if vowels
            else "the text has no vowel"
        )
    usual = [spectrum.levels(vowel) for vowel in vowels]
    level_db = (
        float(np.median([each[0] for each in usual])),
        float(np.median([each[1] for each in usual])),
    )
    places = {(time.word, time.index): time for time in times}
    return tuple(
        _sound(slot, words[slot.word], places.get((slot.word, slot.phone)), spectrum, level_db)
        for slot in slots_of(words)
    )


def region_fit(sounds: Sequence[SlotSound], region: str) -> tuple[int, int]:
    """
    Return how many slots have the sound of a region, of how many.

    >>> region_fit((), "mexico")
    (0, 0)
    """
    expected = REGIONS[region]
    return sum(each.sound in expected[each.slot] for each in sounds), len(sounds)


def share_of(sounds: Sequence[SlotSound], slot: Slot, wanted: frozenset[Sound]) -> float | Missing:
    """Return the share of the slots of one kind in which one of some sounds is heard."""
    heard = [each.sound in wanted for each in sounds if each.slot is slot]
    return float(np.mean(heard)) if heard else Missing(f"the text has no {slot.value} slot")


def _sound(
    slot: SlotPlace,
    word: str,
    time: PhoneTime | None,
    spectrum: "_Spectrum",
    level_db: tuple[float, float],
) -> SlotSound:
    if time is None:
        return SlotSound(
            slot=slot.slot,
            word=word,
            sound=Sound.NO_S,
            hiss_db=None,
            voice_db=None,
            centroid_hz=None,
        )
    hiss_db, voice_db, centroid_hz = spectrum.levels(time)
    hiss_db, voice_db = hiss_db - level_db[0], voice_db - level_db[1]
    return SlotSound(
        slot=slot.slot,
        word=word,
        sound=_heard(slot.slot, hiss_db, voice_db),
        hiss_db=hiss_db,
        voice_db=voice_db,
        centroid_hz=centroid_hz,
    )


def _heard(slot: Slot, hiss_db: float, voice_db: float) -> Sound:
    if hiss_db < SIBILANT_DB[slot]:
        return SOFT[slot]
    if slot is Slot.LL:
        return Sound.ZH if voice_db >= VOICED_DB else Sound.SH
    return Sound.S


@dataclass(frozen=True, slots=True, eq=False)
class _Spectrum:
    """The power spectrum of frames every HOP_S, shape [frames, bins]."""

    power: NDArray[np.float64]
    bins_hz: NDArray[np.float64]

    @property
    def is_narrow(self) -> bool:
        top, voice = (
            10.0 * np.log10(np.percentile(self.power[:, bins].sum(axis=1), LOUD) + TINY)
            for bins in (self.bins_hz >= BAND_HZ, self.bins_hz < VOICE_HZ)
        )
        return bool(top < voice + NARROW_DB)

    def levels(self, time: PhoneTime) -> tuple[float, float, float]:
        """Return hiss and voice in dB, and the centroid in Hz, in the middle half of a phone."""
        start, end = round(time.start_s / HOP_S), round(time.end_s / HOP_S)
        quarter = (end - start) // 4
        middle = self.power[start + quarter : max(end - quarter, start + quarter + 1)]
        hiss, voice = (
            float(np.median(10.0 * np.log10(middle[:, bins].sum(axis=1) + TINY)))
            for bins in (self.bins_hz >= HISS_HZ, self.bins_hz < VOICE_HZ)
        )
        high = self.bins_hz >= CENTROID_HZ
        spread = middle[:, high].sum(axis=0) + TINY
        return hiss, voice, float(spread @ self.bins_hz[high] / spread.sum())


def _spectrum(recording: Recording) -> _Spectrum:
    samples = recording.at(RATE_HZ)
    # an offset is no voice
    peak = np.abs(samples - samples.mean()).max() or 1.0
    padded = np.pad((samples - samples.mean()) / peak, WIDTH // 2)
    frames = sliding_window_view(padded, WIDTH)[::HOP]
    return _Spectrum(
        power=np.abs(np.fft.rfft(frames * np.hanning(WIDTH), FFT)) ** 2,
        bins_hz=np.asarray(np.fft.rfftfreq(FFT, 1.0 / RATE_HZ), dtype=np.float64),
    )
