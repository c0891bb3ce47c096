"""
Pads what the models are given to a multiple of some frames, masks the padding, and cuts it off
afterwards: so few shapes occur.

That is for whatever is tuned, captured or built per shape: CUDA graphs, TensorRT, autotuned
kernels. The result must not change: attention and convolutions see, behind the end of the
utterance, what they saw without padding (the models' `mask`).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from engine.passes import Applied


class PaddedDiT:
    """Called like a DiT; `inner` is what it calls with padded lengths."""

    def __init__(self, inner: Callable[..., Tensor], multiple: int) -> None:
        self.inner = inner
        self.multiple = multiple

    def __call__(
        self, noisy: Tensor, known: Tensor, text: Tensor, t: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """
        Give the velocity (B, T, bands); `mask` (B, 1, 1, T) is of frames that are padding already.
        """
        batch, length = noisy.shape[:2]
        extra = -length % self.multiple
        real = noisy.new_ones((batch, 1, 1, length), dtype=torch.bool) if mask is None else mask
        filled = [nn.functional.pad(x, (0, 0, 0, extra)) for x in (noisy, known, text)]
        return self.inner(*filled, t, nn.functional.pad(real, (0, extra)))[:, :length]


class PaddedVocos:
    """Called like a vocoder; `inner` is what it calls with padded lengths."""

    def __init__(self, inner: Callable[..., Tensor], multiple: int) -> None:
        self.inner = inner
        self.multiple = multiple

    def __call__(self, mel: Tensor, mask: Tensor | None = None) -> Tensor:
        """
        Give log-magnitudes and phases (B, T, n_fft + 2); `mask` (B, T, 1) is of frames that are
        padding already.
        """
        batch, length = mel.shape[:2]
        extra = (0, 0, 0, -length % self.multiple)
        real = mel.new_ones((batch, length, 1), dtype=torch.bool) if mask is None else mask
        return self.inner(nn.functional.pad(mel, extra), nn.functional.pad(real, extra))[:, :length]


def apply(
    called: dict[str, Callable[..., Any]], multiple: int
) -> tuple[dict[str, Callable[..., Any]], Applied]:
    """Give what is to be called instead; `called` are the models as the passes before left them."""
    if not multiple:
        return called, Applied(
            option="pad_frames", asked="0", what="lengths as they are", why="not asked"
        )
    padded: dict[str, Callable[..., Any]] = {
        "acoustic": PaddedDiT(called["acoustic"], multiple),
        "vocoder": PaddedVocos(called["vocoder"], multiple),
    }
    what = f"lengths of {' and '.join(padded)} padded to multiples of {multiple} frames"
    return padded, Applied(
        option="pad_frames",
        asked=str(multiple),
        what=what,
        why="asked; masked, and cut off afterwards",
    )
