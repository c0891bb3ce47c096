"""Adaptive layer normalisation (Peebles & Xie 2023): normalise, then scale and shift by what the time says."""

from torch import Tensor
from torch.nn.functional import layer_norm

EPSILON = 1e-6


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """
    Normalise x (B, T, width), scale by 1 + scale and shift.

    Args:
        x: any frames.
        shift: (B, 1, width), or (1, 1, width) for all rows alike: then it is one operation, as in an ordinary layer norm.
        scale: like shift.
    """
    width = (int(x.shape[-1]),)  # a plain number: an exporter would take the shape for one of its values
    if scale.shape[0] == 1:
        return layer_norm(x, width, 1 + scale[0, 0], shift[0, 0], EPSILON)
    return layer_norm(x, width, eps=EPSILON) * (1 + scale) + shift


def times_apart(t: Tensor) -> Tensor:
    """Give times (B,) as they are, or only one (1,) where a single time was expanded: it is then embedded and applied once."""
    return t[:1] if t.stride(0) == 0 else t
