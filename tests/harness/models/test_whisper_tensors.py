"""Reading Whisper's weights without pickle, on small files made here."""

import struct
from pathlib import Path

import numpy as np
import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.models import whisper_tensors as tensors_of


def packed(
    variables: dict[str, np.ndarray],
    aliases: dict[str, str],
    version: int = 6,
    spec: str = "WhisperSpec",
) -> bytes:
    """A CTranslate2 file, as its documentation describes it."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    data = struct.pack("<I", version) + text(spec) + struct.pack("<II", 3, len(variables))
    for name, array in variables.items():
        raw = array.astype("<f2").tobytes()
        data += (
            text(name)
            + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
            + struct.pack("<BI", 4, len(raw))
            + raw
        )
    data += struct.pack("<I", len(aliases))
    return data + b"".join(text(alias) + text(name) for alias, name in aliases.items())


def test_variables_and_aliases_come_back():
    array = np.arange(6.0).reshape(2, 3)
    tensors = tensors_of.read_ctranslate2(
        packed({"a/weight": array, "scalar": np.array(2.0)}, {"b": "a/weight"})
    )
    assert np.array_equal(tensors["a/weight"], array)
    assert np.array_equal(tensors["b"], array)
    assert tensors["scalar"] == 2.0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"rubbish" * 9,
        packed({"a": np.ones(4)}, {})[:-8],
        packed({}, {}, version=5),
        packed({}, {}, spec="TransformerSpec"),
    ],
)
def test_a_file_that_is_not_whisper_is_refused(data: bytes):
    with pytest.raises(HarnessError, match="not a CTranslate2 Whisper file"):
        tensors_of.read_ctranslate2(data)


def layer(width: int, keys: float = 0.0) -> dict[str, np.ndarray]:
    fused = np.arange(3.0 * width * width).reshape(3 * width, width)
    bias = np.concatenate([np.ones(width), np.full(width, keys), np.full(width, 3.0)])
    one = {
        "encoder/layer_0/self_attention/linear_0/weight": fused,
        "encoder/layer_0/self_attention/linear_0/bias": bias,
    }
    one |= {
        f"encoder/layer_0/self_attention/linear_1/{p}": np.ones(
            (width, width) if p == "weight" else width
        )
        for p in ("weight", "bias")
    }
    for name, rows, columns in (("linear_0", 4 * width, width), ("linear_1", width, 4 * width)):
        one |= {
            f"encoder/layer_0/ffn/{name}/weight": np.ones((rows, columns)),
            f"encoder/layer_0/ffn/{name}/bias": np.ones(rows),
        }
    norms = ("encoder/layer_0/self_attention", "encoder/layer_0/ffn", "encoder", "decoder")
    one |= {
        f"{each}/layer_norm/{part}": np.ones(width) for each in norms for part in ("gamma", "beta")
    }
    for conv in ("conv1", "conv2"):
        one |= {
            f"encoder/{conv}/weight": np.ones((width, 80, 3)),
            f"encoder/{conv}/bias": np.ones(width),
        }
    tables = (
        "encoder/position_encodings/encodings",
        "decoder/position_encodings/encodings",
        "decoder/embeddings/weight",
    )
    return one | {name: np.ones((5, width)) for name in tables}


def test_fused_projections_are_split_into_query_key_value():
    source = {name: array.astype(np.float32) for name, array in layer(2).items()}
    target = tensors_of.openai_names(source)
    rows = np.arange(12.0).reshape(6, 2)
    for index, part in enumerate(("query", "key", "value")):
        assert np.array_equal(
            target[f"encoder.blocks.0.attn.{part}.weight"], rows[2 * index : 2 * index + 2]
        )
    assert target["encoder.blocks.0.attn.value.bias"].tolist() == [3.0, 3.0]
    assert "encoder.blocks.0.attn.key.bias" not in target


def test_a_key_bias_that_would_be_lost_is_refused():
    source = {name: array.astype(np.float32) for name, array in layer(2, keys=0.5).items()}
    with pytest.raises(HarnessError, match="not zero for the keys"):
        tensors_of.openai_names(source)


def test_a_missing_tensor_is_named():
    source = {name: array.astype(np.float32) for name, array in layer(2).items()}
    del source["encoder/conv2/bias"]
    with pytest.raises(HarnessError, match="encoder/conv2/bias"):
        tensors_of.openai_names(source)


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_file_cut_into_parts_reads_as_the_whole(tmp_path: Path, cut: int):
    data = packed(layer(64), {})
    (tmp_path / "model.bin").write_bytes(data)
    (tmp_path / "model.bin.part1").write_bytes(data[:cut])
    (tmp_path / "model.bin.part2").write_bytes(data[cut:])
    whole = tensors_of.read_tensors(tmp_path / "model.bin")
    parts = tensors_of.read_tensors(tmp_path / "model.bin.part1", tmp_path / "model.bin.part2")
    assert parts.keys() == whole.keys()
    assert all(np.array_equal(parts[name], whole[name]) for name in whole)


def test_the_size_is_told_by_its_width_and_vocabulary():
    def of(width: int, words: int) -> dict[str, np.ndarray]:
        tables = {
            "encoder.positional_embedding": (5, width),
            "decoder.positional_embedding": (5, width),
        }
        shapes = {
            **tables,
            "encoder.conv1.weight": (width, 80, 3),
            "decoder.token_embedding.weight": (words, width),
        }
        return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

    assert tensors_of.size_name(of(384, 51864)) == "tiny.en"
    assert tensors_of.size_name(of(512, 51865)) == "base"
    assert tensors_of.size_name(of(128, 7)) == "width 128"


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"encoder.conv1.weight": (384, 64, 3)}, "64 mel bands"),
        ({"encoder.positional_embedding": (5, 384)}, "5 positions"),
        ({"decoder.token_embedding.weight": (9, 384)}, "9 tokens"),
        ({"decoder.positional_embedding": (448, 100)}, "a width of 100"),
        ({"encoder.conv1.weight": (384,)}, "a shape is wrong"),
    ],
)
def test_weights_of_no_published_size_are_refused(changed: dict[str, tuple[int, ...]], wrong: str):
    shapes = {
        "encoder.conv1.weight": (384, 128, 3),
        "encoder.positional_embedding": (1500, 384),
        "decoder.positional_embedding": (448, 384),
        "decoder.token_embedding.weight": (51866, 384),
    }
    tensors_of.check_dimensions(
        {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    )
    tensors = {name: np.zeros(shape, np.float32) for name, shape in {**shapes, **changed}.items()}
    with pytest.raises(HarnessError, match=wrong):
        tensors_of.check_dimensions(tensors)


def test_quantised_weights_are_refused():
    with pytest.raises(HarnessError, match="quantised"):
        tensors_of.openai_names({"encoder/conv1/weight_scale": np.zeros(1, np.float32)})
