"""
The moment at which a cell is best heard to have changed: one utterance, its old and its new voice,
and the second in each at which to listen.

The utterance is the one that the judge named, or else the one that changed most. The second is that
of a fault that only the new take has, or of the largest difference of the spectrograms; where
durations differ, of the largest distance along the path of dynamic time warping. Draws nothing.

Each utterance is also a row of the table "where to listen first": its change since the previous run
and since golden, and its faults.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.take_parity import LOCAL_S, warped
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.listening.differences import Contrast, FaultMark, View, VoiceView
from voxgate.harness.report.listening.utterance import UtteranceVoices

NEAR_S = 0.1
"""Faults of two takes that are nearer are one fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """
    Where to hear a cell. `old` and `new` are indices of the utterance's voices, `old_s` and `new_s`
    the seconds to listen at, None where the takes as a whole are to be heard. `same`: every voice
    of the cell sounds as before.
    """

    cell: str
    label: str
    utterance: str
    text: str
    old: int
    new: int
    old_name: str
    old_s: float | None = None
    new_s: float | None = None
    why: str = ""
    same: bool = False
    is_own: bool = True
    """Whether the old voice is this cell's, and not the reference cell's for want of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A current voice and one that it is held against."""

    view: View
    voices: UtteranceVoices
    new: int
    contrast: Contrast

    @property
    def is_own(self) -> bool:
        """Whether both voices are of the same cell."""
        one, other = (self.view.voices[each].voice for each in (self.new, self.contrast.against))
        return one.cell == other.cell


def moments(
    heard: Sequence[tuple[UtteranceVoices, View]],
    labels: Mapping[str, str],
    wanted: Mapping[str, Sequence[str]],
    names: Mapping[str, str] | None = None,
) -> tuple[Moment, ...]:
    """
    Return the moment of each cell that has an old voice, or else the reference cell's, to be held
    against; those in `wanted` (slug -> utterances to prefer, the best first) stand first, in its
    order. `names` are words for people in place of `previous` and the like.
    """
    order = [*(slug for slug in wanted if slug in labels), *labels]
    chosen = (_chosen(heard, slug, wanted.get(slug, ())) for slug in dict.fromkeys(order))
    return tuple(_described(each, labels, names or {}) for each in chosen if each is not None)


def _chosen(
    heard: Sequence[tuple[UtteranceVoices, View]], slug: str, wanted: Sequence[str]
) -> _Candidate | None:
    every = list(_candidates(heard, slug))
    usable = [each for each in every if each.is_own] or every
    if not usable:
        return None
    place = {name: number for number, name in enumerate(wanted)}

    def rank(each: _Candidate) -> tuple[bool, int, float]:
        same = each.contrast.same
        return same, place.get(each.view.id, len(place)), -each.contrast.size_db

    return min(usable, key=rank)


def _candidates(heard: Sequence[tuple[UtteranceVoices, View]], slug: str) -> Iterator[_Candidate]:
    for voices, view in heard:
        for index, seen in enumerate(view.voices):
            if (seen.voice.when, seen.voice.cell) == ("current", slug):
                for contrast in seen.contrasts:
                    yield _Candidate(view=view, voices=voices, new=index, contrast=contrast)


def _described(chosen: _Candidate, labels: Mapping[str, str], names: Mapping[str, str]) -> Moment:
    view, contrast = chosen.view, chosen.contrast
    new, old = view.voices[chosen.new].voice, view.voices[contrast.against].voice
    own_name = names.get(old.when, old.when)
    old_name = own_name if chosen.is_own else f"{labels[old.cell]} (reference)"
    old_s, new_s, why = (None, None, "") if contrast.same else _place(chosen)
    word = None if new_s is None else _word_at(view.voices[chosen.new], new_s)
    return Moment(
        cell=new.cell,
        label=labels[new.cell],
        utterance=view.id,
        text=view.text,
        old=contrast.against,
        new=chosen.new,
        old_name=old_name,
        old_s=old_s,
        new_s=new_s,
        why=why if word is None else f"{why}, in “{word}”",
        same=contrast.same,
        is_own=chosen.is_own,
    )


def _word_at(seen: VoiceView, time_s: float) -> str | None:
    words = (each.word for each in seen.words if each.start_s <= time_s < each.end_s)
    return next(words, None)


def _place(chosen: _Candidate) -> tuple[float | None, float | None, str]:
    """Return the second in the old take, the one in the new take, and the reason for it."""
    contrast = chosen.contrast
    fault = _new_fault(chosen)
    if fault is not None:
        old_s = max(fault.time_s - contrast.shift_s, 0.0)
        whose = "only in the new take" if chosen.is_own else "not in the reference"
        return old_s, fault.time_s, f"{fault.kind} at {fault.time_s:.2f} s, {whose}"
    if not contrast.missing:
        old_s = max(contrast.most_s - contrast.shift_s, 0.0)
        return old_s, contrast.most_s, f"differs most at {contrast.most_s:.2f} s"
    seconds = _along_the_path(chosen)
    if seconds is None:
        return None, None, contrast.missing
    return *seconds, f"differs most at {seconds[1]:.2f} s (the durations differ)"


