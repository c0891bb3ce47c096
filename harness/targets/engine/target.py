"""
The repository's own engine as a target: runs a pipeline of the package `engine`, and observes from
outside what was in effect.

The engine's word is never the evidence: forward passes are counted, times, noise and dtypes are
read off the calls, weights are inspected, dynamo's counters are compared. Torch and the engine are
imported at `load`, not before. Which pipeline it is decides the engine's registry; which checks it
gets, `observers`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Option, Request
from voxgate.harness.records.run import SPOKEN, OptionCheck
from voxgate.harness.targets.protocol import IsolatedStage, LiveInput, Options, StageWatch, Target

if TYPE_CHECKING:
    from voxgate.engine.pipelines.pipeline import Pipeline


PHONEMISED = ("flow", "token")
"""Pipelines whose texts go through the package's own front-end."""
SOURCE = "source"
"""The option of a request by which a pipeline gets the recording to convert."""


def served_pipelines() -> tuple[str, ...]:
    """Return the pipelines that the engine serves over HTTP."""
    from voxgate.engine.pipelines import SERVED

    return SERVED


class EngineTarget(Target):
    """A pipeline of the package `engine`, one configuration."""

    sample_rate_hz = 16_000

    def __init__(self) -> None:
        self.pipeline: Pipeline[Any]
        self.requested: dict[str, Option] = {}
        """Options that the profile and the cell name."""
        self.chunk_boundaries_s: tuple[float, ...] = ()
        """Both ends of every crossfade of the last synthesis."""
        self.captions_s: tuple[tuple[float, float], ...] | None = None
        """Of every segment of the last synthesis, if that was a reel."""
        self._graphs = 0
        self._told: tuple[tuple[str, str], ...] = ()
        self._text = ""
        """Of the last synthesis, if that was of a text."""

    @classmethod
    def speaks_reels(cls, cell: Cell) -> bool:
        """Whether the speaker of the cell's pipeline can change with every text."""
        from voxgate.engine.config.reels import reel_pipelines

        return cell.pipeline in reel_pipelines()

    @classmethod
    def takes_sources(cls, cell: Cell) -> bool | None:
        """Whether the cell's pipeline converts recordings; it then does nothing else."""
        from voxgate.engine.config.conversion import converting_pipelines

        return cell.pipeline in converting_pipelines()

    @classmethod
    def samples(cls, cell: Cell) -> bool | None:
        """Whether the cell's pipeline draws speech tokens; the suite decides of any other."""
        from voxgate.engine.config import config_class, config_names
        from voxgate.engine.config.option_spec import options_of

        if cell.pipeline not in config_names() or not config_class(cell.pipeline).sampled:
            return None
        usual = options_of(config_class(cell.pipeline))["temperature"].default
        return cell.options.get("temperature", usual) != 0

    @classmethod
    def check_options(cls, pipeline: str, options: Options) -> None:
        """Check options by the configuration of their pipeline, without importing torch."""
        from voxgate.engine.config import config_class, config_names, parse
        from voxgate.engine.errors import EngineError

        if pipeline not in config_names():
            raise HarnessError(
                f"unknown pipeline {pipeline!r} of target engine; known: "
                f"{', '.join(config_names())}"
            )
        try:
            parse(config_class(pipeline), options)
        except EngineError as error:
            raise HarnessError(str(error)) from None

    def imports_for(self, cell: Cell) -> tuple[str, ...]:
        """Return torch and the module of the cell's pipeline."""
        from voxgate.engine.errors import EngineError

        try:
            return ("torch", _registry().pipeline_module(cell.pipeline))
        except EngineError as error:
            raise HarnessError(str(error)) from None

    def load(self, cell: Cell, defaults: Options) -> None:
        """Load the pipeline. Raises HarnessError when the engine refuses."""
        from voxgate.engine.errors import EngineError

        self.requested = {**defaults, **cell.options}
        self.check_options(cell.pipeline, self.requested)
        try:
            self.pipeline = _registry().pipeline_class(cell.pipeline).load(self.requested)
        except EngineError as error:
            raise HarnessError(str(error)) from None
        self.sample_rate_hz = self.pipeline.sample_rate_hz

    def effective(self) -> Options:
        """Return every option as the engine resolved it."""
        config = self.pipeline.config
        values = {field.name: getattr(config, field.name) for field in fields(config)}
        return {
            name: str(value) if isinstance(value, str) else value for name, value in values.items()
        }

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Stream the audio of one request."""
        from voxgate.engine.errors import EngineError
        from voxgate.harness.targets.engine.output_checks import UnmarkedTap

        request = self._with_source(request)
        self.unmarked, self._told, self._text = None, (), ""
        if request.segments:
            yield self._reel(request, watch)
            return
        self.captions_s = None
        lengths = []
        tap = UnmarkedTap(self.pipeline)
        try:
            with tap:
                for chunk in self.pipeline.stream(request.text, request.options, watch):
                    lengths.append(len(chunk))
                    yield chunk
        except EngineError as error:
            raise HarnessError(f"request {request.id}: {error}") from None
        self.unmarked = tap.audio()
        self._take_notices()
        self._text = request.text
        self.chunk_boundaries_s = tuple(
            sample / self.sample_rate_hz for sample in self._boundaries(lengths)
        )

    @property
    def live(self) -> LiveInput | None:
        """How a pipeline that converts takes live audio, where `stream_block_ms` says so."""
        if not getattr(self.pipeline.config, "stream_block_ms", 0):
            return None
        converting: Any = self.pipeline
        stream = converting.open_live({})
        return LiveInput(
            sample_rate_hz=stream.sample_rate_hz,
            latency_s=stream.latency_samples / stream.sample_rate_hz,
        )

    def convert_live(
        self, request: Request, packets: Iterator[np.ndarray], watch: StageWatch
    ) -> Iterator[np.ndarray]:
        """Convert a source that comes in packets."""
        from voxgate.engine.errors import EngineError

        self.unmarked, self.captions_s, self._told, self._text = None, None, (), ""
        converting: Any = self.pipeline
        lengths = []
        try:
            stream = converting.open_live(request.options, watch)
            for made in chain(map(stream.push, packets), (stream.finish() for _ in range(1))):
                if len(made):
                    lengths.append(len(made))
                    yield made
        except EngineError as error:
            raise HarnessError(f"request {request.id}: {error}") from None
        self._take_notices()
        self.chunk_boundaries_s = tuple(
            sample / self.sample_rate_hz for sample in accumulate(lengths[:-1])
        )

    def _with_source(self, request: Request) -> Request:
        """
        Return a request as the pipeline takes it: a source is its option `source`. Raises
        HarnessError for one that a pipeline of texts got, and one that a converting one lacks.
        """
        name = self.pipeline.config.pipeline
        converts = getattr(self.pipeline, "converts", False)  # an older revision's has none
        if converts and request.source is None:
            raise HarnessError(
                f"request {request.id}: pipeline {name} converts recordings, and the request has "
                "no source"
            )
        if request.source is None:
            return request
        if not converts:
            raise HarnessError(
                f"request {request.id}: pipeline {name} speaks texts, and converts no source"
            )
        return replace(request, options={**request.options, SOURCE: request.source.path})

    def _reel(self, request: Request, watch: StageWatch) -> np.ndarray:
        from voxgate.engine.errors import EngineError
        from voxgate.harness.targets.engine.reels import synthesize_reel

        try:
            reel = synthesize_reel(self.pipeline, request, watch)
        except EngineError as error:
            raise HarnessError(f"request {request.id}: {error}") from None
        self.captions_s = tuple((caption.start_s, caption.end_s) for caption in reel.captions)
        self.chunk_boundaries_s = tuple(joins_of(self.captions_s))
        self._take_notices()
        return reel.audio

    def _take_notices(self) -> None:
        told = getattr(self.pipeline, "notices", ())  # an older revision's engine tells nothing
        self._told = tuple((str(notice.kind), notice.text) for notice in told)

    @property
    def notices(self) -> tuple[tuple[str, str], ...]:  # type: ignore[override]
        """What the pipeline tells, and the words that its front-end read; outside of any time."""
        from voxgate.harness.targets.engine.output_checks import reading_of

        config = self.pipeline.config
        reads = self._text and config.pipeline in PHONEMISED
        spoken = reading_of(self._text, getattr(config, "language", "en")) if reads else ()
        return (*self._told, *((SPOKEN, part) for part in spoken))

    def _boundaries(self, lengths: list[int]) -> list[int]:
        """Return both ends of every crossfade, in PCM samples."""
        overlap = self.pipeline.crossfade_samples
        if not overlap:
            return list(accumulate(lengths[:-1]))
        # the last array of a stream is the end of its last chunk
        starts = accumulate(lengths[:-2])
        return [sample for start in starts for sample in (start, start + overlap)]

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """Run one synthesis under observation; check requested options, and defaults likewise."""
        request = self._with_source(request)
        if request.segments:
            from voxgate.harness.targets.engine.reels import check_reel, longest_segment

            checks = self.observe(longest_segment(request))
            return check_reel(self.pipeline, request, checks)
        from voxgate.harness.targets.engine.observer_registry import check_effects, observer_of

        config = type(self.pipeline.config)
        observer = observer_of(config.pipeline)
        return check_effects(
            self.effective(),
            {**self.requested, **request.options},
            observer.observe(self.pipeline, request),
            observer.checks,
            config,
        )

    def isolated_stages(self, request: Request, watch: StageWatch) -> Mapping[str, IsolatedStage]:
        """Synthesise one request; return its models, each with the inputs of its first call."""
        from voxgate.harness.targets.engine.stage_models import synthesize_and_isolate

        return synthesize_and_isolate(self.pipeline, self._with_source(request), watch)

    def settled(self) -> bool:
        """Whether the last synthesis compiled no graph, and recorded no CUDA graph."""
        from voxgate.harness.targets.engine.runtime_probe import compiled_graphs, recordings

        before, self._graphs = self._graphs, compiled_graphs() + recordings()
        return before == self._graphs


def joins_of(captions_s: Sequence[tuple[float, float]]) -> Iterator[float]:
    """Yield both ends of every pause between two segments; one where a crossfade joins them."""
    for (_, end_s), (start_s, _) in pairwise(captions_s):
        yield from sorted({end_s, start_s})


def _registry() -> Any:
    """
    Import the engine's registry of pipelines. Raises HarnessError for a revision that has none.
    """
    from voxgate.engine import pipelines

    if not hasattr(pipelines, "pipeline_class"):
        raise HarnessError(
            "this revision's engine has no registry of pipelines, which this harness asks; measure "
            "it with the harness of its own time (docs/decisions/2026-11-30-pipelines-are-a-"
            "registry.md)"
        )
    return pipelines
