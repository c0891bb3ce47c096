"""
The pipeline `flow`: text to speech by flow matching, text -> content -> acoustic -> vocoder ->
post -> watermark, chunk by chunk.

It checks that the configuration is supported, loads the voice, applies the passes in one visible
order, and streams.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxgate.engine.acoustic.batched import batched_cfg, frame_mask, pad
from voxgate.engine.acoustic.solver import (
    EarlyExitVelocity,
    Velocity,
    integrate,
    steps_for,
    time_grid,
)
from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.audio.postprocess import (
    crossfade,
    deessed,
    denoised,
    fade_in,
    normalise_level,
    shortened,
)
from voxgate.engine.config import Adaptive, BatchBy, FlowConfig, Region, parse
from voxgate.engine.duration.alignment import Alignment, predict_alignment
from voxgate.engine.errors import EngineError
from voxgate.engine.passes import precision
from voxgate.engine.passes.sequence import apply_passes
from voxgate.engine.passes.support import check_supported
from voxgate.engine.pipelines.batching import (
    batch_by_length,
    free_bytes,
    in_turn,
    padded_frames,
    with_own_choices,
    workers_of,
)
from voxgate.engine.pipelines.pipeline import (
    AudioSegment,
    Pipeline,
    Watch,
    no_watch,
    segments,
)
from voxgate.engine.pipelines.voice_prompt import Prompt, prompt_cache
from voxgate.engine.text.frontend import Chunk, phonemise
from voxgate.engine.vocoder.vocos import waveform
from voxgate.engine.weights.voice import Voice, load_voice

STAGES = ("text", "content", "acoustic", "vocoder", "post")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One chunk with everything that determines its audio; independent of the rest of the batch."""

    content: Alignment
    config: FlowConfig
    index: int
    """Of the chunk in its text."""

    @property
    def prompt_frames(self) -> int:
        """Mel frames of the voice prompt in front."""
        return self.content.prompt_frames

    @property
    def frames(self) -> int:
        """Mel frames of the acoustic model's input, the voice prompt included."""
        return self.content.frames.phone.shape[1]

    @property
    def spoken_frames(self) -> int:
        """Mel frames of new speech."""
        return self.frames - self.prompt_frames


