"""
The differences of an utterance: spectrogram and faults of every voice, and how it differs from the
voices it is compared with.

Every different sound is analysed once. `dataclasses.asdict` gives the data of the page's script.
Faults have times; they come from the detectors of the metrics. A detector that learns to return
times gets a line in DETECTORS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import numpy as np

from voxgate.harness.audio import pitch
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.clicks import click_times_s
from voxgate.harness.metrics.dropouts import dropout_times_s
from voxgate.harness.metrics.repetition import repeat_times_s
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.listening.assets import Assets
from voxgate.harness.report.listening.spectrogram import (
    SpectrogramDifference,
    Table,
    difference,
    difference_picture,
    power_picture,
    spectrogram,
    ticks,
    top_hz,
)
from voxgate.harness.report.listening.utterance import PlayedVoice, UtteranceVoices
from voxgate.harness.runner.recordings import KeptAudio, When

Detector = Callable[[Recording], tuple[float, ...] | Missing]
DETECTORS: tuple[tuple[str, Detector], ...] = (
    ("click", click_times_s),
    ("dropout", dropout_times_s),  # where the hole begins
    ("repeat", repeat_times_s),  # where the second of the two begins
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMark:
    """One fault: seconds from the start of the take, and its kind."""

    time_s: float
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """All faults of a take, in order of time, and why some kinds, or all, were not looked for."""

    found: tuple[FaultMark, ...] = ()
    missing: str = ""
    searched: bool = True
    """Whether any kind was looked for."""


def marks(sound: KeptAudio) -> Marks:
    """Look for every kind of fault that can be placed in time."""
    recording = Recording(sound.frames, sound.rate_hz)
    fault_marks: list[FaultMark] = []
    unsought: dict[str, list[str]] = {}
    for kind, detector in DETECTORS:
        times_s = detector(recording)
        if isinstance(times_s, Missing):
            unsought.setdefault(times_s.reason, []).append(f"{kind}s")
        else:
            fault_marks += [FaultMark(time_s=time_s, kind=kind) for time_s in times_s]
    missing = "; ".join(
        f"no {' or '.join(kinds)} looked for: {reason}" for reason, kinds in unsought.items()
    )
    return Marks(
        found=tuple(sorted(fault_marks, key=lambda mark: mark.time_s)),
        missing=missing,
        searched=sum(map(len, unsought.values())) < len(DETECTORS),
    )


Answer = TypeVar("Answer")
LONGEST_S = 120.0
"""
An utterance that is longer is played, and neither drawn nor searched: its tables would take more
memory than a machine may have.
"""
TOO_LONG = f"longer than {LONGEST_S:.0f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """
    One voice held against another (`against`, an index), after both were brought to one level.
    """

    against: int
    same: bool
    missing: str = ""
    picture: str = ""
    mean_db: float = 0.0
    most_s: float = 0.0
    shift_s: float = 0.0

    @property
    def size_db(self) -> float:
        """How much the two differ; infinite where the durations differ too much to say."""
        return float("inf") if self.missing else self.mean_db


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWord:
    """A word, and its place in a take in seconds."""

    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PitchLine:
    """F0 in Hz every PITCH_HOP_S, 0 where nothing is voiced, or why it was not looked for."""

    f0_hz: tuple[int, ...] = ()
    missing: str = ""


PITCH_HOP_S = 2 * pitch.HOP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceView:
    """One voice, seen. `words` are placed in the takes that a page opens with."""

    voice: PlayedVoice
    picture: str = ""
    marks: Marks
    contrasts: tuple[Contrast, ...] = ()
    pitch: PitchLine = PitchLine()
    words: tuple[PlacedWord, ...] = ()
    words_missing: str = ""
    """Why they could not be placed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """
    One utterance, seen. `ticks` name frequencies at the pictures' edge: (name, 0 at the bottom to 1
    at the top).
    """

    id: str
    text: str
    duration_s: float
    peak: float
    """The largest frame of all voices, after their levels were matched."""
    ticks: tuple[tuple[str, float], ...]
    voices: tuple[VoiceView, ...]
    lossless: bool = True
    """Whether the clips hold the sounds to 16 bits."""

    def contrast(self, cell: str, against: When) -> Contrast | None:
        """Find how the current take of a cell differs from another take of that cell."""
        mine = (
            voice
            for voice in self.voices
            if (voice.voice.when, voice.voice.cell) == ("current", cell)
        )
        contrasts = list(chain.from_iterable(voice_view.contrasts for voice_view in mine))
        return next((c for c in contrasts if self._is(c.against, against, cell)), None)

    def _is(self, index: int, when: When, cell: str) -> bool:
        voice = self.voices[index].voice
        return (voice.when, voice.cell) == (when, cell)


def view(
    utterance: UtteranceVoices, reference: str, assets: Assets, *, pitched: bool = True
) -> View:
    """
    Draw and search all voices of an utterance; `pitched` looks for the pitch of those that differ.
    Raises HarnessError if a picture cannot be written.
    """
    if utterance.duration_s > LONGEST_S:
        return _unseen(utterance, reference)
    sounds = [sound for sound in utterance.sounds if sound is not None]
    highest_hz = top_hz(sounds) if sounds else 0.0
    tables = _each_once(
        utterance, lambda sound, voice: spectrogram(sound, highest_hz, voice.gain.gain_db)
    )
    loudest_db = float(max((table.max() for table in tables if table is not None), default=0.0))
    voice_marks = _each_once(utterance, lambda sound, _: marks(sound))
    lines = _pitch_lines(utterance, reference) if pitched else {}
    seen = tuple(
        VoiceView(
            voice=voice,
            picture="" if table is None else assets.put(power_picture(table, loudest_db)),
            marks=faults or Marks(),
            contrasts=_contrasts(utterance, index, reference, tables, loudest_db, assets),
            pitch=lines.get(index, PitchLine()),
        )
        for index, (voice, table, faults) in enumerate(
            zip(utterance.voices, tables, voice_marks, strict=True)
        )
    )
    return View(
        id=utterance.request.id,
        text=utterance.request.text,
        duration_s=utterance.duration_s,
        peak=_peak(utterance),
        ticks=ticks(highest_hz) if sounds else (),
        voices=seen,
        lossless=utterance.lossless,
    )


