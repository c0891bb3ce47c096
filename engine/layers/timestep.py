"""The flow time t in 0..1 as a vector: sinusoids, then a small perceptron."""

import math

import torch
from torch import Tensor, nn


class TimestepEmbedding(nn.Module):
    """t (B,) -> (B, width)."""

    def __init__(self, width: int, frequencies: int = 128) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.time_mlp = nn.Sequential(nn.Linear(2 * frequencies, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """Embed the times; sinusoids in fp32, then the dtype of the weights."""
        scale = torch.exp(torch.arange(self.frequencies, device=t.device) * (-math.log(10_000.0) / (self.frequencies - 1)))
        angles = 1000.0 * t.float()[:, None] * scale
        sinusoids = torch.cat((angles.sin(), angles.cos()), dim=-1)
        embedded: Tensor = self.time_mlp(sinusoids.to(next(self.time_mlp.parameters()).dtype))
        return embedded
