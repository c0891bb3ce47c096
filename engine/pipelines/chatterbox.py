"""
The pipeline `chatterbox`: published Chatterbox checkpoints, text -> tokens of speech -> acoustic ->
vocoder -> post, chunk by chunk.

The voice is that of the `reference`, or the one that the checkpoint comes with. The watermark,
which the package always adds, is an option.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxgate.engine.audio.prompt_cache import PromptCache
from voxgate.engine.chatterbox.alignment import check_heads
from voxgate.engine.chatterbox.checkpoint import ChatterboxModels, load_chatterbox
from voxgate.engine.chatterbox.hift import draw_source, fade_start
from voxgate.engine.chatterbox.s3gen import (
    RATE_HZ,
    cosine_times,
    draw_noise,
    flow_velocity,
    speech_mel,
)
from voxgate.engine.chatterbox.t3 import T3Voice
from voxgate.engine.chatterbox.t3_decoding import T3Decoding, decode, make_cache
from voxgate.engine.chatterbox.text import check_language, normalised
from voxgate.engine.chatterbox.voice import ChatterboxVoice, stored_voice, voice_of_recording
from voxgate.engine.config import ChatterboxConfig, ModelVariant, Quantization, Switch, parse
from voxgate.engine.errors import EngineError
from voxgate.engine.passes import Applied, precision
from voxgate.engine.passes.support import check_machine
from voxgate.engine.pipelines.pipeline import (
    Notice,
    NoticeKind,
    Pipeline,
    Watch,
    no_watch,
    processors,
)
from voxgate.engine.text.character_ids import check_known, check_text, split_text
from voxgate.engine.tokens.sampling import Sampling

CHUNK_BYTES = 300
"""Of text in one sequence: about 20 s of speech, half of the package's limit of tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SpokenPart:
    """A part of a text: its index there, its tokens, and the configuration of its draws."""

    index: int
    text: str
    ids: Tensor
    config: ChatterboxConfig


