"""
The passes of pipelines that convert recordings: each model has its own arithmetic, int8 and
runtime.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from voxgate.engine.config import ConvertingConfig
from voxgate.engine.config.conversion import MODELS
from voxgate.engine.conversion.f0 import check_f0_method
from voxgate.engine.errors import EngineError
from voxgate.engine.passes import Applied, compilation, precision, quantization, runtime
from voxgate.engine.passes.support import (
    check_compile,
    check_machine,
    check_runtime,
    check_torchao,
)


def check_conversion_supported(config: ConvertingConfig) -> None:
    """Raise EngineError for a configuration that this machine does not support."""
    check_machine(config.device, config.precision)
    on_cpu = config.device == "cpu"
    for name in MODELS:
        try:
            check_machine(config.device, config.precision_of(name))
        except EngineError as error:
            raise EngineError(f"precision_{name}: {error}") from None
        check_torchao(config.quantization_of(name))
        check_runtime(f"runtime_{name}", config.runtime_of(name), config)
    for option in ("compile", "compile_vocoder"):
        check_compile(option, getattr(config, option), on_cpu=on_cpu)
    check_f0_method(config.f0_method)


def apply_conversion_passes(
    models: dict[str, nn.Module], device: torch.device, config: ConvertingConfig
) -> tuple[dict[str, Callable[..., Any]], tuple[Applied, ...]]:
    """
    Apply precision, device, int8, compilation and runtime in this order; return the callable of
    each model, and the effect of each pass. `models` has one for each of MODELS.
    """
    applied: list[Applied] = []
    called: dict[str, Callable[..., Any]] = {}
    for name in MODELS:
        model = models[name]
        dtype = config.precision_of(name)
        applied.append(precision.apply({name: model}, dtype, f"precision_{name}"))
        model.to(device)
        option = f"quantization_{name}"
        applied.append(quantization.apply({name: model}, config.quantization_of(name), option))
    for name in MODELS:
        option = "compile_vocoder" if name == "vocoder" else "compile"
        compiled, how = compilation.apply(
            name, option, models[name], config.compile_of(name), on_cpu=device.type == "cpu"
        )
        called[name], where = runtime.apply(
            name, models[name], compiled, config.runtime_of(name), config
        )
        applied += [how, where]
    return called, tuple(applied)
