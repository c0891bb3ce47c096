"""
Quantise the Linear layers of a model to int8 with torchao.

Convolutions, embeddings and norms are not changed.
Measure before relying on dynamic int8: on a CPU in eager mode torchao is usually slower than fp32.
"""

import logging
import warnings

from torch import nn

from voxgate.engine.config import Quantization
from voxgate.engine.passes import Applied


def apply(
    models: dict[str, nn.Module], quantization: Quantization, option: str = "quantization"
) -> Applied:
    """Quantise in place and return a record of the pass, with the number of layers."""
    if quantization is Quantization.NONE:
        return Applied(option=option, requested=quantization, effect="nothing", reason="not asked")
    linears = 0
    for model in models.values():
        linears += sum(isinstance(part, nn.Linear) for part in model.modules())
        _quantize(model, quantization)
    return Applied(
        option=option,
        requested=quantization,
        effect=f"{linears} Linear layers of {' and '.join(models)} to int8 weights",
        reason="asked; torchao, symmetric per output channel",
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
