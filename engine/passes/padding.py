"""
Pad the models' inputs to a multiple of some frames, mask the padding, and cut it off the output.

So few shapes occur, for whatever is tuned, captured or built per shape: CUDA graphs, TensorRT,
autotuned kernels.
The result must not change: the models' `mask` makes padding look like the end of the utterance to
attention and convolutions.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from voxgate.engine.passes import Applied


class PaddedDiT:
    """Called like a DiT; calls `inner` with padded lengths."""

    def __init__(self, inner: Callable[..., Tensor], multiple: int) -> None:
        self.inner = inner
        self.multiple = multiple

    def __call__(
        self, noisy: Tensor, prompt_mel: Tensor, text: Tensor, t: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """
        Return the velocity (B, T, bands); `mask` (B, 1, 1, T) marks frames that are padding
        already.
        """
        batch, length = noisy.shape[:2]
        extra = -length % self.multiple
        is_real = noisy.new_ones((batch, 1, 1, length), dtype=torch.bool) if mask is None else mask
        padded_inputs = [nn.functional.pad(x, (0, 0, 0, extra)) for x in (noisy, prompt_mel, text)]
        return self.inner(*padded_inputs, t, nn.functional.pad(is_real, (0, extra)))[:, :length]


class PaddedVocos:
    """Called like a vocoder; calls `inner` with padded lengths."""

    def __init__(self, inner: Callable[..., Tensor], multiple: int) -> None:
        self.inner = inner
        self.multiple = multiple

    def __call__(self, mel: Tensor, mask: Tensor | None = None) -> Tensor:
        """
        Return log-magnitudes and phases (B, T, n_fft + 2).

        `mask` (B, T, 1) marks frames that are padding already.
        """
        batch, length = mel.shape[:2]
        extra = (0, 0, 0, -length % self.multiple)
        is_real = mel.new_ones((batch, length, 1), dtype=torch.bool) if mask is None else mask
        return self.inner(nn.functional.pad(mel, extra), nn.functional.pad(is_real, extra))[
            :, :length
        ]


def apply(
    callables: dict[str, Callable[..., Any]], multiple: int
) -> tuple[dict[str, Callable[..., Any]], Applied]:
    """
    Return the padded callables and a record of the pass.

    `callables` are the models as the previous passes left them.
    """
    if not multiple:
        return callables, Applied(
            option="pad_frames", requested="0", effect="lengths as they are", reason="not asked"
        )
    padded: dict[str, Callable[..., Any]] = {
        "acoustic": PaddedDiT(callables["acoustic"], multiple),
        "vocoder": PaddedVocos(callables["vocoder"], multiple),
    }
    effect = f"lengths of {' and '.join(padded)} padded to multiples of {multiple} frames"
    return padded, Applied(
        option="pad_frames",
        requested=str(multiple),
        effect=effect,
        reason="asked; masked, and cut off afterwards",
    )
