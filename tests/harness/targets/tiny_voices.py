"""
Tiny voices with the inputs and outputs of piper's and kokoro's ONNX models: a tone whose length
follows the number of phonemes and the pace. Untrained, so that no weights are needed.

    python -m tests.harness.targets.tiny_voices piper|kokoro FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np

PIPER_CONFIG = {
    "audio": {"sample_rate": 22050},
    "espeak": {"voice": "en-us"},
    "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
    "num_symbols": 256,
    "num_speakers": 1,
    "phoneme_type": "text",
    "phoneme_id_map": {chr(code): [code] for code in range(32, 127)}
    | {"^": [1], "$": [2], "_": [0]},
}


def write_piper_voice(path: Path) -> None:
    """Write a voice with piper's inputs `input`, `input_lengths` and `scales`."""
    from onnx import TensorProto

    inputs = [
        ("input", TensorProto.INT64, [1, "phonemes"]),
        ("input_lengths", TensorProto.INT64, [1]),
        ("scales", TensorProto.FLOAT, [3]),
    ]
    pick = [("Gather", ["scales", f"at{k}"], [name]) for k, name in enumerate(("n", "l", "w"))]
    nodes = [
        *pick,
        ("ReduceMax", ["input_lengths"], ["count"], {"keepdims": 0}),
        ("Cast", ["count"], ["phonemes"], {"to": TensorProto.FLOAT}),
        ("RandomNormal", [], ["jitter"], {"shape": [1]}),
        ("Abs", ["jitter"], ["jitters"]),
        ("ReduceSum", ["jitters"], ["more"], {"keepdims": 0}),
        ("Mul", ["more", "w"], ["added"]),
        ("Add", ["l", "added"], ["pace"]),
        ("Mul", ["phonemes", "pace"], ["frames"]),
        *_tone("frames"),
        ("RandomNormalLike", ["tone"], ["hiss"], {"scale": 0.05}),
        ("Mul", ["hiss", "n"], ["noise"]),
        ("Add", ["tone", "noise"], ["output"]),
    ]
    scalars = {f"at{k}": np.int64(k) for k in range(3)}
    _write(path, inputs, nodes, scalars)
    path.with_name(f"{path.name}.json").write_text(json.dumps(PIPER_CONFIG))


def write_kokoro(folder: Path) -> None:
    """Write `kokoro-v1.0.onnx` and `voices-v1.0.bin` of two voices."""
    from onnx import TensorProto

    inputs = [
        ("tokens", TensorProto.INT64, [1, "phonemes"]),
        ("style", TensorProto.FLOAT, [1, 256]),
        ("speed", TensorProto.FLOAT, [1]),
    ]
    nodes = [
        ("Size", ["tokens"], ["count"]),
        ("Cast", ["count"], ["phonemes"], {"to": TensorProto.FLOAT}),
        ("ReduceSum", ["speed"], ["pace"], {"keepdims": 0}),
        ("Div", ["phonemes", "pace"], ["frames"]),
        *_tone("frames"),
        ("ReduceMean", ["style"], ["mean"], {"keepdims": 0}),
        ("Add", ["tone", "mean"], ["output"]),
    ]
    _write(folder / "kokoro-v1.0.onnx", inputs, nodes, {})
    random = np.random.default_rng(0)
    styles = {name: random.normal(size=(510, 1, 256)) / 99 for name in ("af_sarah", "am_adam")}
    with (folder / "voices-v1.0.bin").open("wb") as file:
        np.savez(file, **{name: style.astype(np.float32) for name, style in styles.items()})


def _tone(frames: str) -> list[tuple[object, ...]]:
    """Return the nodes of a tone of so many frames of 1,500 samples."""
    from onnx import TensorProto

    return [
        ("Mul", [frames, "hop"], ["length"]),
        ("Cast", ["length"], ["samples"], {"to": TensorProto.INT64}),
        ("Range", ["zero", "samples", "one"], ["times"]),
        ("Cast", ["times"], ["time"], {"to": TensorProto.FLOAT}),
        ("Mul", ["time", "pitch"], ["angle"]),
        ("Sin", ["angle"], ["wave"]),
        ("Mul", ["wave", "half"], ["tone"]),
    ]


def _write(path: Path, inputs: object, nodes: object, scalars: dict[str, object]) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    common = {"hop": 1500.0, "pitch": 0.05, "half": 0.5}
    known = {name: np.float32(value) for name, value in common.items()}
    known |= {"zero": np.int64(0), "one": np.int64(1), **scalars}
    made = [
        helper.make_node(node[0], node[1], node[2], **(node[3] if len(node) > 3 else {}))
        for node in nodes  # type: ignore[attr-defined]
    ]
    graph = helper.make_graph(
        made,
        "tiny",
        [helper.make_tensor_value_info(*each) for each in inputs],  # type: ignore[attr-defined]
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["samples"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in known.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


if __name__ == "__main__":
    kind, place = sys.argv[1], Path(sys.argv[2])
    write_kokoro(place) if kind == "kokoro" else write_piper_voice(place / "voice.onnx")
