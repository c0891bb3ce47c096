"""
The two DNSMOS models inside the package `speechmos`, with that package's windows: samples in, raw
scores out.

The values are the package's (largest difference measured: 6e-7 MOS, 7 recordings of 0.3 to 61 s).
P.835 costs 0.4 s of a core per window, nearly all of it in convolutions over the spectrogram.
Windows overlap by 8 of their 9 s, so those are computed once for all windows, and again only for
each window's edges, where it sees zeros: 3.7 times faster for 8 windows.

ONNX models run in onnxruntime: whole, or the part between two of their tensors. On one thread:
several processes share the cores better than one with several threads.
"""

import functools
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voxgate.harness.audio.mel import Power, power_mel
from voxgate.harness.models.packaged_file import packaged_file
from voxgate.harness.records.measurement import Missing, not_installed

Array32 = NDArray[np.float32]

PACKAGE = "speechmos"
P835_FILE = (
    "dnsmos_models/sig_bak_ovr.onnx",
    "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
)
P808_FILE = (
    "dnsmos_models/model_v8.onnx",
    "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91",
)

RATE_HZ = 16_000
WINDOW_S = 9.01  # the window that the models were trained on
WINDOW = int(WINDOW_S * RATE_HZ)
GROUP = 4  # windows at once: more is no faster and takes 30 MB each

# P.835 reads frames of 20 ms every 10 ms. Its graph is cut where the map is a quarter as long: a
# window begins every 25 places.
WIDTH, HOP = 320, 160
SPECTRA, MAP, SCORES = (
    "mos_estimator_logpow/concat:0",
    "mos_estimator_logpow/max_pooling2d/MaxPool_1_conv0",
    "Identity:0",
)
QUARTER = 4
LONG, SHIFT = 900, RATE_HZ // HOP  # analysis frames in a window, and from one window to the next
# analysis frames: the convolutions before the cut see 6 on either side, rounded up to whole places
HALO = 8
BLOCK = 500  # analysis frames at once: 60 MB of activations

# P.808 reads log-mel power: 120 bands, 20 ms every 10 ms, the loudest 0 dB, the quietest -80 dB,
# scaled to 1 and -1.
MEL_WIDTH, MEL_BANDS = 321, 120
MEL_EDGE = 2  # analysis frames that reach beyond an end of the window
QUIETEST_POWER, RANGE_DB, HALF_RANGE_DB = 1e-10, 80.0, 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """
    P.835 in two: spectra [n, t, 320] -> map [n, 32, t / 4, 40], and map [n, 32, 225, 40] ->
    scores [n, 3].
    """

    below: Any
    above: Any


def tiled(samples: NDArray[np.floating]) -> Array32:
    """
    Repeat audio (16 kHz, shape [n], n > 0) until it fills a window; doubled each time.

    Samples beyond full scale are clipped, as a converter would; the reference refuses them.
    """
    audio: Array32 = np.clip(samples, -1.0, 1.0).astype(np.float32)
    while len(audio) < WINDOW:
        audio = np.concatenate([audio, audio])
    return audio


