"""
The pipeline `conversion`: a recording in, the same words by an embedded voice or that of a
reference out, preprocess -> content and f0 -> model -> vocoder -> post, chunk by chunk.

Nothing is drawn: the same recording and options give the same audio. F0, level and mean spectrum
are those of the whole recording, so that its chunks are converted as the whole is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.audio.prompt_cache import PromptCache
from voxgate.engine.config import MAX_BATCH, ConversionConfig, parse
from voxgate.engine.conversion import analysis
from voxgate.engine.conversion.chunks import FrameWindow, in_groups, stacked, windows
from voxgate.engine.conversion.f0 import F0Track, estimate_f0
from voxgate.engine.conversion.features import (
    FeatureCache,
    Features,
    best_warp,
    likeness_of,
    warp,
)
from voxgate.engine.conversion.source import Source, load_source
from voxgate.engine.passes.conversion_models import (
    apply_conversion_passes,
    check_conversion_supported,
)
from voxgate.engine.passes.precision import DTYPES
from voxgate.engine.pipelines.batching import free_bytes, padded_frames, workers_of
from voxgate.engine.pipelines.conversion_parts import (
    FRAME_RATE_HZ,
    LEAST_CONTEXT,
    VOCODER_EDGE_FRAMES,
    ConversionPart,
    Passage,
    audio_rows,
    decoder_rows,
    finished,
    guarded_mel,
    joined,
    moved_to,
    passage_of,
)
from voxgate.engine.pipelines.conversion_stream import ConversionStream
from voxgate.engine.pipelines.converting import ConvertingPipeline
from voxgate.engine.pipelines.pipeline import Watch, no_watch, processors
from voxgate.engine.weights.conversion_voice import (
    CONVERSION_VOICE,
    ConversionVoice,
    load_conversion_voice,
)

VOICE_FRAMES = 625
"""Of a converted recording, whose mean stands for the voice: 10 s."""
NO_WORDS = None
"""In place of a reference's words, which nothing here needs."""


