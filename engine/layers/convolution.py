"""
A convolution over time of frames (B, T, C), which torch takes as (B, C, T).

Seen as a picture one pixel high whose channels come last, the frames are convolved where they lie: no copies into another
order and back, and oneDNN has better kernels for it, if a group has few channels.
"""

from torch import Tensor, nn

from engine.layers.quick import infers_on_cpu

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
    drawn = nn.functional.conv2d(picture, conv.weight[:, :, None], conv.bias, padding=padding, groups=conv.groups)
    return drawn[:, :, 0].transpose(1, 2)