def _pitch_lines(utterance: UtteranceVoices, reference: str) -> Mapping[int, PitchLine]:
    """Return the pitch of the voices that differ from one that they are held against, and its."""
    unlike: list[int] = []
    for index in range(len(utterance.voices)):
        rivals = _rivals(utterance, index, reference)
        others = [rival for rival in rivals if not utterance.same(index, rival)]
        unlike += [*others, *([index] if others else [])]
    found: dict[int, PitchLine] = {}
    for index in dict.fromkeys(unlike):
        sound, first = utterance.sounds[index], utterance.voices[index].same_as
        if sound is not None:
            found[index] = found[first] if first in found else _pitch_line(sound)
    return found


def _pitch_line(sound: KeptAudio) -> PitchLine:
    track = pitch.track(Recording(sound.frames, sound.rate_hz))
    if isinstance(track, Missing):
        return PitchLine(missing=track.reason)
    return PitchLine(f0_hz=tuple(np.rint(track.smoothed[::2]).astype(int).tolist()))


def _unseen(utterance: UtteranceVoices, reference: str) -> View:
    return View(
        id=utterance.request.id,
        text=utterance.request.text,
        duration_s=utterance.duration_s,
        peak=_peak(utterance),
        ticks=(),
        lossless=utterance.lossless,
        voices=tuple(
            VoiceView(
                voice=voice,
                marks=Marks(missing=f"No faults looked for: {TOO_LONG}", searched=False),
                contrasts=tuple(
                    _uncompared(utterance, index, rival)
                    for rival in _rivals(utterance, index, reference)
                ),
            )
            for index, voice in enumerate(utterance.voices)
        ),
    )


def _uncompared(utterance: UtteranceVoices, index: int, rival: int) -> Contrast:
    same = utterance.same(index, rival)
    return Contrast(against=rival, same=same, missing="" if same else TOO_LONG)


def _each_once(
    utterance: UtteranceVoices, look: Callable[[KeptAudio, PlayedVoice], Answer]
) -> list[Answer | None]:
    """
    Look at every voice that has sound; one that sounds the same as another before it gets that
    one's answer.
    """
    answers: list[Answer | None] = []
    for voice, sound in zip(utterance.voices, utterance.sounds, strict=True):
        again = voice.same_as is not None
        answers.append(
            answers[voice.same_as or 0] if again else None if sound is None else look(sound, voice)
        )
    return answers


def _peak(utterance: UtteranceVoices) -> float:
    """
    Return the largest sample of all voices, as matched; 1.0 for silence, which cannot be scaled.
    """
    heard = zip(utterance.voices, utterance.sounds, strict=True)
    peaks = [
        float(np.abs(sound.frames).max()) * 10.0 ** (voice.gain.gain_db / 20.0)
        for voice, sound in heard
        if sound is not None
    ]
    return max(peaks, default=0.0) or 1.0


def _contrasts(
    utterance: UtteranceVoices,
    index: int,
    reference: str,
    tables: Sequence[Table | None],
    loudest_db: float,
    assets: Assets,
) -> tuple[Contrast, ...]:
    """Hold a voice against its rivals."""
    return tuple(
        _contrast(utterance, index, rival, tables, loudest_db, assets)
        for rival in _rivals(utterance, index, reference)
    )


def _rivals(utterance: UtteranceVoices, index: int, reference: str) -> tuple[int, ...]:
    """
    Return the voices that a current one is held against: the previous one, and the golden one or,
    in other cells, the reference cell's. A marked one is held against itself without its watermark.
    """
    voice = utterance.voices[index]
    if voice.when == "marked" and not voice.missing:
        plain = utterance.find("current", voice.cell)
        return () if plain is None else (plain,)
    if voice.when != "current" or voice.missing:
        return ()
    other: When = "golden" if voice.cell == reference else "current"
    found = (utterance.find("previous", voice.cell), utterance.find(other, reference))
    return tuple(rival for rival in found if rival is not None)


def _contrast(
    utterance: UtteranceVoices,
    index: int,
    rival: int,
    tables: Sequence[Table | None],
    loudest_db: float,
    assets: Assets,
) -> Contrast:
    old, new = tables[rival], tables[index]
    assert old is not None and new is not None, "voices that are found have sound"
    if utterance.same(index, rival):
        return Contrast(against=rival, same=True)
    unlike = difference(old, new, loudest_db)
    if isinstance(unlike, Missing):
        return Contrast(against=rival, same=False, missing=unlike.reason)
    return _drawn(unlike, rival, assets)


def _drawn(unlike: SpectrogramDifference, rival: int, assets: Assets) -> Contrast:
    return Contrast(
        against=rival,
        same=False,
        picture=assets.put(difference_picture(unlike.table)),
        mean_db=float(np.round(unlike.mean_db, 2)),
        most_s=unlike.most_s,
        shift_s=unlike.shift_s,
    )
