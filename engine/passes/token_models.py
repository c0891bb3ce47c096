"""
The passes of pipeline `token`, in the order in which they are applied: each model has its own
arithmetic and int8, and T3's step may be compiled.
"""

from typing import Any

import torch
from torch import nn

from voxgate.engine.acoustic.token_states import TokenStates
from voxgate.engine.config import Compile, Quantization, TokenConfig
from voxgate.engine.config.token import MODELS
from voxgate.engine.errors import EngineError
from voxgate.engine.passes import Applied, precision, quantization
from voxgate.engine.passes.support import (
    check_compile,
    check_device,
    check_machine,
    check_torchao,
)
from voxgate.engine.tokens.t3 import T3


def check_token_supported(config: TokenConfig) -> None:
    """Raise EngineError for a configuration that this machine does not support."""
    check_device(config.device)
    for name in MODELS:
        try:
            check_machine(config.device, config.precision_of(name))
        except EngineError as error:
            raise EngineError(f"precision_{name}: {error}") from None
        check_torchao(config.quantization_of(name))
    check_compile("compile", config.compile, on_cpu=config.device == "cpu")


def apply_token_passes(
    models: dict[str, nn.Module], states: TokenStates, device: torch.device, config: TokenConfig
) -> tuple[Applied, ...]:
    """
    Apply precision, device, int8 and compilation in this order; return the effect of each.

    Args:
        models: one for each of MODELS; that of `tokens` is prepared here.
        states: computes in the arithmetic of the acoustic model, and is never quantised.
        device: of all of them.
        config: of the pipeline.
    """
    applied = []
    for name in MODELS:
        together = {name: models[name], **({"token states": states} if name == "acoustic" else {})}
        option = f"precision_{name}"
        applied.append(precision.apply(together, config.precision_of(name), option))
        for model in together.values():
            model.to(device)
    t3 = models["tokens"]
    assert isinstance(t3, T3)
    t3.fold().llama.join()
    for name in MODELS:
        quantized, option = config.quantization_of(name), f"quantization_{name}"
        applied.append(quantization.apply({name: models[name]}, quantized, option))
    if config.quantization_tokens is Quantization.NONE and config.compile is Compile.OFF:
        t3.llama.pack()
    return (*applied, _compile_step(t3, config.compile, on_cpu=device.type == "cpu"))


def _compile_step(t3: T3, mode: Compile, *, on_cpu: bool) -> Applied:
    """Compile what T3 computes for one token; the prefix, of any length, stays eager."""
    if mode is Compile.OFF:
        return Applied(option="compile", requested=mode, effect="eager", reason="not asked")
    how: dict[str, Any] = (
        {"options": {"max_autotune": True, "freezing": True}}
        if mode is Compile.MAX_AUTOTUNE and on_cpu
        else {"mode": None if mode is Compile.DEFAULT else mode}
    )
    t3.llama.step = torch.compile(t3.llama.body, dynamic=False, fullgraph=True, **how)
    return Applied(
        option="compile",
        requested=mode,
        effect=f"the step of one token by torch.compile, mode {mode}, a graph for each window of "
        "the static KV cache",
        reason="asked",
    )
