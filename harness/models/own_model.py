"""
Networks of the user's own as ONNX files: opened with care, then a waveform in, numbers out.

An ONNX file is data: operators of onnxruntime and their constants. Torch's files (TorchScript,
checkpoints) can hold code and are refused, and so is a file that names other files, whose paths
could lead anywhere. The network hears one channel, [time], [1, time] or [1, 1, time], float32. With
a free length it hears the recording whole, beyond 30 s in equal pieces; with a fixed one, windows
of that length every second, and shorter audio is repeated until it fills one.

Where a file lies is kept in the user's own cache, by the digest of its content: a run names the
digest alone.
"""

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.recording import Samples
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.files import cache_folder, file_sha256, reason, write_file
from voxgate.harness.records.measurement import Missing, MissingKind, not_installed
from voxgate.harness.records.own_model import ModelEntry, ModelKind, OwnModel

Vector = NDArray[np.float64]

LARGEST_BYTES = 2**31 - 1
"""Of an ONNX file, by its format."""
LONGEST_S = 30.0
PROBE_S = 2.0
EXPORT = "export the network to one ONNX file (torch.onnx.export)"
PACKAGES = ("onnx", "onnxruntime")
RATE_KEYS = ("sample_rate", "rate_hz")
"""Metadata by which exporters tell the rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A network of the user's own on this machine."""

    name: str
    path: Path
    model: OwnModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A loaded network: `rank` axes of its input, `window` samples or any number of them."""

    session: Any
    source: str
    rank: int
    window: int | None


def records_of(entries: Mapping[str, ModelEntry]) -> dict[str, OwnModel]:
    """
    Return what a run records of a suite's networks, and keep where they lie.

    Raises HarnessError for a file that cannot be read.
    """
    return {file.name: file.model for file in files_of(entries)}


def files_of(entries: Mapping[str, ModelEntry]) -> tuple[ModelFile, ...]:
    """Return a suite's networks on this machine. Raises HarnessError as `records_of` does."""
    return tuple(_file_of(name, entry) for name, entry in entries.items())


def _file_of(name: str, entry: ModelEntry) -> ModelFile:
    path = Path(entry.path).absolute()
    where = f"models: {name}: {entry.path}"
    try:
        if not path.is_file():
            state = "is no file" if path.exists() else "does not exist"
            raise HarnessError(f"{where} {state}; give the path of an ONNX file")
        if path.stat().st_size > LARGEST_BYTES:
            raise HarnessError(
                f"{where} has {path.stat().st_size} bytes, more than an ONNX file can have "
                f"({LARGEST_BYTES}); export it in half precision, or a smaller network"
            )
        sha256 = _digest(path, path.stat().st_mtime_ns, path.stat().st_size)
    except (OSError, ValueError) as error:
        raise HarnessError(f"{where} cannot be read: {reason(error)}") from error
    _remember(sha256, path)
    return ModelFile(name=name, path=path, model=entry.recorded(sha256))


@functools.lru_cache(maxsize=64)
def _digest(path: Path, mtime_ns: int, size: int) -> str:
    return file_sha256(path)


def _remember(sha256: str, path: Path) -> None:
    place = _place(sha256)
    if not (place.is_file() and place.read_text(encoding="utf-8") == str(path)):
        write_file(place, str(path), "make room or choose another XDG_CACHE_HOME", parents=True)


def _place(sha256: str) -> Path:
    return cache_folder() / "models" / sha256


def locate(name: str, model: OwnModel) -> ModelFile | Missing:
    """Return a run's network on this machine; Missing where its file was never named here."""
    place = _place(model.sha256)
    try:
        path = Path(place.read_text(encoding="utf-8"))
        facts = path.stat()
        there = path.is_file() and _digest(path, facts.st_mtime_ns, facts.st_size) == model.sha256
    except (OSError, ValueError):
        there = False
    if there:
        return ModelFile(name=name, path=path, model=model)
    return Missing(
        f"the model {name} (SHA-256 {model.sha256[:12]}) is not on this machine; score where it "
        "was measured, or check a suite that names it here",
        MissingKind.NOT_INSTALLED,
    )


def examine(file: ModelFile) -> str | None:
    """
    Return why a network cannot score, found on two seconds of noise; None if it can.

    Runs in a child process: a file may crash its runtime.
    """
    try:
        network = open_network(file)
    except HarnessError as error:
        return str(error)
    if isinstance(network, Missing):
        return network.reason
    noise = np.random.default_rng(0).standard_normal(round(PROBE_S * file.model.rate_hz)) / 10
    first, second = (scores(network, noise, file) for _ in range(2))
    for answer in (first, second):
        if isinstance(answer, Missing):
            return answer.reason
    if not np.array_equal(np.asarray(first), np.asarray(second)):
        return "it gives another answer to the same audio each time; export it in evaluation mode"
    return None


def scores(network: Network, samples: Samples, file: ModelFile) -> Vector | Missing:
    """
    Return the score as [1], or the embedding at length 1, the mean over pieces of the audio.

    `samples` are at the network's rate.
    """
    answers = []
    for piece in _pieces(samples, network.window, file.model.rate_hz):
        answer = _answer(network, piece, file)
        if isinstance(answer, Missing):
            return answer
        answers.append(answer)
    if len({len(answer) for answer in answers}) > 1:
        return Missing(f"the size of {file.name}'s output changes with the length of the audio")
    mean: Vector = np.mean(answers, axis=0)
    return mean if file.model.kind is ModelKind.MOS else _unit(mean, file.name)


