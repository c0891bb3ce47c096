"""
Vocal tract length normalisation: a source's spectrum is warped until the encoder knows its phones.

A longer vocal tract has lower formants. Of a few factors the one is taken by which the encoder is
surest of the phones, as recognisers choose it by the likelihood (Lee & Rose 1998).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

WARPS = (1.0, 0.82, 0.88, 0.94, 1.06, 1.12, 1.2)
"""Factors of the frequency axis, in order of preference where two are equally good."""
SEARCHED_FRAMES = 500
"""Of the recording's beginning that the factors are tried on: 8 s."""


def warp(mel: Tensor, factor: float) -> Tensor:
    """Read every band of a mel (..., bands) at `factor` times its place, interpolated."""
    if factor == 1.0:
        return mel
    bands = mel.shape[-1]
    at = (torch.arange(bands, device=mel.device) * factor).clamp(max=bands - 1.001)
    left = at.long()
    return torch.lerp(mel[..., left], mel[..., left + 1], (at - left).to(mel.dtype))


def best_warp(
    mel: Tensor, content: Callable[..., Any], phones: Callable[[Tensor], Tensor]
) -> float:
    """
    Return the factor of WARPS by which the phones of a recording are surest.

    Args:
        mel: (F, bands), the encoder's input.
        content: the encoder, (B, F, bands) -> (B, F, content).
        phones: content -> logits.
    """
    beginning = mel[:SEARCHED_FRAMES]
    rows = torch.stack([warp(beginning, factor) for factor in WARPS])
    logs = phones(content(rows)).float().log_softmax(dim=-1)
    entropy = -(logs.exp() * logs).sum(dim=-1).mean(dim=-1)
    return WARPS[int(entropy.argmin())]
