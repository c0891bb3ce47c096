"""
The observer of the pipeline `infill`, and its option checks: those of `flow` where they fit. A test
demands one for every option of the pipeline.

Its record is that of `flow_observer.py` and what only published checkpoints have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from voxgate.engine.acoustic.infill import FRAMES_PER_S, LOG_FLOOR, SAMPLE_RATE_HZ, as_sentence
from voxgate.engine.audio.reference_recording import transcript_of
from voxgate.engine.duration.byte_rate import FRAMES_PER_BYTE, SHORT_BYTES, SHORT_SPEED
from voxgate.engine.pipelines.infill import InfillPipeline
from voxgate.engine.text.character_ids import normalise_characters
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.flow_observer import SynthesisObservation, observe
from voxgate.harness.targets.engine.hooks import Hooks
from voxgate.harness.targets.engine.observer_registry import Check, Observation, PipelineObserver
from voxgate.harness.targets.engine.option_checks import CHECKS
from voxgate.harness.targets.engine.output_checks import OUTPUT_CHECKS
from voxgate.harness.targets.engine.prompt_probe import recording_seen
from voxgate.harness.targets.protocol import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillSeen(SynthesisObservation):
    """Record of one observed synthesis."""

    filler: float
    """The largest value of the embedded text behind its last character, over all chunks."""
    output_weight: Tensor
    """The weight of the model's last layer, as it lies in memory, in fp32 on the CPU."""


class InfillHooks(Hooks):
    """
    Records the input of the text embedding, which is characters, and its output at the places
    behind them.
    """

    def attach(self, pipeline: Any) -> list[Any]:
        """
        Register a hook on the text embedding; published models have no speakers, and predict no
        durations.
        """
        self.scale = (0.0, 1.0)
        self.letters = {number + 1: letter for letter, number in pipeline.voice.vocabulary.items()}
        self.filler: list[float] = []
        return [
            pipeline.voice.dit.text_embed.register_forward_hook(
                self._on_characters, with_kwargs=True
            )
        ]

    def _on_characters(
        self, _module: object, inputs: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor
    ) -> None:
        if not kwargs.get("conditional", True):
            return
        characters = inputs[0][0].tolist()
        self.texts.append(tuple(self.letters.get(number, "?") for number in characters))
        self.text_marks.append(self.crowd.mark())
        behind = output[0, len(characters) :]
        self.filler.append(float(behind.abs().max()) if behind.numel() else 0.0)


def observe_infill(pipeline: InfillPipeline, request: Request) -> InfillSeen:
    """Run one request under observation; the pipeline is left unchanged."""
    hooks = InfillHooks(pipeline)
    seen = observe(pipeline, request, hooks)
    return InfillSeen(
        **{field.name: getattr(seen, field.name) for field in fields(SynthesisObservation)},
        filler=max(hooks.filler, default=0.0),
        output_weight=pipeline.voice.dit.proj_out.weight.detach().float().cpu(),
    )


SHARED = (
    "nfe_steps",
    "solver",
    "sway",
    "grid",
    "cfg_strength",
    "precision",
    "device",
    "threads",
    "seed",
    *OUTPUT_CHECKS,
)
"""Checked as those of `flow` are."""
LENGTH_TOLERANCE = 0.1
"""
The rule counts bytes of the text as written; observed are the characters that the model receives.
"""
OUTPUT = "transformer.proj_out.weight"
ROUNDED = 0.01
"""Relative difference of weights that bf16 leaves."""


def _reference(options: Options, seen: InfillSeen) -> Observation:
    observed, in_effect = recording_seen(options, seen.prompt, SAMPLE_RATE_HZ, LOG_FLOOR)
    return Observation(
        observed=observed, in_effect=in_effect, reason="what the model may copy from"
    )


def _reference_text(options: Options, seen: InfillSeen) -> Observation:
    requested = normalise_characters(_words(options))
    texts = ["".join(text) for text in seen.prompt.texts]
    in_effect = bool(texts) and all(text.startswith(requested) for text in texts)
    beginning = texts[0][: len(requested) + 8] if texts else ""
    return Observation(
        observed=f"told {beginning!r} ...",
        in_effect=in_effect,
        reason="the characters told in front of the new ones",
    )


def _words(options: Options) -> str:
    path = str(options["reference"])
    return as_sentence(transcript_of(path, str(options["reference_text"]))) if path else ""


def _speed(options: Options, seen: InfillSeen) -> Observation:
    """
    Compare the length with the rule for every chunk: frames per byte of the recording, times bytes
    of the chunk, by the speed.
    """
    words = _words(options)
    per_byte = (
        len(seen.prompt.logs[0]) / len(words.encode())
        if words and seen.prompt.logs
        else FRAMES_PER_BYTE
    )
    sizes = [len(text) - len(normalise_characters(words)) for text in seen.prompt.texts]
    speeds = [
        float(options["speed"]) * (SHORT_SPEED if size < SHORT_BYTES else 1.0) for size in sizes
    ]
    expected = sum(per_byte * size / speed for size, speed in zip(sizes, speeds, strict=True))
    made = sum(seen.prompt.left)
    return Observation(
        observed=f"{made / FRAMES_PER_S:.2f} s for {sum(sizes)} characters",
        in_effect=abs(made - expected) <= len(sizes) + LENGTH_TOLERANCE * expected,
        reason=f"{expected / FRAMES_PER_S:.2f} s by the rule of F5-TTS",
    )


def _weights(options: Options, seen: InfillSeen) -> Observation:
    folder = Path(str(options["weights"]))
    apart = min(
        (_apart(tensor, seen.output_weight) for tensor in _stored(folder)), default=float("inf")
    )
    return Observation(
        observed=f"the last layer differs by {apart:.1e}",
        in_effect=apart <= ROUNDED,
        reason=f"from the file in {folder}",
    )


def _stored(folder: Path) -> list[Tensor]:
    """
    Read the last layer from every file of tensors in the folder; the average that training kept,
    where there are two.
    """
    layers = []
    for path in sorted(folder.glob("*")):
        if path.suffix not in (".safetensors", ".pt", ".bin"):
            continue
        tensors: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, "cpu", weights_only=True)
        )
        averaged: Mapping[str, Tensor] = tensors.get("ema_model_state_dict", tensors)
        layers += [value for name, value in averaged.items() if name.endswith(OUTPUT)]
    return layers


def _apart(stored: Tensor, loaded: Tensor) -> float:
    if stored.shape != loaded.shape:
        return float("inf")
    return float(
        (stored.float() - loaded).abs().max() / stored.float().abs().max().clamp(min=1e-30)
    )


def _version(options: Options, seen: InfillSeen) -> Observation:
    hides = seen.filler == 0.0
    return Observation(
        observed=f"the filler is {'hidden' if hides else 'embedded'}",
        in_effect=hides == (options["version"] == 1),
        reason="version 1 hides it, version 0 does not",
    )


INFILL_CHECKS: Mapping[str, Check] = {
    **{name: CHECKS[name] for name in SHARED},
    "speed": _speed,
    "reference": _reference,
    "reference_text": _reference_text,
    "weights": _weights,
    "version": _version,
}

OBSERVER = PipelineObserver(observe=observe_infill, checks=INFILL_CHECKS)