class ConversionPipeline(ConvertingPipeline[ConversionConfig, Features]):
    """
    The embedded models of conversion, loaded. Public beside the base class: `voice`, `references`;
    `cache`, the features of sources; `f0`, the estimator, and `search`, of the warp of a source's
    spectrum, which observers may wrap.
    """

    config_class = ConversionConfig
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, config: ConversionConfig, voice: ConversionVoice) -> None:
        check_conversion_supported(config)
        self.device = torch.device(config.device)
        self.voice = voice
        self.config = self._chosen(config)
        self._workers = workers_of(self.config)
        self._f0_thread = ThreadPoolExecutor(1, "f0") if config.parallel_f0 else None
        self.use_watermark(config.watermark)
        called, self.applied = apply_conversion_passes(self.models, self.device, self.config)
        self.content: Callable[..., Any] = called["content"]
        self.model: Callable[..., Any] = called["model"]
        self.vocoder: Callable[..., Any] = called["vocoder"]
        self.f0: Callable[..., F0Track] = estimate_f0
        self.search: Callable[[Tensor], float] = self._best_warp
        self.cache: FeatureCache[Features] = FeatureCache(enabled=config.feature_cache)
        self.references = PromptCache(partial(voice.encode_reference, config.f0_method))
        self.target(self.config)  # an unusable recording is refused now

    @classmethod
    def load(
        cls, options: Mapping[str, object], folder: Path | None = None
    ) -> "ConversionPipeline":
        """Load a voice: as `Pipeline.load`."""
        config = parse(ConversionConfig, options)
        check_conversion_supported(config)
        return cls(config, load_conversion_voice(folder or CONVERSION_VOICE))

    @property
    def models(self) -> dict[str, nn.Module]:
        """The models by stage."""
        voice = self.voice
        return {"content": voice.encoder, "model": voice.decoder, "vocoder": voice.vocoder}

    @property
    def content_context(self) -> int:
        """Frames on either side that the content encoder looks at."""
        return self.voice.encoder.context_frames

    @property
    def spoken_context(self) -> int:
        """Frames on either side that decoder and vocoder look at."""
        vocoder = 3 * (1 + self.voice.vocoder.shape.blocks) + VOCODER_EDGE_FRAMES
        return self.voice.decoder.context_frames + vocoder

    def _chosen(self, config: ConversionConfig) -> ConversionConfig:
        """Return the configuration with the engine's choices."""
        overlap_s = config.chunk_overlap_seconds or (
            max(self.content_context, self.spoken_context) / FRAME_RATE_HZ
        )
        batch = config.batch
        if not batch:  # each worker has a pass in memory
            chunk_s = config.chunk_seconds + 2.0 * overlap_s
            fitting = padded_frames(free_bytes(self.device) // config.workers)
            whole = not config.chunk_seconds
            batch = 1 if whole else fitting // max(1, round(chunk_s * FRAME_RATE_HZ))
        return replace(
            config,
            threads=config.threads or processors(),
            chunk_overlap_seconds=overlap_s,
            batch=min(MAX_BATCH, max(1, batch)),
        )

    def target(self, config: ConversionConfig) -> Any:
        """Return the voice to convert into."""
        reference = self.references.get(config.reference, NO_WORDS)
        return reference or self.voice.target(config.speaker)

    def prepare(self, source: Source, config: ConversionConfig, watch: Watch) -> Features:
        """Compute or recall content and F0: as `ConvertingPipeline.prepare`."""
        make = partial(self._features, source, watch, own=config.protects)
        return self.cache.get((source.digest, config.protects), make)

    @torch.inference_mode()
    def _features(self, source: Source, watch: Watch, *, own: bool) -> Features:
        with watch("preprocess"):
            audio = analysis.whole_frames(source.audio)
            mel = analysis.encoder_input(audio)
            own_mel = self.voice.normalised(analysis.own_mel(audio)) if own else None
        estimate = partial(self._f0_of, audio, watch)
        if self._f0_thread is not None:
            pending = self._f0_thread.submit(estimate)
            content = self._content_of(self._searched(mel, watch), watch)
            track = pending.result()
        else:
            content = self._content_of(self._searched(mel, watch), watch)
            track = estimate()
        with watch("content"):
            likeness = likeness_of(self.voice.encoder.phones(content), audio)
        return Features(
            content=content,
            f0=track,
            mel=own_mel,
            likeness=likeness,
            samples=source.audio.size,
        )

    def _f0_of(self, audio: np.ndarray, watch: Watch) -> F0Track:
        with watch("f0"):
            return self.f0(audio, self.config.f0_method)

    def _searched(self, mel: Tensor, watch: Watch) -> Tensor:
        """Warp a recording's mel (F, bands) as the encoder is surest of it, if asked to."""
        if not self.config.vocal_tract_search:
            return mel
        with watch("content"):
            return warp(mel, self.search(mel))

    def _best_warp(self, mel: Tensor) -> float:
        def content(rows: Tensor) -> Any:
            return self.content(self.ready("content", rows))

        return best_warp(mel, content, self.voice.encoder.phones)

    def _content_of(self, mel: Tensor, watch: Watch) -> Tensor:
        """Encode a recording's mel (F, bands), chunk by chunk: (F, C)."""
        cut = self._windows(len(mel), self.content_context)
        groups = in_groups(cut, self.config.batch, lambda window: window.frames)
        encode = partial(self._encode, mel, watch)
        return torch.cat(list(chain.from_iterable(self._in_order(encode, groups))))

    @torch.inference_mode()
    def _encode(self, mel: Tensor, watch: Watch, cut: Sequence[FrameWindow]) -> list[Tensor]:
        """Encode windows of one length in one pass: the kept content of each, (K, C)."""
        with watch("content"):
            content = self.content(self.ready("content", stacked([mel] * len(cut), cut)))
            return [window.kept(row) for window, row in zip(cut, content, strict=True)]

    def spoken(
        self, prepared: Features, config: ConversionConfig, watch: Watch
    ) -> Iterator[np.ndarray]:
        """Speak a recording's features: as `ConvertingPipeline.spoken`."""
        parts = self._parts(prepared, config, watch)
        return joined(self.marked(self._audio_of(parts, watch), watch), prepared.samples)

    def likeness(self, prepared: Features) -> tuple[float | None, bool]:
        """Return how sure the encoder is of the phones, and whether as sure as it should be."""
        value = prepared.likeness
        return value, value is None or value >= self.voice.least_likeness

    def synthesize_each(
        self,
        texts: Sequence[str],
        options: Sequence[Mapping[str, object]],
        watch: Watch = no_watch,
    ) -> list[np.ndarray]:
        """Convert several recordings: chunks of one length share a pass, whosesoever they are."""
        self.begin()
        configs = [self.for_request(each) for each in options]
        assert len(configs) == len(texts), "a text has its options"
        prepared = []
        for number, config in enumerate(configs):
            with watch("preprocess"):
                source = load_source(config.source)
            prepared.append(self.prepare(source, config, watch))
            self.tell_unlike(prepared[-1], number)
        per_source = [
            self._parts(each, config, watch) for each, config in zip(prepared, configs, strict=True)
        ]
        every = self._audio_of(list(chain.from_iterable(per_source)), watch)
        audios = self.marked(every, watch)
        return [
            np.concatenate(list(joined(islice(audios, len(parts)), each.samples)))
            for each, parts in zip(prepared, per_source, strict=True)
        ]

    def ready(self, model: str, rows: Tensor) -> Tensor:
        """Return the input of a model on its device, in its arithmetic."""
        return rows.to(device=self.device, dtype=DTYPES[self.config.precision_of(model)])

    def _windows(self, frames: int, context: int) -> list[FrameWindow]:
        """Cut frames as the options say, with no more context than the models look at."""
        core = round(self.config.chunk_seconds * FRAME_RATE_HZ)
        overlap = round(self.config.chunk_overlap_seconds * FRAME_RATE_HZ)
        return windows(frames, core, max(min(context, overlap), LEAST_CONTEXT))

    def _parts(
        self, prepared: Features, config: ConversionConfig, watch: Watch
    ) -> list[ConversionPart]:
        passage = passage_of(
            prepared,
            self.target(config),
            pitch_shift=config.pitch_shift,
            protect=config.protect,
        )
        if config.protects:
            passage = self._guarded(passage, watch)
        cut = self._windows(prepared.frames, self.spoken_context)
        return [ConversionPart(passage=passage, window=window) for window in cut]

    @torch.inference_mode()
    def _guarded(self, passage: Passage, watch: Watch) -> Passage:
        """Decode the first seconds of a passage for the mean of its voice."""
        first = windows(min(passage.features.frames, VOICE_FRAMES), 0, 0)
        part = ConversionPart(passage=passage, window=first[0])
        with watch("model"):
            rows = [self.ready("model", each) for each in decoder_rows([part])]
            return moved_to(passage, self.model(*rows)[0].float().cpu())

    def _audio_of(self, parts: Sequence[ConversionPart], watch: Watch) -> Iterator[np.ndarray]:
        """Yield the audio of every part in order, several in a pass."""
        groups = in_groups(parts, self.config.batch, lambda part: part.window.frames)
        return chain.from_iterable(self._in_order(partial(self.speak, watch=watch), groups))

    @torch.inference_mode()
    def speak(self, parts: Sequence[ConversionPart], watch: Watch) -> list[np.ndarray]:
        """Speak windows of one length in one pass; the kept audio of each, float32 (T,)."""
        with watch("model"):
            rows = [self.ready("model", each) for each in decoder_rows(parts)]
            mel = self.voice.vocoder_mel(guarded_mel(parts, self.model(*rows).float()))
        with watch("vocoder"):
            projected = self.vocoder(self.ready("vocoder", mel))
            audios = audio_rows(projected, self.voice.vocoder.shape)
        with watch("post"):
            return [finished(part, audio) for part, audio in zip(parts, audios, strict=True)]

    def live_stream(self, config: ConversionConfig, watch: Watch) -> ConversionStream:
        """Return what converts live audio block by block."""
        return ConversionStream(self, config, watch)
