"""
The spectrograms of the old and the new voice as one PNG, with axes, for places that show no page: a
comment on a pull request.

Drawn for white paper, by matplotlib's Figure objects without pyplot, so nothing global changes. The
same takes give the same picture.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from voxgate.harness.audio import pitch
from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.contents import Report, TakesOf
from voxgate.harness.report.format import plain
from voxgate.harness.report.listening.assets import EmbeddedAssets
from voxgate.harness.report.listening.differences import LONGEST_S, View, view
from voxgate.harness.report.listening.moments import Moment, moments
from voxgate.harness.report.listening.spectrogram import (
    BANDS,
    POWER,
    RANGE_DB,
    spectrogram,
    ticks,
    top_hz,
)
from voxgate.harness.report.listening.utterance import UtteranceVoices, utterance
from voxgate.harness.report.worst_utterances import red_cells
from voxgate.harness.runner.recordings import KeptAudio, cells_of, requests_of

SEARCHED = 4
"""Utterances of a cell that are looked at for the moment where it is worst."""
WIDTH_IN, ROW_IN, PITCH_IN, DOTS_PER_IN = 9.0, 1.45, 1.1, 110
BEFORE, NOW, MARK = "#6b7280", "#b3261e", "#b3261e"
"""Of this picture alone, which has no style sheet."""
COLOURS = 64
TEXT_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePair:
    """The old and the new voice of a cell in one utterance, at one level, and where to look."""

    moment: Moment
    new_name: str
    old: KeptAudio
    new: KeptAudio
    gains_db: tuple[float, float]


def pair_png(
    contents: Report, takes_of: TakesOf, names: Mapping[str, str] | None = None
) -> bytes | None:
    """
    Draw the old and the new voice of the worst red cell whose audio changed; None where no cell is
    red, none of them kept audio, or their audio is as before. `page.voices_of` returns the
    recordings and the words for them.
    """
    pair = worst_pair(contents, takes_of, names)
    return None if pair is None else draw(pair)


def worst_pair(
    contents: Report, takes_of: TakesOf, names: Mapping[str, str] | None = None
) -> VoicePair | None:
    """Find the pair to draw: of the first red cell that sounds different, at its worst moment."""
    run = contents.run
    labels = {cell.slug: cell.label for cell in cells_of(run)}
    requests = {request.id: request for request in requests_of(run)}
    for slug, worst in red_cells(contents.judgement.cells).items():
        searched = [name for name in worst if name in requests] or list(requests)
        heard = []
        for name in searched[:SEARCHED]:
            takes = [take for take in takes_of(name) if take.cell in (slug, run.reference)]
            spoken = utterance(requests[name], takes, assets := EmbeddedAssets(0))
            if 0.0 < spoken.duration_s <= LONGEST_S:
                heard.append((spoken, view(spoken, run.reference, assets, pitched=False)))
        found = next(iter(moments(heard, labels, {slug: worst}, names)), None)
        if found is not None and found.cell == slug and not found.same:
            return _pair(found, heard, names or {})
    return None


def _pair(
    found: Moment, heard: Sequence[tuple[UtteranceVoices, View]], names: Mapping[str, str]
) -> VoicePair:
    spoken = next(voices for voices, seen in heard if seen.id == found.utterance)
    old, new = spoken.sounds[found.old], spoken.sounds[found.new]
    assert old is not None and new is not None, "voices that are held against each other have sound"
    gains = (spoken.voices[found.old].gain.gain_db, spoken.voices[found.new].gain.gain_db)
    when = spoken.voices[found.new].when
    name = names.get(when, when)
    return VoicePair(moment=found, new_name=name, old=old, new=new, gains_db=gains)


def draw(pair: VoicePair) -> bytes:
    """Draw both spectrograms and, where there is a pitch tracker, both pitches, as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tracks = [_pitch(sound) for sound in (pair.old, pair.new)]
    has_pitch = any(track is not None for track in tracks)
    heights = [ROW_IN, ROW_IN, *([PITCH_IN] if has_pitch else [])]
    figure = Figure(figsize=(WIDTH_IN, sum(heights) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    _spectrograms(axes, pair)
    if has_pitch:
        _pitches(axes[2], tracks)
    _dress(figure, axes, pair)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name in letters that the font lacks is drawn as boxes
        figure.savefig(out, format="png", dpi=DOTS_PER_IN, metadata={"Software": None})
    return _small(out.getvalue())


def _small(png: bytes) -> bytes:
    """Return the picture with as few colours as it needs: a third of the bytes."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG")
    return out.getvalue()


def _pitch(sound: KeptAudio) -> pitch.PitchTrack | None:
    found = pitch.track(Recording(sound.frames, sound.rate_hz))
    return None if isinstance(found, Missing) or not found.f0_hz.any() else found


def _spectrograms(axes: Any, pair: VoicePair) -> None:
    highest_hz = top_hz([pair.old, pair.new])
    sounds = zip((pair.old, pair.new), pair.gains_db, strict=True)
    tables = [spectrogram(sound, highest_hz, gain) for sound, gain in sounds]
    loudest_db = max(float(table.max()) for table in tables)
    moment = pair.moment
    names = (f"old: {moment.old_name}", f"new: {pair.new_name}")
    for place, sound, table, at_s, name in zip(
        axes, (pair.old, pair.new), tables, (moment.old_s, moment.new_s), names, strict=False
    ):
        place.imshow(
            table,
            aspect="auto",
            origin="lower",
            cmap=POWER,
            vmin=loudest_db - RANGE_DB,
            vmax=loudest_db,
            extent=(0.0, sound.duration_s, 0.0, BANDS),
        )
        place.set_ylim(0.0, BANDS)
        marks = ticks(highest_hz)[1::2]
        place.set_yticks([share * BANDS for _, share in marks], [text for text, _ in marks])
        place.set_title(plain(name), loc="left", fontsize=9, parse_math=False)
        if at_s is not None:  # at the edges: nothing covers what is to be seen
            place.plot([at_s], [BANDS + 3], "v", color=MARK, ms=7, clip_on=False)
            place.plot([at_s], [-3], "^", color=MARK, ms=7, clip_on=False)


def _pitches(place: Any, tracks: Sequence[pitch.PitchTrack | None]) -> None:
    for track, colour, name in zip(tracks, (BEFORE, NOW), ("old", "new"), strict=True):
        if track is not None:
            hz = np.where(track.smoothed > 0.0, track.smoothed, np.nan)
            place.plot(track.times_s, hz, color=colour, lw=1.6, label=name)
    place.set_ylabel("F0, Hz", fontsize=9)
    place.legend(loc="upper right", fontsize=8, frameon=False, ncols=2)
    place.grid(color="#dddddd", lw=0.5)


def _dress(figure: Any, axes: Any, pair: VoicePair) -> None:
    moment = pair.moment
    longest_s = max(pair.old.duration_s, pair.new.duration_s)
    for place in axes:
        place.set_xlim(0.0, longest_s)
        place.tick_params(labelsize=8)
    axes[-1].set_xlabel("time, s", fontsize=9)
    why = f": {moment.why}" if moment.why else ""
    figure.suptitle(
        f"{plain(f'{moment.label}, {moment.utterance}{why}')}\n{_shortened(plain(moment.text))}",
        x=0.01,
        ha="left",
        fontsize=10,
        parse_math=False,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH else f"{text[: TEXT_LENGTH - 1]}…"
