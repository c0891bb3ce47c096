"""
The pipeline `infill`: published F5-TTS checkpoints, text -> content -> acoustic -> vocoder -> post
-> watermark, chunk by chunk.

The stages are those of `flow`. The voice is that of the `reference`; without one the model invents
a voice, and another one for every chunk.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from voxgate.engine.acoustic.infill import (
    SAMPLE_RATE_HZ,
    InfillInput,
    InfillPrompt,
    empty_prompt,
    encode_infill,
    infill_mel,
    infill_velocity,
)
from voxgate.engine.acoustic.solver import time_grid
from voxgate.engine.audio.postprocess import crossfade, fade_in
from voxgate.engine.audio.prompt_cache import PromptCache
from voxgate.engine.config import InfillConfig, parse
from voxgate.engine.errors import EngineError
from voxgate.engine.passes import precision
from voxgate.engine.passes.support import check_machine
from voxgate.engine.pipelines.flow import STAGES, initial_noise
from voxgate.engine.pipelines.pipeline import Pipeline, Watch, no_watch, processors
from voxgate.engine.text.character_ids import character_ids, check_text, split_text
from voxgate.engine.vocoder.vocos import waveform
from voxgate.engine.weights.f5_checkpoint import InfillVoice, load_infill_voice


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillChunk:
    """
    One chunk: its `index` in the text, the `characters` of the recording and of the chunk, the mel
    `frames` of both.
    """

    index: int
    characters: tuple[int, ...]
    frames: int


class InfillPipeline(Pipeline[InfillConfig]):
    """A published checkpoint, loaded. Public beside the base class: `voice`, `prompts`."""

    config_class = InfillConfig
    stages = STAGES
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, config: InfillConfig, voice: InfillVoice) -> None:
        check_machine(config.device, config.precision)
        self.config = replace(config, threads=config.threads or processors())
        torch.set_num_threads(self.config.threads)
        self.device = torch.device(config.device)
        self.voice = voice
        self.applied = (precision.apply(self.models, config.precision),)
        for model in self.models.values():
            model.to(self.device)
        self.acoustic: Callable[..., Any] = voice.dit
        self.vocoder: Callable[..., Any] = voice.vocoder
        self.use_watermark(config.watermark)
        self.prompts = PromptCache(partial(encode_infill, voice.dit.shape.bands))
        self._prompt_of(self.config)  # an unusable recording is refused now

    @classmethod
    def load(cls, options: Mapping[str, object], folder: Path | None = None) -> "InfillPipeline":
        """Load a checkpoint: as `Pipeline.load`; its folder is the option `weights`."""
        if folder is not None:
            raise EngineError(
                "--voice is a folder for pipeline flow; name the checkpoint's folder with --weights"
            )
        config = parse(InfillConfig, options)
        check_machine(config.device, config.precision)
        if not config.weights:
            raise EngineError(
                "pipeline infill needs weights, the folder of a published checkpoint; "
                "to try it, `python -m voxgate.engine random-weights FOLDER --small` writes random "
                "ones"
            )
        return cls(config, load_infill_voice(Path(config.weights), version=config.version))

    @property
    def models(self) -> dict[str, nn.Module]:
        """The models by stage."""
        return {"acoustic": self.voice.dit, "vocoder": self.voice.vocoder}

    def stream(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Iterator[np.ndarray]:
        """Synthesise a text chunk by chunk: as `Pipeline.stream`."""
        config = self.for_request(options or {})
        with watch("content"):
            prompt = self._prompt_of(config)
        with watch("text"):
            chunks = self._chunks(check_text(text), prompt, config.speed)
        spoken = (self._speak(chunk, prompt, config, watch) for chunk in chunks)
        return crossfade(self.marked(spoken, watch))

    def _prompt_of(self, config: InfillConfig) -> InfillPrompt:
        return self.prompts.get(config.reference, config.reference_text) or empty_prompt(
            self.voice.dit.shape.bands
        )

    def _chunks(self, text: str, prompt: InfillPrompt, speed: float) -> list[InfillChunk]:
        pace = prompt.byte_rate
        return [
            InfillChunk(
                index=index,
                characters=character_ids(prompt.text + part, self.voice.vocabulary),
                frames=len(prompt.mel) + pace.new_frames(part, speed),
            )
            for index, part in enumerate(split_text(text, pace.limit_bytes(speed)))
        ]

    @torch.inference_mode()
    def _speak(
        self, chunk: InfillChunk, prompt: InfillPrompt, config: InfillConfig, watch: Watch
    ) -> np.ndarray:
        with watch("content"):
            gap = InfillInput(
                prompt_mel=prompt.mel.to(self.device),
                characters=torch.tensor(chunk.characters, device=self.device),
                frames=chunk.frames,
            )
        with watch("acoustic"):
            noise = initial_noise(config.seed, chunk.index, gap.frames, self.voice.dit.shape.bands)[
                0
            ].to(self.device)
            velocity = infill_velocity(self.voice.dit, self.acoustic, gap, config.cfg_strength)
            times = time_grid(config.nfe_steps, config.sway, config.grid)
            mel = infill_mel(velocity, noise, times, config.solver, len(gap.prompt_mel))
        with watch("vocoder"):
            spectrum = self.vocoder(mel[None].to(precision.DTYPES[config.precision]))
            audio: np.ndarray = waveform(spectrum, self.voice.vocoder.shape)[0].cpu().numpy()
        with watch("post"):
            return fade_in(
                np.asarray(audio * np.float32(prompt.gain)),
                self.sample_rate_hz,
                trim_ms=config.trim_start_ms,
                fade_ms=config.fade_in_ms,
            )
