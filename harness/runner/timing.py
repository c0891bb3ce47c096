"""
Time one synthesis, with the garbage collector out of the way.
"""

import gc
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from voxgate.harness.machine.clock import Clock, StageWatch
from voxgate.harness.records.cell import Request
from voxgate.harness.records.live import LiveTimes
from voxgate.harness.records.run import (
    KIND_OF_NOTICE,
    MOST_CHARACTERS,
    MOST_NOTICES,
    AudioChunk,
    CaptionTimes,
    OptionCheck,
    Phase,
    SynthesisNotice,
)
from voxgate.harness.records.traces import IterationTrace, TimedStage
from voxgate.harness.runner.live import check_latency, convert_live
from voxgate.harness.targets.protocol import LiveInput, Target

Captions = tuple[CaptionTimes, ...] | None
"""Of a reel; None where the engine does not tell, and for a text."""
CAPTION_SLACK_S = 0.001
"""By which a caption may end after its audio: captions are often rounded to milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One synthesis: its audio (float32, shape [n]) and its seconds."""

    audio: np.ndarray
    wall_s: float
    first_audio_s: float
    stages_s: Mapping[str, float]
    chunks: tuple[AudioChunk, ...]
    unmarked: np.ndarray | None = None
    """The audio before its watermark, as long as `audio`."""
    notices: tuple[SynthesisNotice, ...] = ()
    live: LiveTimes | None = None
    """Of a live conversion."""
    disturbance: Mapping[str, float] = field(default_factory=dict)
    stages: tuple[TimedStage, ...] = ()
    """When each stage ran, where that is kept."""


def time_synthesis(target: Target, request: Request, clock: Clock, *, keep: bool = False) -> Timing:
    """
    Time one synthesis from the request to its last sample; `keep` also when each stage ran. Raises
    ValueError if it returns no audio, several channels or NaN.
    """
    watch = StageWatch(clock, keep=keep)
    live = target.live
    if live is not None and request.source is not None:
        return _time_live(target, live, request, watch, clock)
    chunks: list[np.ndarray] = []
    arrived_s: list[float] = []
    start_s = clock.seconds()
    for chunk in target.synthesize(request, watch):
        if len(chunk):  # what is empty cannot be played
            arrived_s.append(clock.seconds() - start_s)
            chunks.append(chunk)
    wall_s = clock.seconds() - start_s
    timing = timing_of(
        request,
        chunks,
        arrived_s,
        wall_s=wall_s,
        stages_s=watch.stages_s,
        claimed_s=target.claimed_stages_s,
        rate_hz=target.sample_rate_hz,
        unmarked=target.unmarked,
        notices=notices_of(target),
    )
    return timing if watch.intervals is None else _with_stages(timing, watch.intervals, start_s)


def trace_of(
    place: tuple[str, int, int], phase: Phase, request: Request, timing: Timing, began_s: float
) -> IterationTrace:
    """Return when an iteration ran; its place is the cell, the repeat and the number."""
    cell, repeat, iteration = place
    return IterationTrace(
        cell=cell,
        repeat=repeat,
        iteration=iteration,
        phase=phase,
        request=request.id,
        began_s=began_s,
        wall_s=timing.wall_s,
        first_audio_s=timing.first_audio_s,
        stages=timing.stages,
    )


def _with_stages(
    timing: Timing, intervals: Sequence[tuple[str, float, float]], start_s: float
) -> Timing:
    """Return a timing with its stages' times, counted from the request."""
    stages = (
        TimedStage(stage=stage, start_s=max(0.0, begun - start_s), end_s=max(0.0, ended - start_s))
        for stage, begun, ended in intervals
    )
    return replace(timing, stages=tuple(stages))


def _time_live(
    target: Target, live: LiveInput, request: Request, watch: StageWatch, clock: Clock
) -> Timing:
    """Time one live conversion, as `time_synthesis`; the whole source is there at once."""
    made = convert_live(target, live, request, watch, clock)
    timing = timing_of(
        request,
        made.chunks,
        made.arrived_s,
        wall_s=made.wall_s,
        stages_s=watch.stages_s,
        claimed_s=target.claimed_stages_s,
        rate_hz=target.sample_rate_hz,
        unmarked=target.unmarked,
        notices=notices_of(target),
    )
    return replace(timing, live=made.times)


def latency_checks(timing: Timing) -> tuple[OptionCheck, ...]:
    """Check the latency that was declared, if it was a live conversion."""
    return () if timing.live is None else (check_latency(timing.live),)


