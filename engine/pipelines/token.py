"""
The pipeline `token`: text to speech through speech tokens, text -> tokens -> acoustic -> vocoder ->
post, chunk by chunk.

T3 draws the tokens one by one; the flow then makes a mel of all of them, by the DiT and the vocoder
of pipeline `flow`. Chunks of a text are rows of one batch (`batch`), and groups of them may be
computed at the same time (`workers`).

The same seed, options and machine give the same tokens: every chunk draws from the seed and its
number alone.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxgate.engine.acoustic.batched import frame_mask, pad
from voxgate.engine.acoustic.token_flow import token_mels
from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.audio.postprocess import CROSSFADE, crossfade, fade_in, normalise_level
from voxgate.engine.audio.prompt_cache import PromptCache
from voxgate.engine.config import BatchBy, TokenConfig, parse
from voxgate.engine.passes.precision import DTYPES
from voxgate.engine.passes.token_models import apply_token_passes, check_token_supported
from voxgate.engine.pipelines.batching import (
    batch_by_length,
    free_bytes,
    in_turn,
    with_own_choices,
    workers_of,
)
from voxgate.engine.pipelines.flow import initial_noise
from voxgate.engine.pipelines.pipeline import Notice, NoticeKind, Pipeline, Watch, no_watch
from voxgate.engine.pipelines.token_parts import (
    TokenPart,
    TokenPrompt,
    encode_token_prompt,
    token_parts,
)
from voxgate.engine.tokens.generate import (
    TOKEN_SAMPLER,
    MakeSampler,
    SpeechTokens,
    StaticCaches,
    decoding_of,
    generate,
)
from voxgate.engine.vocoder.vocos import waveform
from voxgate.engine.weights.token_voice import TOKEN_VOICE, TokenVoice, load_token_voice

STAGES = ("text", "tokens", "acoustic", "vocoder", "post")
NO_WORDS = "-"
"""In place of a recording's words, which nothing here needs."""
SHORTEST_SAMPLES = 2 * CROSSFADE
"""Of a chunk, so that it has a crossfade at both ends."""


