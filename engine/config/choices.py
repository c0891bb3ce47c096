"""The closed choices of options, and the limits that several modules share. No torch."""

from voxgate.engine.alphabet import PHONES, SPANISH_PHONES, SPANISH_SPEAKERS, SPEAKERS
from voxgate.engine.python310 import StrEnum


class Solver(StrEnum):
    """ODE solver of the flow."""

    EULER = "euler"
    MIDPOINT = "midpoint"
    HEUN = "heun"

    @property
    def order(self) -> int:
        """Forward passes of the model per step."""
        return 1 if self is Solver.EULER else 2


class Grid(StrEnum):
    """Time grid of the solver, before sway moves it."""

    UNIFORM = "uniform"
    EPSS = "epss"
    """
    Empirically pruned step sampling: the least useful of 32 uniform steps are left out. Only for
    EPSS_STEPS.
    """


EPSS_STEPS = (5, 6, 7, 10, 12, 16)
MAX_BATCH = 64
MAX_WORKERS = 16


class Language(StrEnum):
    """Language of a text, and of the embedded voice that speaks it."""

    EN = "en"
    ES = "es"

    @property
    def phones(self) -> tuple[str, ...]:
        """The phones of its voice, in the order of their ids."""
        return SPANISH_PHONES if self is Language.ES else PHONES

    @property
    def speakers(self) -> tuple[str, ...]:
        """Its embedded speakers; the first is the default."""
        return SPANISH_SPEAKERS if self is Language.ES else SPEAKERS

    @property
    def conditions(self) -> int:
        """Speakers that its models know: Spanish ones each with two pitch ranges."""
        return len(self.speakers) * (2 if self is Language.ES else 1)

    def condition(self, speaker: str, region: "Region") -> int:
        """Return the index of a speaker in the models; those of the wide pitch range are last."""
        return self.speakers.index(speaker) + len(self.speakers) * region.wide_pitch


class Region(StrEnum):
    """Regional accent of a Spanish text; elsewhere it is left at its default."""

    ES = "es"
    """Castilian: theta in "zapato"."""
    RIOPLATENSE = "rioplatense"
    """River Plate: "sh" in "llave" and "yo", s breathed before a consonant, slower, lively."""
    MEXICO = "mexico"
    COLOMBIA = "colombia"

    @property
    def pace(self) -> float:
        """Factor on the speed."""
        return {Region.RIOPLATENSE: 0.75, Region.MEXICO: 0.95}.get(self, 1.0)

    @property
    def wide_pitch(self) -> bool:
        """Whether speakers have their wide pitch range."""
        return self is Region.RIOPLATENSE


class Adaptive(StrEnum):
    """Rule for the number of solver steps of a chunk."""

    OFF = "off"
    PHONES = "phones"
    """
    Fewer for a short chunk: in proportion to its phones, never below half
    (`voxgate.engine.acoustic.solver.steps_for`).
    """


class BatchBy(StrEnum):
    """Rule by which the segments of a reel share forward passes."""

    LENGTH = "length"
    """Those of similar length, so that little is padded."""
    ORDER = "order"
    """Neighbours."""


class Precision(StrEnum):
    """Arithmetic of the models; the noise and the solver's state are always fp32."""

    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"


class Compile(StrEnum):
    """Modes of torch.compile."""

    OFF = "off"
    DEFAULT = "default"
    REDUCE_OVERHEAD = "reduce-overhead"
    MAX_AUTOTUNE = "max-autotune"


class Quantization(StrEnum):
    """Quantization of the weights of Linear layers."""

    NONE = "none"
    INT8_DYNAMIC = "int8-dynamic"
    INT8_WEIGHT_ONLY = "int8-weight-only"


class Runtime(StrEnum):
    """Library that computes a model."""

    TORCH = "torch"
    ONNX = "onnx"
    """ONNX Runtime, on a graph that is exported when the voice is loaded."""
    TENSORRT = "tensorrt"
    """TensorRT on the same graph, through ONNX Runtime; GPUs only."""


class Stages(StrEnum):
    """Models that an option applies to."""

    BOTH = "both"
    ACOUSTIC = "acoustic"
    VOCODER = "vocoder"

    @property
    def names(self) -> tuple[str, ...]:
        """The stages of the models."""
        return ("acoustic", "vocoder") if self is Stages.BOTH else (self.value,)


class Watermark(StrEnum):
    """Inaudible mark of synthetic speech."""

    OFF = "off"
    PERTH = "perth"
    """Resemble AI's Perth, the implicit net."""


class KVCacheKind(StrEnum):
    """Memory of the keys and values of earlier positions, in an autoregressive model."""

    OFF = "off"
    """None: every token recomputes the whole sequence."""
    DYNAMIC = "dynamic"
    STATIC = "static"
    """Of one size, for torch.compile and CUDA graphs."""