class ChatterboxPipeline(Pipeline[ChatterboxConfig]):
    """A published checkpoint, loaded. Public beside the base class: `checkpoint`, `voices`."""

    config_class = ChatterboxConfig
    stages = ("content", "text", "tokens", "acoustic", "vocoder", "post")
    crossfade_samples = 0
    sample_rate_hz = RATE_HZ

    def __init__(self, config: ChatterboxConfig, checkpoint: ChatterboxModels) -> None:
        self.config = replace(config, threads=config.threads or processors())
        torch.set_num_threads(self.config.threads)
        self.device = torch.device(config.device)
        self.checkpoint = checkpoint
        if config.alignment is Switch.ON:
            check_heads(checkpoint.t3.tfmr)
        self.applied = self._apply_passes()
        self.tokens: Callable[..., Any] = checkpoint.t3.tfmr
        self.acoustic: Callable[..., Any] = checkpoint.s3gen.flow.estimator
        self.vocoder: Callable[..., Any] = checkpoint.s3gen.mel2wav
        self.use_watermark(config.watermark)
        self.voices = PromptCache(self._read_recording)
        self._own_voice = stored_voice(Path(config.weights))
        self._voice_of(self.config)  # an unusable recording is refused now
        self._language_of(self.config)

    @classmethod
    def load(
        cls, options: Mapping[str, object], folder: Path | None = None
    ) -> "ChatterboxPipeline":
        """Load a checkpoint: as `Pipeline.load`; its folder is the option `weights`."""
        if folder is not None:
            raise EngineError(
                "--voice is a folder for pipeline flow; name the checkpoint's folder with --weights"
            )
        config = parse(ChatterboxConfig, options)
        check_machine(config.device, config.precision)
        if not config.weights:
            raise EngineError(
                "pipeline chatterbox needs weights, the folder of a published checkpoint; to try "
                "it, `python -m voxgate.engine random-weights FOLDER --kind chatterbox --small` "
                "writes random ones"
            )
        return cls(config, load_chatterbox(Path(config.weights), config.variant))

    @property
    def models(self) -> dict[str, nn.Module]:
        """The models by stage."""
        s3gen = self.checkpoint.s3gen
        return {
            "tokens": self.checkpoint.t3.tfmr,
            "acoustic": s3gen.flow.estimator,
            "vocoder": s3gen.mel2wav,
        }

    def stream(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Iterator[np.ndarray]:
        """Synthesise a text chunk by chunk: as `Pipeline.stream`."""
        self.begin()
        config = self.for_request(options or {})
        with watch("content"):
            voice = self._voice_of(config)
        with watch("text"):
            chunks = [
                # every chunk is drawn anew, whatever the chunks before it
                _SpokenPart(
                    index=index,
                    text=part,
                    ids=self._ids(part, config),
                    config=replace(config, seed=(config.seed + index) % 2**32),
                )
                for index, part in enumerate(split_text(check_text(text), CHUNK_BYTES))
            ]
            self._tell_unknown(text, chunks)
        return self.marked((self._speak(chunk, voice, watch) for chunk in chunks), watch)

    def _apply_passes(self) -> tuple[Applied, ...]:
        t3, config = self.checkpoint.t3, self.config
        t3.tfmr.join()
        applied = precision.apply({"tokens": t3}, config.precision)
        for model in (t3, self.checkpoint.s3gen, self.checkpoint.voice_encoder):
            model.to(self.device)
        effect = "nothing"
        if config.quantization is Quantization.INT8_WEIGHT_ONLY:
            t3.tfmr.quantize()
            t3.speech_head.quantize()
            effect = "matrices of tokens to int8 weights, symmetric per output channel"
        else:
            t3.tfmr.pack()
            t3.speech_head.pack()
        quantized = Applied(
            option="quantization", requested=config.quantization, effect=effect, reason="asked"
        )
        return applied, quantized

    def _read_recording(self, content: bytes, transcript: str, speaker: str) -> ChatterboxVoice:
        encoder, s3gen = self.checkpoint.voice_encoder, self.checkpoint.s3gen
        return voice_of_recording(encoder, s3gen, self.device, content)

    def _voice_of(self, config: ChatterboxConfig) -> ChatterboxVoice:
        voice = self.voices.get(config.reference, None) or self._own_voice
        if voice is None:
            raise EngineError(
                "pipeline chatterbox needs reference, a recording of the voice; the folder "
                f"{config.weights} has no conds.pt, which holds one"
            )
        return voice

    def _language_of(self, config: ChatterboxConfig) -> str | None:
        """Return the language that a text is tagged with; None for the English model."""
        if config.variant is ModelVariant.MULTILINGUAL:
            check_language(config.language)
            return config.language
        if config.language != "en":
            raise EngineError(
                f"language {config.language} needs the multilingual model; use variant=multilingual"
            )
        return None

    def _ids(self, part: str, config: ChatterboxConfig) -> Tensor:
        language = self._language_of(config)
        plain = normalised(part, multilingual=language is not None)
        ids = self.checkpoint.vocabulary.encode(plain, language)
        limit = self.checkpoint.t3.shape.text_positions
        if len(ids) > limit:
            raise EngineError(
                f"a clause of the text has {len(ids)} tokens, and the model reads {limit}; put "
                "punctuation or spaces into it"
            )
        return torch.tensor(ids, device=self.device)

    def _tell_unknown(self, text: str, chunks: Sequence[_SpokenPart]) -> None:
        """
        Add a notice of what the vocabulary lacks. Raises TextError for a text of which it has
        nothing.
        """
        language = self._language_of(chunks[0].config)
        plain = [normalised(chunk.text, multilingual=language is not None) for chunk in chunks]
        unknown = [self.checkpoint.vocabulary.unknown(each, language) for each in plain]
        check_known(text, "".join(plain), "".join(unknown))
        self.tell_left_out("".join(unknown))

    @torch.inference_mode()
    def _speak(self, chunk: _SpokenPart, voice: ChatterboxVoice, watch: Watch) -> np.ndarray:
        config = chunk.config
        with watch("tokens"):
            codes = self._decode(chunk, voice).to(self.device)
        generator = torch.Generator().manual_seed(config.seed)
        with watch("acoustic"):
            mel = self._mel(codes, voice, config, generator)
        with watch("vocoder"):
            hift = self.checkpoint.s3gen.mel2wav
            source = hift.source(mel, draw_source(mel.shape[1], generator))
            audio = self.vocoder(mel, source)
        with watch("post"):
            return np.asarray(fade_start(audio[0]).cpu().numpy())

    def _decode(self, chunk: _SpokenPart, voice: ChatterboxVoice) -> Tensor:
        t3, ids, config = self.checkpoint.t3, chunk.ids, chunk.config
        said = T3Voice(speaker=voice.speaker, prompt=voice.prompt, emotion=config.exaggeration)
        conditioning = t3.condition(said)
        limit = min(config.max_tokens, t3.shape.speech_positions)
        rows = 2 if config.cfg_weight > 0.0 else 1
        cache = make_cache(
            config.kv_cache, t3, rows=rows, positions=len(conditioning) + len(ids) + 2 + limit
        )
        decoded = decode(t3, self.tokens, conditioning, ids, cache, _decoding(config, limit))
        if not len(decoded.codes):
            raise EngineError("the model ended before it said anything; try another seed")
        if not decoded.ended:
            self.tell(
                Notice(
                    kind=NoticeKind.CUT,
                    text=chunk.text,
                    option="max_tokens",
                    value=limit,
                    chunk=chunk.index,
                )
            )
        return decoded.codes

    def _mel(
        self,
        codes: Tensor,
        voice: ChatterboxVoice,
        config: ChatterboxConfig,
        generator: torch.Generator,
    ) -> Tensor:
        prompt, times = voice.acoustic, cosine_times(config.nfe_steps)
        velocity = flow_velocity(
            self.checkpoint.s3gen.flow,
            codes,
            prompt,
            times,
            cfg_rate=config.cfg_rate,
            forward=self.acoustic,
        )
        frames = 2 * (len(prompt.tokens) + len(codes))
        noise = draw_noise(frames, generator).to(self.device)
        return speech_mel(velocity, noise, times, prompt)


def _decoding(config: ChatterboxConfig, limit: int) -> T3Decoding:
    sampling = Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        min_p=config.min_p,
        repetition_penalty=config.repetition_penalty,
    )
    return T3Decoding(
        sampling=sampling,
        seed=config.seed,
        cfg_weight=config.cfg_weight,
        max_tokens=limit,
        alignment=config.alignment is Switch.ON,
    )
