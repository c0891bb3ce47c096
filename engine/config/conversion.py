"""
The options of pipelines that convert a recording into another voice: `conversion` (the embedded
voice), `rvc` (published checkpoints), and those that they share with any other. No torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from voxgate.engine.alphabet import SPEAKERS
from voxgate.engine.config.choices import (
    MAX_BATCH,
    MAX_WORKERS,
    Compile,
    Precision,
    Quantization,
    Runtime,
    Watermark,
)
from voxgate.engine.config.flow import FlowMatchingConfig
from voxgate.engine.config.option_spec import (
    PipelineConfig,
    config_class,
    config_names,
    option,
    options_of,
    redeclared,
    register_config,
)
from voxgate.engine.errors import EngineError
from voxgate.engine.python310 import StrEnum

MODELS = ("content", "model", "vocoder")
"""The models of a conversion, by the stage that runs them."""
ARITHMETIC = (Precision.FP32, Precision.BF16)
RUNTIMES = (Runtime.TORCH, Runtime.ONNX)
TARGET_SPEAKERS = (*SPEAKERS, "kal16")
"""Voices that the embedded models convert into by name."""
PROTECT_OFF = 0.5
LEAST_CHUNK_S = 0.25
LEAST_OVERLAP_S = 0.1
LONGEST_SOURCE_S = 600.0
LEAST_BLOCK_MS = 32


class F0Method(StrEnum):
    """Estimators of the fundamental frequency."""

    YIN = "yin"
    """de Cheveigné and Kawahara 2002, its candidates tracked by Viterbi; needs no package."""
    SWIFT = "swift"
    """SwiftF0, a small convolutional net (package swift-f0)."""
    DIO = "dio"
    """WORLD's, with its refinement StoneMask (package pyworld)."""
    HARVEST = "harvest"
    """WORLD's slow one (package pyworld)."""


class StagePrecision(StrEnum):
    """Arithmetic of one model."""

    SAME = "same"
    """That of the option `precision`."""
    FP32 = "fp32"
    BF16 = "bf16"


def _check_chunks(config: "ConvertingConfig") -> None:
    if 0.0 < config.chunk_seconds < LEAST_CHUNK_S:
        raise EngineError(
            f"option chunk_seconds is 0, or from {LEAST_CHUNK_S} on so that a chunk is longer than "
            f"a crossfade, not {config.chunk_seconds}"
        )
    if 0.0 < config.chunk_overlap_seconds < LEAST_OVERLAP_S:
        raise EngineError(
            f"option chunk_overlap_seconds is 0, or from {LEAST_OVERLAP_S} on so that chunks can "
            f"be crossfaded, not {config.chunk_overlap_seconds}"
        )


def _check_block(config: "ConvertingConfig") -> None:
    if 0 < config.stream_block_ms < LEAST_BLOCK_MS:
        raise EngineError(
            f"option stream_block_ms is 0 or from {LEAST_BLOCK_MS} to 5000, not "
            f"{config.stream_block_ms}"
        )


def _check_workers(config: "ConvertingConfig") -> None:
    """Raise EngineError for options that concurrent threads cannot share, on any machine."""
    if config.workers == 1:
        return
    if config.device != "cpu":
        raise EngineError(
            f"workers={config.workers} are threads of the CPU, and a GPU computes what they ask "
            f"for in one queue: device is {config.device}; use batch, which fills it, and workers=1"
        )
    for name in ("compile", "compile_vocoder"):
        if getattr(config, name) is not Compile.OFF:
            raise EngineError(
                f"{name}={getattr(config, name)} compiles at the first call, which torch does not "
                f"hold safe while other threads compute, as with workers={config.workers}; use "
                f"workers=1 or {name}=off"
            )


