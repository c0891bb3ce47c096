"""
Hands one model to another runtime: its graph is exported, or taken from the cache, and run by ONNX
Runtime or TensorRT.

The torch model stays as it is, so that whoever looks can compare.
"""

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from engine.config import FlowConfig, Runtime
from engine.passes import Applied
from engine.passes.onnx_graph import OPSET, Graph, graph_of
from engine.passes.onnx_session import OnnxModel, open_session, provider


class OnnxStage:
    """
    Called like the model, with a mask or without: a graph for each, since the one without is
    quicker; opened when needed.
    """

    def __init__(self, model: nn.Module, runtime: Runtime, config: FlowConfig) -> None:
        self._model, self._runtime, self._config = model, runtime, config
        self._opened: dict[bool, OnnxModel] = {}
        self._opening = threading.Lock()
        self.graph = self.open(masked=config.pad_frames > 0 or config.batch != 1)

    def open(self, *, masked: bool) -> Graph:
        """
        Load the graph that takes a mask, or the one that takes none. Raises EngineError as
        `open_session` does.
        """
        graph = graph_of(self._model, masked=masked)
        self._opened[masked] = open_session(graph, self._runtime, self._config)
        return graph

    def __call__(self, *tensors: Tensor) -> Tensor:
        """Compute (B, T, width); the mask is the one input of truth values."""
        masked = tensors[-1].dtype is torch.bool
        with self._opening:  # of several workers one exports
            if masked not in self._opened:
                self.open(masked=masked)
        return self._opened[masked](*tensors)


def apply(
    name: str, model: nn.Module, called: Callable[..., Any], runtime: Runtime, config: FlowConfig
) -> tuple[Callable[..., Any], Applied]:
    """
    Give what is to be called: `called`, which is what the passes before made of the model, unless
    the runtime is another.
    """
    option = f"runtime_{name}"
    if runtime is Runtime.TORCH:
        return called, Applied(
            option=option, asked=runtime, what="torch", why="not asked for another"
        )
    stage = OnnxStage(model, runtime, config)
    path = stage.graph.path
    kept = f"graph in {path}" if path else "graph not kept: the cache folder cannot be written"
    what = (
        f"{name} by ONNX Runtime's {provider(runtime, config.device)}, opset {OPSET}, free batch "
        f"and length; {kept}"
    )
    return stage, Applied(option=option, asked=runtime, what=what, why="asked")