def _new_fault(chosen: _Candidate) -> FaultMark | None:
    """Return the first fault of the new take that the old take does not have."""
    contrast = chosen.contrast
    before = chosen.view.voices[contrast.against].marks.found
    for mark in chosen.view.voices[chosen.new].marks.found:
        at_s = mark.time_s - contrast.shift_s
        if not any(each.kind == mark.kind and abs(each.time_s - at_s) < NEAR_S for each in before):
            return mark
    return None


def _along_the_path(chosen: _Candidate) -> tuple[float, float] | None:
    """Return the seconds of the old and the new take at which their spectra are farthest apart."""
    if not chosen.voices.sounds:
        return None
    old, new = (chosen.voices.sounds[each] for each in (chosen.contrast.against, chosen.new))
    if old is None or new is None:
        return None
    takes = warped(
        MetricInput(
            audio=Recording(new.frames, new.rate_hz), reference=Recording(old.frames, old.rate_hz)
        )
    )
    if isinstance(takes, Missing):
        return None
    width = max(round(LOCAL_S / takes.hop_s), 1)
    smooth = np.convolve(takes.distance_db, np.ones(width) / width, "same")
    worst = int(np.argmax(smooth))
    return (
        float(takes.reference.times_s[takes.rows[worst]]),
        float(takes.candidate.times_s[takes.columns[worst]]),
    )


NONE_FOUND = "the detectors found none"
LEAST_DB = 0.1
"""A smaller mean difference is rounding, and where it is largest says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceRow:
    """One utterance; an empty text where there is nothing to compare with."""

    id: str
    text: str
    since_previous: str
    since_golden: str
    faults: str
    """Those of the current takes, or that there is none, or why nobody looked."""
    change_db: float
    """The largest change, infinite where the durations differ too much to say."""


def line(view: View, labels: Mapping[str, str], reference: str) -> UtteranceRow:
    """Describe an utterance; `labels` names the cells, slug -> label."""
    changes = {
        slug: contrast
        for slug in labels
        if (contrast := view.contrast(slug, "previous")) is not None
    }
    golden = view.contrast(reference, "golden")
    sizes = [
        change.size_db for change in (*changes.values(), *([] if golden is None else [golden]))
    ]
    return UtteranceRow(
        id=view.id,
        text=view.text,
        since_previous=_worst(changes, labels),
        since_golden="" if golden is None else _said(golden),
        faults=_faults(view, labels),
        change_db=max(sizes, default=0.0),
    )


def most_changed(view: View) -> str:
    """
    Return the cell whose current voice changed most since its own older one or, where there is
    none, differs most from the reference cell's; empty where nothing is compared.
    """
    current = [each for each in view.voices if each.voice.when == "current"]
    pairs: list[tuple[VoiceView, Contrast]] = []
    for each in current:
        pairs += [(each, contrast) for contrast in each.contrasts]
    if not pairs:
        return current[0].voice.cell if current else ""

    def rank(pair: tuple[VoiceView, Contrast]) -> tuple[bool, float]:
        mine, contrast = pair
        own = view.voices[contrast.against].voice.cell == mine.voice.cell
        return own and not contrast.same, contrast.size_db

    return max(pairs, key=rank)[0].voice.cell


def _worst(changes: Mapping[str, Contrast], labels: Mapping[str, str]) -> str:
    """Name the cell that changed most; one line where all stayed the same."""
    if not changes:
        return ""
    worst = max(changes, key=lambda slug: changes[slug].size_db)
    said = _said(changes[worst])
    return said if changes[worst].same or len(changes) == 1 else f"{said} ({labels[worst]})"


def _faults(view: View, labels: Mapping[str, str]) -> str:
    current = [
        seen for seen in view.voices if seen.voice.when == "current" and not seen.voice.missing
    ]
    faults = []
    for voice_view in current:
        label = labels[voice_view.voice.cell]
        faults += [f"{m.kind} at {m.time_s:.2f} s ({label})" for m in voice_view.marks.found]
    if faults:
        return ", ".join(faults)
    unsought = next((seen.marks.missing for seen in current if seen.marks.missing), "")
    if not any(seen.marks.searched for seen in current):
        return unsought or "no take to search"
    return f"{NONE_FOUND} ({unsought})" if unsought else NONE_FOUND


def _said(contrast: Contrast) -> str:
    if contrast.same:
        return "the same audio"
    if contrast.missing:
        return contrast.missing
    if contrast.mean_db < LEAST_DB:
        return f"less than {LEAST_DB} dB"
    return f"{contrast.mean_db:.1f} dB on average, most at {contrast.most_s:.2f} s"
