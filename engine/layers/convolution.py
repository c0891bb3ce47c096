"""
Convolutions over time: ConvNeXt blocks (Liu et al. 2022) and ConvNeXt-V2 blocks (Woo et al. 2023).

A ConvNeXt block is a depth-wise convolution, normalisation and a wide pointwise layer.
Version 2 has global response normalisation in place of the layer scale.

`convolve` works on frames (B, T, C), where torch expects (B, C, T).
Frames are treated as an image one pixel high with channels last, so they are not transposed and
copied.
oneDNN also has faster kernels for that layout, if a group has few channels.
"""

import torch
from torch import Tensor, nn

from voxgate.engine.layers.linear import Linear, LinearGelu, infers_on_cpu


class ConvNeXtBlock(nn.Module):
    """
    Residual block, (B, T, width) -> (B, T, width), with the parameter names of published Vocos
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
        """Return x plus the residual branch."""
        mixed = convolve(self.dwconv, x)
        return torch.addcmul(x, self.gamma, self.pwconv2(self.pwconv1(self.norm(mixed))))


EPSILON = 1e-6


class GlobalResponseNorm(nn.Module):
    """
    Scales each channel of (B, T, C) by its norm over the utterance, relative to the mean channel.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; an untrained norm is the identity."""
        strength = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        response = strength / (strength.mean(dim=-1, keepdim=True) + EPSILON)
        return torch.addcmul(x + self.beta, x, self.gamma * response)


class ConvNeXtV2Block(nn.Module):
    """
    Residual block, (B, T, width) -> (B, T, width), with the parameter names of published F5-TTS
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
        """Return x plus the residual branch."""
        mixed = convolve(self.dwconv, x)
        moved: Tensor = x + self.pwconv2(self.grn(self.pwconv1(self.norm(mixed))))
        return moved


MAX_GROUP_CHANNELS = 16
"""
Channels per group that fit one vector register of fp32. With more, the image layout is slower.
"""


def convolve(conv: nn.Conv1d, frames: Tensor) -> Tensor:
    """Convolve (B, T, C) -> (B, T, C') with the weights of `conv`."""
    few = conv.in_channels // conv.groups <= MAX_GROUP_CHANNELS
    if not few or not infers_on_cpu(frames):
        convolved: Tensor = conv(frames.transpose(1, 2)).transpose(1, 2)
        return convolved
    image = frames.transpose(1, 2)[:, :, None]
    padding = (0, int(conv.padding[0]))
    convolved_image = nn.functional.conv2d(
        image, conv.weight[:, :, None], conv.bias, padding=padding, groups=conv.groups
    )
    return convolved_image[:, :, 0].transpose(1, 2)


def convolve_image(
    frames: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """
    Convolve frames (B, T, C) -> (B, T', C') as an image one pixel high with channels last.

    No transposition, and up to twice as fast in oneDNN as (B, C, T) where channels are few and
    frames many (measured with 64 to 256 channels on an AMD CPU).
    """
    image = nn.functional.conv2d(
        frames.transpose(1, 2)[:, :, None],
        weight[:, :, None],
        bias,
        stride=(1, stride),
        padding=(0, padding),
        dilation=(1, dilation),
    )
    return image[:, :, 0].transpose(1, 2)
