"""One ConvNeXt-V2 block over time: ConvNeXt with global response normalisation for a layer scale (Woo et al. 2023)."""

import torch
from torch import Tensor, nn

from engine.layers.convolution import convolve
from engine.layers.linear import Linear, LinearGelu

EPSILON = 1e-6


class GlobalResponseNorm(nn.Module):
    """Channels (B, T, C) that are strong over the whole utterance, against the mean channel, are made stronger."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; an untrained norm changes nothing."""
        strength = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        response = strength / (strength.mean(dim=-1, keepdim=True) + EPSILON)
        return torch.addcmul(x + self.beta, x, self.gamma * response)


class ConvNeXtV2Block(nn.Module):
    """Residual block, (B, T, width) -> (B, T, width); parameter names as in published F5-TTS checkpoints."""

    def __init__(self, width: int, hidden: int, *, kernel: int = 7) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.pwconv1 = LinearGelu(width, hidden)
        self.grn = GlobalResponseNorm(hidden)
        self.pwconv2 = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Add the block's correction to x."""
        mixed = convolve(self.dwconv, x)
        moved: Tensor = x + self.pwconv2(self.grn(self.pwconv1(self.norm(mixed))))
        return moved
