"""
Load Fish-Speech 1.5 as it is published, strictly: the decoder's `model.pth` and `config.json`, and
the codec's file.

Sizes follow from the tensors' shapes, the rest from the configuration.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voxgate.engine.errors import EngineError
from voxgate.engine.fish.dual_ar import DualAR, DualARShape
from voxgate.engine.fish.firefly import (
    Firefly,
    FireflyShape,
    NormedFishConv,
    NormedFishUpsample,
)
from voxgate.engine.layers.llama import LlamaShape
from voxgate.engine.weights.tensor_file import read_tensors
from voxgate.engine.weights.voice import fill_model
from voxgate.engine.weights.weight_norm import DIRECTION, fold_weight_norm

LAYOUT = "a dual autoregressive decoder of Fish-Speech 1.5"
WRAPPER = "model."
"""Of a training checkpoint's names."""
CONFIG_BYTES = 2**20
STACKS = {"layers.": "slow.layers.", "fast_layers.": "fast.layers."}
PARTS = {
    "attention.wo.": "self_attn.o_proj.",
    "feed_forward.w1.": "mlp.gate_proj.",
    "feed_forward.w3.": "mlp.up_proj.",
    "feed_forward.w2.": "mlp.down_proj.",
    "attention_norm.": "input_layernorm.",
    "ffn_norm.": "post_attention_layernorm.",
}
JOINED = "attention.wqkv.weight"
MOST_POSITIONS, MOST_HEADS = 2**20, 2**10


@dataclass(frozen=True, slots=True, kw_only=True)
class DualARConfig:
    """The part of `config.json` that the tensors do not tell."""

    heads: int
    fast_heads: int
    theta: float
    eps: float
    positions: int


def load_dual_ar(folder: Path) -> DualAR:
    """
    Load the decoder, fp32 on the CPU.

    Raises: EngineError for a file that is missing or unreadable, and for tensors that are missing,
    unknown or misshapen.
    """
    config = _read_config(folder / "config.json")
    path = folder / "model.pth"
    tensors = _unwrapped(
        read_tensors(path, unwrap=lambda content: content.get("state_dict", content))
    )
    shape = _shape(path, tensors, config)
    renamed: dict[str, Tensor] = {}
    for name, value in tensors.items():
        renamed |= _renamed(path, name, value, shape)
    return fill_model(path, lambda: DualAR(shape), renamed, LAYOUT)


def _unwrapped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    wrapped = all(name.startswith(WRAPPER) for name in tensors)
    return {name.removeprefix(WRAPPER) if wrapped else name: tensors[name] for name in tensors}


def _read_config(path: Path) -> DualARConfig:
    """Read the configuration; fast values that are absent or null are the slow ones."""
    try:
        if path.stat().st_size > CONFIG_BYTES:
            raise ValueError(f"larger than {CONFIG_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(
            f"weights {path} cannot be read ({error}); the checkpoint's config.json belongs there"
        ) from None
    if not isinstance(content, dict) or content.get("model_type") != "dual_ar":
        raise EngineError(f"weights {path}: model_type must be 'dual_ar', as in {LAYOUT}")
    heads = _number(path, content, "n_head", MOST_HEADS)
    fast = content.get("fast_n_head")
    return DualARConfig(
        heads=int(heads),
        fast_heads=int(
            heads if fast is None else _number(path, content, "fast_n_head", MOST_HEADS)
        ),
        theta=_number(path, content, "rope_base", 1e12),
        eps=_number(path, content, "norm_eps", 1.0),
        positions=int(_number(path, content, "max_seq_len", MOST_POSITIONS)),
    )


def _number(path: Path, content: Mapping[str, Any], name: str, largest: float) -> float:
    value = content.get(name)
    plain = float(value) if isinstance(value, int | float) and type(value) is not bool else 0.0
    if not 0.0 < plain <= largest:
        raise EngineError(
            f"weights {path}: {name} is {str(value)[:40]}, expected a number above 0 and up to "
            f"{largest:g}; restore the file"
        )
    return plain