def timing_of(
    request: Request,
    chunks: Sequence[np.ndarray],
    arrived_s: Sequence[float],
    *,
    wall_s: float,
    stages_s: Mapping[str, float],
    rate_hz: int,
    claimed_s: Mapping[str, float] = MappingProxyType({}),
    unmarked: np.ndarray | None = None,
    notices: tuple[SynthesisNotice, ...] = (),
) -> Timing:
    """
    Return one synthesis of its chunks and their times; `claimed_s` are those of stages that the
    engine claims. Raises ValueError if it returns no audio, several channels or NaN, and for claims
    of more than passed.
    """
    if shape := next((chunk.shape for chunk in chunks if np.ndim(chunk) != 1), None):
        raise ValueError(
            f"request {request.id} gave audio of shape {shape}; give one channel, of shape [n]"
        )
    audio = np.concatenate([np.empty(0, np.float32), *chunks]).astype(np.float32, copy=False)
    if not audio.size:
        raise ValueError(f"request {request.id} gave no audio")
    if not np.isfinite(audio).all():
        raise ValueError(f"request {request.id} gave audio with NaN or infinite frames")
    before = None if unmarked is None else np.asarray(unmarked, dtype=np.float32)
    if before is not None and before.shape != audio.shape:
        raise ValueError(
            f"request {request.id} gave audio of shape {audio.shape} with its watermark and "
            f"{before.shape} without; give both of the same length"
        )
    lengths_s = (len(chunk) / rate_hz for chunk in chunks)
    pieces = tuple(
        AudioChunk(arrived_s=at_s, audio_s=length_s)
        for at_s, length_s in zip(arrived_s, lengths_s, strict=True)
    )
    return Timing(
        audio=audio,
        wall_s=wall_s,
        first_audio_s=arrived_s[0],
        stages_s={**stages_s, **_checked(request, claimed_s, wall_s)},
        chunks=pieces,
        unmarked=before,
        notices=notices,
    )


def _checked(
    request: Request, claimed_s: Mapping[str, float], wall_s: float
) -> Mapping[str, float]:
    """Return what an engine claims of its stages. Raises ValueError for more than passed."""
    sum_s = sum(claimed_s.values())
    if sum_s > wall_s:
        raise ValueError(
            f"request {request.id}: the engine claims {sum_s:.4g} s in its stages, and all of it "
            f"took {wall_s:.4g} s"
        )
    return claimed_s


def notices_of(target: Target) -> tuple[SynthesisNotice, ...]:
    """
    Return what the target tells of its last synthesis. Raises ValueError for what is no pair of
    texts.
    """
    found = []
    for notice in list(target.notices)[:MOST_NOTICES]:
        kind, text = notice
        if not re.fullmatch(KIND_OF_NOTICE, str(kind)):
            raise ValueError(f"notice {kind!a} is no kind; a kind is one word, such as cut")
        found.append(SynthesisNotice(kind=str(kind), text=str(text)[:MOST_CHARACTERS]))
    return tuple(found)


def joins_of(target: Target) -> tuple[float, ...] | None:
    """Return where the target joined the chunks of its last synthesis; None where it is silent."""
    boundaries_s = target.chunk_boundaries_s
    return None if boundaries_s is None else tuple(map(float, boundaries_s))


def captions_of(target: Target) -> Captions:
    """Return the captions of the target's last synthesis; None where it is silent."""
    captions_s = target.captions_s
    if captions_s is None:
        return None
    return tuple(CaptionTimes(start_s=float(start), end_s=float(end)) for start, end in captions_s)


def check_captions(
    request: Request, captions: Sequence[CaptionTimes] | None, audio_s: float
) -> tuple[CaptionTimes, ...] | None:
    """
    Return the captions of a reel; None where the engine does not tell, and for a text. Raises
    ValueError for captions that cannot be of this audio.
    """
    if captions is None or not request.segments:
        return None
    if len(captions) != len(request.segments):
        raise ValueError(
            f"request {request.id} has {len(request.segments)} segments, and the engine gave "
            f"{len(captions)} captions"
        )
    for number, caption in enumerate(captions, start=1):
        if not 0.0 <= caption.start_s < caption.end_s <= audio_s + CAPTION_SLACK_S:
            raise ValueError(
                f"request {request.id}: caption {number} is from {caption.start_s:.3f} to "
                f"{caption.end_s:.3f} s, and the audio lasts {audio_s:.3f} s"
            )
    return tuple(captions)


def freeze_gc() -> None:
    """
    Keep what was loaded or compiled out of later collections.

    With torch imported each takes 90 ms, a fifth of the time that quick cells are measured for, and
    what it walks through drives the engine's own data out of the caches just before the iteration
    that is timed.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """
    Collect before, not during: a collection that falls into one iteration is no property of it (as
    `timeit` does).
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
