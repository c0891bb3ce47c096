"""
Weight normalisation (Salimans & Kingma 2016) as PyTorch stores it: a gain and a direction in place
of a weight. They are multiplied once, at loading.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from voxgate.engine.errors import EngineError

GAIN, DIRECTION = "parametrizations.weight.original0", "parametrizations.weight.original1"
OLD_GAIN, OLD_DIRECTION = "weight_g", "weight_v"
"""Of torch.nn.utils.weight_norm, before parametrizations."""


def fold_weight_norm(
    path: Path, tensors: Mapping[str, Tensor], *, axis: int = 0
) -> dict[str, Tensor]:
    """
    Return the tensors with each pair of gain and direction multiplied to a weight.

    Args:
        path: the file, for error messages.
        tensors: by name.
        axis: the one that the gains belong to.

    Raises: EngineError for a pair that is none.
    """
    folded = _folded(path, tensors, (GAIN, DIRECTION), axis)
    return _folded(path, folded, (OLD_GAIN, OLD_DIRECTION), axis)


def unfold_weight(weight: Tensor, axis: int = 0) -> tuple[Tensor, Tensor]:
    """Return the gain and the direction of a weight."""
    return torch.norm_except_dim(weight, 2, axis), weight.contiguous()


def _folded(
    path: Path, tensors: Mapping[str, Tensor], endings: tuple[str, str], axis: int
) -> dict[str, Tensor]:
    gain_name, direction_name = endings
    folded = {}
    for name, value in tensors.items():
        stem = name.removesuffix(direction_name)
        gain = tensors.get(stem + gain_name) if name.endswith(direction_name) else None
        if gain is not None:
            _check_pair(path, name, value, gain, axis)
            if f"{stem}weight" in tensors:
                raise EngineError(
                    f"weights {path}: {stem}weight is there beside its gain and direction; save "
                    "one of the two"
                )
            # in fp64, so that the number of threads, which orders a sum, does not show in fp32
            wide = torch._weight_norm(value.double(), gain.double(), axis)
            folded[f"{stem}weight"] = wide.float()
        elif not (
            name.endswith(gain_name) and name.removesuffix(gain_name) + direction_name in tensors
        ):
            folded[name] = value
    return folded


def _check_pair(path: Path, name: str, direction: Tensor, gain: Tensor, axis: int) -> None:
    sizes = [size if index == axis else 1 for index, size in enumerate(direction.shape)]
    fits = direction.ndim == 3 and list(gain.shape) == sizes
    if not fits or not (direction.is_floating_point() and gain.is_floating_point()):
        raise EngineError(
            f"weights {path}: {name} has shape {tuple(direction.shape)} and its gain "
            f"{tuple(gain.shape)}, no weight normalisation in floating point; restore the file"
        )
