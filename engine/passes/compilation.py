"""
Compiles one model with torch.compile. Compilation itself happens at the first call, so the first
synthesis pays for it.

Shapes are dynamic from the start, because every text has another length: one graph, no
recompilation. On a CPU, max-autotune also freezes the weights into the graph; without that it gains
nothing there.

On a GPU, reduce-overhead and max-autotune replay CUDA graphs, and those know one length each: a new
one is run as it is at its first call, recorded at its second and replayed from the third, and all
are kept. `pad_frames` keeps them few. What a replay gives is written over by the next; nobody has
to say where a step begins, since without gradients every call is one
(torch.compiler.cudagraph_mark_step_begin), but nobody may keep what the call before gave
(`solver.Velocity`).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from engine.config import Compile
from engine.passes import Applied


def apply(
    name: str, option: str, model: nn.Module, mode: Compile, *, on_cpu: bool
) -> tuple[Callable[..., Any], Applied]:
    """Give what is to be called instead of the model, and what was done."""
    if mode is Compile.OFF:
        return model, Applied(option=option, asked=mode, what="eager", why="not asked")
    if mode is Compile.MAX_AUTOTUNE and on_cpu:
        compiled = torch.compile(
            model, dynamic=True, fullgraph=True, options={"max_autotune": True, "freezing": True}
        )
        how = "max-autotune with frozen weights"
    else:
        compiled = torch.compile(
            model, dynamic=True, fullgraph=True, mode=None if mode is Compile.DEFAULT else mode
        )
        how = f"mode {mode}"
    shapes = (
        "dynamic shapes"
        if on_cpu or mode is Compile.DEFAULT
        else "dynamic shapes, and a CUDA graph for each length"
    )
    return compiled, Applied(
        option=option, asked=mode, what=f"{name} by torch.compile, {how}, {shapes}", why="asked"
    )
