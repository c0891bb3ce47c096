"""
Every option of the engine, with its default in this one place. No torch: a suite is checked without
loading a model.

What a machine cannot do (fp16 on some CPUs, CUDA graphs without CUDA) is not known here;
`engine.passes.support` is asked.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from engine.alphabet import SPEAKERS
from engine.errors import EngineError
from engine.text.segment import MAX_CHUNK_CHARACTERS, MIN_CHUNK_CHARACTERS, MIN_FIRST_CHARACTERS


class Solver(StrEnum):
    """How the flow is integrated."""

    EULER = "euler"
    MIDPOINT = "midpoint"
    HEUN = "heun"

    @property
    def order(self) -> int:
        """Forward passes of the model per step."""
        return 1 if self is Solver.EULER else 2


class Grid(StrEnum):
    """Where the solver's steps lie, before sway moves them."""

    UNIFORM = "uniform"
    EPSS = "epss"
    """
    Empirically pruned step sampling: of 32 even steps, those that matter least left out. Only for
    EPSS_STEPS.
    """


EPSS_STEPS = (5, 6, 7, 10, 12, 16)
MAX_BATCH = 64
MAX_WORKERS = 16


class Adaptive(StrEnum):
    """How many of the solver steps a chunk gets."""

    OFF = "off"
    PHONES = "phones"
    """
    Fewer for a short chunk: in proportion to its phones, never below half
    (`engine.acoustic.solver.steps_for`).
    """


class Precision(StrEnum):
    """The arithmetic of the models; noise and the solver's state are fp32 always."""

    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"


class Compile(StrEnum):
    """torch.compile's modes."""

    OFF = "off"
    DEFAULT = "default"
    REDUCE_OVERHEAD = "reduce-overhead"
    MAX_AUTOTUNE = "max-autotune"


class Quantization(StrEnum):
    """What happens to the weights of Linear layers."""

    NONE = "none"
    INT8_DYNAMIC = "int8-dynamic"
    INT8_WEIGHT_ONLY = "int8-weight-only"


class Runtime(StrEnum):
    """What computes a model."""

    TORCH = "torch"
    ONNX = "onnx"
    """ONNX Runtime, on a graph that is exported when the voice is loaded."""
    TENSORRT = "tensorrt"
    """TensorRT on the same graph, through ONNX Runtime; of GPUs only."""


