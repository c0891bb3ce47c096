"""
Reels of the repository's own engine: how a request with segments is spoken, and what is observed of
it.

Every option is observed on the longest segment alone, by the pipeline's own observer. The options
that decide how segments share the models (`batch`, `batch_by`, `workers`) are observed on the whole
reel: which utterances each call of the vocoder held, and in which thread. Imports the engine.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, cast

import numpy as np
from torch import Tensor

from voxgate.engine.config import BatchBy
from voxgate.engine.pipelines.batching import batch_by_length
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.pipelines.pipeline import Pipeline, Watch, no_watch
from voxgate.engine.pipelines.reel import Reel, speak_reel
from voxgate.engine.text.reel_script import ReelSegment
from voxgate.harness.records.cell import SPEAKER, Request
from voxgate.harness.records.run import OptionCheck
from voxgate.harness.targets.engine.observer_registry import observer_of

MEET_S = 20.0
"""How long workers wait for each other to prove that they run at the same time."""


def synthesize_reel(pipeline: Pipeline[Any], request: Request, watch: Watch = no_watch) -> Reel:
    """Synthesise a request with segments. Raises EngineError."""
    segments = [ReelSegment(speaker=s.speaker, text=s.text) for s in request.segments]
    return speak_reel(pipeline, segments, request.options, watch=watch)


def synthesize_whole(
    pipeline: Pipeline[Any], request: Request, watch: Watch = no_watch
) -> np.ndarray:
    """Synthesise a request, a reel or a text; float32 (T,). Raises EngineError."""
    if request.segments:
        return synthesize_reel(pipeline, request, watch).audio
    return pipeline.synthesize(request.text, request.options, watch)


def longest_segment(request: Request) -> Request:
    """Return the longest segment of a reel as a request of its own."""
    segment = max(request.segments, key=lambda each: len(each.text))
    options = {**request.options, SPEAKER: segment.speaker}
    return replace(request, text=segment.text, options=options, segments=())


@dataclass(kw_only=True)
class _Vocoder:
    """Stands in for the vocoder: keeps the length of each utterance of a call, and its thread."""

    inner: Any
    parties: int
    """Calls that must be under way at the same time, for once."""
    groups: list[list[int]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    met: bool = False

    def __post_init__(self) -> None:
        self._barrier = threading.Barrier(self.parties)
        self._lock = threading.Lock()

    def __call__(self, mel: Tensor, mask: Tensor | None = None) -> Any:
        frames = (
            [mel.shape[1]] * mel.shape[0]
            if mask is None
            else [int(count) for count in mask.reshape(mask.shape[0], -1).sum(dim=1)]
        )
        with self._lock:
            self.groups.append(frames)
            self.threads.add(threading.get_ident())
            waits = self.parties > 1 and not self.met and len(self.groups) <= self.parties
        if waits:
            self._meet()
        return self.inner(mel) if mask is None else self.inner(mel, mask)

    def _meet(self) -> None:
        try:
            self._barrier.wait(MEET_S)
            self.met = True
        except threading.BrokenBarrierError:
            return


def check_reel(
    pipeline: Pipeline[Any], request: Request, checks: Sequence[OptionCheck]
) -> tuple[OptionCheck, ...]:
    """
    Return the checks of a reel's longest segment, with those of the options that decide how
    segments share the models in place of theirs.
    """
    if not observer_of(type(pipeline.config).pipeline).whole_reels:
        return tuple(checks)
    flow = cast("FlowPipeline", pipeline)
    parties = min(pipeline.config.workers, len(request.segments))
    original = pipeline.callable_of("vocoder")
    vocoder = _Vocoder(inner=original, parties=parties)
    pipeline.replace_callable("vocoder", vocoder)
    try:
        synthesize_reel(pipeline, request)
    finally:
        pipeline.replace_callable("vocoder", original)
    observed = {
        "batch": _batch(flow, vocoder.groups),
        "batch_by": _batch_by(flow, vocoder.groups),
        "workers": _workers(flow, vocoder),
    }
    return tuple(_observed(check, observed) for check in checks)


Finding = tuple[str, bool | None, str]
"""What was observed, whether the option is in effect, and how that shows."""


def _observed(check: OptionCheck, observed: Mapping[str, Finding]) -> OptionCheck:
    if check.option not in observed:
        return check
    text, in_effect, reason = observed[check.option]
    return replace(check, observed=text, in_effect=in_effect, reason=reason)


def _per_pass(pipeline: FlowPipeline, count: int) -> int:
    """Return how many utterances may share a call: the batch, and no more than a worker's share."""
    return max(1, min(pipeline.config.batch, -(-count // pipeline.config.workers)))


def _by_length(pipeline: FlowPipeline, groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the groups that similar lengths would make of the same utterances."""
    lengths = list(chain.from_iterable(groups))
    most = _per_pass(pipeline, len(lengths))
    made = batch_by_length(lengths, max_count=most, max_padded=pipeline.padded_frames)
    return sorted(sorted(map(lengths.__getitem__, group)) for group in made)


def _batch(pipeline: FlowPipeline, groups: Sequence[Sequence[int]]) -> Finding:
    count = sum(map(len, groups))
    sizes = sorted(map(len, groups), reverse=True)
    most = _per_pass(pipeline, count)
    full, rest = divmod(count, most)
    whole = sizes == [most] * full + [rest] * bool(rest)
    bounded = sizes == sorted(map(len, _by_length(pipeline, groups)), reverse=True)
    return (
        f"{' + '.join(map(str, sizes))} segments in {len(groups)} passes",
        whole or bounded,
        f"how many utterances each call of the vocoder held, at most {most} as batch and workers "
        "are; fewer where memory bounds a pass",
    )


def _batch_by(pipeline: FlowPipeline, groups: Sequence[Sequence[int]]) -> Finding:
    similar = sorted(map(sorted, groups)) == _by_length(pipeline, groups)
    padded = sum(max(group) * len(group) for group in groups) / sum(map(sum, groups))
    by_length = pipeline.config.batch_by is BatchBy.LENGTH
    return (
        f"{100 * (padded - 1):.0f} % of the frames are padding",
        similar if by_length else None if similar else True,
        "the lengths in each call against those that similar lengths would put together",
    )


def _workers(pipeline: FlowPipeline, vocoder: _Vocoder) -> Finding:
    alone = vocoder.threads == {threading.get_ident()}
    return (
        f"{len(vocoder.threads)} threads" + (", at the same time" if vocoder.met else ""),
        alone if vocoder.parties == 1 else vocoder.met and not alone,
        "the threads that called the vocoder",
    )
