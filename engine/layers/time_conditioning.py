"""
Adaptive layer normalisation (Peebles & Xie 2023): normalise, then scale and shift by what the time
says.

The flow time t in 0..1 as a vector: sinusoids, then a small perceptron.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

EPSILON = 1e-6


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """
    Normalise x (B, T, width), scale by 1 + scale and shift.

    Args: x: any frames. shift: (B, 1, width), or (1, 1, width) for all rows alike: then it is one
        operation, as in an ordinary layer norm. scale: like shift.
    """
    # a plain number: an exporter would take the shape for one of its values
    width = (int(x.shape[-1]),)
    if scale.shape[0] == 1:
        return layer_norm(x, width, 1 + scale[0, 0], shift[0, 0], EPSILON)
    return layer_norm(x, width, eps=EPSILON) * (1 + scale) + shift


def times_apart(t: Tensor) -> Tensor:
    """
    Give times (B,) as they are, or only one (1,) where a single time was expanded: it is then
    embedded and applied once.
    """
    return t[:1] if t.stride(0) == 0 else t


class TimestepEmbedding(nn.Module):
    """t (B,) -> (B, width)."""

    def __init__(self, width: int, frequencies: int = 128) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.time_mlp = nn.Sequential(
            nn.Linear(2 * frequencies, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, t: Tensor) -> Tensor:
        """Embed the times; sinusoids in fp32, then the dtype of the weights."""
        scale = torch.exp(
            torch.arange(self.frequencies, device=t.device)
            * (-math.log(10_000.0) / (self.frequencies - 1))
        )
        angles = 1000.0 * t.float()[:, None] * scale
        sinusoids = torch.cat((angles.sin(), angles.cos()), dim=-1)
        embedded: Tensor = self.time_mlp(sinusoids.to(next(self.time_mlp.parameters()).dtype))
        return embedded
