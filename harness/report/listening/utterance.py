"""
One utterance ready to be played: each different take once as an asset, all at one level.

The level is that of active speech: the RMS over windows of 20 ms that lie within 30 dB of the
loudest, so that pauses play no part and no take seems better for being louder. It is not weighted
for the ear (as BS.1770 is): takes of one utterance have nearly the same spectrum.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from voxgate.harness.audio.activity import active_level_db
from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Missing, Value
from voxgate.harness.report.listening.assets import Assets
from voxgate.harness.runner.recordings import KeptAudio, Take, When

FLAC_ANY_BELOW_HZ, FLAC_HIGHEST_HZ = 2**16, 655_350
"""FLAC knows every rate below the first, and every tenth one up to the second."""
OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Opus knows no other: a sound of another rate is brought to the next higher one."""
MOST_DB = 12.0
"""
Takes that differ by more are not two versions of one voice: something is broken, and should be
heard as it is.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackGain:
    """
    How loud a take is (dB of full scale; None where nobody can say), by how much it is turned, and
    a word on it.
    """

    level_db: float | None
    gain_db: float
    note: str = ""


def matched(levels_db: Sequence[Value], peaks: Sequence[float]) -> tuple[PlaybackGain, ...]:
    """
    Turn every take to the level of the first one that has a level, then all by the same, so that no
    peak is clipped.

    `peaks` are the largest absolute frames, full scale being 1.0.
    """
    target = next((level for level in levels_db if isinstance(level, float)), 0.0)
    gains = [_gain(level, target) for level in levels_db]
    over_db = max(
        (_db(peak) + gain.gain_db for peak, gain in zip(peaks, gains, strict=True) if peak > 0.0),
        default=0.0,
    )
    lower_db = max(over_db, 0.0)
    return tuple(
        PlaybackGain(level_db=gain.level_db, gain_db=gain.gain_db - lower_db, note=gain.note)
        for gain in gains
    )


def _gain(level_db: Value, target_db: float) -> PlaybackGain:
    if isinstance(level_db, Missing):
        return PlaybackGain(level_db=None, gain_db=0.0, note=f"not matched: {level_db.reason}")
    wanted_db = target_db - level_db
    gain_db = min(max(wanted_db, -MOST_DB), MOST_DB)
    note = (
        ""
        if gain_db == wanted_db
        else f"not matched in full: the level differs by {abs(wanted_db):.0f} dB"
    )
    return PlaybackGain(level_db=level_db, gain_db=gain_db, note=note)


def _db(ratio: float) -> float:
    return float(20.0 * np.log10(ratio))


SAME = 2.0**-20
"""
Of full scale: golden audio is kept to 24 bits, and what differs by less than this (-120 dB) nobody
can hear.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedVoice:
    """A take as a page knows it. Where there is none, `missing` says why and the rest is empty."""

    when: When
    cell: str
    missing: str
    clip: str
    same_as: int | None
    """
    The index of the first voice of the utterance that sounds the same; None where this is the
    first.
    """
    duration_s: float
    gain: PlaybackGain


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceVoices:
    """
    One request and its voices; `sounds` has the sound of each voice, None where it is missing.
    `lossless`: the clips hold the sounds to 16 bits.
    """

    request: Request
    voices: tuple[PlayedVoice, ...]
    sounds: tuple[KeptAudio | None, ...]
    lossless: bool = True

    @property
    def duration_s(self) -> float:
        """Seconds of the longest voice."""
        return max((voice.duration_s for voice in self.voices), default=0.0)

    def find(self, when: When, cell: str) -> int | None:
        """Return a voice that has a recording; None if there is none."""
        indices = [
            i
            for i, voice in enumerate(self.voices)
            if (voice.when, voice.cell) == (when, cell) and not voice.missing
        ]
        return indices[0] if indices else None

    def same(self, one: int, second: int) -> bool:
        """Return whether two voices have the same audio."""
        first = [
            i if voice.same_as is None else voice.same_as for i, voice in enumerate(self.voices)
        ]
        return first[one] == first[second]


