"""
The passes in the one order in which they are applied: each reads the models as the one before left
them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from voxgate.engine.config import FlowConfig
from voxgate.engine.passes import Applied, compilation, padding, precision, quantization, runtime


def apply_passes(
    models: dict[str, nn.Module], device: torch.device, config: FlowConfig
) -> tuple[dict[str, Callable[..., Any]], tuple[Applied, ...]]:
    """
    Apply precision, device, int8, compilation, runtime and padding in this order; return the
    callable of each model, and the effect of each pass.
    """
    applied = [precision.apply(models, config.precision)]
    for model in models.values():
        model.to(device)
    quantized = {name: models[name] for name in config.quantized_stages.names}
    applied.append(quantization.apply(quantized, config.quantization))
    called: dict[str, Callable[..., Any]] = {}
    requested = {
        "acoustic": ("compile", config.compile),
        "vocoder": ("compile_vocoder", config.compile_vocoder),
    }
    for name, core in models.items():
        option, mode = requested[name]
        compiled, how = compilation.apply(name, option, core, mode, on_cpu=device.type == "cpu")
        called[name], where = runtime.apply(
            name, core, compiled, getattr(config, f"runtime_{name}"), config
        )
        applied += [how, where]
    called, padded = padding.apply(called, config.pad_frames)
    return called, (*applied, padded)
