"""One ConvNeXt block over time: depth-wise convolution, normalisation, a wide pointwise layer (Liu et al. 2022)."""

import torch
from torch import Tensor, nn

from engine.layers.convolution import convolve
from engine.layers.linear import Linear, LinearGelu


class ConvNeXtBlock(nn.Module):
    """
    Residual block, (B, T, width) -> (B, T, width); parameter names as in published Vocos checkpoints.

    `gamma` scales the residual branch and starts small, so that a deep stack begins as the identity.
    """

    def __init__(self, width: int, hidden: int, *, gamma: float, kernel: int = 7) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = LinearGelu(width, hidden)
        self.pwconv2 = Linear(hidden, width)
        self.gamma = nn.Parameter(torch.full((width,), gamma))

    def forward(self, x: Tensor) -> Tensor:  # (B, T, width)
        """Add the block's correction to x."""
        mixed = convolve(self.dwconv, x)
        return torch.addcmul(x, self.gamma, self.pwconv2(self.pwconv1(self.norm(mixed))))
