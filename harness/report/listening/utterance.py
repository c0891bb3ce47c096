"""
One utterance made ready to be heard: each different take once as a file on the shelf, and all of them at one level.

Knows sound; draws nothing, and knows no page.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from harness.records.cell import Request
from harness.records.measurement import Missing
from harness.report.listening.assets import Shelf
from harness.report.listening.level import Gain, active_level_db, matched
from harness.runner.recordings import Sound, Take, When

SAME = 2.0**-20
"""Of full scale: golden audio is kept to 24 bits, and what differs by less than this (-120 dB) nobody can hear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A take as a page knows it. Where there is none, `missing` says why and the rest is empty."""

    when: When
    cell: str
    missing: str
    clip: str
    same_as: int | None
    """The index of the first voice of the utterance that sounds the same; None where this is the first."""
    duration_s: float
    gain: Gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One request and its voices; `sounds` has the sound of each voice, None where it is missing."""

    request: Request
    voices: tuple[Voice, ...]
    sounds: tuple[Sound | None, ...]

    @property
    def duration_s(self) -> float:
        """Seconds of the longest voice."""
        return max((voice.duration_s for voice in self.voices), default=0.0)

    def find(self, when: When, cell: str) -> int | None:
        """Find a voice that can be heard."""
        found = [i for i, each in enumerate(self.voices) if (each.when, each.cell) == (when, cell) and not each.missing]
        return found[0] if found else None

    def same(self, one: int, other: int) -> bool:
        """Say whether two voices sound the same."""
        first = [i if voice.same_as is None else voice.same_as for i, voice in enumerate(self.voices)]
        return first[one] == first[other]


def utterance(request: Request, takes: Sequence[Take], shelf: Shelf) -> Utterance:
    """Put the takes of an utterance on the shelf, and match their levels. Raises HarnessError if that cannot be written."""
    sounds = tuple(None if isinstance(take.sound, Missing) else take.sound for take in takes)
    same = _same(sounds)
    clips = ["" if sound is None else shelf.put(encoded(sound)) for sound in (sounds[first] for first in same)]
    heard = [index for index, sound in enumerate(sounds) if sound is not None]
    gains = dict(zip(heard, _gains([sound for sound in sounds if sound is not None]), strict=True))
    silent = Gain(level_db=None, gain_db=0.0)
    voices = tuple(
        Voice(
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
    return Utterance(request=request, voices=voices, sounds=sounds)


def encoded(sound: Sound) -> bytes:
    """Give a sound as a 16-bit FLAC file, which every browser decodes; frames beyond -1..1 are clipped."""
    out = io.BytesIO()
    soundfile.write(out, sound.frames, sound.rate_hz, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def _gains(sounds: Sequence[Sound]) -> tuple[Gain, ...]:
    levels = [active_level_db(sound.frames, sound.rate_hz) for sound in sounds]
    return matched(levels, [float(np.abs(sound.frames).max()) for sound in sounds])


def _same(sounds: Sequence[Sound | None]) -> list[int]:
    """For each sound the index of the first one that is the same; its own where there is none before it."""
    first: list[int] = []
    for index, sound in enumerate(sounds):
        before = (other for other in dict.fromkeys(first) if _equal(sounds[other], sound))
        first.append(next(before, index))
    return first


def _equal(one: Sound | None, other: Sound | None) -> bool:
    if one is None or other is None or (one.rate_hz, len(one.frames)) != (other.rate_hz, len(other.frames)):
        return False
    return bool(np.abs(one.frames - other.frames).max() <= SAME)
