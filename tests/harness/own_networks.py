"""
Small ONNX networks for the tests of the user's own models, and files that only look like one.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = [helper.make_opsetid("", 17)]
FILTERS, TAPS, STRIDE = 6, 400, 160
TIME = "time"

Shape = Sequence[int | str]


def kernels() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((FILTERS, 1, TAPS)).astype(np.float32) / TAPS


def saved(
    path: Path,
    nodes: Sequence[Any],
    *,
    shape: Shape = (1, TIME),
    kind: int = TensorProto.FLOAT,
    constants: Sequence[Any] = (),
    more_inputs: Sequence[Any] = (),
    domains: Sequence[Any] = (),
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a network from `x` to `y`."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", kind, shape), *more_inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        list(constants),
    )
    model = helper.make_model(graph, opset_imports=[*OPSET, *domains], ir_version=8)
    helper.set_model_props(model, metadata or {})
    path.write_bytes(model.SerializeToString())
    return path


def brightness(path: Path, **changes: Any) -> Path:
    """A score: the mean size of the steps from sample to sample by that of the samples."""
    nodes = [
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(STEP, "k")),
        helper.make_node("Conv", ["x3", "k"], ["d"]),
        helper.make_node("Abs", ["d"], ["da"]),
        helper.make_node("ReduceMean", ["da"], ["dm"], keepdims=0),
        helper.make_node("Abs", ["x3"], ["xa"]),
        helper.make_node("ReduceMean", ["xa"], ["xm"], keepdims=0),
        helper.make_node("Div", ["dm", "xm"], ["y"]),
    ]
    return saved(path, [in_three_axes(), *nodes], constants=[three_axes()], **changes)


STEP = np.array([[[1.0, -1.0]]], dtype=np.float32)


def in_three_axes() -> Any:
    return helper.make_node("Reshape", ["x", "axes"], ["x3"])


def three_axes() -> Any:
    return numpy_helper.from_array(np.array([1, 1, -1], dtype=np.int64), "axes")


def voiceprint(path: Path, **changes: Any) -> Path:
    """An embedding: the mean energy behind each of some filters."""
    nodes = [
        in_three_axes(),
        helper.make_node("Conv", ["x3", "w"], ["c"], strides=[STRIDE]),
        helper.make_node("Mul", ["c", "c"], ["p"]),
        helper.make_node("ReduceMean", ["p"], ["y"], axes=[2], keepdims=0),
    ]
    constants = [three_axes(), numpy_helper.from_array(kernels(), "w")]
    return saved(path, nodes, constants=constants, **changes)


def expected_voiceprint(samples: np.ndarray) -> np.ndarray:
    """The same in numpy, at length 1."""
    heard = samples.astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(heard, TAPS)[::STRIDE]
    energies = ((frames @ kernels()[:, 0].T) ** 2).mean(axis=0)
    return energies / np.linalg.norm(energies)


def _float(path: Path, op: str, **attributes: Any) -> Path:
    return saved(path, [helper.make_node(op, ["x"], ["y"], **attributes)])


def _outside(path: Path) -> Path:
    voiceprint(path)
    model = onnx.load(path)
    (weights,) = (each for each in model.graph.initializer if each.name == "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../etc/hostname")
    path.write_bytes(model.SerializeToString())
    return path


def _outside_in_a_branch(path: Path) -> Path:
    """The tensor stands in the inner graph of an If."""
    tensor = numpy_helper.from_array(np.ones((1,), dtype=np.float32), "one")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    value = [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1])]
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["b"], value=tensor)], "branch", [], value
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    node = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    return saved(path, [node], constants=[yes])


def _torch_zip(path: Path) -> Path:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02.")
    path.write_bytes(stream.getvalue())
    return path


def _bytes(content: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return write


def _random(path: Path) -> Path:
    return saved(path, [helper.make_node("RandomNormal", [], ["y"], shape=[1])])


def _two_inputs(path: Path) -> Path:
    more = helper.make_tensor_value_info("length", TensorProto.INT64, [1])
    return brightness(path, more_inputs=[more])


WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "text": (_bytes(b"hello"), "no ONNX file"),
    "empty": (_bytes(b""), "no ONNX file"),
    "torch": (_torch_zip, "can hold code"),
    "pickle": (_bytes(b"\x80\x04\x95."), "can hold code"),
    "cut": (lambda path: _bytes(voiceprint(path).read_bytes()[:300])(path), "no ONNX file"),
    "outside": (_outside, "in another file"),
    "outside, in a branch": (_outside_in_a_branch, "in another file"),
    "two inputs": (_two_inputs, "has 2 inputs (x, length)"),
    "integers": (
        lambda path: saved(
            path,
            [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
            kind=TensorProto.INT64,
        ),
        "float32",
    ),
    "features": (lambda path: brightness(path, shape=(1, 80, TIME)), "features computed inside"),
    "four axes": (lambda path: brightness(path, shape=(1, 1, 1, TIME)), "[1, time]"),
    "no axis": (lambda path: brightness(path, shape=()), "[1, time]"),
    "a short window": (lambda path: brightness(path, shape=(1, 512)), "0.1 s or more"),
    "other rate": (
        lambda path: brightness(path, metadata={"sample_rate": "48000"}),
        "hears 48000 Hz, and the suite 16000",
    ),
    "an operator of nobody": (
        lambda path: saved(
            path,
            [helper.make_node("Mystery", ["x"], ["y"], domain="their.own")],
            domains=[helper.make_opsetid("their.own", 1)],
        ),
        "cannot be run",
    ),
    "not a number": (lambda path: _float(path, "Log"), "no finite number"),
    "many numbers": (lambda path: voiceprint(path), "gave 6 numbers; index=0"),
    "chance": (_random, "another answer to the same audio each time"),
}
"""Name -> (how it is written, what is said of it as a network of kind `mos`)."""
