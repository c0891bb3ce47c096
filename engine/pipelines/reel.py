"""
Reels: many segments of several speakers as one recording, with captions.

Works with every pipeline whose `speaker` is an option of a request. The segments are synthesised by
`Pipeline.synthesize_each`, so that batch and workers are the pipeline's; here they are joined. A
join is a pause, or a crossfade where the pause is 0; both ends of a segment are faded, so that
none of them clicks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from voxgate.engine.audio.captions import Caption
from voxgate.engine.audio.postprocess import CROSSFADE
from voxgate.engine.config.reels import (
    PAUSE_S,
    SPEAKER,
    check_pause,
    check_segments,
    check_speaks_reels,
)
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.pipeline import Pipeline, Watch, no_watch
from voxgate.engine.text.reel_script import ReelSegment

FADE_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reel:
    """Audio float32 (T,) with a caption for each segment, in order."""

    audio: np.ndarray
    captions: tuple[Caption, ...]


def speak_reel(
    pipeline: Pipeline[Any],
    segments: Sequence[ReelSegment],
    options: Mapping[str, object] | None = None,
    *,
    pause_s: float = PAUSE_S,
    watch: Watch = no_watch,
) -> Reel:
    """
    Synthesise a reel.

    Args:
        pipeline: one that `voxgate.engine.config.reels.reel_pipelines` names.
        segments: at least one.
        options: those that one request may set, for all segments; the speaker is the segment's.
        pause_s: between two segments; 0 joins them by a crossfade.
        watch: as in `Pipeline.stream`.

    Raises: EngineError for a pipeline without speakers, an unknown speaker, and a text that cannot
        be spoken.
    """
    check_pause(pause_s)
    check_speaks_reels(pipeline.config_class)
    if not segments:
        raise EngineError("a reel has at least one segment; give one")
    requests = [{**(options or {}), SPEAKER: segment.speaker} for segment in segments]
    try:
        audios = pipeline.synthesize_each([segment.text for segment in segments], requests, watch)
    except EngineError:
        loaded = {name: getattr(pipeline.config, name) for name in pipeline.config_class.context}
        # names the segment, if it is to blame
        check_segments(pipeline.config_class, segments, options=loaded)
        raise
    return join(segments, audios, pause_s, pipeline.sample_rate_hz)


def join(
    segments: Sequence[ReelSegment],
    audios: Sequence[np.ndarray],
    pause_s: float,
    sample_rate_hz: int,
) -> Reel:
    """Join the audio of segments, float32 (T,) each, and place their captions."""
    gap = round(pause_s * sample_rate_hz)
    faded = [_faded(audio, round(FADE_S * sample_rate_hz)) for audio in audios]
    starts = list(_starts(faded, gap))
    whole = np.zeros(starts[-1] + faded[-1].size, dtype=np.float32)
    for start, overlap, audio in zip(starts, _overlaps(faded, gap), faded, strict=True):
        if overlap:
            rise = np.linspace(0.0, 1.0, overlap, dtype=np.float32)
            whole[start : start + overlap] *= 1.0 - rise
            audio = np.concatenate((audio[:overlap] * rise, audio[overlap:]))
        whole[start : start + audio.size] += audio
    ends = [start + audio.size for start, audio in zip(starts, faded, strict=True)]
    bounds = _bounds(starts, ends)
    return Reel(
        audio=whole,
        captions=tuple(
            Caption(
                start_s=start / sample_rate_hz,
                end_s=end / sample_rate_hz,
                speaker=segment.speaker,
                text=segment.text,
            )
            for segment, (start, end) in zip(segments, bounds, strict=True)
        ),
    )


def _faded(audio: np.ndarray, length: int) -> np.ndarray:
    """Fade both ends of a segment in and out."""
    length = min(length, audio.size // 2)
    rise = np.linspace(0.0, 1.0, length, endpoint=False, dtype=np.float32)
    faded = np.array(audio, dtype=np.float32)
    if length:
        faded[:length] *= rise
        faded[-length:] *= rise[::-1]
    return faded


def _overlaps(audios: Sequence[np.ndarray], gap: int) -> list[int]:
    """Return how many samples each segment shares with the one before it: none with a pause."""
    shared = [
        0 if gap else min(CROSSFADE, before.size // 2, after.size // 2)
        for before, after in pairwise(audios)
    ]
    return [0, *shared]


def _starts(audios: Sequence[np.ndarray], gap: int) -> Iterator[int]:
    end = 0
    for index, (audio, overlap) in enumerate(zip(audios, _overlaps(audios, gap), strict=True)):
        start = end - overlap + (gap if index else 0)
        yield start
        end = start + audio.size


def _bounds(starts: Sequence[int], ends: Sequence[int]) -> list[tuple[int, int]]:
    """Return where each caption begins and ends; where two overlap, both meet in the middle."""
    meets = [
        (start + end) // 2 if start < end else None
        for end, start in zip(ends, starts[1:], strict=False)
    ]
    begins = [starts[0], *(s if m is None else m for s, m in zip(starts[1:], meets, strict=True))]
    stops = [*(e if m is None else m for e, m in zip(ends, meets, strict=False)), ends[-1]]
    return list(zip(begins, stops, strict=True))
