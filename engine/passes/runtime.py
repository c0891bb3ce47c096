"""
Run one model in another runtime: its exported or cached graph in ONNX Runtime or TensorRT.

The torch model is not changed, so that the two can be compared.
"""

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from voxgate.engine.config import Runtime
from voxgate.engine.passes import Applied
from voxgate.engine.passes.onnx_graph import OPSET, Graph, graph_of
from voxgate.engine.passes.onnx_session import (
    OnnxModel,
    RuntimeConfig,
    open_session,
    provider,
)


class OnnxStage:
    """
    Called like the model, with or without a mask.

    Each has a graph of its own, because the one without is faster; it is opened when first needed.
    """

    def __init__(self, model: nn.Module, runtime: Runtime, config: RuntimeConfig) -> None:
        self._model, self._runtime, self._config = model, runtime, config
        self._sessions: dict[bool, OnnxModel] = {}
        self._lock = threading.Lock()
        self.graph = self.open(masked=config.masked_graphs)

    def open(self, *, masked: bool) -> Graph:
        """
        Load the graph with or without a mask input.

        Raises: EngineError as `open_session` does.
        """
        graph = graph_of(self._model, masked=masked)
        self._sessions[masked] = open_session(graph, self._runtime, self._config)
        return graph

    def __call__(self, *tensors: Tensor) -> Tensor:
        """Compute (B, T, width); the mask is the only boolean input."""
        masked = tensors[-1].dtype is torch.bool
        with self._lock:  # one of several workers exports
            if masked not in self._sessions:
                self.open(masked=masked)
        return self._sessions[masked](*tensors)


def apply(
    name: str,
    model: nn.Module,
    compiled: Callable[..., Any],
    runtime: Runtime,
    config: RuntimeConfig,
) -> tuple[Callable[..., Any], Applied]:
    """
    Return the callable of a stage and a record of the pass.

    It is `compiled`, the result of the previous passes, unless another runtime is requested.
    """
    option = f"runtime_{name}"
    if runtime is Runtime.TORCH:
        return compiled, Applied(
            option=option, requested=runtime, effect="torch", reason="not asked for another"
        )
    stage = OnnxStage(model, runtime, config)
    path = stage.graph.path
    location = f"graph in {path}" if path else "graph not kept: the cache folder cannot be written"
    effect = (
        f"{name} by ONNX Runtime's {provider(runtime, config.device)}, opset {OPSET}, free batch "
        f"and length; {location}"
    )
    return stage, Applied(option=option, requested=runtime, effect=effect, reason="asked")