def _shape(path: Path, tensors: Mapping[str, Tensor], config: DualARConfig) -> DualARShape:
    """Return the sizes that the tensors' shapes imply."""

    def size(name: str, axis: int) -> int:
        if name not in tensors or tensors[name].ndim != 2 or not tensors[name].shape[axis]:
            raise EngineError(f"weights {path}: missing tensors {name}; not {LAYOUT}")
        return tensors[name].shape[axis]

    def stack(prefix: str, width: int, heads: int) -> LlamaShape:
        if width % heads:
            raise EngineError(
                f"weights {path}: {heads} attention heads do not divide a width of {width}; "
                "restore config.json"
            )
        extra = size(f"{prefix}0.{JOINED}", 0) - width
        return LlamaShape(
            width=width,
            depth=_count(tensors, prefix),
            heads=heads,
            hidden=size(f"{prefix}0.feed_forward.w1.weight", 0),
            kv_heads=max(1, extra // (2 * width // heads)),
            eps=config.eps,
            theta=config.theta,
            positions=config.positions,
        )

    codes = size("fast_output.weight", 0)
    return DualARShape(
        slow=stack("layers.", size("embeddings.weight", 1), config.heads),
        fast=stack("fast_layers.", size("fast_embeddings.weight", 1), config.fast_heads),
        vocabulary=size("embeddings.weight", 0),
        codebooks=max(1, size("codebook_embeddings.weight", 0) // codes),
        codes=codes,
    )


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    numbers = {
        name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)
    }
    return len({number for number in numbers if number.isdecimal()})


def _renamed(path: Path, name: str, value: Tensor, shape: DualARShape) -> dict[str, Tensor]:
    """Return a published tensor under its name here; a joined matrix as three."""
    for prefix, stack in STACKS.items():
        if not name.startswith(prefix):
            continue
        number, _, part = name.removeprefix(prefix).partition(".")
        sizes = shape.slow if prefix == "layers." else shape.fast
        if part == JOINED:
            return _split(path, name, value, sizes, f"{stack}{number}.self_attn.")
        for published, own in PARTS.items():
            if part.startswith(published):
                return {f"{stack}{number}.{own}{part.removeprefix(published)}": value}
    return {name: value}


def _split(
    path: Path, name: str, value: Tensor, shape: LlamaShape, prefix: str
) -> dict[str, Tensor]:
    keys = shape.key_heads * shape.head_width
    expected = (shape.width + 2 * keys, shape.width)
    if value.shape != expected:
        raise EngineError(
            f"weights {path}: {name} has shape {tuple(value.shape)}, expected {expected}"
        )
    q, k, v = torch.split(value, [shape.width, keys, keys])
    return {
        f"{prefix}q_proj.weight": _halves(q, shape.head_width),
        f"{prefix}k_proj.weight": _halves(k, shape.head_width),
        f"{prefix}v_proj.weight": v,
    }


def _halves(weight: Tensor, head_width: int) -> Tensor:
    """Reorder each head's rows from interleaved pairs to first and second members."""
    pairs = weight.view(-1, head_width // 2, 2, weight.shape[1])
    return torch.cat(pairs.unbind(2), dim=1).reshape(weight.shape)


FIREFLY_LAYOUT = "a Firefly codec of Fish-Speech 1.5"
FIREFLY_WRAPPER = "generator."
"""Of a training checkpoint's names, beside those of other models."""


def load_firefly(path: Path) -> Firefly:
    """
    Load the codec, fp32 on the CPU.

    Raises: EngineError as `load_dual_ar` does.
    """
    tensors = read_tensors(path, unwrap=lambda content: content.get("state_dict", content))
    wrapped = {name for name in tensors if name.startswith(FIREFLY_WRAPPER)}
    kept = {name.removeprefix(FIREFLY_WRAPPER): tensors[name] for name in wrapped} or tensors
    shape = _firefly_shape(path, kept)
    with torch.device("meta"):
        normed = _normed(Firefly(shape))
    plain = sorted(name for name in normed if f"{name}.weight" in kept)
    if plain:
        raise EngineError(
            f"weights {path}: unknown tensors {plain[0]}.weight; not {FIREFLY_LAYOUT}"
        )
    folded = fold_weight_norm(path, kept)
    return fill_model(path, lambda: Firefly(shape), folded, FIREFLY_LAYOUT)


def _normed(model: Firefly) -> list[str]:
    return [
        f"{name}.conv"
        for name, module in model.named_modules()
        if isinstance(module, NormedFishConv | NormedFishUpsample)
    ]


def _firefly_shape(path: Path, tensors: Mapping[str, Tensor]) -> FireflyShape:
    """Return the sizes that the tensors' shapes imply."""

    def size(name: str) -> int:
        if name not in tensors or not tensors[name].ndim:
            raise EngineError(f"weights {path}: missing tensors {name}; not {FIREFLY_LAYOUT}")
        return tensors[name].shape[0]

    stages = range(_count(tensors, "backbone.stages."))
    return FireflyShape(
        widths=tuple(size(f"backbone.stages.{stage}.0.gamma") for stage in stages)
        or (size("backbone.norm.weight"),),
        depths=tuple(_count(tensors, f"backbone.stages.{stage}.") for stage in stages) or (1,),
        groups=max(1, _count(tensors, "quantizer.residual_fsq.rvqs.")),
        head_width=size(f"head.conv_pre.conv.{DIRECTION}"),
    )
