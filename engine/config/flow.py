"""
The options of the `flow` pipeline, and those that every flow-matching pipeline has. Each is one
line. No torch: a suite is checked without loading a model.

Options that a machine does not support (fp16 on some CPUs, CUDA graphs without CUDA) are refused by
`voxgate.engine.passes.support`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from voxgate.engine.alphabet import SPANISH_SPEAKERS, SPEAKERS
from voxgate.engine.config.choices import (
    EPSS_STEPS,
    MAX_BATCH,
    MAX_WORKERS,
    Adaptive,
    BatchBy,
    Compile,
    Grid,
    Language,
    Precision,
    Quantization,
    Region,
    Runtime,
    Solver,
    Stages,
    Watermark,
)
from voxgate.engine.config.option_spec import (
    PipelineConfig,
    option,
    options_of,
    parse,
    parse_typed,
    register_config,
)
from voxgate.engine.config.postprocess import PostprocessConfig
from voxgate.engine.errors import EngineError
from voxgate.engine.text.segment import (
    MAX_CHUNK_CHARACTERS,
    MIN_CHUNK_CHARACTERS,
    MIN_FIRST_CHARACTERS,
)

UNIT = (0.0, 1.0)
LONGEST_TRIM_MS = 500.0


def _is_device(value: str) -> bool:
    kind, _, number = value.partition(":")
    well_formed = value == "cpu" or (kind == "cuda" and not value.endswith(":"))
    return well_formed and (not number or (number.isascii() and number.isdigit()))


def check_grid(config: Any) -> None:
    """Raise EngineError for a grid that has not so many steps."""
    if config.grid is Grid.EPSS and config.nfe_steps not in EPSS_STEPS:
        counts = ", ".join(map(str, EPSS_STEPS))
        raise EngineError(
            f"grid epss has no {config.nfe_steps} steps; choose nfe_steps from {counts}, or "
            "grid=uniform"
        )


def _check_reference(config: "FlowMatchingConfig") -> None:
    if config.reference_text and not config.reference:
        raise EngineError(
            "reference_text says what a recording says, and reference names none; give both or "
            "neither"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowMatchingConfig(PipelineConfig):
    """The options that every flow-matching pipeline has."""

    rules: ClassVar[tuple[Callable[[Any], None], ...]] = (check_grid, _check_reference)

    nfe_steps: int = option(
        16, range=(1, 128), help="solver steps; the model runs nfe_steps x solver order times"
    )
    solver: Solver = option(Solver.EULER, help="ODE solver of the flow")
    sway: float = option(
        -1.0,
        range=(-1.0, 1.0),
        help="sway coefficient of the time grid (Chen et al. 2024): below 0 more steps early, 0 "
        "uniform",
    )
    grid: Grid = option(
        Grid.UNIFORM,
        help="time grid before sway; epss prunes a grid of 32 steps, for nfe_steps "
        f"{', '.join(map(str, EPSS_STEPS))}",
    )
    cfg_strength: float = option(
        1.0,
        range=(0.0, 10.0),
        help="classifier-free guidance; 0 leaves the unconditional half of the batch out",
    )
    precision: Precision = option(Precision.FP32, help="arithmetic of the models")
    device: str = option(
        "cpu", text="cpu, cuda or cuda:N", pattern=_is_device, help="device of the models"
    )
    threads: int = option(
        0,
        range=(0, 1024),
        auto=0,
        help="CPU threads of the arithmetic; 0: all processors that this process may use",
    )
    speed: float = option(1.0, range=(0.5, 2.0), per_request=True, help="above 1 is faster")
    seed: int = option(0, range=(0, 2**32 - 1), per_request=True, help="of the initial noise")
    reference: str = option(
        "",
        per_request=True,
        help="path of a recording whose voice is continued, 0.5 to 12 s; empty: none",
    )
    reference_text: str = option(
        "",
        per_request=True,
        help="words of the recording; empty: from the .txt file of the same name beside it",
    )
    trim_start_ms: float = option(
        0.0,
        range=(0.0, LONGEST_TRIM_MS),
        help="start of every chunk that is silenced, against spill-over of the reference; "
        "Chatterbox's is 20",
    )
    fade_in_ms: float = option(
        0.0,
        range=(0.0, LONGEST_TRIM_MS),
        help="rise of every chunk from silence, by a half cosine, after trim_start_ms; "
        "Chatterbox's is 20",
    )
    watermark: Watermark = option(
        Watermark.OFF,
        help="inaudible mark in every chunk; perth needs the package resemble-perth",
    )


def _check_first_chunk(config: "FlowConfig") -> None:
    if 0 < config.first_chunk_characters < MIN_FIRST_CHARACTERS:
        raise EngineError(
            f"option first_chunk_characters is 0 or from {MIN_FIRST_CHARACTERS} to "
            f"{MAX_CHUNK_CHARACTERS}, not {config.first_chunk_characters}"
        )


def _check_steps(config: "FlowConfig") -> None:
    """Raise EngineError for a step count that depends on the chunk where it cannot."""
    if config.grid is Grid.EPSS and config.nfe_adaptive is not Adaptive.OFF:
        raise EngineError(
            f"nfe_adaptive={config.nfe_adaptive} needs any number of steps, and grid epss has few; "
            "use grid=uniform"
        )
    if config.batch != 1 and (config.nfe_adaptive is not Adaptive.OFF or config.early_exit):
        alone = "early_exit" if config.early_exit else "nfe_adaptive"
        raise EngineError(
            f"{alone} decides the steps of each chunk alone, and batch={config.batch} shares them; "
            "use batch=1"
        )


def _check_guidance_interval(config: "FlowConfig") -> None:
    if config.cfg_from > config.cfg_until:
        raise EngineError(
            f"cfg_from {config.cfg_from} is beyond cfg_until {config.cfg_until}; for no guidance "
            "at all use cfg_strength=0"
        )


def _check_workers(config: "FlowConfig") -> None:
    """Raise EngineError for options that concurrent threads cannot share, on any machine."""
    if config.workers == 1:
        return
    if config.device != "cpu":
        raise EngineError(
            f"workers={config.workers} are threads of the CPU, and a GPU computes what they ask "
            f"for in one queue: device is {config.device}; use batch, which fills it, and workers=1"
        )
    for name, mode in (("compile", config.compile), ("compile_vocoder", config.compile_vocoder)):
        if mode is not Compile.OFF:
            raise EngineError(
                f"{name}={mode} compiles at the first call, which torch does "
                f"not hold safe while other threads compute, as with workers={config.workers}; use "
                f"workers=1 or {name}=off"
            )


def _check_runtimes(config: "FlowConfig") -> None:
    """
    Raise EngineError for what excludes each other on any machine: an exported graph cannot be
    compiled, and has no int8 of torchao.
    """
    if config.quantization is Quantization.NONE and config.quantized_stages is not Stages.BOTH:
        raise EngineError(
            f"quantized_stages={config.quantized_stages} has no effect while quantization is none; "
            "set quantization=int8-dynamic or int8-weight-only, or leave quantized_stages out"
        )
    _check_runtime(config, "acoustic", config.runtime_acoustic, "compile", config.compile)
    _check_runtime(
        config, "vocoder", config.runtime_vocoder, "compile_vocoder", config.compile_vocoder
    )


def _check_runtime(
    config: "FlowConfig", stage: str, runtime: Runtime, compile_option: str, mode: Compile
) -> None:
    if runtime is Runtime.TORCH:
        return
    requested = f"runtime_{stage}={runtime}"
    if mode is not Compile.OFF:
        raise EngineError(
            f"{requested} leaves torch.compile nothing to do; use {compile_option}=off, or "
            f"runtime_{stage}=torch"
        )
    if config.quantization is not Quantization.NONE and stage in config.quantized_stages.names:
        raise EngineError(
            f"{requested} cannot run the int8 weights of quantization={config.quantization}, which "
            "are torchao's; use quantized_stages for the other model, quantization=none, or "
            f"runtime_{stage}=torch"
        )
    if config.precision is Precision.BF16:
        raise EngineError(
            f"{requested} has no bf16 for these models; use precision=fp32, or "
            f"runtime_{stage}=torch"
        )


def _check_language(config: "FlowConfig") -> None:
    """Raise EngineError for a speaker or a region of another language."""
    language, speakers = config.language, config.language.speakers
    if config.speaker not in speakers:
        other = next(each for each in Language if config.speaker in each.speakers)
        raise EngineError(
            f"speaker {config.speaker} speaks {other}, and language is {language}; choose from "
            f"{', '.join(speakers)}, or use language={other}"
        )
    if config.region is not Region.ES and language is not Language.ES:
        raise EngineError(
            f"region={config.region} is an accent of Spanish, and language is {language}; use "
            "language=es, or leave region out"
        )


@register_config
@dataclass(frozen=True, slots=True, kw_only=True)
class FlowConfig(PostprocessConfig, FlowMatchingConfig):
    """The options of the `flow` pipeline."""

    pipeline: ClassVar[str] = "flow"
    rules: ClassVar[tuple[Callable[[Any], None], ...]] = (
        *FlowMatchingConfig.rules,
        _check_first_chunk,
        _check_runtimes,
        _check_workers,
        _check_steps,
        _check_guidance_interval,
        _check_language,
    )
    context: ClassVar[tuple[str, ...]] = ("language",)

    compile: Compile = option(Compile.OFF, help="torch.compile mode of the acoustic model")
    compile_vocoder: Compile = option(Compile.OFF, help="torch.compile mode of the vocoder")
    quantization: Quantization = option(
        Quantization.NONE, help="quantization of the weights of Linear layers"
    )
    quantized_stages: Stages = option(Stages.BOTH, help="models that quantization applies to")
    runtime_acoustic: Runtime = option(
        Runtime.TORCH, help="library that computes the acoustic model"
    )
    runtime_vocoder: Runtime = option(Runtime.TORCH, help="library that computes the vocoder")
    language: Language = option(Language.EN, help="of the texts, and of the voice that is loaded")
    region: Region = option(
        Region.ES,
        per_request=True,
        help="accent of Spanish: its sounds, pace and pitch range; only with language=es",
    )
    speaker: str = option(
        SPEAKERS[0],
        choices=(*SPEAKERS, *SPANISH_SPEAKERS),
        per_request=True,
        help=f"embedded voice: {', '.join(SPEAKERS)} speak English, "
        f"{' and '.join(SPANISH_SPEAKERS)} Spanish, with {SPANISH_SPEAKERS[0]} as its default",
    )
    chunk_characters: int = option(
        90,
        range=(MIN_CHUNK_CHARACTERS, MAX_CHUNK_CHARACTERS),
        help="longest chunk of a long text: 90 are about six seconds at speed 1, and the acoustic "
        "model was trained on up to nine",
    )
    first_chunk_characters: int = option(
        0,
        range=(0, MAX_CHUNK_CHARACTERS),
        help="longest first chunk, for early audio; 0: as the others. A pause may fall in "
        f"mid-sentence. At least {MIN_FIRST_CHARACTERS} if not 0",
    )
    batch: int = option(
        1,
        range=(0, MAX_BATCH),
        auto=0,
        help="chunks of one text per padded forward pass; 0: as many as memory allows",
    )
    batch_by: BatchBy = option(
        BatchBy.LENGTH,
        help="which chunks of a reel share a pass: of similar length, or neighbours; a text alone "
        "is spoken in its order",
    )
    workers: int = option(
        1,
        range=(1, MAX_WORKERS),
        help="chunks of one text, or groups (batch), that are computed at the same time, each with "
        "its share of threads",
    )
    pad_frames: int = option(
        0,
        range=(0, 1024),
        help="lengths are padded to a multiple of so many mel frames, so that few shapes occur; 0: "
        "no padding",
    )
    cfg_from: float = option(
        0.0,
        range=UNIT,
        help="flow time from which guidance works; earlier steps run without the unconditional "
        "half",
    )
    cfg_until: float = option(
        1.0,
        range=UNIT,
        help="flow time until which guidance works (Kynkäänniemi et al. 2024); at least cfg_from",
    )
    nfe_adaptive: Adaptive = option(
        Adaptive.OFF, help="phones: fewer solver steps for a short chunk, never below half"
    )
    early_exit: float = option(
        0.0,
        range=UNIT,
        help="predicted relative change of the velocity below which the solver integrates to the "
        "end in one step; 0: never",
    )

    @classmethod
    def implied(cls, named: Mapping[str, object]) -> Mapping[str, object]:
        """Return the speaker of the language, where none is named."""
        return {"speaker": Language(str(named.get("language", Language.EN))).speakers[0]}

    @property
    def pace(self) -> float:
        """Speed of the speech, that of the region included."""
        return self.speed * self.region.pace

    @property
    def condition(self) -> int:
        """Index of the speaker in the models, from 0, by the pitch range of the region."""
        return self.language.condition(self.speaker, self.region)

    @property
    def share(self) -> int:
        """CPU threads of each worker: all of `threads` for a single worker."""
        return self.threads if self.workers == 1 else max(1, self.threads // self.workers)

    @property
    def masked_graphs(self) -> bool:
        """Whether an exported graph takes a mask: chunks are padded, to others or to a multiple."""
        return self.pad_frames > 0 or self.batch != 1


OPTIONS = tuple(options_of(FlowConfig))


def parse_options(options: Mapping[str, object]) -> FlowConfig:
    """Make a `flow` configuration from plain values: `voxgate.engine.config.parse`."""
    return parse(FlowConfig, options)


def parse_words(words: Mapping[str, str]) -> FlowConfig:
    """Make a `flow` configuration from the words of a command line."""
    return parse_typed(FlowConfig, words)