class FlowPipeline(Pipeline[FlowConfig]):
    """The embedded voice, loaded. Public beside the base class: `voice`, `prompts`."""

    config_class = FlowConfig
    stages = STAGES
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, config: FlowConfig, voice: Voice) -> None:
        check_supported(config)
        self.device = torch.device(config.device)
        free = free_bytes(self.device) // config.workers  # each has a pass in memory
        self.config = with_own_choices(config, free)
        self.padded_frames = padded_frames(free)
        self._workers = workers_of(self.config)
        self.voice = voice
        self.acoustic: Callable[..., Any]
        self.vocoder: Callable[..., Any]
        called, self.applied = apply_passes(self.models, self.device, self.config)
        self.acoustic, self.vocoder = called["acoustic"], called["vocoder"]
        self.use_watermark(config.watermark)
        self.crossfade_samples = round(config.crossfade_ms * self.sample_rate_hz / 1000)
        self.prompts = prompt_cache(voice, self.device)
        self._prompt_of(self.config)  # an unusable recording is refused now

    @classmethod
    def load(cls, options: Mapping[str, object], folder: Path | None = None) -> "FlowPipeline":
        """Load a voice: as `Pipeline.load`."""
        config = parse(FlowConfig, options)
        check_supported(config)
        return cls(config, load_voice(folder, config.language))

    @property
    def models(self) -> dict[str, nn.Module]:
        """The models by stage."""
        return {"acoustic": self.voice.dit, "vocoder": self.voice.vocoder}

    def stream(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Iterator[np.ndarray]:
        """
        Synthesise a text chunk by chunk: as `Pipeline.stream`, up to
        `voxgate.engine.text.frontend.MAX_CHARACTERS` characters.
        """
        self.begin()
        config = self.for_request(options or {})
        return self._pieces(self._chunks(text, config, watch), config, watch)

    def segments(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Iterator[AudioSegment]:
        """
        Synthesise as `stream` does, one pass through the models at a time: for a scheduler that
        shares the engine between texts.
        """
        self.begin()
        config = self.for_request(options or {})
        chunks = self._chunks(text, config, watch)
        return segments(
            self._pieces(chunks, config, watch),
            [len(group) for group in _groups(chunks, config)],
        )

    def synthesize_batch(
        self,
        texts: Sequence[str],
        options: Sequence[Mapping[str, object]] | None = None,
        watch: Watch = no_watch,
    ) -> list[np.ndarray]:
        """
        Synthesise several texts together: chunks of similar length share forward passes, padded to
        the longest.

        The audio of a text is that of `synthesize`: in fp32 no sample differs by more than 1e-3 of
        full scale, because sums are added in another order. Pass one mapping of options per text;
        the rest as in `stream`.

        Raises: EngineError for options that do not match, and for a text that cannot be spoken:
        then none of the texts is.
        """
        requested: list[Mapping[str, object]] = (
            [{} for _ in texts] if options is None else list(options)
        )
        if len(requested) != len(texts):
            raise EngineError(
                f"{len(texts)} texts were given and options for {len(requested)}; give one mapping "
                "for each text"
            )
        chunks, parts = self._planned(texts, requested, watch)
        most = self._per_pass(len(parts), max(len(texts), self.config.batch))
        audios = self._speak_by_length(parts, most, watch)
        return self._whole_texts(chunks, audios, watch)

    def synthesize_each(
        self,
        texts: Sequence[str],
        options: Sequence[Mapping[str, object]],
        watch: Watch = no_watch,
    ) -> list[np.ndarray]:
        """
        Synthesise several texts: `batch` chunks share a pass, grouped as `batch_by` says, and the
        passes are shared among the workers. The audio is that of `synthesize_batch`.
        """
        chunks, parts = self._planned(texts, options, watch)
        most = self._per_pass(len(parts), self.config.batch)
        if self.config.batch_by is BatchBy.LENGTH:
            return self._whole_texts(chunks, self._speak_by_length(parts, most, watch), watch)
        passes = ([parts[index] for index in group] for group in in_turn(len(parts), most))
        audios = list(chain.from_iterable(self._in_order(passes, watch)))
        return self._whole_texts(chunks, audios, watch)

    def _planned(
        self, texts: Sequence[str], options: Sequence[Mapping[str, object]], watch: Watch
    ) -> tuple[list[tuple[Chunk, ...]], list[Part]]:
        """Return the chunks of each text, and the parts of all of them."""
        self.begin()
        configs = [self.for_request(overrides) for overrides in options]
        chunks = [
            self._chunks(text, config, watch, number)
            for number, (text, config) in enumerate(zip(texts, configs, strict=True))
        ]
        parts: list[Part] = []
        for chunks_of_text, config in zip(chunks, configs, strict=True):
            parts += self._plan_all(chunks_of_text, config, watch)
        return chunks, parts

    def _whole_texts(
        self, chunks: Sequence[Sequence[Chunk]], audios: Sequence[np.ndarray], watch: Watch
    ) -> list[np.ndarray]:
        """Join the chunks of each text; `audios` holds those of all texts in a row."""
        rest = self.marked(audios, watch)
        joined = (crossfade(islice(rest, len(g)), self.crossfade_samples) for g in chunks)
        return [np.concatenate(list(pieces)) for pieces in joined]

    def _per_pass(self, count: int, most: int) -> int:
        """Return how many of `count` parts share a pass, at most `most`."""
        # chunks of one pass share its steps
        if self.config.early_exit > 0 or self.config.nfe_adaptive is not Adaptive.OFF:
            return 1
        # one large group would leave the other workers idle
        return max(1, min(most, math.ceil(count / self.config.workers)))

    def _plan_all(
        self, chunks: Sequence[Chunk], config: FlowConfig, watch: Watch
    ) -> Iterator[Part]:
        return (self._plan(chunk, config, index, watch) for index, chunk in enumerate(chunks))

    def _prompt_of(self, config: FlowConfig) -> Prompt | None:
        accent = () if config.region is Region.ES else (config.region.value,)
        return self.prompts.get(config.reference, config.reference_text, config.speaker, *accent)

    def _chunks(
        self, text: str, config: FlowConfig, watch: Watch, number: int = 0
    ) -> tuple[Chunk, ...]:
        """Return the chunks of a text, and tell what of it cannot be said."""
        with watch("text"):
            first = config.first_chunk_characters
            chunks = phonemise(
                text,
                language=config.language,
                region=config.region,
                max_characters=config.chunk_characters,
                first_characters=first,
            )
        self.tell_dropped(chunks, number)
        return chunks

    def _pieces(
        self, chunks: tuple[Chunk, ...], config: FlowConfig, watch: Watch
    ) -> Iterator[np.ndarray]:
        first_alone = config.first_chunk_characters > 0
        passes = (
            [self._plan(chunks[index], config, index, watch) for index in group]
            for group in _groups(chunks, config)
        )
        audios = chain.from_iterable(self._in_order(passes, watch, first_alone=first_alone))
        return crossfade(self.marked(audios, watch), self.crossfade_samples)

    def _in_order(
        self, passes: Iterator[list[Part]], watch: Watch, *, first_alone: bool = False
    ) -> Iterator[list[np.ndarray]]:
        """Run passes, in the workers if there are any; yields the audio of each in order."""
        speak = partial(self._speak, watch=watch)
        return (
            self._workers.in_order(speak, passes, first_alone=first_alone)
            if self._workers
            else map(speak, passes)
        )

    def _speak_by_length(self, parts: Sequence[Part], count: int, watch: Watch) -> list[np.ndarray]:
        """Synthesise parts grouped by length; returns their audio in the order of the parts."""
        groups = batch_by_length(
            [part.frames for part in parts], max_count=count, max_padded=self.padded_frames
        )
        passes = ([parts[index] for index in group] for group in groups)
        audio_of: dict[int, np.ndarray] = {}
        for group, audios in zip(groups, self._in_order(passes, watch), strict=True):
            audio_of.update(zip(group, audios, strict=True))
        return [audio_of[index] for index in range(len(parts))]

    @torch.inference_mode()
    def _plan(self, chunk: Chunk, config: FlowConfig, index: int, watch: Watch) -> Part:
        with watch("content"):
            prompt = self._prompt_of(config)
            content = predict_alignment(
                self.voice.durations,
                chunk.phones,
                speaker=config.condition,
                question=chunk.question,
                speed=config.pace,
            )
            content = content if prompt is None else prompt.prepend_to(content)
        return Part(content=content, config=config, index=index)

    @torch.inference_mode()
    def _speak(self, parts: Sequence[Part], watch: Watch) -> list[np.ndarray]:
        """Synthesise chunks in one pass through the models; float32 (T,) each."""
        with watch("acoustic"):
            mel = self._mel(parts)
        with watch("vocoder"):
            mask = frame_mask([part.spoken_frames for part in parts], self.device)
            projected = self.vocoder(mel) if mask is None else self.vocoder(mel, mask[..., None])
            shape = self.voice.vocoder.shape
            unpadded = (
                projected[row : row + 1, : part.spoken_frames] for row, part in enumerate(parts)
            )
            audios = [waveform(spectrum, shape)[0].cpu().numpy() for spectrum in unpadded]
        with watch("post"):
            return [self._finished(audio) for audio in audios]

    def _finished(self, audio: np.ndarray) -> np.ndarray:
        """Post-process the audio of a chunk."""
        rate_hz, asked = self.sample_rate_hz, self.config
        clean = deessed(denoised(audio, rate_hz, asked.denoise), rate_hz, asked.deess)
        level = normalise_level(clean)
        short = shortened(level, rate_hz, asked.silence_removal, crossfade_ms=asked.crossfade_ms)
        return fade_in(short, rate_hz, trim_ms=asked.trim_start_ms, fade_ms=asked.fade_in_ms)

    def _mel(self, parts: Sequence[Part]) -> Tensor:
        """
        Integrate the flow from noise to mel (B, T, bands). The noise is drawn in fp32 on the CPU,
        so that neither precision nor device changes it.
        """
        # the configurations differ at most in options of one request
        config, bands = parts[0].config, self.voice.dit.shape.bands
        noise = pad(
            [initial_noise(part.config.seed, part.index, part.frames, bands) for part in parts]
        )
        frames = [part.content.frames.to(self.device) for part in parts]
        prompt_mels = [part.content.prompt_mel for part in parts]
        guided = batched_cfg(
            self.voice.dit, self.acoustic, frames, prompt_mels, config.cfg_strength
        )
        guided = replace(guided, cfg_start=config.cfg_from, cfg_stop=config.cfg_until)
        velocity: Velocity = (
            EarlyExitVelocity(guided, config.early_exit) if config.early_exit else guided
        )
        steps = steps_for(config.nfe_steps, config.nfe_adaptive, parts[0].content.durations.numel())
        times = time_grid(steps, config.sway, config.grid)
        whole = integrate(velocity, noise.to(self.device), times, config.solver)
        mel = pad(
            [
                whole[row : row + 1, part.prompt_frames : part.frames]
                for row, part in enumerate(parts)
            ]
        )
        scaled = mel * self.voice.mel_std + self.voice.mel_mean
        return scaled.to(precision.DTYPES[config.precision])


def _groups(chunks: Sequence[Chunk], config: FlowConfig) -> list[range]:
    """Return the chunks of a text that share a pass, pass by pass."""
    return in_turn(len(chunks), config.batch, first_alone=config.first_chunk_characters > 0)


def initial_noise(seed: int, chunk: int, frames: int, bands: int) -> Tensor:
    """
    Draw the noise of one chunk, (1, frames, bands) fp32 on the CPU, from the seed and the chunk's
    number alone.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + chunk)
    return torch.randn((1, frames, bands), generator=generator)
