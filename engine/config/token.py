"""
The options of the `token` pipeline: text -> speech tokens -> mel -> audio. No torch.

Those of its flow have the names of the other flow-matching pipelines; each model has its own
arithmetic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from voxgate.engine.alphabet import SPEAKERS
from voxgate.engine.config.choices import (
    MAX_WORKERS,
    BatchBy,
    Compile,
    Grid,
    KVCacheKind,
    Precision,
    Quantization,
    Solver,
    Watermark,
)
from voxgate.engine.config.flow import FlowConfig, FlowMatchingConfig, check_grid
from voxgate.engine.config.option_spec import (
    PipelineConfig,
    option,
    options_of,
    redeclared,
    register_config,
)
from voxgate.engine.errors import EngineError

ARITHMETIC = (Precision.FP32, Precision.BF16, Precision.FP16)
"""That a model can have by itself; tf32 is a mode of the whole process."""
MODELS = ("tokens", "acoustic", "vocoder")


def _check_compile(config: "TokenConfig") -> None:
    """Raise EngineError for a compiled step where its shapes or threads would not hold."""
    if config.compile is Compile.OFF:
        return
    if config.kv_cache is not KVCacheKind.STATIC:
        raise EngineError(
            f"compile={config.compile} needs shapes that stay the same from token to token, and "
            f"kv_cache={config.kv_cache} grows; use kv_cache=static, or compile=off"
        )
    if config.workers > 1:
        raise EngineError(
            f"compile={config.compile} compiles at the first call, which torch does not hold safe "
            f"while other threads compute, as with workers={config.workers}; use workers=1 or "
            "compile=off"
        )
    if config.batch != 1:
        raise EngineError(
            f"compile={config.compile} makes a graph for each number of rows, and some of "
            f"batch={config.batch} have another; use batch=1 or compile=off"
        )
    if config.cfg_passes > 1:
        raise EngineError(
            f"compile={config.compile} has one graph for one KV cache, and "
            f"cfg_passes={config.cfg_passes} has two; use cfg_passes=1 or compile=off"
        )
    if config.quantization_tokens is not Quantization.NONE:
        raise EngineError(
            f"compile={config.compile} was not tried with the int8 weights of "
            f"quantization_tokens={config.quantization_tokens}; use one of the two"
        )


def _check_workers(config: "TokenConfig") -> None:
    if config.workers > 1 and config.device != "cpu":
        raise EngineError(
            f"workers={config.workers} are threads of the CPU, and a GPU computes what they ask "
            f"for in one queue: device is {config.device}; use batch, which fills it, and workers=1"
        )


def _check_quantization(config: "TokenConfig") -> None:
    for name in MODELS:
        quantization = config.quantization_of(name)
        if quantization is not Quantization.NONE and config.precision_of(name) is Precision.FP16:
            raise EngineError(
                f"quantization_{name}={quantization} is not supported with precision_{name}=fp16; "
                "use fp32 or bf16"
            )


@register_config
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenConfig(PipelineConfig):
    """The options of the `token` pipeline."""

    pipeline: ClassVar[str] = "token"
    sampled: ClassVar[bool] = True
    rules: ClassVar[tuple[Callable[[Any], None], ...]] = (
        check_grid,
        _check_compile,
        _check_workers,
        _check_quantization,
    )

    kv_cache: KVCacheKind = option(
        KVCacheKind.DYNAMIC,
        help="keys and values of earlier tokens: off recomputes them for every token, static has "
        "memory of one size",
    )
    cfg_weight: float = option(
        0.5,
        range=(0.0, 5.0),
        help="classifier-free guidance of the speech tokens, which doubles the rows; 0 leaves the "
        "unconditional ones out",
    )
    cfg_passes: int = option(
        1,
        range=(1, 2),
        help="forward passes per token with guidance: 1 has the conditional and unconditional rows "
        "in one batch, 2 computes them one after the other, each with a KV cache of its own",
    )
    temperature: float = option(
        0.5, range=(0.0, 2.0), help="of the draw of a speech token; 0 takes the most probable one"
    )
    top_p: float = option(
        0.95,
        range=(0.01, 1.0),
        help="draw from the smallest set of tokens of at least this probability; 1 draws from all",
    )
    min_p: float = option(
        0.0,
        range=(0.0, 1.0),
        help="leave out tokens of less than this part of the most probable one's probability",
    )
    repetition_penalty: float = option(
        1.0,
        range=(1.0, 5.0),
        help="makes tokens that were drawn before less likely; 1 does not. Speech repeats tokens",
    )
    max_tokens: int = option(
        400, range=(8, 1000), help="speech tokens of a chunk at most, 25 a second"
    )
    early_stop: bool = option(
        True,
        help="end a chunk where its text ends; false goes on to max_tokens",
    )
    nfe_steps: int = redeclared(FlowMatchingConfig, "nfe_steps", 8)
    solver: Solver = redeclared(FlowMatchingConfig, "solver", Solver.EULER)
    sway: float = redeclared(FlowMatchingConfig, "sway", -1.0)
    grid: Grid = redeclared(FlowMatchingConfig, "grid", Grid.UNIFORM)
    cfg_strength: float = redeclared(
        FlowMatchingConfig,
        "cfg_strength",
        1.0,
        help="classifier-free guidance of the flow; 0 leaves the unconditional half of the batch "
        "out",
    )
    precision_tokens: Precision = option(
        Precision.FP32, choices=ARITHMETIC, help="arithmetic of the model of speech tokens"
    )
    precision_acoustic: Precision = option(
        Precision.FP32, choices=ARITHMETIC, help="arithmetic of the acoustic model"
    )
    precision_vocoder: Precision = option(
        Precision.FP32, choices=ARITHMETIC, help="arithmetic of the vocoder"
    )
    quantization_tokens: Quantization = option(
        Quantization.NONE, help="quantization of the Linear layers of the model of speech tokens"
    )
    quantization_acoustic: Quantization = option(
        Quantization.NONE, help="quantization of the Linear layers of the acoustic model"
    )
    quantization_vocoder: Quantization = option(
        Quantization.NONE, help="quantization of the Linear layers of the vocoder"
    )
    compile: Compile = option(
        Compile.OFF,
        help="torch.compile mode of one token's step; needs kv_cache=static",
    )
    device: str = redeclared(FlowMatchingConfig, "device", "cpu")
    threads: int = redeclared(FlowMatchingConfig, "threads", 0)
    seed: int = redeclared(
        FlowMatchingConfig, "seed", 0, help="of the speech tokens and of the initial noise"
    )
    speed: float = option(
        1.0,
        range=(0.88, 1.15),
        per_request=True,
        help="above 1 is faster; the model of speech tokens was trained in this range",
    )
    speaker: str = option(SPEAKERS[0], choices=SPEAKERS, per_request=True, help="embedded voice")
    reference: str = redeclared(
        FlowMatchingConfig,
        "reference",
        "",
        help="path of a recording, 0.5 to 12 s, whose last 3 s are continued; empty: none",
    )
    chunk_characters: int = redeclared(
        FlowConfig, "chunk_characters", 90, help="longest chunk of a long text"
    )
    batch: int = redeclared(
        FlowConfig,
        "batch",
        1,
        help="chunks that are spoken at the same time, each a row of every step; 0: as many as "
        "memory allows",
    )
    batch_by: BatchBy = redeclared(FlowConfig, "batch_by", BatchBy.LENGTH)
    workers: int = option(
        1,
        range=(1, MAX_WORKERS),
        help="chunks of one text, or groups (batch), that are computed at the same time, each with "
        "its share of threads",
    )
    trim_start_ms: float = redeclared(FlowMatchingConfig, "trim_start_ms", 0.0)
    fade_in_ms: float = redeclared(FlowMatchingConfig, "fade_in_ms", 0.0)
    watermark: Watermark = redeclared(FlowMatchingConfig, "watermark", Watermark.OFF)

    @property
    def pace(self) -> float:
        """Speed of the speech."""
        return self.speed

    @property
    def share(self) -> int:
        """CPU threads of each worker: all of `threads` for a single worker."""
        return self.threads if self.workers == 1 else max(1, self.threads // self.workers)

    def precision_of(self, model: str) -> Precision:
        """Return the arithmetic of one of MODELS."""
        chosen: Precision = getattr(self, f"precision_{model}")
        return chosen

    def quantization_of(self, model: str) -> Quantization:
        """Return the quantization of one of MODELS."""
        chosen: Quantization = getattr(self, f"quantization_{model}")
        return chosen


TOKEN_OPTIONS = tuple(options_of(TokenConfig))
