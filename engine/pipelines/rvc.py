"""
The pipeline `rvc`: published RVC voices, a recording in and the same words by another voice out,
preprocess -> content and f0 -> model -> vocoder -> post, chunk by chunk.

Content is HuBERT's or ContentVec's, the model is the synthesiser in front of its vocoder. Noise and
F0 are those of the whole recording, and every chunk has a second of neighbours on both sides;
HuBERT and the synthesiser attend to all they are given, so that chunks come close to the whole and
are not equal to it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxgate.engine.config import MAX_BATCH, RvcConfig, parse
from voxgate.engine.conversion.chunks import FrameWindow, in_groups, windows
from voxgate.engine.conversion.f0 import SINGING, F0Track, estimate_f0
from voxgate.engine.conversion.features import FeatureCache
from voxgate.engine.conversion.source import Source, load_source
from voxgate.engine.errors import EngineError
from voxgate.engine.passes.conversion_models import (
    apply_conversion_passes,
    check_conversion_supported,
)
from voxgate.engine.passes.precision import DTYPES
from voxgate.engine.pipelines.batching import Workers, free_bytes, padded_frames
from voxgate.engine.pipelines.converting import ConvertingPipeline
from voxgate.engine.pipelines.pipeline import Watch, no_watch, processors
from voxgate.engine.rvc.checkpoint import RvcVoice, load_rvc
from voxgate.engine.rvc.passage import (
    FRAME,
    MirroredAudio,
    RvcFeatures,
    RvcPassage,
    content_of,
    frame_levels,
    joined_passage,
    kept_samples,
    levelled,
    mirrored,
    mirrored_f0,
    passage_into,
    spoken_windows,
)
from voxgate.engine.rvc.synthesizer import FRAME_RATE_HZ

OVERLAP_S = 1.0
"""RVC's own."""
FRAME_SHARE = 5
"""Memory of one of RVC's frames in its vocoder, in frames of the embedded voice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RvcPart:
    """One window of a passage."""

    passage: RvcPassage
    window: FrameWindow

    def cut(self, values: Tensor, each: int = 1) -> Tensor:
        """Return the window's part of values, `each` for a frame."""
        return values[self.window.start * each : self.window.stop * each]