def _pieces(samples: Samples, window: int | None, rate_hz: int) -> Iterator[Samples]:
    if window is None:
        yield from np.array_split(samples, max(1, -int(-len(samples) // (LONGEST_S * rate_hz))))
        return
    if len(samples) < window:
        samples = np.resize(samples, window)
    for start in range(0, len(samples) - window + 1, rate_hz):
        yield samples[start : start + window]


def _answer(network: Network, piece: Samples, file: ModelFile) -> Vector | Missing:
    heard = piece.astype(np.float32).reshape((1,) * (network.rank - 1) + (-1,))
    try:
        output = np.asarray(network.session.run(None, {network.source: heard})[0])
    except Exception as error:  # onnxruntime has classes of its own for each of its states
        return Missing(f"{file.name} cannot score this: {_first_line(error)}")
    if not np.issubdtype(output.dtype, np.floating):
        return Missing(f"{file.name} gave {output.dtype}, which is no score")
    answer = output.astype(np.float64).reshape(-1)
    if not answer.size or not np.isfinite(answer).all():
        return Missing(f"{file.name} gave no finite number")
    if file.model.kind is ModelKind.EMBEDDING:
        if answer.size == 1:
            return Missing(f"{file.name} gave one number, which is no embedding; kind='mos'?")
        return _unit(answer, file.name)
    if file.model.index is None and answer.size > 1:
        return Missing(
            f"{file.name} gave {answer.size} numbers; index=0 chooses the first, kind='embedding' "
            "compares all"
        )
    index = file.model.index or 0
    if index >= answer.size:
        return Missing(f"{file.name} gave {answer.size} numbers, and none has the index {index}")
    return answer[index : index + 1]


def _unit(vector: Vector, name: str) -> Vector | Missing:
    length = float(np.linalg.norm(vector))
    return vector / length if length else Missing(f"{name} heard no voice")


@functools.lru_cache(maxsize=8)
def load(file: ModelFile) -> Network | Missing:
    """Return the network, loaded once per process; Missing with the reason where it cannot be."""
    try:
        return open_network(file)
    except HarnessError as error:  # of a kind that is not kept: the audio is not at fault
        return Missing(str(error), MissingKind.NOT_INSTALLED)


def open_network(file: ModelFile) -> Network | Missing:
    """
    Open a network. Missing where its runtime is not installed.

    Raises HarnessError for any other file, and for a network that hears no waveform.
    """
    absent = [package for package in PACKAGES if find_spec(package) is None]
    if absent:
        return not_installed(absent[0])
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise HarnessError(f"{file.path} cannot be read: {reason(error)}") from error
    if hashlib.sha256(data).hexdigest() != file.model.sha256:
        raise HarnessError(f"{file.path} is another file than the one that the run names")
    window, rank, source = _input_of(_parsed(data, file.path), file)
    return Network(session=_session(data, file.path), source=source, rank=rank, window=window)


def _parsed(data: bytes, path: Path) -> Any:
    """Return the model of an ONNX file. Raises HarnessError for any other content."""
    import onnx

    if data[:2] == b"PK" or data[:1] == b"\x80":
        raise HarnessError(
            f"{path} is a torch or pickle file, which can hold code and is not loaded; {EXPORT}"
        )
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf has its own class
        raise HarnessError(f"{path} is no ONNX file: {_first_line(error)}; {EXPORT}") from error
    if not model.graph.node:
        raise HarnessError(f"{path} is no ONNX file: it holds no graph; {EXPORT}")
    outside = next((t.name for t in _tensors(model) if t.data_location == t.EXTERNAL), None)
    if outside is not None:
        raise HarnessError(
            f"{path} keeps its tensor {outside[:60]!r} in another file; save it as one file "
            "(onnx.save with save_as_external_data=False)"
        )
    return model


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor of a model, those of inner graphs and functions included."""
    graphs, nodes = [model.graph], [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            nodes += graph.node
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            continue
        for attribute in nodes.pop().attribute:
            graphs += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
            yield from (*attribute.tensors, *([attribute.t] if attribute.HasField("t") else []))
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def _input_of(model: Any, file: ModelFile) -> tuple[int | None, int, str]:
    """Return (window, rank, name) of the waveform. Raises HarnessError where there is none."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in constants]
    where, hears = file.path, "it must hear one waveform, [1, time]"
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs)[:120] or "none"
        raise HarnessError(f"{where} has {len(inputs)} inputs ({names}); {hears}")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type != 1:
        raise HarnessError(f"{where} does not hear float32 numbers; {hears} of them")
    sizes = [each.dim_value for each in tensor.shape.dim]  # 0 where the size is free
    if not 1 <= len(sizes) <= 3 or any(size > 1 for size in sizes[:-1]):
        raise HarnessError(f"{where} hears an array of {sizes}; {hears}, features computed inside")
    window = sizes[-1] or None
    if window is not None and window < file.model.rate_hz // 10:
        raise HarnessError(f"{where} hears an array of {sizes}; {hears} of 0.1 s or more")
    for entry in model.metadata_props:
        if entry.key in RATE_KEYS and entry.value != str(file.model.rate_hz):
            raise HarnessError(
                f"{where} says that it hears {entry.value[:20]} Hz, and the suite "
                f"{file.model.rate_hz}; correct rate_hz"
            )
    return window, len(sizes), inputs[0].name


def _session(data: bytes, path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # faults are raised as well
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as in _answer
        raise HarnessError(f"{path} cannot be run: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