def window_starts(length: int) -> list[int]:
    """
    Return the seconds at which the windows of `length` samples begin, with the reference's
    arithmetic.

    It leaves out the last whole window, and each one whose end falls a sample short when second
    + 9.01 is rounded.
    """
    count = int(length // RATE_HZ - WINDOW_S) + 1
    return [
        second
        for second in range(count)
        if int((second + WINDOW_S) * RATE_HZ) - second * RATE_HZ >= WINDOW
    ]


def p835_scores(audio: Array32) -> NDArray[np.float64] | Missing:
    """
    Return SIG, BAK and OVRL of each window of `tiled` audio, shape [windows, 3], not yet
    calibrated.
    """
    halves = _p835()
    if isinstance(halves, Missing):
        return halves
    seconds = window_starts(len(audio))
    spectra = sliding_window_view(audio, WIDTH)[::HOP][: seconds[-1] * SHIFT + LONG]
    shared = _shared_map(halves.below, spectra)
    scores = [
        _run(halves.above, MAP, _window_maps(halves.below, spectra, shared, group))
        for group in _groups(seconds)
    ]
    return np.concatenate(scores).astype(np.float64)


def p808_scores(audio: Array32) -> NDArray[np.float64] | Missing:
    """Return the score of each window of `tiled` audio, shape [windows, 1]."""
    session = _p808()
    if isinstance(session, Missing):
        return session
    groups = (np.stack([log_mel(power) for power in group]) for group in _window_powers(audio))
    return np.concatenate([_run(session, "input_1", group) for group in groups]).astype(np.float64)


def log_mel(power: Power) -> Array32:
    """
    Convert mel power, shape [n, 120], to dB below its loudest value, scaled to -1..1 as P.808
    expects.
    """
    level_db = 10.0 * np.log10(np.maximum(power, QUIETEST_POWER))
    return np.asarray(
        np.maximum(level_db - level_db.max(), -RANGE_DB) / HALF_RANGE_DB + 1.0, dtype=np.float32
    )


def _window_powers(audio: Array32) -> Iterator[list[Power]]:
    """
    Yield the mel power of the windows, [900, 120] each, in groups.

    It is that of the whole, but at the window's ends, where it sees zeros.
    """
    whole, strip = _mel_power(audio), 2 * MEL_EDGE * HOP
    for group in _groups(window_starts(len(audio))):
        powers = []
        for second in group:
            samples = audio[second * RATE_HZ :][: WINDOW - HOP]
            power = whole[second * SHIFT :][:LONG].copy()
            power[:MEL_EDGE], power[-MEL_EDGE:] = (
                _mel_power(samples[:strip])[:MEL_EDGE],
                _mel_power(samples[-strip:])[-MEL_EDGE:],
            )
            powers.append(power)
        yield powers


def _mel_power(samples: Array32) -> Power:
    return power_mel(samples, RATE_HZ, width=MEL_WIDTH, hop=HOP, bands=MEL_BANDS)


def _shared_map(below: Any, spectra: Array32) -> Array32:
    """
    Compute the map of all spectra [t, 320], in blocks that see their neighbours: shape [32, t /
    4, 40].
    """
    blocks = []
    for start in range(0, len(spectra), BLOCK):
        before = min(start, HALO)
        block = _run(below, SPECTRA, spectra[None, start - before : start + BLOCK + HALO])[0]
        blocks.append(block[:, before // QUARTER :][:, : BLOCK // QUARTER])
    return np.concatenate(blocks, axis=1)


def _window_maps(below: Any, spectra: Array32, shared: Array32, seconds: Sequence[int]) -> Array32:
    """
    Return the map of each window, [n, 32, 225, 40].

    It is the shared one, with edges as the window alone would have them.
    """
    edge, strip = HALO // QUARTER, 2 * HALO
    starts = [second * SHIFT for second in seconds]
    maps = np.stack([shared[:, start // QUARTER :][:, : LONG // QUARTER] for start in starts])
    heads = np.stack([spectra[start : start + strip] for start in starts])
    tails = np.stack([spectra[start + LONG - strip : start + LONG] for start in starts])
    maps[:, :, :edge] = _run(below, SPECTRA, heads)[:, :, :edge]
    maps[:, :, -edge:] = _run(below, SPECTRA, tails)[:, :, -edge:]
    return maps


def _groups(seconds: Sequence[int]) -> Iterator[Sequence[int]]:
    return (seconds[at : at + GROUP] for at in range(0, len(seconds), GROUP))


def _run(session: Any, name: str, values: Array32) -> Array32:
    return np.asarray(session.run(None, {name: np.ascontiguousarray(values)})[0], dtype=np.float32)


@functools.cache
def _p835() -> Halves | Missing:
    path = _model(*P835_FILE)
    if isinstance(path, Missing):
        return path
    return Halves(
        below=part(path, SPECTRA, ("windows", "frames", WIDTH), MAP),
        above=part(path, MAP, ("windows", 32, LONG // QUARTER, 40), SCORES),
    )


@functools.cache
def _p808() -> Any:
    path = _model(*P808_FILE)
    return path if isinstance(path, Missing) else whole(path)


def _model(inside: str, sha256: str) -> Path | Missing:
    """Return the model's file; Missing also where its runtime is not installed."""
    absent = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if absent:
        return not_installed(absent[0])
    return packaged_file(PACKAGE, inside, sha256)


def whole(path: Path) -> Any:
    """Load a session of the whole model."""
    return _session(str(path))


def part(path: Path, source: str, shape: tuple[str | int, ...], result: str) -> Any:
    """
    Load a session that computes the tensor `result` from the tensor `source`.

    `shape` is that of the source; a name in it is a free length.
    """
    import onnx

    model = onnx.load(path)
    nodes, used = _between(model.graph, source, result)
    value = onnx.helper.make_tensor_value_info
    source_info, result_info = (
        value(source, onnx.TensorProto.FLOAT, shape),
        value(result, onnx.TensorProto.FLOAT, None),
    )
    constants = [constant for constant in model.graph.initializer if constant.name in used]
    graph = onnx.helper.make_graph(nodes, result, [source_info], [result_info], constants)
    cut = onnx.helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    return _session(cut.SerializeToString())


def _between(graph: Any, source: str, result: str) -> tuple[list[Any], set[str]]:
    """Return the nodes between `source` and `result`, in their order, and the tensors they use."""
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
