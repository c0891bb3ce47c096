"""
Our own engine as a target: asks `engine` to speak, and watches from outside what it really does.

The engine's word is not taken for anything: forward passes are counted, times, noise and dtypes are
read off the calls, weights are looked at, dynamo's counters are compared. Imports torch and the
engine when loaded, not before.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import HarnessError
from harness.records.cell import Cell, Option, Request
from harness.records.run import OptionCheck
from harness.targets.protocol import Alone, StageWatch

if TYPE_CHECKING:
    from engine.pipelines.flow import FlowPipeline
    from engine.pipelines.infill import InfillPipeline

PIPELINES = ("flow", "infill")


def check_options(pipeline: str, options: Mapping[str, Option]) -> None:
    """
    Refuse an unknown pipeline, option or value, without loading torch. Raises HarnessError with the
    engine's words.
    """
    from engine.config import parse_options
    from engine.config.infill import parse_infill_options
    from engine.errors import EngineError

    if pipeline not in PIPELINES:
        raise HarnessError(
            f"unknown pipeline {pipeline!r} of target engine; known: {', '.join(PIPELINES)}"
        )
    try:
        parse_infill_options(options) if pipeline == "infill" else parse_options(options)
    except EngineError as error:
        raise HarnessError(str(error)) from None


class EngineTarget:
    """A pipeline of the package `engine`, one configuration."""

    sample_rate_hz = 16_000
    imports = ("torch", "engine.pipelines.flow")
    """Imported and timed by the worker, apart from loading."""

    def __init__(self) -> None:
        self.pipeline: FlowPipeline | InfillPipeline
        self.asked: dict[str, Option] = {}
        self.joins_s: tuple[float, ...] = ()
        """Both ends of every crossfade of the last synthesis."""
        self._graphs = 0

    def load(self, cell: Cell, defaults: Mapping[str, Option]) -> None:
        """Make the pipeline. Raises HarnessError when the engine refuses."""
        from engine.errors import EngineError
        from engine.pipelines.flow import FlowPipeline
        from engine.pipelines.infill import InfillPipeline

        check_options(cell.pipeline, {**defaults, **cell.options})
        self.asked = {**defaults, **cell.options}
        try:
            self.pipeline = (InfillPipeline if cell.pipeline == "infill" else FlowPipeline).load(
                self.asked
            )
        except EngineError as error:
            raise HarnessError(str(error)) from None
        self.sample_rate_hz = self.pipeline.sample_rate_hz

    def effective(self) -> Mapping[str, Option]:
        """Give every option as the engine resolved it."""
        from dataclasses import fields

        config = self.pipeline.config
        values = {field.name: getattr(config, field.name) for field in fields(config)}
        return {
            name: str(value) if isinstance(value, str) else value for name, value in values.items()
        }

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Stream the audio of one request."""
        from engine.audio.postprocess import CROSSFADE
        from engine.errors import EngineError

        lengths = []
        try:
            for piece in self.pipeline.stream(request.text, request.options, watch):
                lengths.append(len(piece))
                yield piece
        except EngineError as error:
            raise HarnessError(f"request {request.id}: {error}") from None
        # the last piece is the last chunk's own end
        fades = [sum(lengths[: count + 1]) for count in range(len(lengths) - 2)]
        self.joins_s = tuple(
            frame / self.sample_rate_hz for start in fades for frame in (start, start + CROSSFADE)
        )

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """
        Speak once under observation and compare with what was asked (or, where nothing was asked,
        with the defaults).
        """
        from engine.pipelines.infill import InfillPipeline
        from harness.targets.engine.infill import INFILL_CHECKS, observe_infill
        from harness.targets.engine.observer import observe
        from harness.targets.engine.option_checks import judge_effects

        asked = {**self.asked, **request.options}
        if isinstance(self.pipeline, InfillPipeline):
            return judge_effects(
                self.effective(), asked, observe_infill(self.pipeline, request), INFILL_CHECKS
            )
        return judge_effects(self.effective(), asked, observe(self.pipeline, request))

    def alone(self, request: Request, watch: StageWatch) -> Mapping[str, Alone]:
        """
        Speak one request; gives the models of its stages alone, on what they were first given.
        """
        from harness.targets.engine.stage_models import speak_and_keep

        return speak_and_keep(self.pipeline, request, watch)

    def settled(self) -> bool:
        """Tell whether the last synthesis added no compiled graph, and recorded none of CUDA."""
        from harness.targets.engine.runtime_probe import compiled_graphs, recordings

        before, self._graphs = self._graphs, compiled_graphs() + recordings()
        return before == self._graphs
