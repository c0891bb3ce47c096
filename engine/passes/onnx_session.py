"""
Run an ONNX graph on torch's own memory, without copies.

ONNX Runtime silently falls back to another provider if the requested one cannot be loaded; here
that is an error.
"""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.config import Precision, Runtime
from voxgate.engine.errors import EngineError
from voxgate.engine.passes.onnx_graph import Graph

ELEMENTS = {torch.float32: np.float32, torch.float16: np.float16, torch.bool: np.bool_}


class RuntimeConfig(Protocol):
    """The options of a pipeline that a runtime needs."""

    @property
    def device(self) -> str:
        """Where the graph is computed."""

    @property
    def share(self) -> int:
        """CPU threads."""

    @property
    def precision(self) -> Precision:
        """Arithmetic."""

    @property
    def masked_graphs(self) -> bool:
        """Whether graphs take a mask."""


class OnnxModel:
    """Called like the model that the graph was exported from; `session` is ONNX Runtime's."""

    def __init__(self, session: Any, graph: Graph) -> None:
        self.session = session
        self.names = tuple(graph.signature.inputs)
        self.width = graph.signature.width

    def __call__(self, *tensors: Tensor) -> Tensor:
        """
        Compute (B, T, width) from the model's inputs.

        Raises: EngineError for a mask that the graph has no input for.
        """
        if len(tensors) != len(self.names):
            raise EngineError(
                f"the exported graph takes {', '.join(self.names)} and was given {len(tensors)} "
                "inputs; speak one chunk at a time, set pad_frames, which exports masks, or use "
                "runtime torch"
            )
        inputs = [tensor.contiguous() for tensor in tensors]  # the binding holds addresses only
        output = inputs[0].new_empty((*inputs[0].shape[:2], self.width))
        binding = self.session.io_binding()
        for name, tensor in zip(self.names, inputs, strict=True):
            binding.bind_input(name, *_binding_of(tensor))
        binding.bind_output("output", *_binding_of(output))
        if output.is_cuda:
            # ONNX Runtime has a stream of its own
            torch.cuda.current_stream(output.device).synchronize()
        self.session.run_with_iobinding(binding)
        return output


def open_session(graph: Graph, runtime: Runtime, config: RuntimeConfig) -> OnnxModel:
    """
    Load a graph.

    Raises: EngineError if ONNX Runtime cannot read it, or would use another provider than
    requested.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.share
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # otherwise its threads would occupy the next stage's processors
    options.add_session_config_entry("session.force_spinning_stop", "1")
    expected = provider(runtime, config.device)
    try:
        session = onnxruntime.InferenceSession(
            graph.content, options, providers=_providers(runtime, config)
        )
    except Exception as error:  # onnxruntime's own classes have no other common base
        hint = f"; delete {graph.path}, which may be damaged" if graph.path else ""
        raise EngineError(
            f"ONNX Runtime cannot load the exported graph ({_first_line(error)}){hint}"
        ) from None
    if session.get_providers()[0] != expected:
        raise EngineError(
            f"ONNX Runtime cannot use its {expected} here and would take "
            f"{session.get_providers()[0]}; use torch"
        )
    session.disable_fallback()
    return OnnxModel(session, graph)


def provider(runtime: Runtime, device: str) -> str:
    """Return the name of a runtime's execution provider on a device."""
    if runtime is Runtime.TENSORRT:
        return "TensorrtExecutionProvider"
    return "CPUExecutionProvider" if device == "cpu" else "CUDAExecutionProvider"


def _providers(runtime: Runtime, config: RuntimeConfig) -> list[tuple[str, dict[str, str]]]:
    if config.device == "cpu":
        return [(provider(runtime, config.device), {})]
    place = {"device_id": config.device.partition(":")[2] or "0"}
    tf32 = {"use_tf32": "1" if config.precision is Precision.TF32 else "0"}
    cuda = ("CUDAExecutionProvider", {**place, **tf32})
    if runtime is Runtime.ONNX:
        return [cuda]
    half = {"trt_fp16_enable": "1" if config.precision is Precision.FP16 else "0"}
    return [("TensorrtExecutionProvider", {**place, **half}), cuda]


def _binding_of(tensor: Tensor) -> tuple[str, int, type, tuple[int, ...], int]:
    """Return a tensor's device, dtype, shape and address, as arguments of an IO binding."""
    device = tensor.device
    return (
        device.type,
        device.index or 0,
        ELEMENTS[tensor.dtype],
        tuple(tensor.shape),
        tensor.data_ptr(),
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