def _put(sound: KeptAudio | None, assets: Assets, *, lossless: bool) -> str:
    return "" if sound is None else assets.put(encoded(sound) if lossless else compressed(sound))


def utterance(
    request: Request, takes: Sequence[Take], assets: Assets, *, lossless: bool = True
) -> UtteranceVoices:
    """
    Write the clips of an utterance as assets, and match their levels. Raises HarnessError if that
    fails.
    """
    sounds = tuple(None if isinstance(take.sound, Missing) else take.sound for take in takes)
    same = _same(sounds)
    clips = [_put(sounds[first], assets, lossless=lossless) for first in same]
    heard = [index for index, sound in enumerate(sounds) if sound is not None]
    gains = dict(zip(heard, _gains([sound for sound in sounds if sound is not None]), strict=True))
    silent = PlaybackGain(level_db=None, gain_db=0.0)
    voices = tuple(
        PlayedVoice(
            when=take.when,
            cell=take.cell,
            missing=take.sound.reason if isinstance(take.sound, Missing) else "",
            clip=clips[index],
            same_as=None if same[index] == index else same[index],
            duration_s=0.0 if isinstance(take.sound, Missing) else take.sound.duration_s,
            gain=gains.get(index, silent),
        )
        for index, take in enumerate(takes)
    )
    return UtteranceVoices(request=request, voices=voices, sounds=sounds, lossless=lossless)


def encoded(sound: KeptAudio) -> bytes:
    """
    Return a sound as a 16-bit FLAC file, which every browser decodes, or as WAV where FLAC does not
    know its rate; samples beyond -1..1 are clipped.
    """
    out, rate_hz = io.BytesIO(), sound.rate_hz
    known = rate_hz < FLAC_ANY_BELOW_HZ or (rate_hz <= FLAC_HIGHEST_HZ and rate_hz % 10 == 0)
    kind = "FLAC" if known else "WAV"
    soundfile.write(out, sound.frames, rate_hz, format=kind, subtype="PCM_16")
    return out.getvalue()


def compressed(sound: KeptAudio) -> bytes:
    """
    Return a sound as an Ogg Opus file of about 30 kbit/s at 16 kHz to 60 at 48 kHz, a third to a
    fifth of its FLAC; as `encoded` where libsndfile knows no Opus.

    Chromium and Firefox decode it, Safari from 18.4 on.
    """
    if "OPUS" not in soundfile.available_subtypes("OGG"):
        return encoded(sound)
    known = (rate for rate in OPUS_RATES_HZ if rate >= sound.rate_hz)
    rate_hz = next(known, OPUS_RATES_HZ[-1])
    frames = Recording(sound.frames, sound.rate_hz).at(rate_hz).astype(np.float32)
    out = io.BytesIO()
    soundfile.write(out, frames, rate_hz, format="OGG", subtype="OPUS")
    return out.getvalue()


def _gains(sounds: Sequence[KeptAudio]) -> tuple[PlaybackGain, ...]:
    levels = [active_level_db(sound.frames, sound.rate_hz) for sound in sounds]
    return matched(levels, [float(np.abs(sound.frames).max()) for sound in sounds])


def _same(sounds: Sequence[KeptAudio | None]) -> list[int]:
    """
    For each sound the index of the first one that is the same; its own where there is none before
    it.
    """
    first: list[int] = []
    for index, sound in enumerate(sounds):
        before = (other for other in dict.fromkeys(first) if _equal(sounds[other], sound))
        first.append(next(before, index))
    return first


def _equal(first: KeptAudio | None, second: KeptAudio | None) -> bool:
    if (
        first is None
        or second is None
        or (first.rate_hz, len(first.frames)) != (second.rate_hz, len(second.frames))
    ):
        return False
    return bool(np.abs(first.frames - second.frames).max() <= SAME)
