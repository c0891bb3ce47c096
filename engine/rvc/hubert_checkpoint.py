"""
Load HuBERT-base or ContentVec in the layout of transformers, strictly.

Sizes follow from the tensors' shapes; strides, heads and epsilon from `config.json` where it lies
beside the file.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from voxgate.engine.errors import EngineError
from voxgate.engine.rvc.hubert import HEAD_WIDTH, Hubert, HubertShape
from voxgate.engine.weights.tensor_file import read_content, tensors_of
from voxgate.engine.weights.voice import fill_model
from voxgate.engine.weights.weight_norm import DIRECTION, OLD_DIRECTION, fold_weight_norm

LAYOUT = "HuBERT-base in the layout of transformers"
CONFIG_BYTES = 2**20
UNUSED = ("masked_spec_embed", "lm_head.weight", "lm_head.bias")
FINAL = ("final_proj.weight", "final_proj.bias")
WRAPPERS = ("hubert.", "model.")


def load_hubert(path: Path, *, projected: bool = True) -> Hubert:
    """
    Load HuBERT or ContentVec, fp32 on the CPU; `config.json` is read where it lies beside the file.

    Args:
        path: the file.
        projected: keep `final_proj` where there is one.

    Raises: EngineError for a file that is missing, unreadable or foreign, and for a tensor that is
    missing, unknown or misshapen.
    """
    tensors = tensors_of(path, read_content(path))
    for wrapper in WRAPPERS:
        if any(name.startswith(f"{wrapper}encoder.") for name in tensors):
            tensors = {name.removeprefix(wrapper): value for name, value in tensors.items()}
    unused = UNUSED if projected else (*UNUSED, *FINAL)
    kept = {name: value for name, value in tensors.items() if name not in unused}
    config = path.with_name("config.json")
    described = read_json(config) if config.is_file() else {}
    shape = _hubert_shape(path, kept, described)
    folded = fold_weight_norm(path, kept, axis=2)
    return fill_model(path, lambda: Hubert(shape), folded, LAYOUT)


def _hubert_shape(
    path: Path, tensors: Mapping[str, Tensor], described: Mapping[str, Any]
) -> HubertShape:
    """Return the sizes that the tensors imply; heads and epsilon are the configuration's."""

    def size(name: str, dimensions: int, axis: int) -> int:
        if name not in tensors or tensors[name].ndim != dimensions or not tensors[name].shape[axis]:
            raise EngineError(
                f"weights {path}: missing tensors {name}; not {LAYOUT} (fairseq's own "
                "hubert_base.pt must be converted first)"
            )
        return tensors[name].shape[axis]

    convs = range(_count(tensors, "feature_extractor.conv_layers."))
    named = [f"feature_extractor.conv_layers.{index}.conv.weight" for index in convs]
    width = size("feature_projection.projection.weight", 2, 0)
    position = "encoder.pos_conv_embed.conv."
    names = [position + name for name in (OLD_DIRECTION, DIRECTION, "weight")]
    direction = next((name for name in names if name in tensors), names[-1])
    shape = HubertShape(
        width=width,
        layers=_count(tensors, "encoder.layers."),
        heads=_heads(path, described, width),
        hidden=size("encoder.layers.0.feed_forward.intermediate_dense.weight", 2, 0),
        channels=tuple(size(name, 3, 0) for name in named),
        kernels=tuple(size(name, 3, 2) for name in named),
        strides=_strides(path, described, len(convs)),
        position_kernel=size(direction, 3, 2),
        position_groups=max(1, width // size(direction, 3, 1)),
        projection=size("final_proj.weight", 2, 0) if "final_proj.weight" in tensors else 0,
        eps=_epsilon(path, described),
    )
    _check_described(path, described, shape)
    return shape


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many numbers follow a prefix."""
    numbers = {
        name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)
    }
    return len({number for number in numbers if number.isdecimal()})


def _heads(path: Path, described: Mapping[str, Any], width: int) -> int:
    heads = described.get("num_attention_heads", max(1, width // HEAD_WIDTH))
    if type(heads) is not int or not 1 <= heads <= width or width % heads:
        raise EngineError(
            f"weights {path}: num_attention_heads of config.json is {shown(heads)}, expected a "
            f"divisor of {width}"
        )
    return heads


def _strides(path: Path, described: Mapping[str, Any], count: int) -> tuple[int, ...]:
    strides = described.get("conv_stride", list(HubertShape().strides))
    is_list = isinstance(strides, list) and len(strides) == count
    if not is_list or any(type(each) is not int or not 1 <= each <= 16 for each in strides):
        raise EngineError(
            f"weights {path}: conv_stride of config.json is no list of {count} whole numbers from "
            "1 to 16, one per convolution"
        )
    return tuple(strides)


def _epsilon(path: Path, described: Mapping[str, Any]) -> float:
    value = described.get("layer_norm_eps", HubertShape().eps)
    if type(value) is not float or not 0.0 < value < 1.0:
        raise EngineError(
            f"weights {path}: layer_norm_eps of config.json is {shown(value)}, expected a number "
            "between 0 and 1"
        )
    return value


def _check_described(path: Path, described: Mapping[str, Any], shape: HubertShape) -> None:
    """Raise EngineError for a configuration of another network."""
    expected = {
        "model_type": "hubert",
        "feat_extract_norm": "group",
        "feat_extract_activation": "gelu",
        "hidden_act": "gelu",
        "conv_bias": False,
        "conv_pos_batch_norm": False,
        "do_stable_layer_norm": False,
        "feat_proj_layer_norm": True,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "intermediate_size": shape.hidden,
        "conv_dim": list(shape.channels),
        "conv_kernel": list(shape.kernels),
        "num_conv_pos_embeddings": shape.position_kernel,
        "num_conv_pos_embedding_groups": shape.position_groups,
    }
    for name, value in expected.items():
        if described.get(name, value) != value:
            raise EngineError(
                f"weights {path}: {name} of config.json is {shown(described[name])}, expected "
                f"{value}; not {LAYOUT}"
            )


def read_json(path: Path) -> dict[str, Any]:
    """
    Read a JSON object.

    Raises: EngineError for a file that is missing, too large, or no JSON object.
    """
    try:
        if path.stat().st_size > CONFIG_BYTES:
            raise ValueError(f"larger than {CONFIG_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(f"weights {path} cannot be read ({error}); restore the file") from None
    if not isinstance(content, dict):
        raise EngineError(f"weights {path} hold no JSON object; restore the file")
    return content


def shown(value: object) -> str:
    """Return the start of a stranger's value."""
    return repr(value)[:40] if isinstance(value, str | int | float) else type(value).__name__
