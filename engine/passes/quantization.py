"""
Quantises the Linear layers of a model to int8 with torchao. Convolutions, embeddings and norms stay
as they are.

Dynamic int8 is not a speed-up until measured: on a CPU in eager mode torchao is usually slower than
fp32.
"""

import logging
import warnings

from torch import nn

from engine.config import Quantization
from engine.passes import Applied


def apply(models: dict[str, nn.Module], quantization: Quantization) -> Applied:
    """Quantise in place; says how many layers it changed."""
    if quantization is Quantization.NONE:
        return Applied(option="quantization", asked=quantization, what="nothing", why="not asked")
    linears = sum(
        isinstance(part, nn.Linear) for model in models.values() for part in model.modules()
    )
    for model in models.values():
        _quantize(model, quantization)
    return Applied(
        option="quantization",
        asked=quantization,
        what=f"{linears} Linear layers of {' and '.join(models)} to int8 weights",
        why="asked; torchao, symmetric per output channel",
    )


def _quantize(model: nn.Module, quantization: Quantization) -> None:
    with warnings.catch_warnings():
        # torchao warns about CUDA libraries that a CPU build does not have
        warnings.simplefilter("ignore")
        logging.getLogger("torchao").setLevel(logging.ERROR)
        from torchao.quantization import (
            Int8DynamicActivationInt8WeightConfig,
            Int8WeightOnlyConfig,
            quantize_,
        )

        dynamic = quantization is Quantization.INT8_DYNAMIC
        quantize_(
            model, Int8DynamicActivationInt8WeightConfig() if dynamic else Int8WeightOnlyConfig()
        )