class RvcPipeline(ConvertingPipeline[RvcConfig, RvcFeatures]):
    """
    A published RVC voice, loaded. Public beside the base class: `voice`; `cache`, the features of
    sources; `f0`, the estimator, which observers may wrap.
    """

    config_class = RvcConfig

    def __init__(self, config: RvcConfig, voice: RvcVoice) -> None:
        check_conversion_supported(config)
        self.device = torch.device(config.device)
        self.voice = voice
        self.config = self._chosen(config)
        self.sample_rate_hz = voice.decoder.shape.rate_hz
        torch.set_num_threads(self.config.threads)
        self._workers = (
            Workers(config.workers, self.config.share, self.config.threads)
            if config.workers > 1
            else None
        )
        self._f0_thread = ThreadPoolExecutor(1, "f0") if config.parallel_f0 else None
        self.use_watermark(config.watermark)
        self._speakers = voice.synthesizer.emb_g.weight.detach().clone()  # fp32 in any arithmetic
        called, self.applied = apply_conversion_passes(self.models, self.device, self.config)
        self.content: Callable[..., Any] = called["content"]
        self.model: Callable[..., Any] = called["model"]
        self.vocoder: Callable[..., Any] = called["vocoder"]
        self.f0: Callable[..., F0Track] = partial(estimate_f0, within=SINGING)
        self.cache: FeatureCache[RvcFeatures] = FeatureCache(enabled=config.feature_cache)
        self._check_voice(self.config)

    @classmethod
    def load(cls, options: Mapping[str, object], folder: Path | None = None) -> "RvcPipeline":
        """
        Load a voice: as `Pipeline.load`; its folder may be the option `weights` too, and there is
        no default voice.
        """
        config = parse(RvcConfig, options)
        check_conversion_supported(config)
        return cls(config, load_rvc(_folder_of(config, folder)))

    @property
    def models(self) -> dict[str, nn.Module]:
        """The models by stage."""
        voice = self.voice
        return {"content": voice.hubert, "model": voice.synthesizer, "vocoder": voice.decoder}

    @property
    def pad(self) -> int:
        """Frames of neighbours on either side, an even number."""
        return 2 * round(self.config.chunk_overlap_seconds * FRAME_RATE_HZ / 2)

    @property
    def content_context(self) -> int:
        """Content frames of neighbours on either side."""
        return self.pad // 2

    @property
    def spoken_context(self) -> int:
        """Frames of neighbours on either side of what is spoken."""
        return self.pad

    def for_request(self, options: Mapping[str, object]) -> RvcConfig:
        """Return the configuration of a request: as `Pipeline.for_request`."""
        config = super().for_request(options)
        self._check_voice(config)
        return config

    def _check_voice(self, config: RvcConfig) -> None:
        """Raise EngineError for a speaker or an index that the voice does not have."""
        if config.speaker >= len(self._speakers):
            raise EngineError(
                f"speaker {config.speaker} is none of this voice's; choose 0 to "
                f"{len(self._speakers) - 1}"
            )
        if config.index_rate > 0.0 and self.voice.index is None:
            raise EngineError(
                f"index_rate={config.index_rate} needs an index, and the voice's folder has no "
                "index.npy; put one there, or use index_rate=0"
            )

    def _chosen(self, config: RvcConfig) -> RvcConfig:
        """Return the configuration with the engine's choices."""
        overlap_s, batch = config.chunk_overlap_seconds or OVERLAP_S, config.batch
        if not batch:  # each worker has a pass in memory
            frames = round((config.chunk_seconds + 2.0 * overlap_s) * FRAME_RATE_HZ) * FRAME_SHARE
            fitting = padded_frames(free_bytes(self.device) // config.workers) // max(1, frames)
            batch = fitting if config.chunk_seconds else 1
        return replace(
            config,
            threads=config.threads or processors(),
            chunk_overlap_seconds=overlap_s,
            batch=min(MAX_BATCH, max(1, batch)),
        )

    def prepare(self, source: Source, config: RvcConfig, watch: Watch) -> RvcFeatures:
        """Compute or recall content and F0: as `ConvertingPipeline.prepare`."""
        return self.cache.get(source.digest, partial(self._features, source, watch))

    @torch.inference_mode()
    def _features(self, source: Source, watch: Watch) -> RvcFeatures:
        with watch("preprocess"):
            audio = mirrored(source.audio, self.pad)
            levels = frame_levels(torch.from_numpy(audio.audio), FRAME)
        estimate = partial(self._f0_of, audio.inner, watch)
        if self._f0_thread is not None:
            pending = self._f0_thread.submit(estimate)
            content, track = self._content_of(audio, watch), pending.result()
        else:
            content, track = self._content_of(audio, watch), estimate()
        return RvcFeatures(
            source=audio, content=content, f0=mirrored_f0(track, audio), levels=levels
        )

    def _f0_of(self, audio: np.ndarray, watch: Watch) -> F0Track:
        with watch("f0"):
            return self.f0(audio, self.config.f0_method)

    def _content_of(self, source: MirroredAudio, watch: Watch) -> Tensor:
        """Encode a mirrored recording chunk by chunk: (F / 2, width) in fp32 on the CPU."""
        core, context = self._core // 2, self.pad // 2
        cut = windows(source.padded_frames // 2, core, context)
        groups = in_groups(cut, self.config.batch, lambda window: window.frames)
        encode = partial(self._encode, source, watch)
        return torch.cat(list(chain.from_iterable(self._in_order(encode, groups))))

    @property
    def _core(self) -> int:
        """Frames that a chunk keeps, an even number; 0 for all."""
        return 2 * round(self.config.chunk_seconds * FRAME_RATE_HZ / 2)

    @torch.inference_mode()
    def _encode(
        self, source: MirroredAudio, watch: Watch, cut: Sequence[FrameWindow]
    ) -> list[Tensor]:
        """Encode windows of one length in one pass: the kept content of each, (K, width)."""
        with watch("content"):
            states = self.content(self.ready("content", source.rows(cut)))
            found = states.float().cpu()
            return [window.kept(row) for window, row in zip(cut, found, strict=True)]

    def spoken(
        self, prepared: RvcFeatures, config: RvcConfig, watch: Watch
    ) -> Iterator[np.ndarray]:
        """Speak a recording's features: as `ConvertingPipeline.spoken`."""
        parts = self._parts(prepared, config, watch)
        marked = self.marked(self._audio_of(parts, watch), watch)
        return joined_passage(marked, prepared.source, self.sample_rate_hz)

    def synthesize_each(
        self,
        texts: Sequence[str],
        options: Sequence[Mapping[str, object]],
        watch: Watch = no_watch,
    ) -> list[np.ndarray]:
        """Convert several recordings: chunks of one length share a pass, whosesoever they are."""
        configs = [self.for_request(each) for each in options]
        assert len(configs) == len(texts), "a text has its options"
        prepared = []
        for config in configs:
            with watch("preprocess"):
                source = load_source(config.source)
            prepared.append(self.prepare(source, config, watch))
        per_source = [
            self._parts(each, config, watch) for each, config in zip(prepared, configs, strict=True)
        ]
        audios = self.marked(self._audio_of(list(chain.from_iterable(per_source)), watch), watch)
        return [
            np.concatenate(
                list(joined_passage(islice(audios, len(parts)), each.source, self.sample_rate_hz))
            )
            for each, parts in zip(prepared, per_source, strict=True)
        ]

    def ready(self, model: str, rows: Tensor) -> Tensor:
        """Return the input of a model on its device, in its arithmetic."""
        return rows.to(device=self.device, dtype=DTYPES[self.config.precision_of(model)])

    @torch.inference_mode()
    def _parts(self, prepared: RvcFeatures, config: RvcConfig, watch: Watch) -> list[RvcPart]:
        with watch("model"):
            content = content_of(prepared, self.voice.index, config.index_rate, config.protect)
            passage = passage_into(
                prepared,
                content,
                self._speakers[config.speaker],
                self.voice.decoder.shape,
                pitch_shift=config.pitch_shift,
                seed=config.seed,
                rms_mix_rate=config.rms_mix_rate,
            )
        cut = spoken_windows(prepared.source, self._core)
        return [RvcPart(passage=passage, window=window) for window in cut]

    def _audio_of(self, parts: Sequence[RvcPart], watch: Watch) -> Iterator[np.ndarray]:
        """Yield the audio of every part in order, several in a pass."""
        groups = in_groups(parts, self.config.batch, lambda part: part.window.frames)
        return chain.from_iterable(self._in_order(partial(self.speak, watch=watch), groups))

    @torch.inference_mode()
    def speak(self, parts: Sequence[RvcPart], watch: Watch) -> list[np.ndarray]:
        """Speak windows of one length in one pass; the kept audio of each, float32 (T,)."""
        hop = self.voice.decoder.shape.hop
        speakers = torch.stack([part.passage.speaker for part in parts])
        with watch("model"):
            latents = self.model(
                self.ready(
                    "model", torch.stack([part.cut(part.passage.content) for part in parts])
                ),
                torch.stack([part.cut(part.passage.pitch) for part in parts]).to(self.device),
                self.ready("model", speakers),
                torch.stack([part.cut(part.passage.noise) for part in parts]).to(self.device),
            )
        with watch("vocoder"):
            sines = torch.stack([part.cut(part.passage.excitation, hop) for part in parts])
            audio = self.vocoder(
                self.ready("vocoder", latents),
                sines.to(self.device),
                self.ready("vocoder", speakers),
            )
        with watch("post"):
            return [_finished(part, row, hop) for part, row in zip(parts, audio.cpu(), strict=True)]


def _folder_of(config: RvcConfig, given: Path | None) -> Path:
    """Return the folder of the voice. Raises EngineError unless exactly one is named."""
    if given is not None and config.weights:
        raise EngineError(
            f"weights={config.weights} and --voice={given} both name the voice; use one of the two"
        )
    if given is None and not config.weights:
        raise EngineError(
            "pipeline rvc needs --voice or weights, the folder of a published voice; to try it, "
            "`python -m voxgate.engine random-weights FOLDER --kind rvc --small` writes random ones"
        )
    folder = given or Path(config.weights)
    if not folder.is_dir():
        raise EngineError(
            f"there is no folder {folder}; name that of a published voice, or make one of random "
            f"weights: python -m voxgate.engine random-weights {folder} --kind rvc"
        )
    return folder


def _finished(part: RvcPart, audio: Tensor, hop: int) -> np.ndarray:
    """Return a window's kept audio at the level that was asked for."""
    mixed = levelled(part.passage, part.window, audio, hop)
    return kept_samples(part.passage, part.window, mixed.numpy(), hop)