class Stages(StrEnum):
    """Which models an option touches."""

    BOTH = "both"
    ACOUSTIC = "acoustic"
    VOCODER = "vocoder"

    @property
    def names(self) -> tuple[str, ...]:
        """The models by name."""
        return ("acoustic", "vocoder") if self is Stages.BOTH else (self.value,)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowConfig:
    """The options of the `flow` pipeline."""

    nfe_steps: int = 16
    """Solver steps; the model runs nfe_steps x solver order times. 1-128."""
    solver: Solver = Solver.EULER
    sway: float = -1.0
    """
    Sway coefficient of the time grid (Chen et al. 2024): below 0 more steps early, 0 uniform. -1 to
    1.
    """
    grid: Grid = Grid.UNIFORM
    cfg_strength: float = 1.0
    """Classifier-free guidance; 0 leaves the unconditional half of the batch out. 0-10."""
    precision: Precision = Precision.FP32
    compile: Compile = Compile.OFF
    """torch.compile of the acoustic model."""
    compile_vocoder: Compile = Compile.OFF
    quantization: Quantization = Quantization.NONE
    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:N`."""
    threads: int = 0
    """Threads of the CPU's arithmetic; 0 takes all processors this process may use."""
    speaker: str = SPEAKERS[0]
    speed: float = 1.0
    """Above 1 is faster. 0.5-2."""
    seed: int = 0
    """Of the initial noise."""
    chunk_characters: int = 90
    """
    How much of a long text is said in one go: 90 are about six seconds at speed 1; the acoustic
    model saw up to nine.
    """
    first_chunk_characters: int = 0
    """
    The same for the first chunk, so that audio comes early; 0 is like the others. A pause may fall
    in mid-sentence.
    """
    batch: int = 1
    """
    How many chunks of one text are spoken together, in one padded pass; 0 takes as many as memory
    allows, up to 64.
    """
    runtime_acoustic: Runtime = Runtime.TORCH
    runtime_vocoder: Runtime = Runtime.TORCH
    quantized_stages: Stages = Stages.BOTH
    """The models that `quantization` touches."""
    pad_frames: int = 0
    """
    Lengths are padded to a multiple of so many mel frames, so that few shapes occur; 0 leaves them
    as they are. 0-1024.
    """
    reference: str = ""
    """Path of a recording whose voice is to be continued, 0.5-12 s; "" for none."""
    reference_text: str = ""
    """What the recording says; "" where a .txt file of its name lies beside it."""
    cfg_from: float = 0.0
    """
    Flow time from which guidance works; the steps before run without its unconditional half. 0-1.
    """
    cfg_until: float = 1.0
    """Flow time until which guidance works (Kynkäänniemi et al. 2024). cfg_from to 1."""
    nfe_adaptive: Adaptive = Adaptive.OFF
    early_exit: float = 0.0
    """
    Relative change of the velocity ahead, at its last rate, below which the rest is gone in one
    step; 0 never. 0-1.
    """
    workers: int = 1
    """
    How many chunks of one text, or groups (`batch`), are spoken at the same time, each by its share
    of `threads`. 1-16.
    """

    @property
    def share(self) -> int:
        """How many of the arithmetic's `threads` each worker has: all, if it is the only one."""
        return self.threads if self.workers == 1 else max(1, self.threads // self.workers)


_RANGES: dict[str, tuple[float, float]] = {
    "nfe_steps": (1, 128),
    "sway": (-1.0, 1.0),
    "cfg_strength": (0.0, 10.0),
    "threads": (0, 1024),
    "speed": (0.5, 2.0),
    "seed": (0, 2**32 - 1),
    "chunk_characters": (MIN_CHUNK_CHARACTERS, MAX_CHUNK_CHARACTERS),
    "first_chunk_characters": (0, MAX_CHUNK_CHARACTERS),
    "batch": (0, MAX_BATCH),
    "pad_frames": (0, 1024),
    "cfg_from": (0.0, 1.0),
    "cfg_until": (0.0, 1.0),
    "early_exit": (0.0, 1.0),
    "workers": (1, MAX_WORKERS),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "solver": tuple(Solver),
    "grid": tuple(Grid),
    "precision": tuple(Precision),
    "compile": tuple(Compile),
    "compile_vocoder": tuple(Compile),
    "quantization": tuple(Quantization),
    "speaker": SPEAKERS,
    "runtime_acoustic": tuple(Runtime),
    "runtime_vocoder": tuple(Runtime),
    "quantized_stages": tuple(Stages),
    "nfe_adaptive": tuple(Adaptive),
}
_ENUMS: dict[str, type[StrEnum]] = {
    "solver": Solver,
    "grid": Grid,
    "precision": Precision,
    "compile": Compile,
    "compile_vocoder": Compile,
    "quantization": Quantization,
    "runtime_acoustic": Runtime,
    "runtime_vocoder": Runtime,
    "quantized_stages": Stages,
    "nfe_adaptive": Adaptive,
}
_TEXTS = ("reference", "reference_text")
OPTIONS = tuple(field.name for field in fields(FlowConfig))


def parse_options(options: Mapping[str, object]) -> FlowConfig:
    """
    Make a config from plain values, strictly.

    Raises EngineError for an unknown option (the known ones are listed), a wrong type, a value out
    of range, and options that exclude each other.
    """
    known = {name: _checked(name, value) for name, value in options.items()}
    config = FlowConfig(**known)  # type: ignore[arg-type]
    _check_together(config)
    return config


def _check_together(config: FlowConfig) -> None:
    if config.grid is Grid.EPSS and config.nfe_steps not in EPSS_STEPS:
        counts = ", ".join(map(str, EPSS_STEPS))
        raise EngineError(
            f"grid epss has no {config.nfe_steps} steps; choose nfe_steps from {counts}, or "
            "grid=uniform"
        )
    if 0 < config.first_chunk_characters < MIN_FIRST_CHARACTERS:
        raise EngineError(
            f"option first_chunk_characters is 0 or from {MIN_FIRST_CHARACTERS} to "
            f"{MAX_CHUNK_CHARACTERS}, not {config.first_chunk_characters}"
        )
    _check_runtimes(config)
    _check_workers(config)
    if config.reference_text and not config.reference:
        raise EngineError(
            "reference_text says what a recording says, and reference names none; give both or "
            "neither"
        )
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
    if config.cfg_from > config.cfg_until:
        raise EngineError(
            f"cfg_from {config.cfg_from} is beyond cfg_until {config.cfg_until}; for no guidance "
            "at all use cfg_strength=0"
        )


def _check_workers(config: FlowConfig) -> None:
    """Refuse what threads that work at the same time cannot share, on any machine."""
    if config.workers == 1:
        return
    if config.device != "cpu":
        raise EngineError(
            f"workers={config.workers} are threads of the CPU, and a GPU computes what they ask "
            f"for in one queue: device is {config.device}; use batch, which fills it, and workers=1"
        )
    for option in ("compile", "compile_vocoder"):
        if getattr(config, option) is not Compile.OFF:
            raise EngineError(
                f"{option}={getattr(config, option)} compiles at the first call, which torch does "
                f"not hold safe while other threads compute, as with workers={config.workers}; use "
                f"workers=1 or {option}=off"
            )


def _check_runtimes(config: FlowConfig) -> None:
    """
    Refuse what excludes each other on any machine: an exported graph cannot be compiled, and has no
    int8 of torchao.
    """
    quantized = () if config.quantization is Quantization.NONE else config.quantized_stages.names
    if config.quantization is Quantization.NONE and config.quantized_stages is not Stages.BOTH:
        raise EngineError(
            f"quantized_stages={config.quantized_stages} has no effect while quantization is none; "
            "set quantization=int8-dynamic or int8-weight-only, or leave quantized_stages out"
        )
    for stage, option in (("acoustic", "compile"), ("vocoder", "compile_vocoder")):
        runtime, mode = getattr(config, f"runtime_{stage}"), getattr(config, option)
        if runtime is Runtime.TORCH:
            continue
        asked = f"runtime_{stage}={runtime}"
        if mode is not Compile.OFF:
            raise EngineError(
                f"{asked} leaves torch.compile nothing to do; use {option}=off, or "
                f"runtime_{stage}=torch"
            )
        if stage in quantized:
            raise EngineError(
                f"{asked} cannot run the int8 weights of quantization={config.quantization}, which "
                "are torchao's; use quantized_stages for the other model, quantization=none, or "
                f"runtime_{stage}=torch"
            )
        if config.precision is Precision.BF16:
            raise EngineError(
                f"{asked} has no bf16 for these models; use precision=fp32, or "
                f"runtime_{stage}=torch"
            )


def parse_words(words: Mapping[str, str]) -> FlowConfig:
    """Make a config from what was typed on a command line, where every value is a text."""
    return parse_options(typed(words, FlowConfig()))


def typed(words: Mapping[str, str], defaults: object) -> dict[str, object]:
    """
    Make numbers of the words whose option has a number for default; unknown options are left to
    whoever knows all.
    """
    values: dict[str, object] = {}
    for name, word in words.items():
        wanted = type(getattr(defaults, name, ""))
        values[name] = _number(name, word, wanted) if wanted in (int, float) else word
    return values


def _number(name: str, word: str, wanted: type) -> object:
    try:
        return wanted(word)
    except ValueError:
        kind = "a whole number" if wanted is int else "a number"
        raise EngineError(f"option {name} must be {kind}, not {word!r}") from None


def _known(name: str) -> str:
    if name in OPTIONS:
        return name
    near = difflib.get_close_matches(name, OPTIONS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise EngineError(f"unknown option {name!r}{hint} Known: {', '.join(OPTIONS)}")


def _checked(name: str, value: object) -> object:
    _known(name)
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise EngineError(
                f"option {name} cannot be {value!r}; choose from {', '.join(_CHOICES[name])}"
            )
        return _ENUMS[name](value) if name in _ENUMS else value
    if name == "device":
        return _checked_device(value)
    if name in _TEXTS:
        return _checked_text(name, value)
    low, high = _RANGES[name]
    wanted = type(getattr(FlowConfig(), name))
    if (
        isinstance(value, bool)
        or not isinstance(value, int if wanted is int else int | float)
        or not low <= value <= high
    ):
        kind = "a whole number" if wanted is int else "a number"
        raise EngineError(f"option {name} must be {kind} from {low} to {high}, not {value!r}")
    return wanted(value)


def _checked_text(name: str, value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise EngineError(f"option {name} must be text, not {value!r}")
    return value


def _checked_device(value: object) -> str:
    kind, _, number = str(value).partition(":")
    if (
        not isinstance(value, str)
        or kind not in ("cpu", "cuda")
        or (number and not (number.isascii() and number.isdigit()))
        or value == "cpu:"
    ):
        raise EngineError(f"option device must be cpu, cuda or cuda:N, not {value!r}")
    return value
