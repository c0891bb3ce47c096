"""
Weight normalisation (Salimans & Kingma 2016) as PyTorch's parametrization stores it: a gain and a
direction in place of a weight. They are multiplied once, at loading.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from voxgate.engine.errors import EngineError

GAIN, DIRECTION = "parametrizations.weight.original0", "parametrizations.weight.original1"


def fold_weight_norm(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Return the tensors with each pair of gain and direction multiplied to a weight.

    Raises: EngineError for a pair that is none.
    """
    folded = {}
    for name, value in tensors.items():
        gain = tensors.get(name.removesuffix(DIRECTION) + GAIN)
        if name.endswith(DIRECTION) and gain is not None:
            _check_pair(path, name, value, gain)
            weight = torch._weight_norm(value.float(), gain.float(), 0)
            folded[f"{name.removesuffix(DIRECTION)}weight"] = weight
        elif not (name.endswith(GAIN) and name.removesuffix(GAIN) + DIRECTION in tensors):
            folded[name] = value
    return folded


def unfold_weight(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gain and the direction of a weight."""
    return torch.norm_except_dim(weight, 2, 0), weight.contiguous()


def _check_pair(path: Path, name: str, direction: Tensor, gain: Tensor) -> None:
    fits = direction.ndim == 3 and gain.shape == (direction.shape[0], 1, 1)
    if not fits or not (direction.is_floating_point() and gain.is_floating_point()):
        raise EngineError(
            f"weights {path}: {name} has shape {tuple(direction.shape)} and its gain "
            f"{tuple(gain.shape)}, no weight normalisation in floating point; restore the file"
        )