class TokenPipeline(Pipeline[TokenConfig]):
    """
    The voice that speaks through tokens, loaded. Public beside the base class: `voice`,
    `prompts`; `generate` and `sampler`, the loop over tokens and the maker of a row's sampler,
    which observers may wrap.
    """

    config_class = TokenConfig
    stages = STAGES
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, config: TokenConfig, voice: TokenVoice) -> None:
        check_token_supported(config)
        self.device = torch.device(config.device)
        free = free_bytes(self.device) // config.workers  # each has a pass in memory
        self.config = with_own_choices(config, free)
        self._workers = workers_of(self.config)
        self.use_watermark(config.watermark)
        self.voice = voice
        self.applied = apply_token_passes(self.models, voice.states, self.device, self.config)
        self.tokens: Callable[..., Any] = voice.t3
        self.acoustic: Callable[..., Any] = voice.dit
        self.vocoder: Callable[..., Any] = voice.vocoder
        self.generate: Callable[..., list[SpeechTokens]] = generate
        self.sampler: MakeSampler = TOKEN_SAMPLER
        self.prompts = PromptCache(partial(encode_token_prompt, voice))
        self._prompt_of(self.config)  # an unusable recording is refused now
        self._caches = StaticCaches(voice.t3, config.max_tokens)

    @classmethod
    def load(cls, options: Mapping[str, object], folder: Path | None = None) -> "TokenPipeline":
        """Load a voice: as `Pipeline.load`."""
        config = parse(TokenConfig, options)
        check_token_supported(config)
        return cls(config, load_token_voice(folder or TOKEN_VOICE))

    @property
    def models(self) -> dict[str, nn.Module]:
        """The models by stage."""
        return {
            "tokens": self.voice.t3,
            "acoustic": self.voice.dit,
            "vocoder": self.voice.vocoder,
        }

    def stream(
        self, text: str, options: Mapping[str, object] | None = None, watch: Watch = no_watch
    ) -> Iterator[np.ndarray]:
        """Synthesise a text chunk by chunk: as `Pipeline.stream`."""
        self.begin()
        parts = self._parts(text, options or {}, watch)
        groups = (
            [parts[index] for index in group] for group in in_turn(len(parts), self.config.batch)
        )
        audios = chain.from_iterable(self._in_order(groups, watch))
        return crossfade(self.marked(audios, watch))

    def synthesize_each(
        self,
        texts: Sequence[str],
        options: Sequence[Mapping[str, object]],
        watch: Watch = no_watch,
    ) -> list[np.ndarray]:
        """
        Synthesise several texts: `batch` chunks share every step, grouped as `batch_by` says, and
        the groups are shared among the workers.
        """
        self.begin()
        per_text = [
            self._parts(text, overrides, watch, number)
            for number, (text, overrides) in enumerate(zip(texts, options, strict=True))
        ]
        audios = self.marked(self._speak_all(list(chain.from_iterable(per_text)), watch), watch)
        return [np.concatenate(list(crossfade(islice(audios, len(parts))))) for parts in per_text]

    def _parts(
        self, text: str, options: Mapping[str, object], watch: Watch, number: int = 0
    ) -> list[TokenPart]:
        """Return the chunks of a text. Raises EngineError for one that cannot be spoken."""
        config = self.for_request(options)
        with watch("text"):
            parts = token_parts(text, config, self._prompt_of(config), number)
        self.tell_dropped([part.chunk for part in parts], number)
        return parts

    def _prompt_of(self, config: TokenConfig) -> TokenPrompt | None:
        return self.prompts.get(config.reference, NO_WORDS)

    def _speak_all(self, parts: Sequence[TokenPart], watch: Watch) -> list[np.ndarray]:
        """Speak chunks of several texts; return their audio in the order of the chunks."""
        # one large group would leave the other workers idle
        count = max(1, min(self.config.batch, math.ceil(len(parts) / self.config.workers)))
        groups: Sequence[Sequence[int]] = (
            batch_by_length([len(part.chunk.phones) for part in parts], max_count=count)
            if self.config.batch_by is BatchBy.LENGTH
            else in_turn(len(parts), count)
        )
        passes = ([parts[index] for index in group] for group in groups)
        audio_of: dict[int, np.ndarray] = {}
        for group, audios in zip(groups, self._in_order(passes, watch), strict=True):
            audio_of.update(zip(group, audios, strict=True))
        return [audio_of[index] for index in range(len(parts))]

    def _in_order(
        self, groups: Iterator[list[TokenPart]], watch: Watch
    ) -> Iterator[list[np.ndarray]]:
        """Speak groups, in the workers if there are any; yields the audio of each in order."""
        speak = partial(self._speak, watch=watch)
        return (
            self._workers.in_order(speak, groups, first_alone=False)
            if self._workers
            else map(speak, groups)
        )

    @torch.inference_mode()
    def _speak(self, parts: Sequence[TokenPart], watch: Watch) -> list[np.ndarray]:
        """Synthesise chunks in one pass through the models; float32 (T,) each."""
        with watch("tokens"):
            drawn = self.speech_tokens(parts)
            codes = [spoken.codes for spoken in drawn]
            for part, spoken in zip(parts, drawn, strict=True):
                if part.is_cut(spoken):
                    self.tell(_cut(part))
        with watch("acoustic"):
            mels = self._mels(parts, codes)
        with watch("vocoder"):
            audios = self._waveforms(mels)
        with watch("post"):
            return [_finished(audio, self.config) for audio in audios]

    def speech_tokens(self, parts: Sequence[TokenPart]) -> list[SpeechTokens]:
        """Draw the speech tokens of chunks, in one batch."""
        texts = [part.speech_text() for part in parts]
        return self.generate(
            self.voice.t3,
            self.tokens,
            texts,
            decoding_of(self.config),
            sampler=self.sampler,
            caches=self._caches,
        )

    def _states(self, part: TokenPart, codes: Tensor) -> Tensor:
        """Return the states of a chunk's tokens behind its recording's, (1, F, text_width)."""
        label = partial(torch.tensor, device=self.device)
        whole = torch.cat((part.prompt_codes, codes))
        # a single token has no neighbour to interpolate to, and no sound of its own
        spoken = whole if whole.numel() > 1 else whole.repeat(2)
        states: Tensor = self.voice.states(
            spoken[None].to(self.device), label([part.speaker]), label([part.question])
        )
        return states

    def _mels(self, parts: Sequence[TokenPart], codes: Sequence[Tensor]) -> list[Tensor]:
        """
        Integrate the flow from noise to the mel of each chunk, (1, F, bands). The noise is drawn in
        fp32 on the CPU, so that neither precision nor device changes it.
        """
        config, voice = self.config, self.voice
        states = [self._states(part, each) for part, each in zip(parts, codes, strict=True)]
        noises = [
            initial_noise(part.config.seed, part.index, each.shape[1], voice.dit.shape.bands)
            for part, each in zip(parts, states, strict=True)
        ]
        prompts = [None if part.prompt is None else part.prompt.mel for part in parts]
        mels = token_mels(voice.dit, self.acoustic, states, noises, prompts, config)
        return [mel * voice.mel_std + voice.mel_mean for mel in mels]

    def _waveforms(self, mels: Sequence[Tensor]) -> list[np.ndarray]:
        """Compute the audio of mels in one pass, float32 (T,) each."""
        lengths = [mel.shape[1] for mel in mels]
        stacked = pad(mels).to(DTYPES[self.config.precision_vocoder])
        mask = frame_mask(lengths, self.device)
        projected = (
            self.vocoder(stacked) if mask is None else self.vocoder(stacked, mask[..., None])
        )
        shape = self.voice.vocoder.shape
        return [
            waveform(projected[row : row + 1, :count], shape)[0].cpu().numpy()
            for row, count in enumerate(lengths)
        ]


def _cut(part: TokenPart) -> Notice:
    return Notice(
        kind=NoticeKind.CUT,
        text=part.chunk.text,
        option="max_tokens",
        value=part.config.max_tokens,
        number=part.number,
        chunk=part.index,
    )


def _finished(audio: np.ndarray, config: TokenConfig) -> np.ndarray:
    """Set the level and the start of a chunk, and lengthen a very short one by silence."""
    lacking = max(0, SHORTEST_SAMPLES - audio.size)
    begun = fade_in(
        normalise_level(audio),
        SAMPLE_RATE_HZ,
        trim_ms=config.trim_start_ms,
        fade_ms=config.fade_in_ms,
    )
    return np.pad(begun, (0, lacking))
