"""
Compile one model with torch.compile.

Compilation happens at the first call, so the first synthesis pays for it.
Shapes are dynamic from the start, because every text has another length: one graph, no
recompilation.
On a CPU, max-autotune also freezes the weights into the graph; without that it gains nothing there.

On a GPU, reduce-overhead and max-autotune replay CUDA graphs, which have one length each.
A new length runs eagerly at its first call, is recorded at its second and replayed from the third;
all graphs are kept.
`pad_frames` keeps them few.
A replay overwrites the output of the previous one.
Without gradients every call is a step of its own, so nobody has to mark where one begins
(torch.compiler.cudagraph_mark_step_begin).
But nobody may keep the output of the previous call (`solver.Velocity`).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from voxgate.engine.config import Compile
from voxgate.engine.passes import Applied


def apply(
    name: str, option: str, model: nn.Module, mode: Compile, *, on_cpu: bool
) -> tuple[Callable[..., Any], Applied]:
    """Return the compiled callable and a record of the pass."""
    if mode is Compile.OFF:
        return model, Applied(option=option, requested=mode, effect="eager", reason="not asked")
    if mode is Compile.MAX_AUTOTUNE and on_cpu:
        compiled = torch.compile(
            model, dynamic=True, fullgraph=True, options={"max_autotune": True, "freezing": True}
        )
        description = "max-autotune with frozen weights"
    else:
        compiled = torch.compile(
            model, dynamic=True, fullgraph=True, mode=None if mode is Compile.DEFAULT else mode
        )
        description = f"mode {mode}"
    shapes = (
        "dynamic shapes"
        if on_cpu or mode is Compile.DEFAULT
        else "dynamic shapes, and a CUDA graph for each length"
    )
    return compiled, Applied(
        option=option,
        requested=mode,
        effect=f"{name} by torch.compile, {description}, {shapes}",
        reason="asked",
    )
