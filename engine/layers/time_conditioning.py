"""
Conditioning on the flow time: sinusoidal embedding and adaptive layer normalisation.

Adaptive layer normalisation (Peebles & Xie 2023) scales and shifts by projections of the time.
The time t in 0..1 is embedded by sinusoids and a small perceptron.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

EPSILON = 1e-6


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """
    Normalise x (B, T, width), scale by 1 + scale and shift.

    Args:
        x: the frames.
        shift: (B, 1, width), or (1, 1, width) if all rows share it; then it is one operation, as in
            an ordinary layer norm.
        scale: like shift.
    """
    # an int: an exporter would trace the shape as a tensor
    width = (int(x.shape[-1]),)
    if scale.shape[0] == 1:
        return layer_norm(x, width, 1 + scale[0, 0], shift[0, 0], EPSILON)
    return layer_norm(x, width, eps=EPSILON) * (1 + scale) + shift


def distinct_times(t: Tensor) -> Tensor:
    """
    Return (1,) if `t` (B,) is a single expanded time, else `t`: equal times are embedded once.
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