def _check_runtimes(config: "ConvertingConfig") -> None:
    """Raise EngineError for a graph of a model that passes change, which the graph would not be."""
    for model in MODELS:
        if config.runtime_of(model) is Runtime.TORCH:
            continue
        requested = f"runtime_{model}={config.runtime_of(model)}"
        compiled = "compile_vocoder" if model == "vocoder" else "compile"
        if config.precision_of(model) is not Precision.FP32:
            raise EngineError(
                f"{requested} computes in fp32, and precision_{model} is "
                f"{config.precision_of(model)}; use fp32 for it"
            )
        if config.quantization_of(model) is not Quantization.NONE:
            raise EngineError(
                f"{requested} exports the model as it is stored, without "
                f"quantization_{model}={config.quantization_of(model)}; use one of the two"
            )
        if getattr(config, compiled) is not Compile.OFF:
            raise EngineError(
                f"{requested} leaves nothing for {compiled}={getattr(config, compiled)} to "
                "compile; use one of the two"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertingConfig(PipelineConfig):
    """The options of every pipeline that converts recordings."""

    converts: ClassVar[bool] = True
    rules: ClassVar[tuple[Callable[[Any], None], ...]] = (
        _check_chunks,
        _check_block,
        _check_workers,
        _check_runtimes,
    )

    source: str = option(
        "",
        per_request=True,
        text="the path of a recording",
        help=f"path of the recording to convert, 0.2 to {LONGEST_SOURCE_S:g} s, any sample rate",
    )
    pitch_shift: float = option(
        0.0, range=(-24.0, 24.0), per_request=True, help="semitones by which F0 is raised"
    )
    f0_method: F0Method = option(F0Method.YIN, help="estimator of the fundamental frequency")
    parallel_f0: bool = option(
        False, help="estimate F0 in a thread of its own, beside the content encoder"
    )
    protect: float = option(
        PROTECT_OFF,
        range=(0.0, PROTECT_OFF),
        per_request=True,
        help="of the conversion in frames without pitch, against smeared consonants and breath: "
        "0.5 converts them in full, 0 keeps most of the source",
    )
    chunk_seconds: float = option(
        0.0,
        range=(0.0, LONGEST_SOURCE_S),
        help="length of the chunks in which a recording is converted; 0: whole",
    )
    chunk_overlap_seconds: float = option(
        0.0,
        range=(0.0, 10.0),
        auto=0.0,
        help="neighbouring audio that is computed on either side of a chunk, and cut off; 0: as "
        "far as the models look, so that chunks and the whole give the same audio",
    )
    batch: int = option(
        1,
        range=(0, MAX_BATCH),
        auto=0,
        help="chunks per forward pass; 0: as many as memory allows",
    )
    workers: int = option(
        1,
        range=(1, MAX_WORKERS),
        help="chunks, or groups (batch), that are computed at the same time, each with its share "
        "of threads",
    )
    feature_cache: bool = option(
        False, help="keep content and F0 of sources, by a hash of their audio"
    )
    stream_block_ms: int = option(
        0,
        range=(0, 5000),
        help="convert as if the source came live, in blocks of so many milliseconds; 0: the whole "
        "recording is known",
    )
    stream_lookahead_ms: int = option(
        0,
        range=(0, 5000),
        auto=0,
        help="live audio behind a block that is waited for; 0: as far as the models look",
    )
    precision: Precision = option(
        Precision.FP32, choices=ARITHMETIC, help="arithmetic of the models"
    )
    precision_content: StagePrecision = option(
        StagePrecision.SAME, help="arithmetic of the content encoder; same: as precision"
    )
    precision_model: StagePrecision = option(
        StagePrecision.SAME, help="arithmetic of the model behind it; same: as precision"
    )
    precision_vocoder: StagePrecision = option(
        StagePrecision.SAME, help="arithmetic of the vocoder; same: as precision"
    )
    quantization_content: Quantization = option(
        Quantization.NONE, help="quantization of the Linear layers of the content encoder"
    )
    quantization_model: Quantization = option(
        Quantization.NONE, help="quantization of the Linear layers of the model behind it"
    )
    quantization_vocoder: Quantization = option(
        Quantization.NONE, help="quantization of the Linear layers of the vocoder"
    )
    compile: Compile = option(
        Compile.OFF, help="torch.compile mode of the content encoder and of the model behind it"
    )
    compile_vocoder: Compile = option(Compile.OFF, help="torch.compile mode of the vocoder")
    runtime_content: Runtime = option(
        Runtime.TORCH, choices=RUNTIMES, help="library that computes the content encoder"
    )
    runtime_model: Runtime = option(
        Runtime.TORCH, choices=RUNTIMES, help="library that computes the model behind it"
    )
    runtime_vocoder: Runtime = option(
        Runtime.TORCH, choices=RUNTIMES, help="library that computes the vocoder"
    )
    device: str = redeclared(FlowMatchingConfig, "device", "cpu")
    threads: int = redeclared(FlowMatchingConfig, "threads", 0)
    watermark: Watermark = redeclared(FlowMatchingConfig, "watermark", Watermark.OFF)

    @property
    def share(self) -> int:
        """CPU threads of each worker: all of `threads` for a single worker."""
        return self.threads if self.workers == 1 else max(1, self.threads // self.workers)

    @property
    def masked_graphs(self) -> bool:
        """Whether an exported graph takes a mask: no, chunks of one pass have one length."""
        return False

    @property
    def protects(self) -> bool:
        """Whether frames without pitch keep a part of the source."""
        return self.protect < PROTECT_OFF

    def precision_of(self, model: str) -> Precision:
        """Return the arithmetic of one of MODELS."""
        chosen: StagePrecision = getattr(self, f"precision_{model}")
        return self.precision if chosen is StagePrecision.SAME else Precision(chosen.value)

    def quantization_of(self, model: str) -> Quantization:
        """Return the quantization of one of MODELS."""
        chosen: Quantization = getattr(self, f"quantization_{model}")
        return chosen

    def runtime_of(self, model: str) -> Runtime:
        """Return the library that computes one of MODELS."""
        chosen: Runtime = getattr(self, f"runtime_{model}")
        return chosen

    def compile_of(self, model: str) -> Compile:
        """Return the mode of torch.compile of one of MODELS."""
        return self.compile_vocoder if model == "vocoder" else self.compile


@register_config
@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionConfig(ConvertingConfig):
    """The options of the `conversion` pipeline."""

    pipeline: ClassVar[str] = "conversion"

    speaker: str = option(
        TARGET_SPEAKERS[0], choices=TARGET_SPEAKERS, per_request=True, help="voice to convert into"
    )
    reference: str = option(
        "",
        per_request=True,
        help="path of a recording, 0.5 to 12 s, of another voice to convert into; empty: speaker",
    )
    vocal_tract_search: bool = option(
        True,
        help="warp the source's spectrum as the content encoder is surest of its phones, for "
        "voices unlike the training voices; not for live audio",
    )
    pitch_shift: float = redeclared(
        ConvertingConfig,
        "pitch_shift",
        0.0,
        help="semitones by which F0 is raised, beside the shift from the source's median to that "
        "of the voice",
    )
    protect: float = redeclared(
        ConvertingConfig,
        "protect",
        PROTECT_OFF,
        help="share of the converted mel in frames without pitch, doubled: 0.5 converts them in "
        "full, 0 keeps the source's spectrum, moved to the mean of the voice",
    )


def converting_pipelines() -> tuple[str, ...]:
    """Return the names of the pipelines that convert recordings."""
    return tuple(name for name in config_names() if config_class(name).converts)


CONVERSION_OPTIONS = tuple(options_of(ConversionConfig))

MOST_SPEAKERS = 2**14


def _check_rvc(config: "RvcConfig") -> None:
    """Raise EngineError for options of converting pipelines that this one lacks."""
    for model in MODELS:
        if config.runtime_of(model) is not Runtime.TORCH:
            raise EngineError(
                f"pipeline rvc exports no graphs, and runtime_{model} is "
                f"{config.runtime_of(model)}; use torch, which was as fast"
            )
    if config.quantization_vocoder is not Quantization.NONE:
        raise EngineError(
            f"quantization_vocoder={config.quantization_vocoder} is of Linear layers, and the "
            "vocoder of pipeline rvc has convolutions; use none, or precision_vocoder=bf16"
        )
    if config.stream_block_ms:
        raise EngineError(
            "pipeline rvc converts no live audio; use stream_block_ms=0, and chunk_seconds for "
            "audio chunk by chunk"
        )


@register_config
@dataclass(frozen=True, slots=True, kw_only=True)
class RvcConfig(ConvertingConfig):
    """The options of the `rvc` pipeline."""

    pipeline: ClassVar[str] = "rvc"
    rules: ClassVar[tuple[Callable[[Any], None], ...]] = (*ConvertingConfig.rules, _check_rvc)

    weights: str = option(
        "",
        text="the path of a folder",
        help="folder of a published voice with its HuBERT, as --voice names it",
    )
    speaker: int = option(
        0,
        range=(0, MOST_SPEAKERS - 1),
        per_request=True,
        help="number of the voice to convert into, a row of the checkpoint's table of speakers",
    )
    index_rate: float = option(
        0.0,
        range=(0.0, 1.0),
        per_request=True,
        help="share of the content that is replaced by the nearest features of the voice's index",
    )
    protect: float = redeclared(
        ConvertingConfig,
        "protect",
        0.33,
        help="share of the index in frames without pitch, against smeared consonants and breath; "
        "0.5 treats them as all others",
    )
    rms_mix_rate: float = option(
        0.25,
        range=(0.0, 1.0),
        per_request=True,
        help="how far the level follows the converted audio and not the source, second by second; "
        "1 keeps the converted level",
    )
    chunk_overlap_seconds: float = redeclared(
        ConvertingConfig,
        "chunk_overlap_seconds",
        0.0,
        help="neighbouring audio that is computed on either side of a chunk, and cut off; 0: 1 s, "
        "as RVC has it. The recording is mirrored by as much at its ends",
    )
    seed: int = redeclared(
        FlowMatchingConfig, "seed", 0, help="of the latents' and the source's noise"
    )


RVC_OPTIONS = tuple(options_of(RvcConfig))
