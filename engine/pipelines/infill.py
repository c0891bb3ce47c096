"""
Published F5-TTS checkpoints as a pipeline: text -> content -> acoustic -> vocoder -> post, piece by
piece.

The same five stages and the same methods as `flow`, so that whatever drives and measures one takes
the other, too. The voice is that of the `reference`; without one the model invents some voice, and
another one for every piece.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.acoustic.infill import (
    SAMPLE_RATE_HZ,
    InfillInput,
    InfillPrompt,
    empty_prompt,
    encode_infill,
    infill_mel,
    infill_velocity,
)
from engine.acoustic.solver import time_grid
from engine.audio.postprocess import crossfade
from engine.audio.prompt_cache import PromptCache
from engine.config.infill import InfillConfig, as_flow, parse_infill_options
from engine.errors import EngineError
from engine.passes import precision
from engine.passes.support import check_supported
from engine.pipelines.flow import Watch, initial_noise, no_watch, processors
from engine.text.character_ids import character_ids, check_text, split_text
from engine.vocoder.vocos import waveform
from engine.weights.f5_checkpoint import InfillVoice, load_infill_voice

PER_REQUEST = ("speed", "seed", "reference", "reference_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillChunk:
    """
    What is spoken in one go: `index` of the piece, `characters` of the recording and of it, mel
    `frames` of both.
    """

    index: int
    characters: tuple[int, ...]
    frames: int


class InfillPipeline:
    """A published voice, ready to speak. Public: as `FlowPipeline`'s."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, config: InfillConfig, voice: InfillVoice) -> None:
        check_supported(as_flow(config))
        self.config = replace(config, threads=config.threads or processors())
        torch.set_num_threads(self.config.threads)
        self.device = torch.device(config.device)
        self.voice = voice
        models: dict[str, torch.nn.Module] = {"acoustic": voice.dit, "vocoder": voice.vocoder}
        self.applied = (precision.apply(models, config.precision),)
        for model in models.values():
            model.to(self.device)
        self.acoustic: Callable[..., Any] = voice.dit
        self.vocoder: Callable[..., Any] = voice.vocoder
        self.prompts = PromptCache(partial(encode_infill, voice.dit.shape.bands))
        self._prompt_of(self.config)  # what cannot be used is refused now

    @classmethod
    def load(cls, options: Mapping[str, object]) -> "InfillPipeline":
        """
        Make a pipeline from plain options. Raises EngineError for options, machines and weights
        that cannot work.
        """
        config = parse_infill_options(options)
        check_supported(as_flow(config))
        if not config.weights:
            raise EngineError(
                "pipeline infill needs weights, the folder of a published checkpoint; "
                "to try it, `python -m engine random-weights FOLDER --small` writes random ones"
            )
        return cls(config, load_infill_voice(Path(config.weights), version=config.version))

    def stream(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Iterator[np.ndarray]:
        """Speak, piece by piece: arguments, yields and errors as `FlowPipeline.stream`'s."""
        config = self._for_request(options or {})
        with watch("content"):
            prompt = self._prompt_of(config)
        with watch("text"):
            pieces = self._pieces(check_text(text), prompt, config.speed)
        return crossfade(self._speak(piece, prompt, config, watch) for piece in pieces)

    def synthesize(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> np.ndarray:
        """Speak the whole text: `stream`, concatenated; float32 (T,)."""
        return np.concatenate(list(self.stream(text, options, watch)))

    def _for_request(self, options: Mapping[str, object]) -> InfillConfig:
        foreign = sorted(set(options) - set(PER_REQUEST))
        if foreign:
            raise EngineError(
                f"option {foreign[0]} cannot be set for one request; only {', '.join(PER_REQUEST)} "
                "can"
            )
        checked = parse_infill_options(options)
        # a text belongs to its recording
        named = {*options, "reference_text"} if "reference" in options else options
        return replace(self.config, **{name: getattr(checked, name) for name in named})

    def _prompt_of(self, config: InfillConfig) -> InfillPrompt:
        return self.prompts.get(config.reference, config.reference_text) or empty_prompt(
            self.voice.dit.shape.bands
        )

    def _pieces(self, text: str, prompt: InfillPrompt, speed: float) -> list[InfillChunk]:
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
        self, piece: InfillChunk, prompt: InfillPrompt, config: InfillConfig, watch: Watch
    ) -> np.ndarray:
        with watch("content"):
            gap = InfillInput(
                prompt_mel=prompt.mel.to(self.device),
                characters=torch.tensor(piece.characters, device=self.device),
                frames=piece.frames,
            )
        with watch("acoustic"):
            noise = initial_noise(config.seed, piece.index, gap.frames, self.voice.dit.shape.bands)[
                0
            ].to(self.device)
            velocity = infill_velocity(self.voice.dit, self.acoustic, gap, config.cfg_strength)
            times = time_grid(config.nfe_steps, config.sway, config.grid)
            mel = infill_mel(velocity, noise, times, config.solver, len(gap.prompt_mel))
        with watch("vocoder"):
            spectrum = self.vocoder(mel[None].to(precision.DTYPES[config.precision]))
            audio: np.ndarray = waveform(spectrum, self.voice.vocoder.shape)[0].cpu().numpy()
        with watch("post"):
            return audio * np.float32(prompt.gain)
