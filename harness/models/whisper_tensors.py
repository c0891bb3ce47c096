"""
Whisper's weights as arrays under openai-whisper's names, read without running anybody's pickle.

Knows the layouts of CTranslate2 (format 6) and safetensors files; does not know where files lie,
torch, audio or decoding.
"""

import hashlib
import re
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.errors import HarnessError
from voxgate.harness.models.whisper_weights import HEAD_WIDTH

Tensors = dict[str, NDArray[np.float32]]

# CTranslate2's codes for element types, models/model_spec in its documentation: the few that occur
# in a Whisper file.
DTYPES: Mapping[int, str] = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}
# (width, vocabulary)
SIZES = {
    (384, 51864): "tiny.en",
    (384, 51865): "tiny",
    (512, 51864): "base.en",
    (512, 51865): "base",
    (768, 51864): "small.en",
    (768, 51865): "small",
    (1024, 51864): "medium.en",
    (1024, 51865): "medium",
    (1280, 51865): "large",
    (1280, 51866): "large-v3",
}
TURBO_LAYERS = 4
"""Of the decoder of large-v3-turbo, where large-v3 has 32."""
VOCABULARIES = (51864, 51865, 51866)
"""Of English, of all languages, and of all with Cantonese; more tokens would move Whisper's own."""
BANDS = (80, 128)
POSITIONS = 1500


def read_tensors(path: Path, *more: Path) -> Tensors:
    """
    Read the tensors of a .safetensors (openai-whisper's or Hugging Face's names) or CTranslate2
    file.

    Returns float32 arrays under openai-whisper's names. `more` are files that continue the
    first one. Raises HarnessError for what is no such file.
    """
    if path.suffix != ".safetensors":
        return openai_names(read_ctranslate2(b"".join(part.read_bytes() for part in (path, *more))))
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    tensors: Tensors = {}
    for part in (path, *more):
        try:
            tensors |= {name: each.astype(np.float32) for name, each in load_file(part).items()}
        except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise HarnessError(
                f"ASR weights {part} cannot be read ({error}); save them again, as float16 or "
                "float32"
            ) from error
    return hugging_face_names(tensors)


