"""
Hands one model to another runtime: its graph is exported, or taken from the cache, and run by ONNX Runtime or TensorRT.

The torch model stays as it is, so that whoever looks can compare.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from engine.config import FlowConfig, Runtime
from engine.passes.applied import Applied
from engine.passes.onnx_graph import OPSET, graph_of
from engine.passes.onnx_session import open_session, provider


def apply(
    name: str, model: nn.Module, called: Callable[..., Any], runtime: Runtime, config: FlowConfig
) -> tuple[Callable[..., Any], Applied]:
    """Give what is to be called: `called`, which is what the passes before made of the model, unless the runtime is another."""
    option = f"runtime_{name}"
    if runtime is Runtime.TORCH:
        return called, Applied(option=option, asked=runtime, what="torch", why="not asked for another")
    graph = graph_of(model, masked=config.pad_frames > 0)
    kept = f"graph in {graph.path}" if graph.path else "graph not kept: the cache folder cannot be written"
    what = f"{name} by ONNX Runtime's {provider(runtime, config.device)}, opset {OPSET}, free batch and length; {kept}"
    return open_session(graph, runtime, config), Applied(option=option, asked=runtime, what=what, why="asked")
