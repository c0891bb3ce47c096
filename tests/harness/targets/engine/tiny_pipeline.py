"""
A pipeline of three stages with one model and an option of its own, its observer and its check: all
that a new pipeline brings. `install` registers it, as a line in two tables would.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from voxgate.engine.config import FlowConfig, PipelineConfig, option, parse, register_config
from voxgate.engine.config.option_spec import redeclared
from voxgate.engine.pipelines import register_pipeline
from voxgate.engine.pipelines.pipeline import Pipeline, Watch, no_watch
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.observer_registry import (
    Observation,
    PipelineObserver,
    register_observer,
)
from voxgate.harness.targets.protocol import Options

NAME = "tiny"


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyConfig(PipelineConfig):
    """Its options."""

    pipeline: ClassVar[str] = NAME

    layers: int = option(2, range=(1, 8), help="how often the model is called")
    pitch_hz: float = option(200.0, range=(50.0, 400.0), per_request=True, help="of the hum")
    device: str = redeclared(FlowConfig, "device", "cpu")
    threads: int = redeclared(FlowConfig, "threads", 0)


class TinyPipeline(Pipeline[TinyConfig]):
    """A hum behind a linear layer."""

    config_class = TinyConfig
    stages = ("tokens", "decoder", "wave")
    crossfade_samples = 0
    sample_rate_hz = 16_000
    forgets_layers: ClassVar[bool] = False

    def __init__(self, config: TinyConfig) -> None:
        self.config = config
        self.device = torch.device(config.device)
        self.applied = ()
        self._model = nn.Linear(4, 4)
        self.decoder = self._model

    @classmethod
    def load(cls, options: Mapping[str, object], folder: Path | None = None) -> "TinyPipeline":
        return cls(parse(TinyConfig, options))

    @property
    def models(self) -> dict[str, nn.Module]:
        return {"decoder": self._model}

    def stream(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Iterator[np.ndarray]:
        config = self.for_request(options or {})
        with watch("tokens"):
            state = torch.ones(1, max(1, len(text)), 4)
        with watch("decoder"), torch.inference_mode():
            for _ in range(1 if self.forgets_layers else config.layers):
                self.decoder(state)
        for second in range(2):
            with watch("wave"):
                time_s = np.arange(8_000, dtype=np.float32) / 16_000 + second / 2
                hum = 0.1 * np.sin(2 * np.pi * config.pitch_hz * time_s)
            yield hum.astype(np.float32)


def _observe(pipeline: TinyPipeline, request: Request) -> int:
    calls = 0
    inner = pipeline.callable_of("decoder")

    def counted(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        return inner(*args)

    pipeline.replace_callable("decoder", counted)
    try:
        pipeline.synthesize(request.text, request.options)
    finally:
        pipeline.replace_callable("decoder", inner)
    return calls


def _layers(options: Options, calls: int) -> Observation:
    return Observation(
        observed=f"{calls} calls",
        in_effect=calls == options["layers"],
        reason="calls of the decoder",
    )


OBSERVER = PipelineObserver(observe=_observe, checks={"layers": _layers})


def install() -> None:
    """Register pipeline and observer."""
    register_config(TinyConfig)
    register_pipeline(NAME, f"{__name__}:TinyPipeline")
    register_observer(NAME, f"{__name__}:OBSERVER")