HUGGING_FACE = (
    (r"^model\.", ""),
    (r"^proj_out\..*", ""),
    (r"\.embed_positions\.weight$", ".positional_embedding"),
    (r"\.embed_tokens\.", ".token_embedding."),
    (r"^encoder\.layer_norm\.", "encoder.ln_post."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"\.layers\.", ".blocks."),
    (r"\.self_attn_layer_norm\.", ".attn_ln."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_ln."),
    (r"\.final_layer_norm\.", ".mlp_ln."),
    (r"\.self_attn\.", ".attn."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.q_proj\.", ".query."),
    (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."),
    (r"\.out_proj\.", ".out."),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.2."),
)
"""Pattern in the names of the transformers package -> openai-whisper's; the output is tied."""


def hugging_face_names(tensors: Tensors) -> Tensors:
    """Rename the transformers package's tensors to openai-whisper's names; others keep theirs."""
    if not any(re.match(r"(model\.)?encoder\.layers\.", name) for name in tensors):
        return tensors
    renamed: Tensors = {}
    for name, tensor in tensors.items():
        for pattern, replacement in HUGGING_FACE:
            name = re.sub(pattern, replacement, name)
        if name:
            renamed[name] = tensor
    return renamed


def dimensions(tensors: Tensors) -> dict[str, int]:
    """
    Return openai-whisper's ModelDimensions, as keywords, from the shapes alone.

    Raises HarnessError when a tensor is missing.
    """
    try:
        conv, audio, text = (
            tensors[n]
            for n in (
                "encoder.conv1.weight",
                "encoder.positional_embedding",
                "decoder.positional_embedding",
            )
        )
        vocabulary = tensors["decoder.token_embedding.weight"]
    except KeyError as error:
        raise HarnessError(
            f"these are not Whisper weights: tensor {error} is missing; use an openai-whisper "
            "state dict"
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


def check_dimensions(tensors: Tensors) -> None:
    """Raise HarnessError for weights of a size that no Whisper has."""
    try:
        dims = dimensions(tensors)
    except IndexError:
        raise HarnessError("these are not Whisper weights: a shape is wrong") from None
    wrong = [
        f"{dims[name]} {what}"
        for name, what, known in (
            ("n_mels", "mel bands", BANDS),
            ("n_audio_ctx", "positions", (POSITIONS,)),
            ("n_vocab", "tokens", VOCABULARIES),
        )
        if dims[name] not in known
    ]
    for side in ("n_audio_state", "n_text_state"):
        if not dims[side] or dims[side] % HEAD_WIDTH:
            wrong.append(f"a width of {dims[side]}")
    if wrong:
        raise HarnessError(
            f"these are no weights of a published kind of Whisper: {', '.join(wrong)}; use another "
            "model"
        )


def size_name(tensors: Tensors) -> str:
    """Return OpenAI's name for a model of these dimensions, such as "tiny.en"."""
    dims = dimensions(tensors)
    width, layers = dims["n_text_state"], dims["n_text_layer"]
    name = SIZES.get((width, dims["n_vocab"]), f"width {width}")
    return f"{name}-turbo" if (name, layers) == ("large-v3", TURBO_LAYERS) else name


def fingerprint(tensors: Tensors) -> str:
    """
    Return eight hex digits that are the same for the same weights in any container.

    Both known files store fp16. Left out: the key biases, which are zero by design, and the
    encoder's positions, which are a formula.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if name != "encoder.positional_embedding":
            digest.update(
                name.encode() + np.ascontiguousarray(tensors[name], dtype="<f2").tobytes()
            )
    return digest.hexdigest()[:8]


def read_ctranslate2(data: bytes) -> Tensors:
    """
    Read variables and aliases of a CTranslate2 model file (format 6), by their own names.

    Raises HarnessError if malformed.
    """
    try:
        return _parse_ctranslate2(data)
    except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
        raise HarnessError(
            f"not a CTranslate2 Whisper file of format 6 ({error}); use the original or a "
            "safetensors file"
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
        return name, np.frombuffer(self.take(self.number("I")), dtype).reshape(shape).astype(
            np.float32
        )


def openai_names(source: Tensors) -> Tensors:
    """
    Rename CTranslate2's Whisper variables to openai-whisper's names.

    Fused projections are split in the order q, k, v.
    """
    if any(name.endswith("/weight_scale") for name in source):
        raise HarnessError("these Whisper weights are quantised; use an unquantised file")
    try:
        target = _outer_names(source)
        for side in ("encoder", "decoder"):
            layers = {int(m[1]) for n in source if (m := re.match(rf"{side}/layer_(\d+)/", n))}
            for layer in sorted(layers):
                target |= _layer_names(source, f"{side}/layer_{layer}", f"{side}.blocks.{layer}")
    except (KeyError, ValueError) as error:
        raise HarnessError(
            f"these are not Whisper weights: {error}; use an unquantised Whisper file"
        ) from error
    return target


def _outer_names(source: Tensors) -> Tensors:
    target = {
        "encoder.positional_embedding": source["encoder/position_encodings/encodings"],
        "decoder.positional_embedding": source["decoder/position_encodings/encodings"],
        "decoder.token_embedding.weight": source["decoder/embeddings/weight"],
    }
    for conv in ("conv1", "conv2"):
        target |= {
            f"encoder.{conv}.{part}": source[f"encoder/{conv}/{part}"]
            for part in ("weight", "bias")
        }
    return (
        target
        | _norm(source, "encoder/layer_norm", "encoder.ln_post")
        | _norm(source, "decoder/layer_norm", "decoder.ln")
    )


def _layer_names(source: Tensors, old: str, new: str) -> Tensors:
    width = source[f"{old}/self_attention/linear_1/weight"].shape[0]
    target = _split(
        source,
        f"{old}/self_attention/linear_0",
        [f"{new}.attn.{p}" for p in ("query", "key", "value")],
        width,
    )
    target |= _split(source, f"{old}/self_attention/linear_1", [f"{new}.attn.out"], width)
    target |= _norm(source, f"{old}/self_attention/layer_norm", f"{new}.attn_ln")
    if f"{old}/attention/linear_0/weight" in source:
        target |= _split(source, f"{old}/attention/linear_0", [f"{new}.cross_attn.query"], width)
        target |= _split(
            source,
            f"{old}/attention/linear_1",
            [f"{new}.cross_attn.{p}" for p in ("key", "value")],
            width,
        )
        target |= _split(source, f"{old}/attention/linear_2", [f"{new}.cross_attn.out"], width)
        target |= _norm(source, f"{old}/attention/layer_norm", f"{new}.cross_attn_ln")
    target |= _split(source, f"{old}/ffn/linear_0", [f"{new}.mlp.0"], 4 * width)
    target |= _split(source, f"{old}/ffn/linear_1", [f"{new}.mlp.2"], width)
    return target | _norm(source, f"{old}/ffn/layer_norm", f"{new}.mlp_ln")


def _norm(source: Tensors, old: str, new: str) -> Tensors:
    return {f"{new}.weight": source[f"{old}/gamma"], f"{new}.bias": source[f"{old}/beta"]}


def _split(source: Tensors, old: str, names: list[str], width: int) -> Tensors:
    """
    Split one fused linear into several of `width` rows.

    openai-whisper's key projections have no bias, so that must be zero.
    """
    weight, bias = source[f"{old}/weight"], source[f"{old}/bias"]
    if weight.shape[0] != width * len(names):
        raise ValueError(
            f"{old}/weight has {weight.shape[0]} rows where {width * len(names)} belong"
        )
    target: Tensors = {}
    for index, name in enumerate(names):
        rows = slice(index * width, (index + 1) * width)
        target[f"{name}.weight"] = weight[rows]
        if not name.endswith(".key"):
            target[f"{name}.bias"] = bias[rows]
        elif bias[rows].any():
            raise ValueError(f"{old}/bias is not zero for the keys")
    return target
