"""
Watches the `infill` pipeline while it speaks, as `engine_observer` watches `flow`: the same records, and what only published
checkpoints have. It judges nothing and believes nothing.
"""

from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from engine.pipelines.infill import InfillPipeline
from harness.records.cell import Request
from harness.targets.engine.hooks import Hooks
from harness.targets.engine.observer import Seen, observe


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillSeen(Seen):
    """What one observed synthesis did."""

    filler: float
    """The largest value of the embedded text behind its last character, over all pieces."""
    output_weight: Tensor
    """The weight of the model's last layer, as it lies in memory, in fp32 on the CPU."""


class InfillHooks(Hooks):
    """Listens to what the text embedding is told: characters, and what it makes of the places behind them."""

    def attach(self, pipeline: Any) -> list[Any]:
        """Listen to the text embedding; published models have no speakers, and predict no durations."""
        self.scale = (0.0, 1.0)
        self.letters = {number + 1: letter for letter, number in pipeline.voice.vocabulary.items()}
        self.filler: list[float] = []
        return [pipeline.voice.dit.text_embed.register_forward_hook(self._on_characters, with_kwargs=True)]

    def _on_characters(self, _module: object, inputs: tuple[Any, ...], told: dict[str, Any], output: Tensor) -> None:
        if not told.get("told", True):
            return
        characters = inputs[0][0].tolist()
        self.texts.append(tuple(self.letters.get(number, "?") for number in characters))
        self.text_marks.append(self.crowd.mark())
        behind = output[0, len(characters) :]
        self.filler.append(float(behind.abs().max()) if behind.numel() else 0.0)


def observe_infill(pipeline: InfillPipeline, request: Request) -> InfillSeen:
    """Let the pipeline speak one request under observation; afterwards it is as it was."""
    hooks = InfillHooks(pipeline)
    seen = observe(pipeline, request, hooks)
    return InfillSeen(
        **{field.name: getattr(seen, field.name) for field in fields(Seen)},
        filler=max(hooks.filler, default=0.0),
        output_weight=pipeline.voice.dit.proj_out.weight.detach().float().cpu(),
    )
