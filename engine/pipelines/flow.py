"""
Text to speech by flow matching: text -> content -> acoustic -> vocoder -> post, chunk by chunk.

The top of the engine: it refuses what cannot work, loads the voice, applies the passes in one visible order, and
streams. A whole utterance is the stream, concatenated. It reads no clock: whoever wants stage times passes a `watch`.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.acoustic.guidance import guide
from engine.acoustic.settling import Settling
from engine.acoustic.solver import Velocity, integrate, steps_for, time_grid
from engine.config import FlowConfig, parse_options
from engine.content.alignment import Content, plan
from engine.errors import EngineError
from engine.passes import compilation, precision, quantization
from engine.passes.applied import Applied
from engine.passes.refuse import refuse
from engine.phones import SAMPLE_RATE_HZ, SPEAKERS
from engine.post.join import join
from engine.post.level import level
from engine.text.frontend import Chunk, phonemise
from engine.vocoder.vocos import waveform
from engine.weights.voice import DEFAULT_VOICE, Voice, load_voice

STAGES = ("text", "content", "acoustic", "vocoder", "post")
PER_REQUEST = ("speaker", "speed", "seed")
"""Options that one request may set for itself, since nothing has to be loaded again."""
CHUNK_CHARACTERS = 90
"""About six seconds of speech at speed 1; the acoustic model saw up to nine in training."""

Watch = Callable[[str], AbstractContextManager[None]]


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def no_watch(stage: str) -> AbstractContextManager[None]:
    """Watch nothing."""
    return nullcontext()


class FlowPipeline:
    """A voice that is ready to speak. Public: `config`, `applied`, `voice`, `acoustic` and `vocoder` (what is called)."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, config: FlowConfig, voice: Voice) -> None:
        refuse(config)
        self.config = replace(config, threads=config.threads or processors())
        torch.set_num_threads(self.config.threads)
        self.device = torch.device(config.device)
        self.voice = voice
        self.acoustic: Callable[..., Any]
        self.vocoder: Callable[..., Any]
        self.applied = self._apply_passes()

    @classmethod
    def load(cls, options: Mapping[str, object], folder: Path = DEFAULT_VOICE) -> "FlowPipeline":
        """Make a pipeline from plain options. Raises EngineError for options, machines and weights that cannot work."""
        config = parse_options(options)
        refuse(config)
        return cls(config, load_voice(folder))

    def _apply_passes(self) -> tuple[Applied, ...]:
        """Precision, device, quantisation, compilation: in this order, because each reads what the one before left."""
        config, models = self.config, {"acoustic": self.voice.dit, "vocoder": self.voice.vocoder}
        applied = [precision.apply(models, config.precision)]
        for model in models.values():
            model.to(self.device)
        applied.append(quantization.apply(models, config.quantization))
        on_cpu = self.device.type == "cpu"
        self.acoustic, acoustic = compilation.apply("acoustic", "compile", self.voice.dit, config.compile, on_cpu=on_cpu)
        self.vocoder, vocoder = compilation.apply(
            "vocoder", "compile_vocoder", self.voice.vocoder, config.compile_vocoder, on_cpu=on_cpu
        )
        return (*applied, acoustic, vocoder)

    def stream(self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch) -> Iterator[np.ndarray]:
        """
        Speak, piece by piece.

        Args:
            text: up to `engine.text.frontend.MAX_CHARACTERS` characters.
            options: any of PER_REQUEST, for this text only.
            watch: called with the name of a stage, gives a context that spans the stage's work.

        Yields: float32 mono audio at `sample_rate_hz`; concatenated, it is the whole.
        Raises: EngineError for a text that cannot be spoken.
        """
        config = self._for_request(options or {})
        with watch("text"):
            chunks = phonemise(text, max_characters=CHUNK_CHARACTERS)
        return self._pieces(chunks, config, watch)

    def synthesize(self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch) -> np.ndarray:
        """Speak the whole text: `stream`, concatenated; float32 (T,)."""
        return np.concatenate(list(self.stream(text, options, watch)))

    def _for_request(self, options: Mapping[str, object]) -> FlowConfig:
        foreign = sorted(set(options) - set(PER_REQUEST))
        if foreign:
            raise EngineError(f"option {foreign[0]} cannot be set for one request; only {', '.join(PER_REQUEST)} can")
        checked = parse_options(options)
        return replace(self.config, **{name: getattr(checked, name) for name in options})

    def _pieces(self, chunks: tuple[Chunk, ...], config: FlowConfig, watch: Watch) -> Iterator[np.ndarray]:
        return join(self._speak(chunk, config, index, watch) for index, chunk in enumerate(chunks))

    @torch.inference_mode()
    def _speak(self, chunk: Chunk, config: FlowConfig, index: int, watch: Watch) -> np.ndarray:
        with watch("content"):
            content = plan(
                self.voice.durations,
                chunk.phones,
                speaker=SPEAKERS.index(config.speaker),
                question=chunk.question,
                speed=config.speed,
            )
        with watch("acoustic"):
            mel = self._mel(content, config, index)
        with watch("vocoder"):
            audio = waveform(self.vocoder(mel), self.voice.vocoder.shape)[0].cpu().numpy()
        with watch("post"):
            return level(audio)

    def _mel(self, content: Content, config: FlowConfig, index: int) -> Tensor:
        """Draw the noise in fp32 on the CPU, so that neither precision nor device changes it; follow the flow to the mel."""
        frames = content.frames.to(self.device)
        noise = initial_noise(config.seed, index, content.frames.phone.shape[1], self.voice.dit.shape.bands)
        guided = guide(self.voice.dit, self.acoustic, frames, config.cfg_strength)
        guided = replace(guided, since=config.cfg_from, until=config.cfg_until)
        velocity: Velocity = Settling(guided, config.early_exit) if config.early_exit else guided
        steps = steps_for(config.nfe_steps, config.nfe_adaptive, content.durations.numel())
        times = time_grid(steps, config.sway, config.grid)
        mel = integrate(velocity, noise.to(self.device), times, config.solver)
        return (mel * self.voice.mel_std + self.voice.mel_mean).to(precision.DTYPES[config.precision])


def initial_noise(seed: int, chunk: int, frames: int, bands: int) -> Tensor:
    """Draw the noise of one chunk, (1, frames, bands) fp32 on the CPU, from the seed and the chunk's number alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + chunk)
    return torch.randn((1, frames, bands), generator=generator)
