"""
ONNX models for onnxruntime: whole, or the part between two of their tensors.

One thread: several processes share the cores better than one with several threads. Knows graphs, no audio.
"""

from pathlib import Path
from typing import Any


def whole(path: Path) -> Any:
    """A session of the model as it is."""
    return _session(str(path))


def part(path: Path, source: str, shape: tuple[str | int, ...], result: str) -> Any:
    """A session that computes the tensor `result` from the tensor `source`, of the given shape; a name is a free length."""
    import onnx

    model = onnx.load(path)
    nodes, used = _between(model.graph, source, result)
    value = onnx.helper.make_tensor_value_info
    given, made = value(source, onnx.TensorProto.FLOAT, shape), value(result, onnx.TensorProto.FLOAT, None)
    constants = [each for each in model.graph.initializer if each.name in used]
    graph = onnx.helper.make_graph(nodes, result, [given], [made], constants)
    cut = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return _session(cut.SerializeToString())


def _between(graph: Any, source: str, result: str) -> tuple[list[Any], set[str]]:
    """The nodes that `result` needs when `source` is given, in their order, and the tensors they use."""
    nodes: list[Any] = []
    used = {result}
    for node in reversed(graph.node):  # an ONNX graph is in order of computation
        if source not in node.output and used.intersection(node.output):
            nodes.insert(0, node)
            used.update(node.input)
    return nodes, used


def _session(model: str | bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
