"""
One ConvNeXt block over time: depth-wise convolution, normalisation, a wide pointwise layer (Liu et
al. 2022).

One ConvNeXt-V2 block over time: ConvNeXt with global response normalisation for a layer scale (Woo
et al. 2023).

A convolution over time of frames (B, T, C), which torch takes as (B, C, T).

Seen as a picture one pixel high whose channels come last, the frames are convolved where they lie:
no copies into another order and back, and oneDNN has better kernels for it, if a group has few
channels.
"""

import torch
from torch import Tensor, nn

from engine.layers.linear import Linear, LinearGelu, infers_on_cpu


class ConvNeXtBlock(nn.Module):
    """
    Residual block, (B, T, width) -> (B, T, width); parameter names as in published Vocos
    checkpoints.

    `gamma` scales the residual branch and starts small, so that a deep stack begins as the
    identity.
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


EPSILON = 1e-6


class GlobalResponseNorm(nn.Module):
    """
    Channels (B, T, C) that are strong over the whole utterance, against the mean channel, are made
    stronger.
    """

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
    """
    Residual block, (B, T, width) -> (B, T, width); parameter names as in published F5-TTS
    checkpoints.
    """

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


FEW_CHANNELS = 16
"""In a group: one vector register of fp32. With more, the picture is slower."""


def convolve(conv: nn.Conv1d, frames: Tensor) -> Tensor:
    """Convolve (B, T, C) -> (B, T, C'), as `conv` does (B, C, T)."""
    few = conv.in_channels // conv.groups <= FEW_CHANNELS
    if not few or not infers_on_cpu(frames):
        convolved: Tensor = conv(frames.transpose(1, 2)).transpose(1, 2)
        return convolved
    picture = frames.transpose(1, 2)[:, :, None]
    padding = (0, int(conv.padding[0]))
    drawn = nn.functional.conv2d(
        picture, conv.weight[:, :, None], conv.bias, padding=padding, groups=conv.groups
    )
    return drawn[:, :, 0].transpose(1, 2)
