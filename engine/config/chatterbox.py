"""
The options of the `chatterbox` pipeline (published Chatterbox checkpoints). Defaults are those of
chatterbox-tts 0.1.7, and of its English model where the two differ. No torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from voxgate.engine.config.choices import KVCacheKind, Precision, Quantization, Watermark
from voxgate.engine.config.flow import FlowMatchingConfig
from voxgate.engine.config.option_spec import (
    PipelineConfig,
    option,
    redeclared,
    register_config,
)
from voxgate.engine.errors import EngineError
from voxgate.engine.python310 import StrEnum

LANGUAGES = tuple("ar da de el en es fi fr he hi it ja ko ms nl no pl pt ru sv sw tr zh".split())


class ModelVariant(StrEnum):
    """The published models that share this layout."""

    ENGLISH = "english"
    MULTILINGUAL = "multilingual"


class Switch(StrEnum):
    """A pass that is on or off."""

    ON = "on"
    OFF = "off"


def _check_quantization(config: "ChatterboxConfig") -> None:
    if config.quantization is not Quantization.NONE and config.device != "cpu":
        raise EngineError(
            f"quantization {config.quantization} of T3 is for a CPU, and device is "
            f"{config.device}; use quantization=none, or precision=bf16"
        )


@register_config
@dataclass(frozen=True, slots=True, kw_only=True)
class ChatterboxConfig(PipelineConfig):
    """The options of the `chatterbox` pipeline."""

    pipeline: ClassVar[str] = "chatterbox"
    sampled: ClassVar[bool] = True
    rules: ClassVar[tuple[Callable[[Any], None], ...]] = (_check_quantization,)

    weights: str = option(
        "",
        text="the path of a folder",
        help="folder of a checkpoint, with the published names of its files",
    )
    variant: ModelVariant = option(
        ModelVariant.ENGLISH,
        help="model of the folder: t3_cfg or t3_mtl23ls_v2, and its vocabulary",
    )
    language: str = option(
        "en",
        choices=LANGUAGES,
        per_request=True,
        help="of the text, for variant=multilingual; he, ja, ru and zh need more than is here",
    )
    reference: str = option(
        "",
        per_request=True,
        help="path of a recording of the voice, 0.5 to 12 s; empty: the checkpoint's own conds.pt",
    )
    exaggeration: float = option(
        0.5, range=(0.0, 2.0), per_request=True, help="of the emotion; 0.5 is neutral"
    )
    cfg_weight: float = option(
        0.5,
        range=(0.0, 3.0),
        per_request=True,
        help="classifier-free guidance of the tokens; 0 leaves the second row of the batch out",
    )
    temperature: float = option(
        0.8, range=(0.0, 5.0), per_request=True, help="of sampling; 0 is greedy"
    )
    top_p: float = option(
        1.0, range=(0.0, 1.0), per_request=True, help="probability of the tokens that are kept"
    )
    min_p: float = option(
        0.05,
        range=(0.0, 1.0),
        per_request=True,
        help="smallest probability of a token, as a part of the largest",
    )
    repetition_penalty: float = option(
        1.2,
        range=(1.0, 10.0),
        per_request=True,
        help="of tokens that were said; the package's multilingual model has 2.0",
    )
    max_tokens: int = option(
        1000, range=(1, 4000), per_request=True, help="tokens of one chunk, 25 per second"
    )
    seed: int = option(
        0, range=(0, 2**32 - 1), per_request=True, help="of the tokens, the noise and the source"
    )
    alignment: Switch = option(
        Switch.OFF,
        help="suppress or force the end by the attention to the text; always on in the package's "
        "multilingual model",
    )
    kv_cache: KVCacheKind = option(
        KVCacheKind.DYNAMIC, help="memory of earlier positions; off computes all at every step"
    )
    nfe_steps: int = redeclared(FlowMatchingConfig, "nfe_steps", 10)
    cfg_rate: float = option(
        0.7,
        range=(0.0, 10.0),
        help="classifier-free guidance of the flow; 0 leaves the unconditional half out",
    )
    precision: Precision = redeclared(
        FlowMatchingConfig, "precision", Precision.FP32, help="arithmetic of T3"
    )
    quantization: Quantization = option(
        Quantization.NONE,
        choices=(Quantization.NONE, Quantization.INT8_WEIGHT_ONLY),
        help="weights of T3's matrices; activations are bf16 inside",
    )
    watermark: Watermark = redeclared(FlowMatchingConfig, "watermark", Watermark.OFF)
    device: str = redeclared(FlowMatchingConfig, "device", "cpu")
    threads: int = redeclared(FlowMatchingConfig, "threads", 0)
